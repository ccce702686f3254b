"""Pages of the report panel as files: figures as PNG and SVG, tables as CSV.

A page is made where the panel is; it is drawn, with matplotlib, only where it is saved.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from napari_ssrvae.errors import InputError
from napari_ssrvae.library.distributions import fits_table
from napari_ssrvae.library.storage import replaced_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_ssrvae.learning.quality import QualityReport
    from napari_ssrvae.library.distributions import ClassFits, Fit
    from napari_ssrvae.library.statistics import Group, Histogram


@dataclass(frozen=True, eq=False)
class Sheet:
    """What one page shows, ready to be saved; nothing is drawn before.

    Attributes
    ----------
    name : str
        Of the file that is proposed, without suffix.
    table : DataFrame
        Its numbers.
    figure : callable or None
        Draws it; None for a page that is a table only.
    """

    name: str
    table: pd.DataFrame
    figure: Callable[[], Figure] | None = None

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The kinds of file it can be saved as, the first one by default."""
        return (".csv",) if self.figure is None else (".png", ".svg", ".csv")


def save_sheet(sheet: Sheet, path: str | os.PathLike[str]) -> Path:
    """Save a page in the format that the suffix names, whole or not at all.

    Parameters
    ----------
    sheet : Sheet
        The page.
    path : path
        Ends in one of `sheet.suffixes`; replaced where it exists. Text in an SVG stays text.

    Raises
    ------
    InputError
        The page cannot be saved as that.
    WriteError
        The file cannot be written.
    """
    target = Path(path).expanduser().absolute()
    suffix = target.suffix.lower()
    if suffix not in sheet.suffixes:
        allowed = " or ".join(sheet.suffixes)
        raise InputError(f"{target.name} cannot be written: end the name in {allowed}.")
    with replaced_file(target) as temporary:
        if suffix == ".csv":
            sheet.table.to_csv(temporary, index=False, lineterminator="\n")
        elif sheet.figure is not None:
            from napari_ssrvae.report.sheet_figures import write_figure

            write_figure(sheet.figure(), temporary, suffix.removeprefix("."))
    return target


def sizes_sheet(
    measure: str,
    statistics: pd.DataFrame,
    histogram: Histogram,
    classes: Sequence[Group],
    *,
    fits: Mapping[int, ClassFits] | None = None,
    drawn: Mapping[int, Fit] | None = None,
) -> Sheet:
    """Make the page of a measure by class.

    Parameters
    ----------
    measure : str
        Its name with the unit.
    statistics : DataFrame
        From `class_statistics`, of these classes.
    histogram : Histogram
        From `class_histogram`, of these classes.
    classes : sequence of Group
        Those that are shown, and what has no class.
    fits : mapping of int to ClassFits, optional
        From `class_fits`, of these classes: their parameters become columns of the table.
    drawn : mapping of int to Fit, optional
        Class id → the fit whose curve is drawn.
    """

    def draw() -> Figure:
        from napari_ssrvae.report.sheet_figures import histogram_figure

        return histogram_figure(measure, histogram, classes, drawn or {})

    names = {c.id: c.name for c in classes}
    if fits:
        statistics = statistics.merge(fits_table(fits), on="class", how="left")
    table = statistics.assign(**{"class": statistics["class"].map(names)})
    table.insert(1, "measure", measure)
    return Sheet(f"{_stem(measure)}_by_class", table, draw)


def histogram_sheet(measure: str, histogram: Histogram, classes: Sequence[Group]) -> Sheet:
    """Make the table of a histogram's bars: edges, and particles of each class."""
    return Sheet(f"{_stem(measure)}_histogram", histogram.table({c.id: c.name for c in classes}))


def confusion_sheet(quality: QualityReport, names: Mapping[int, str]) -> Sheet:
    """Make the page of the confusion matrix: rows as labelled, columns as the model says."""
    called = called_classes(quality, names)

    def draw() -> Figure:
        from napari_ssrvae.report.sheet_figures import confusion_figure

        return confusion_figure(quality, called)

    table = pd.DataFrame(quality.confusion, columns=called)
    table.insert(0, "labelled as", called)
    return Sheet("confusion", table, draw)


def per_class_sheet(quality: QualityReport, names: Mapping[int, str]) -> Sheet:
    """Make the page of precision, recall and F1 of each class."""
    table = quality.per_class.assign(**{"class": called_classes(quality, names)})
    return Sheet("quality_by_class", table)


def disagreements_sheet(
    rows: Sequence[tuple[str, int, int, int, float]], names: Mapping[int, str]
) -> Sheet:
    """Make the page of particles that label and model call differently.

    Parameters
    ----------
    rows : sequence of (micrograph, particle, label, predicted, probability)
        Classes by their ids.
    names : mapping of int to str
        Of the classes.
    """
    columns = ("micrograph", "particle", "label", "model", "probability")
    table = pd.DataFrame(rows, columns=list(columns))
    for column in ("label", "model"):
        table[column] = [names.get(c, f"class {c}") for c in table[column]]
    return Sheet("disagreements", table)


def calibration_sheet(quality: QualityReport) -> Sheet:
    """Make the page on whether the probabilities mean what they say."""

    def draw() -> Figure:
        from napari_ssrvae.report.figures import reliability_figure

        return reliability_figure(quality.calibration)

    return Sheet("calibration", quality.calibration.bins, draw)


def training_sheet(history: pd.DataFrame) -> Sheet:
    """Make the page of the last training, from `SSRVAE.history_`."""

    def draw() -> Figure:
        from napari_ssrvae.report.figures import curve_figure

        # The total loss jumps when the ELBO joins in; this one falls from start to end.
        return curve_figure(history.assign(loss=history["classification_loss"]))

    return Sheet("training", history, draw)


def called_classes(quality: QualityReport, names: Mapping[int, str]) -> list[str]:
    """Return what the classes of a quality report are called, in its order."""
    return [names.get(int(c), f"class {int(c)}") for c in quality.classes]


def _stem(measure: str) -> str:
    """Return the name of a measure as a part of a file name, without its unit."""
    return measure.partition(" (")[0].replace(" ", "_")

"""What the page says of how far to trust the classes: confusion matrices and the quality report."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ssrvae.errors import InputError
from napari_ssrvae.learning.quality import FEW
from napari_ssrvae.learning.reliability import wilson_interval
from napari_ssrvae.library.held_back import HeldBack
from napari_ssrvae.report import figures

if TYPE_CHECKING:
    from napari_ssrvae.learning.quality import QualityReport

MAX_DISAGREEMENTS = 24


def confusion(title: str, result: HeldBack, names: Mapping[int, str]) -> dict[str, Any]:
    """Lay out one confusion matrix for the page.

    Parameters
    ----------
    title : str
        Heading.
    result : HeldBack
        At least one particle.
    names : mapping of class id to str
        All classes of the page; those without a row are named as untested.
    """
    rows = []
    for class_id, counts in zip(result.class_ids, result.confusion, strict=True):
        total = sum(counts)
        rows.append(
            {
                "name": names.get(class_id, str(class_id)),
                "cells": [
                    {"n": n, "share": n / total if total else 0.0, "right": j == class_id}
                    for j, n in zip(result.class_ids, counts, strict=True)
                ],
                "recall": f"{counts[result.class_ids.index(class_id)] / total:.0%}"
                if total
                else "–",
            }
        )
    low, high = wilson_interval(int(np.trace(result.matrix)), result.n)
    return {
        "title": title,
        "columns": [names.get(i, str(i)) for i in result.class_ids],
        "rows": rows,
        "accuracy": f"{result.accuracy:.1%}",
        "interval": f"{100 * low:.0f} to {100 * high:.0f} %",
        "balanced": f"{result.balanced_accuracy:.1%}",
        "n": result.n,
        "source": result.source,
        "few": result.few,
        "untested": [n for i, n in names.items() if i not in result.class_ids],
        "enough": FEW,
    }


def quality_section(
    quality: QualityReport, names: Mapping[int, str], images: npt.NDArray[Any] | None
) -> dict[str, Any]:
    """Lay out a quality report for the page.

    Parameters
    ----------
    quality : QualityReport
        From `SSRVAE.quality`.
    names : mapping of class id to str
        What to call the classes.
    images : (n, H, W) array or None
        What quality was measured on; None: disagreements are listed without pictures.

    Raises
    ------
    InputError
        The images are not those of the report: there are too few.
    """
    called = {int(c): names.get(int(c), f"class {int(c)}") for c in quality.classes}
    tested = len(quality.rows) > 0
    return {
        "sentences": quality.sentences(called),
        "matrix": confusion("Which class is taken for which", as_held_back(quality), called)
        if tested
        else None,
        "per_class": [_class_row(row, called) for row in quality.per_class.to_dict("records")],
        "reliability": figures.html_picture(
            figures.reliability_figure(quality.calibration), "reliability of the probabilities"
        )
        if tested
        else None,
        "calibration_error": f"{quality.calibration.error:.3f}",
        "calibration_chance": f"{quality.calibration.chance:.3f}",
        "disagreements": _disagreements(quality, called, images),
        "n_disagreements": len(quality.disagreements),
        "folds": quality.folds,
    }


def as_held_back(quality: QualityReport) -> HeldBack:
    """Return the confusion matrix of a quality report, as a library keeps it."""
    return HeldBack(
        class_ids=tuple(int(c) for c in quality.classes),
        confusion=tuple(tuple(int(n) for n in row) for row in quality.confusion),
        source="labels held back from training in turn",
    )


def _class_row(row: Mapping[Hashable, Any], called: Mapping[int, str]) -> dict[str, Any]:
    shown = {name: _share(row[name]) for name in ("precision", "recall", "f1")}
    interval = "–"
    if row["tested"]:
        interval = f"{100 * row['recall_low']:.0f} to {100 * row['recall_high']:.0f} %"
    return {
        "name": called[row["class"]],
        "n": row["n"],
        "tested": row["tested"],
        "interval": interval,
        **shown,
    }


def _share(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


def _disagreements(
    quality: QualityReport, called: Mapping[int, str], images: npt.NDArray[Any] | None
) -> Sequence[dict[str, Any]]:
    shown = quality.disagreements.head(MAX_DISAGREEMENTS).to_dict("records")
    if images is not None and len(quality.rows) and quality.rows.max() >= len(images):
        raise InputError(
            f"The quality report is of more than {len(images)} images; give the images that "
            "quality was called with."
        )
    return [
        {
            "row": entry["row"],
            "label": called[entry["label"]],
            "predicted": called[entry["predicted"]],
            "probability": f"{entry['probability']:.2f}",
            "picture": None
            if images is None
            else figures.html_picture(_patch(images[entry["row"]]), f"particle {entry['row']}"),
        }
        for entry in shown
    ]


def _patch(image: npt.NDArray[Any]) -> Any:
    # Images of any range: the darkest pixel is black, as the background of a patch is.
    return figures.strip_figure((image - image.min())[None].astype(np.float32))

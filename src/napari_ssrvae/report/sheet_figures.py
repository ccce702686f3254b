"""Figures of the report panel, drawn as they are saved.

Unlike those of the HTML page they bear the names of classes, so that each can stand alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from napari_ssrvae.report.figures import INK, quiet_axes

if TYPE_CHECKING:
    from matplotlib.text import Text

    from napari_ssrvae.learning.quality import QualityReport
    from napari_ssrvae.library.distributions import Fit
    from napari_ssrvae.library.statistics import Group, Histogram

_DPI = 200


def write_figure(figure: Figure, path: Path, form: str) -> None:
    """Write a figure as "png" or "svg"; text in an SVG stays text."""
    # The canvas is named: without one, matplotlib asks which window system there is.
    (FigureCanvasSVG if form == "svg" else FigureCanvasAgg)(figure)
    with rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        # A class name in a script that matplotlib's font has not: boxes in a PNG, right in an SVG.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(path, format=form, dpi=_DPI)


def histogram_figure(
    measure: str,
    histogram: Histogram,
    classes: Sequence[Group],
    fits: Mapping[int, Fit] | None = None,
) -> Figure:
    """Draw overlaid histograms of the classes, in bins that they share, and the curves fitted."""
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    for c in classes:
        counts, edges = histogram.counts[c.id], histogram.edges
        if len(counts):
            name = f"{c.name} ({counts.sum()})"
            axes.stairs(counts, edges, fill=True, alpha=0.35, color=c.color, label=name)
            axes.stairs(counts, edges, baseline=None, color=c.color, linewidth=1.6)
        if len(counts) and fits and (fit := fits.get(c.id)) is not None:
            axes.plot(*fit.curve(edges), "--", color=c.color, linewidth=1.6, label=fit.in_words())
    axes.set_ylim(bottom=0)
    _plain(axes.set_xlabel(measure))
    axes.set_ylabel("particles")
    quiet_axes(axes)
    if axes.get_legend_handles_labels()[0]:
        for text in axes.legend(frameon=False).get_texts():
            _plain(text)
    return figure


def confusion_figure(quality: QualityReport, called: Sequence[str]) -> Figure:
    """Draw a confusion matrix: counts, tinted by their share of the row."""
    side = 2.2 + 0.55 * len(called)
    figure = Figure(figsize=(side + 0.4, side), layout="constrained")
    axes = figure.subplots()
    shares = quality.confusion / np.maximum(quality.confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), share in np.ndenumerate(shares):
        color = "white" if share > 0.55 else INK
        axes.text(j, i, f"{quality.confusion[i, j]}", ha="center", va="center", color=color)
    places = range(len(called))
    axes.set_xticks(places, called, rotation=30, ha="right")
    axes.set_yticks(places, called)
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        _plain(text)
    axes.set_xlabel("the model says")
    axes.set_ylabel("labelled as")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=INK)
    return figure


def _plain(text: Text) -> None:
    """Draw "$" in what a person typed as a dollar sign, not as the start of a formula."""
    text.set_parse_math(False)

"""How each panel is drawn, and how panels make a figure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure, FigureBase

from napari_ssrvae.library.classes import PALETTE

from . import published
from .drawing import (
    INK,
    QUIET,
    SMALL_TEXT,
    cloud,
    coloured_table,
    confusion,
    mosaic,
    quiet_axes,
    upright_plane,
)
from .panels import Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .sets import Images

LINE_COLORS = {"ss-VAE": PALETTE[5], "ss-rVAE": PALETTE[6]}
PAPER_COLOR = PALETTE[0]
NOTE_INK = "#5b6874"
PAPER_INK = "#8a5a00"  # the same, dark enough to read


def draw(panels: Sequence[Panel]) -> Figure:
    """Draw one figure of panels.

    Parameters
    ----------
    panels : sequence of Panel
        One panel alone, or all panels of Figure 3 or 4.
    """
    names = "".join(panel.name for panel in panels)
    size, layout = _LAYOUTS.get(names, (_SIZES.get(panels[0].name, (7.0, 4.6)), _alone))
    figure = Figure(figsize=size, layout="constrained")
    figure.supxlabel(
        _footnote(panels, int(size[0] * 17)), x=0.01, ha="left", size=SMALL_TEXT, color=NOTE_INK
    )
    for panel, part in zip(panels, layout(figure), strict=True):
        part.suptitle(
            f"{panel.name}   {panel.title}" if panel.name != "systems" else panel.title,
            x=0.02,
            ha="left",
            size=10,
            color=INK,
            weight="bold",
        )
        _DRAWINGS[panel.name](part, panel)
    return figure


def _footnote(panels: Sequence[Panel], width: int) -> str:
    """Every sentence once, after the panels that it is about where these are not all there are."""
    about: dict[str, list[str]] = {}
    for panel in panels:
        for sentence in panel.notes:
            about.setdefault(sentence, []).append(panel.name)
    sentences = [
        sentence if len(names) == len(panels) else f"{', '.join(names)}: {sentence}"
        for sentence, names in about.items()
    ]
    return "\n".join(line for sentence in sentences for line in textwrap.wrap(sentence, width))


def _alone(figure: Figure) -> list[FigureBase]:
    return [figure]


def _layout_3(figure: Figure) -> list[FigureBase]:
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.5), squeeze=False).flat
    return [top, *bottom.subfigures(1, 2).flat]


def _layout_4(figure: Figure) -> list[FigureBase]:
    top, bottom = figure.subfigures(2, 1, squeeze=False).flat
    first = top.subfigures(1, 3, width_ratios=(2, 1, 1))
    return [*first.flat, *bottom.subfigures(1, 3).flat]


def _draw_3a(part: FigureBase, panel: Panel) -> None:
    axes = part.subplots()
    angles = panel.numbers["angles"]
    for name, found in panel.numbers["accuracy"].items():
        axes.plot(angles, found, "o-", color=LINE_COLORS[name], label=f"{name}, ours", lw=1.8)
    axes.plot(
        [published.LABELLED_ANGLE, published.ROBUST_UP_TO],
        [published.ROBUST_ACCURACY] * 2,
        "--",
        color=PAPER_COLOR,
        lw=1.8,
        label="ss-rVAE, the paper: above this line",
    )
    axes.axhline(published.CHANCE, color=QUIET, ls=":", lw=1.4, label="chance")
    axes.set_xticks(angles, [f"±{a:g}°" for a in angles])
    axes.set_xlabel("angles of the unlabelled cards and of the test set")
    axes.set_ylabel("accuracy")
    axes.set_ylim(0, 1.04)
    axes.legend(fontsize=SMALL_TEXT + 1, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    quiet_axes(axes)


def _draw_traversals(part: FigureBase, panel: Panel) -> None:
    axes = part.subplots()
    drawn = panel.pictures["traversals"]
    rows = [f"{suit}  z{i}" for suit in ("clubs", "spades", "hearts", "diamonds") for i in (1, 2)]
    steps = panel.numbers["z"]
    mosaic(axes, drawn.reshape(-1, *drawn.shape[2:]), rows, [f"{z:g}" for z in steps])
    axes.set_xlabel("value of the latent, the other one at 0", size=SMALL_TEXT + 1)
    told = panel.numbers["r2"]
    axes.set_title(
        f"R² from the latents: scale {told['scale']:.2f}, shear {told['shear']:.2f}",
        size=SMALL_TEXT + 1,
    )


def _draw_4a(part: FigureBase, panel: Panel) -> None:
    numbers = panel.numbers
    rows = [f"{100 * shear:.3g} %" for shear in numbers["shears"]]
    columns = [f"±{angle:g}°" if angle else "0°" for angle in numbers["angles"]]
    both = part.subplots(1, 2, sharey=True)
    for axes, key, title in zip(both, ("accuracy", "paper"), ("ours", "the paper"), strict=True):
        coloured_table(axes, numbers[key], rows, columns)
        axes.set_title(title, size=SMALL_TEXT + 2)
        axes.set_xlabel("angle", size=SMALL_TEXT + 1)
    both[0].set_ylabel("shear", size=SMALL_TEXT + 1)


def _draw_card_confusion(part: FigureBase, panel: Panel) -> None:
    axes = part.subplots()
    confusion(axes, panel.numbers["counts"], panel.numbers["classes"])
    lines = zip(panel.numbers["classes"], panel.numbers["paper"], strict=True)
    said = ", ".join(f"{suit} {words}" for suit, words in lines)
    wrapped = "\n".join(textwrap.wrap(f"the paper's recall: {said}", 48))
    axes.set_title(wrapped, size=SMALL_TEXT, color=PAPER_INK)


def _draw_4d(part: FigureBase, panel: Panel) -> None:
    axes = part.subplots()
    grid = np.stack(list(panel.pictures.values()))
    mosaic(axes, grid, list(panel.pictures), panel.numbers["classes"])


def _draw_4e(part: FigureBase, panel: Panel) -> None:
    axes = part.subplots()
    noise, paper = panel.numbers["noise"], panel.numbers["paper"]
    axes.plot(
        noise, panel.numbers["accuracy"], "o-", color=LINE_COLORS["ss-rVAE"], label="ours", lw=1.8
    )
    axes.plot(
        paper["noise"], paper["accuracy"], "s--", color=PAPER_COLOR, label="the paper", lw=1.4
    )
    axes.axhline(published.CHANCE, color=QUIET, ls=":", lw=1.4, label="chance")
    axes.set_xscale("symlog", linthresh=1, linscale=1.6)
    ticks = [n for n in noise if n not in (0.1, 0.8)]
    axes.set_xticks(ticks, [f"{n:g}" for n in ticks])
    axes.minorticks_off()
    axes.set_xlim(-0.05, 1.15 * max(noise))
    axes.set_ylim(0, 1.04)
    axes.set_xlabel(
        "standard deviation of the noise (contrast of the cards = 1)", size=SMALL_TEXT + 1
    )
    axes.set_ylabel("accuracy", size=SMALL_TEXT + 1)
    axes.legend(fontsize=SMALL_TEXT + 1, frameon=False, loc="lower left")
    quiet_axes(axes)


def _draw_4f(part: FigureBase, panel: Panel) -> None:
    axes = part.subplots()
    rows = [f"{intensity:g}" for intensity in panel.numbers["intensities"]]
    columns = [f"{density:.0%}" for density in panel.numbers["densities"]]
    coloured_table(axes, panel.numbers["accuracy"], rows, columns)
    axes.set_xlabel("share of the pixels that are contaminated", size=SMALL_TEXT + 1)
    axes.set_ylabel("intensity", size=SMALL_TEXT + 1)
    axes.set_title(
        "the paper: good below 10 %, about 0.25 in the lower right corner",
        size=SMALL_TEXT,
        color=PAPER_INK,
    )


def _draw_5(part: FigureBase, panel: Panel) -> None:
    grid = part.subplots(2, len(panel.pictures), height_ratios=(1.15, 1))
    numbers = np.array(panel.numbers["truth"]) - 1
    for (top, bottom), (name, manifold) in zip(grid.T, panel.pictures.items(), strict=True):
        _plane(top, manifold, name)
        cloud(bottom, panel.numbers["latents"][name], numbers, panel.numbers["classes"])


def _draw_6(part: FigureBase, panel: Panel) -> None:
    top, bottom = part.subfigures(2, 1, height_ratios=(1, 1.25), squeeze=False).flat
    for axes, (name, manifold) in zip(
        top.subplots(1, len(panel.pictures)), panel.pictures.items(), strict=True
    ):
        _plane(axes, manifold, name)
    left, right = bottom.subplots(1, 2)
    numbers = np.array(panel.numbers["predicted"]) - 1
    cloud(left, panel.numbers["latents"], numbers, panel.numbers["classes"])
    left.set_title("latents in the colours of the predicted classes", size=SMALL_TEXT + 2)
    confusion(right, panel.numbers["counts"], panel.numbers["classes"])
    right.set_title("unlabelled agglomerates (the paper: every recall > 0.6)", size=SMALL_TEXT + 2)


def _plane(axes: Axes, manifold: Images, name: str) -> None:
    mosaic(axes, upright_plane(manifold))
    axes.set_title(name, size=SMALL_TEXT + 2)
    axes.set_xlabel("z1 →", size=SMALL_TEXT)
    axes.set_ylabel("z2 →", size=SMALL_TEXT)


def _draw_s3(part: FigureBase, panel: Panel) -> None:
    counts: Mapping[str, list[list[int]]] = panel.numbers["counts"]
    for axes, (name, table) in zip(
        part.subplots(1, len(counts), sharey=True), counts.items(), strict=True
    ):
        confusion(axes, table, panel.numbers["classes"])
        shares = np.diagonal(table) / np.sum(table, axis=1)
        axes.set_title(f"{name}\nbalanced accuracy {shares.mean():.2f}", size=SMALL_TEXT + 2)
        axes.label_outer()


def _draw_systems(part: FigureBase, panel: Panel) -> None:
    axes = part.subplots()
    found: Mapping[str, float] = panel.numbers["accuracy"]
    colors = [LINE_COLORS.get(name, PALETTE[1]) for name in found]
    bars = axes.barh(list(found), list(found.values()), color=colors, height=0.62)
    axes.bar_label(bars, fmt="%.3f", padding=3, size=SMALL_TEXT + 1, color=INK)
    axes.axvline(
        published.ACCURACY, color=PAPER_COLOR, ls="--", lw=1.6, label="the paper's ss-rVAE"
    )
    axes.axvline(published.CHANCE, color=QUIET, ls=":", lw=1.4, label="chance")
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12)
    axes.set_xlabel("accuracy")
    axes.legend(
        fontsize=SMALL_TEXT + 1, frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1)
    )
    quiet_axes(axes)
    axes.grid(visible=False, axis="y")


_DRAWINGS: dict[str, Callable[[FigureBase, Panel], None]] = {
    "3a": _draw_3a,
    "3b": _draw_traversals,
    "3c": _draw_traversals,
    "4a": _draw_4a,
    "4b": _draw_card_confusion,
    "4c": _draw_card_confusion,
    "4d": _draw_4d,
    "4e": _draw_4e,
    "4f": _draw_4f,
    "5": _draw_5,
    "6": _draw_6,
    "S3": _draw_s3,
    "systems": _draw_systems,
}
_SIZES = {
    "3b": (5.2, 5.6),
    "3c": (5.2, 5.6),
    "4a": (8.0, 3.4),
    "4b": (4.6, 4.4),
    "4c": (4.6, 4.4),
    "4d": (4.2, 5.2),
    "5": (8.0, 8.6),
    "6": (9.6, 7.2),
    "S3": (12.0, 3.9),
    "systems": (7.6, 3.6),
}
_LAYOUTS = {
    "3a3b3c": ((10.0, 8.1), _layout_3),
    "4a4b4c4d4e4f": ((14.0, 8.6), _layout_4),
}

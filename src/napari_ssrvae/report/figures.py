"""Pictures of a report: plain matplotlib figures, drawn by Agg without any display.

Text that a person typed (class names) is left to the page around the picture: a browser has
letters for every script, matplotlib's font has not.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from markupsafe import Markup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from napari_ssrvae.library.exports import outlines
from napari_ssrvae.library.particle_library import ParticleLibrary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_ssrvae.imaging.micrograph import Micrograph
    from napari_ssrvae.learning.reliability import Calibration

Image = npt.NDArray[np.float32]

INK = "#22303c"
QUIET = "#8a97a3"
_OVERLAY_WIDTH = 1200
_DPI = 100


def png(figure: Figure, dpi: int = 2 * _DPI) -> bytes:
    """Draw a figure as PNG."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def html_picture(figure: Figure, alternative: str, dpi: int = 160) -> Markup:
    """Draw a figure as an HTML image that needs no other file.

    Parameters
    ----------
    figure : Figure
        What to draw.
    alternative : str
        Its text for those who cannot see it; escaped here.
    dpi : int
        Picture pixels an inch.
    """
    data = base64.b64encode(png(figure, dpi)).decode("ascii")
    return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(alternative, data)


def overlay_figure(micrograph: Micrograph, library: ParticleLibrary) -> Figure:
    """Draw the particles of one micrograph over it, in the colours of their classes.

    Hand-labelled particles have a white ring around the colour. Save with `dpi=100` for about
    one picture pixel a micrograph pixel (up to 1200 pixels wide).

    Parameters
    ----------
    micrograph : Micrograph
        The picture.
    library : ParticleLibrary
        Particles; those of other micrographs are left out.
    """
    height, width = micrograph.image.shape
    inches = min(width, _OVERLAY_WIDTH) / _DPI
    figure = Figure(figsize=(inches, inches * height / width), dpi=_DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    low, high = np.percentile(micrograph.image, (0.5, 99.5))
    axes.imshow(micrograph.image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))
    colors = {c.id: c.color for c in library.classes}
    mine = np.flatnonzero((library.table["micrograph"] == micrograph.name).to_numpy())
    shapes, edges, by_hand = [], [], []
    for row in mine:
        for outline in outlines(library, int(row)):
            shapes.append(outline[:, ::-1])
            edges.append(colors[int(library.table["class_id"].iloc[row])])
            by_hand.append(library.table["source"].iloc[row] == "hand")
    rings = [shape for shape, ring in zip(shapes, by_hand, strict=True) if ring]
    axes.add_collection(PolyCollection(rings, facecolor="none", edgecolor="white", linewidth=4.5))
    axes.add_collection(
        PolyCollection(
            shapes,
            facecolor=[to_rgba(c, 0.28) for c in edges],
            edgecolor=edges,
            linewidth=1.6,
        )
    )
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    _draw_scale_bar(axes, width, height, micrograph.pixel_size)
    return figure


def scale_bar(width: float, pixel_size: float | None) -> tuple[float, str]:
    """Length and text of a scale bar of a round size, about a fifth of the picture wide.

    Parameters
    ----------
    width : float
        Of the picture, in pixels.
    pixel_size : float or None
        nm per pixel; None: the bar counts pixels.

    Returns
    -------
    length : float
        In pixels.
    text : str
        "200 nm", "1 µm" or "200 px".
    """
    target = width * (pixel_size or 1.0) / 5
    power = 10.0 ** np.floor(np.log10(target))
    size = max(s * power for s in (1, 2, 5) if s * power <= target * (1 + 1e-9))
    if pixel_size is None:
        return size, f"{size:g} px"
    text = f"{size:g} nm" if size < 1000 else f"{size / 1000:g} µm"
    return size / pixel_size, text


def _draw_scale_bar(axes: Axes, width: int, height: int, pixel_size: float | None) -> None:
    length, text = scale_bar(width, pixel_size)
    margin, thickness = 0.02 * width, 0.006 * width
    left, top = width - margin - length, height - margin - thickness
    pad = 0.012 * width
    box = Rectangle(
        (left - pad, top - 3.2 * pad),
        length + 2 * pad,
        4.2 * pad + thickness,
        fc="black",
        alpha=0.6,
    )
    axes.add_patch(box)
    axes.add_patch(Rectangle((left, top), length, thickness, fc="white"))
    axes.text(
        left + length / 2, top - 0.4 * pad, text, color="white", ha="center", va="bottom", size=12
    )


def latent_figure(library: ParticleLibrary) -> Figure:
    """Scatter the latent coordinates z1, z2 in the colours of the classes.

    Hand-labelled particles have a dark ring; classes that are left out of figures are not drawn.
    With one latent, the second axis is the angle.
    """
    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    axes = figure.subplots()
    table = library.table[library.counted]
    y_column = "z2" if "z2" in table else "angle"
    for particle_class in library.classes:
        members = table[table["class_id"] == particle_class.id]
        by_hand = (members["source"] == "hand").to_numpy()
        axes.scatter(
            members["z1"],
            members[y_column],
            s=np.where(by_hand, 46, 20),
            c=particle_class.color,
            edgecolors=[INK if h else "white" for h in by_hand],
            linewidths=[1.4 if h else 0.4 for h in by_hand],
            alpha=0.9,
        )
    axes.set_xlabel("latent z1")
    axes.set_ylabel("latent z2" if y_column == "z2" else "angle (rad)")
    quiet_axes(axes)
    return figure


def example_patches(library: ParticleLibrary, class_id: int, n: int = 7) -> Image:
    """Patches of particles of one class, spread over the confidences of the class.

    Returns
    -------
    (m, s, s) float32
        m ≤ n, the most confident one first.
    """
    rows = np.flatnonzero((library.table["class_id"] == class_id).to_numpy())
    order = rows[np.argsort(-library.table["confidence"].to_numpy()[rows], kind="stable")]
    if len(order) > n:
        order = order[np.linspace(0, len(order) - 1, n).round().astype(int)]
    return library.patches[order]


def strip_figure(images: Image) -> Figure:
    """Draw images side by side, without axes."""
    figure = Figure(figsize=(0.8 * len(images), 0.8))
    for i, image in enumerate(images):
        axes = figure.add_axes(((i + 0.02) / len(images), 0.02, 0.96 / len(images), 0.96))
        axes.set_axis_off()
        axes.imshow(image, cmap="gray", vmin=0, vmax=max(float(image.max()), 1e-6))
    return figure


def curve_figure(history: pd.DataFrame) -> Figure:
    """Draw the loss and the accuracy on the labelled particles over the epochs of a training.

    Parameters
    ----------
    history : pandas.DataFrame
        `SSRVAE.history_`: columns `loss` and `labelled_accuracy`, one row an epoch.
    """
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    left = figure.subplots()
    epochs = np.arange(1, len(history) + 1)
    left.plot(epochs, history["loss"], color=INK, linewidth=1.6)
    left.set_xlabel("epoch")
    left.set_ylabel("loss", color=INK)
    quiet_axes(left)
    right = left.twinx()
    right.plot(epochs, history["labelled_accuracy"], color="#009e73", linewidth=1.6)
    right.set_ylabel("accuracy on training labels", color="#009e73")
    right.set_ylim(0, 1.03)
    right.spines[:].set_visible(False)
    right.tick_params(colors="#009e73", length=0)
    return figure


def reliability_figure(calibration: Calibration) -> Figure:
    """Draw how often answers were right against how sure the model was of them.

    One point for each bin of confidence, with the number of its answers and its 95 % interval; on
    the diagonal, the probabilities mean what they say.
    """
    figure = Figure(figsize=(4.4, 4.2), layout="constrained")
    axes = figure.subplots()
    bins = calibration.bins
    axes.plot((0, 1), (0, 1), color=QUIET, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.vlines(
        bins["confidence"], bins["accuracy_low"], bins["accuracy_high"], color=INK, linewidth=1.2
    )
    axes.scatter(
        bins["confidence"],
        bins["accuracy"],
        s=30 + 270 * bins["n"] / max(calibration.n, 1),
        c="#0072b2",
        edgecolors="white",
        linewidths=0.8,
        zorder=3,
    )
    for x, y, n in zip(bins["confidence"], bins["accuracy"], bins["n"], strict=True):
        axes.annotate(
            str(n), (x, y), (-9, 0), textcoords="offset points", ha="right", va="center", size=8
        )
    axes.set_xlim(0, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_aspect("equal")
    axes.set_xlabel("how sure the model is")
    axes.set_ylabel("how often it is right")
    quiet_axes(axes)
    return figure


def size_figure(library: ParticleLibrary, unit: str, names: Sequence[str]) -> Figure:
    """Draw the size distribution of each class, stacked.

    Parameters
    ----------
    library : ParticleLibrary
        Particles.
    unit : {"nm", "px"}
        Which equivalent diameter.
    names : sequence of str
        Classes to draw.
    """
    column = "equivalent_diameter_nm" if unit == "nm" else "equivalent_diameter"
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    groups, colors = [], []
    for particle_class in library.classes:
        if particle_class.name not in names:
            continue
        sizes = library.table.loc[library.table["class_id"] == particle_class.id, column].dropna()
        groups.append(sizes.to_numpy())
        colors.append(particle_class.color)
    bins = np.histogram_bin_edges(np.concatenate(groups), bins=24)
    axes.hist(groups, bins=bins.tolist(), stacked=True, color=colors, edgecolor="white", lw=0.4)
    axes.set_xlabel(f"equivalent diameter ({unit})")
    axes.set_ylabel("particles")
    quiet_axes(axes)
    return figure


def quiet_axes(axes: Axes) -> None:
    """Draw axes so that the data stand out: no box, pale grid, quiet lines."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.tick_params(colors=INK, length=3)
    axes.grid(color="#e6eaee", linewidth=0.8)
    axes.set_axisbelow(True)

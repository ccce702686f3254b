"""The few kinds of pictures that the figures consist of: mosaics, tables in colour, clouds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.library.classes import default_color
from napari_ssrvae.report.figures import INK, QUIET, quiet_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Some of these names come from the report's figures, so that all pictures look alike.
__all__ = [
    "INK",
    "QUIET",
    "SMALL_TEXT",
    "cloud",
    "coloured_table",
    "confusion",
    "mosaic",
    "quiet_axes",
    "tiled",
    "upright_plane",
]

SMALL_TEXT = 7
_GAP = 2  # px between the images of a mosaic


def upright_plane(grid: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn `SSRVAE.manifold` as a scatter plot lies: z1 to the right, z2 upwards.

    Parameters
    ----------
    grid : ndarray
        (n, n, H, W): z1, z2, rows and columns of each image.
    """
    return np.swapaxes(grid, 0, 1)[::-1]


def tiled(grid: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lay (rows, columns, H, W) images side by side in one picture, thin white lines between."""
    rows, columns, height, width = grid.shape
    white = float(grid.max())
    picture = np.full(
        (rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP), white, np.float32
    )
    for i in range(rows):
        for j in range(columns):
            top, left = i * (height + _GAP), j * (width + _GAP)
            picture[top : top + height, left : left + width] = grid[i, j]
    return picture


def mosaic(
    axes: Axes,
    grid: NDArray[np.float32],
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
) -> None:
    """Draw (rows, columns, H, W) images side by side, with words beside rows and below columns."""
    picture = tiled(grid)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=max(float(grid.max()), 1e-6))
    height, width = grid.shape[2] + _GAP, grid.shape[3] + _GAP
    axes.set_yticks(height * (np.arange(len(rows)) + 0.5), rows)
    axes.set_xticks(width * (np.arange(len(columns)) + 0.5), columns)
    axes.tick_params(length=0, labelsize=SMALL_TEXT, colors=INK)
    axes.spines[:].set_visible(False)


def coloured_table(
    axes: Axes,
    table: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    words: Sequence[Sequence[str]] | None = None,
) -> None:
    """Draw shares (0 to 1) as coloured cells with their numbers in them.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    table : array_like
        (r, c) shares.
    rows, columns : sequence of str
        Words beside rows and below columns.
    words : sequence of sequence of str, optional
        Text in the cells; the shares unless given.
    """
    shares = np.asarray(table, float)
    norm = Normalize(0, 1)
    axes.imshow(shares, cmap="Blues", norm=norm, aspect="auto")
    for (i, j), share in np.ndenumerate(shares):
        text = words[i][j] if words is not None else f"{share:.2f}"
        axes.text(
            j,
            i,
            text,
            ha="center",
            va="center",
            size=SMALL_TEXT,
            color="white" if share > 0.6 else INK,
        )
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(range(len(columns)), columns)
    axes.tick_params(length=0, labelsize=SMALL_TEXT, colors=INK)
    axes.spines[:].set_visible(False)


def confusion(axes: Axes, counts: ArrayLike, names: Sequence[str]) -> None:
    """Draw a confusion matrix: colours are shares of each true class, numbers are counts."""
    table = np.asarray(counts)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    coloured_table(axes, shares, names, names, [[str(n) for n in row] for row in table])
    axes.set_xlabel("predicted", size=SMALL_TEXT + 1)
    axes.set_ylabel("true", size=SMALL_TEXT + 1)
    for text in axes.get_xticklabels():
        text.set(rotation=30, ha="right", rotation_mode="anchor")


def cloud(axes: Axes, z: ArrayLike, numbers: ArrayLike, names: Sequence[str]) -> None:
    """Scatter (n, 2) latents in the colours of their classes.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    z : array_like
        (n, 2) latents.
    numbers : array_like of int
        (n,) place of each point's class in `names`.
    names : sequence of str
        For the legend.
    """
    points, classes = np.asarray(z), np.asarray(numbers)
    for number, name in enumerate(names):
        mine: Any = points[classes == number]
        axes.scatter(
            mine[:, 0],
            mine[:, 1],
            s=14,
            c=default_color(number),
            edgecolors="white",
            linewidths=0.3,
            label=name,
        )
    axes.set_xlabel("latent z1", size=SMALL_TEXT + 1)
    axes.set_ylabel("latent z2", size=SMALL_TEXT + 1)
    axes.tick_params(labelsize=SMALL_TEXT)
    axes.legend(fontsize=SMALL_TEXT, frameon=False, loc="best")
    quiet_axes(axes)
    axes.tick_params(labelsize=SMALL_TEXT)

"""The points of a scatter plot as checked arrays: colours, picking, what a tooltip says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.errors import InputError
from napari_ssrvae.viewer.views.color import NO_CLASS, qcolor

OPACITY = 225
"""A little transparency, so that dense places show."""


@dataclass(frozen=True, eq=False)
class Points:
    """Points with finite positions, one a particle.

    Attributes
    ----------
    xy : (n, 2) float64
        Positions.
    colors : (n, 4) uint8
        RGBA.
    ids : (n,) int64
        The particle of each point.
    labelled : (n,) bool
        Labelled by hand.
    details : tuple of str, or callable of int
        One a point: what is said of it beside its number. Or all that is said of a particle.
    """

    xy: NDArray[np.float64]
    colors: NDArray[np.uint8]
    ids: NDArray[np.int64]
    labelled: NDArray[np.bool_]
    details: tuple[str, ...] | Callable[[int], str]

    def __len__(self) -> int:
        return len(self.ids)

    def position(self, particle: int | None) -> tuple[float, float] | None:
        """Return where the point of a particle is, None where it has none."""
        if particle is None:
            return None
        rows = np.flatnonzero(self.ids == particle)
        return (float(self.xy[rows[0], 0]), float(self.xy[rows[0], 1])) if rows.size else None

    def inside(self, corners: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the particles whose points lie in a polygon, (m, 2) in the units of the data."""
        (x, y), (x_low, y_low), (x_high, y_high) = (
            self.xy.T,
            corners.min(axis=0),
            corners.max(axis=0),
        )
        near = np.flatnonzero((x >= x_low) & (x <= x_high) & (y >= y_low) & (y <= y_high))
        return np.asarray(self.ids[near[_in_polygon(self.xy[near], corners)]])

    def nearest(
        self, place: tuple[float, float], scale: tuple[float, float], radius: float
    ) -> int | None:
        """Return the row of the point nearest to a place on the screen.

        One pass over all points costs less than a millisecond at 50,000; a tree would have to be
        built anew at every zoom.

        Parameters
        ----------
        place : (float, float)
            x, y in px from where the origin of the data is drawn.
        scale : (float, float)
            px a data unit, in x and y.
        radius : float
            Points farther away, in px, do not count.
        """
        if not len(self):
            return None
        distance = (self.xy[:, 0] * scale[0] - place[0]) ** 2
        distance += (self.xy[:, 1] * scale[1] - place[1]) ** 2
        row = int(distance.argmin())
        return row if distance[row] <= radius**2 else None

    def describe(self, row: int) -> str:
        """Return what the tooltip says of a point."""
        if callable(self.details):
            return self.details(int(self.ids[row]))
        text = f"Particle {self.ids[row]}"
        if self.details[row]:
            text += f": {self.details[row]}"
        return text + (" (labelled by hand)" if self.labelled[row] else "")


def _in_polygon(xy: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of the points lie in a polygon.

    As in skimage's `points_in_poly`, a point is inside if a line from it to the right crosses the
    outline an odd number of times. That looks at every edge for every point (45 ms for 50,000
    points and 200 corners); here an edge meets those at its height only (8 ms).
    """
    order = np.argsort(xy[:, 1])
    x, y = xy[order].T
    inside = np.zeros(len(order), dtype=bool)
    ends = np.roll(corners, -1, axis=0)
    heights = np.sort(np.column_stack([corners[:, 1], ends[:, 1]]), axis=1)
    rows = np.searchsorted(y, heights)
    for (x1, y1), (x2, y2), (first, last) in zip(corners, ends, rows, strict=True):
        if first < last:
            crossing = x1 + (y[first:last] - y1) * ((x2 - x1) / (y2 - y1))
            inside[first:last] ^= x[first:last] < crossing
    result = np.empty_like(inside)
    result[order] = inside
    return result


def as_points(
    xy: ArrayLike,
    colors: ArrayLike,
    ids: ArrayLike,
    *,
    legend: Sequence[tuple[str, str, int]] = (),
    labelled: ArrayLike | None = None,
    details: Sequence[str] | Callable[[int], str] | None = None,
) -> Points:
    """Check the arrays of a scatter plot, and leave out points whose position is not finite.

    Parameters
    ----------
    xy : (n, 2) float
        Positions.
    colors : (n,) int or (n, 3) or (n, 4) uint8
        Positions in `legend` (-1: no class), or colours.
    ids : (n,) int
        The particle of each point.
    legend : sequence of (name, color, count)
        The classes.
    labelled : (n,) bool, optional
        Labelled by hand; by default none.
    details : sequence of str, or callable of int, optional
        One a point, or what gives a text for the id of a particle; by default the class name.

    Raises
    ------
    InputError
        If the arrays do not fit each other.
    """
    position = np.asarray(xy, dtype=float)
    if position.ndim != 2 or position.shape[1] != 2:
        raise InputError(f"The latent plot needs positions of shape (n, 2), not {position.shape}.")
    count = len(position)
    number = np.asarray(ids, dtype=np.int64).reshape(-1)
    by_hand = np.zeros(count, dtype=bool) if labelled is None else np.asarray(labelled, dtype=bool)
    rgba, names = _rgba_and_names(np.asarray(colors), legend)
    words = details if callable(details) else tuple(names if details is None else details)
    for what, length in (
        ("ids", len(number)),
        ("colors", len(rgba)),
        ("labelled", len(by_hand)),
        ("details", count if callable(words) else len(words)),
    ):
        if length != count:
            raise InputError(f"The latent plot got {count} positions but {length} {what}.")
    keep = np.isfinite(position).all(axis=1)
    if not keep.all() and not callable(words):
        words = tuple(words[row] for row in np.flatnonzero(keep))
    return Points(position[keep], rgba[keep], number[keep], by_hand[keep], words)


def _rgba_and_names(
    colors: NDArray[np.generic], legend: Sequence[tuple[str, str, int]]
) -> tuple[NDArray[np.uint8], list[str]]:
    if colors.ndim == 2 and colors.shape[1] in (3, 4):
        rgba = np.full((len(colors), 4), OPACITY, dtype=np.uint8)
        rgba[:, : colors.shape[1]] = colors
        return rgba, [""] * len(colors)
    if colors.ndim != 1:
        raise InputError(f"Colours have shape {colors.shape}; give (n,), (n, 3) or (n, 4).")
    index = colors.astype(np.int64)
    if index.size and not -1 <= index.min() <= index.max() < len(legend):
        raise InputError(
            f"Class positions {index.min()} to {index.max()} do not fit "
            f"a legend of {len(legend)} classes (-1 means no class)."
        )
    # The last entry serves index -1.
    names = [*(name for name, _, _ in legend), "no class"]
    palette = [qcolor(color, OPACITY) for color in (*(c for _, c, _ in legend), NO_CLASS)]
    table = np.array([color.getRgb() for color in palette], dtype=np.uint8)
    return table[index], [names[i] for i in index.tolist()]


NO_POINTS = as_points(np.empty((0, 2)), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
"""What an empty plot shows."""

"""The learned manifold of a class: what the model draws where the class's particles lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

if TYPE_CHECKING:
    from napari_ssrvae.learning.estimator import SSRVAE

Values = npt.NDArray[np.float64]

ROBUST = (2.0, 98.0)
"""Percentiles of the particles' latents between which the grid spans: strays do not stretch it."""
LEAST_SPAN = 0.1
"""Of the grid in a latent; the prior's standard deviation is 1, and less looks all the same."""
PRIOR_REACH = 1.64
"""How far the grid reaches where a class has no particle: 90 % of the prior lie within."""


@dataclass(frozen=True, eq=False)
class ManifoldGrid:
    """A grid of points in the latent plane of one class, seen as the latent plot shows it.

    Attributes
    ----------
    z1 : (c,) float64
        Of the columns, growing to the right.
    z2 : (r,) float64
        Of the rows, growing upwards: the first row has the largest. One row of 0 where the model
        has a single latent.
    rest : (d,) float64
        Median of the class: what further latents have in every cell.
    counts : (r, c) int64
        How many of the class's particles lie in each cell (those beyond the rim count to it).
    near : (r, c) bool
        Where a particle lies within one cell's width; everywhere, if the class has none.
    """

    z1: Values
    z2: Values
    rest: Values
    counts: npt.NDArray[np.int64]
    near: npt.NDArray[np.bool_]

    @property
    def z(self) -> Values:
        """(r, c, d) latents of the cells."""
        rows, columns = self.counts.shape
        z = np.broadcast_to(self.rest, (rows, columns, len(self.rest))).copy()
        z[..., 0] = self.z1
        if z.shape[-1] > 1:
            z[..., 1] = self.z2[:, None]
        return z

    def in_cells(self, z: npt.ArrayLike) -> Values:
        """Where latents (n, d) lie in the grid, as (n, 2) rows and columns with fractions."""
        points = np.atleast_2d(np.asarray(z, dtype=np.float64))
        column = (points[:, 0] - self.z1[0]) / (self.z1[1] - self.z1[0])
        row = np.zeros(len(points))
        if len(self.z2) > 1:
            row = (points[:, 1] - self.z2[0]) / (self.z2[1] - self.z2[0])
        return np.column_stack((row, column))

    def cells(self, z: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """(n, 2) row and column of the cells nearest to latents (n, d)."""
        last = np.array(self.counts.shape) - 1
        return np.clip(np.rint(self.in_cells(z)), 0, last).astype(np.int64)


def manifold_grid(z: npt.ArrayLike, columns: int = 9, rows: int = 7) -> ManifoldGrid:
    """Lay a grid over where the particles of a class lie.

    Parameters
    ----------
    z : (n, d) float
        Latents of its particles, n ≥ 0 and d ≥ 1.
    columns, rows : int
        Cells along z1 and z2, at least 2; a model with one latent gives one row.
    """
    members = np.asarray(z, dtype=np.float64)
    n, d = members.shape
    z1 = _span(members[:, 0], columns)
    z2 = _span(members[:, 1], rows)[::-1] if d > 1 else np.zeros(1)
    rest = np.median(members, axis=0) if n else np.zeros(d)
    shape = (len(z2), columns)
    grid = ManifoldGrid(z1, z2, rest, np.zeros(shape, np.int64), np.ones(shape, bool))
    if n:
        np.add.at(grid.counts, tuple(grid.cells(members).T), 1)
        centres = np.argwhere(grid.near).astype(np.float64)
        distance, _ = KDTree(grid.in_cells(members)).query(centres)
        grid.near[:] = (distance <= 1).reshape(shape)
    return grid


def drawn_manifold(model: SSRVAE, class_id: int, grid: ManifoldGrid) -> npt.NDArray[np.float32]:
    """Images (r, c, h, w) that the model draws for a class in the cells, upright and centred."""
    z = grid.z
    images = model.decode(class_id, z.reshape(-1, z.shape[-1]))
    return np.asarray(images, np.float32).reshape(*z.shape[:2], *images.shape[1:])


def nearest(
    z: npt.ArrayLike, point: npt.ArrayLike, n: int = 8
) -> tuple[npt.NDArray[np.int64], Values]:
    """Find the latents nearest to a point.

    Parameters
    ----------
    z : (m, d) float
        Among these.
    point : (d,) float
        To this.
    n : int
        At most so many.

    Returns
    -------
    rows : (min(n, m),) int64
        Positions in `z`, the nearest first.
    distances : (min(n, m),) float64
        In the latent space, where the prior's standard deviation is 1.
    """
    distance = np.linalg.norm(np.asarray(z, np.float64) - np.asarray(point, np.float64), axis=1)
    rows = np.argsort(distance, kind="stable")[:n]
    return rows.astype(np.int64), distance[rows]


def _span(values: Values, steps: int) -> Values:
    """Even steps over the bulk of the values."""
    if not len(values):
        return np.linspace(-PRIOR_REACH, PRIOR_REACH, steps)
    low, high = np.percentile(values, ROBUST)
    middle, half = (low + high) / 2, max(high - low, LEAST_SPAN) / 2
    return np.linspace(middle - half, middle + half, steps)

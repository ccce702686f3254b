"""A label image as runs: for each row the stretches of one particle.

A particle of 25 px across has five hundred pixels but twenty-five runs, and sums over a run have
closed forms. That is what makes measuring thousands of particles take a moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.errors import InputError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Runs:
    """The m runs of n particles, from top to bottom and from left to right.

    Attributes
    ----------
    ids : (n,) int64
        Ids of the particles, ascending.
    particle : (m,) int64
        Position in `ids` of the particle that each run belongs to.
    y, start, stop : (m,) int64
        Row, first column, and the column after the last.
    """

    ids: Ints
    particle: Ints
    y: Ints
    start: Ints
    stop: Ints

    @classmethod
    def of(cls, labels: NDArray[Any], ids: ArrayLike | None = None) -> Runs:
        """Find the runs of all particles, or of some.

        Parameters
        ----------
        labels
            (H, W) integers, 0 = background; ids may be any positive whole numbers.
        ids
            (m,) ids of the particles that are wanted; None: all.

        Raises
        ------
        InputError
            If there is no particle of one of these ids, or they are no whole numbers.
        """
        width = max(labels.shape[1], 1)
        begins = np.ones(labels.shape, dtype=bool)
        np.not_equal(labels[:, 1:], labels[:, :-1], out=begins[:, 1:])
        first = np.flatnonzero(begins)
        values = labels.ravel()[first]
        kept = values > 0
        if ids is not None:
            kept &= np.isin(values, _whole(ids))
        after = np.append(first[1:], labels.size)[kept]
        first, values = first[kept], values[kept]
        found, particle = np.unique(values, return_inverse=True)
        if ids is not None and len(absent := np.setdiff1d(_whole(ids), found)):
            raise InputError(f"There is no particle {absent[0]} in these labels; choose others.")
        y = first // width
        start = first - y * width
        return cls(found.astype(np.int64), particle, y, start, start + (after - first))

    def __len__(self) -> int:
        return len(self.y)

    @property
    def length(self) -> Ints:
        """(m,) pixels of each run."""
        return self.stop - self.start

    def sum(self, values: NDArray[Any]) -> Floats:
        """Add up one value a run: (m,) to (n,)."""
        sums = np.bincount(self.particle, weights=values, minlength=len(self.ids))
        return np.asarray(sums, dtype=np.float64)

    def least(self, values: NDArray[Any]) -> NDArray[Any]:
        """Smallest value of each particle's runs: (m,) to (n,)."""
        found = np.full(len(self.ids), np.iinfo(np.int64).max)
        np.minimum.at(found, self.particle, values)
        return found

    def largest(self, values: NDArray[Any]) -> NDArray[Any]:
        """Largest value of each particle's runs, none of which is negative: (m,) to (n,)."""
        found = np.zeros(len(self.ids), dtype=values.dtype)
        np.maximum.at(found, self.particle, values)
        return found

    def centres(self) -> tuple[Floats, Floats, Floats]:
        """Area in pixels and centroid (y, x) of each particle."""
        area = self.sum(self.length)
        middle = (self.start + self.stop - 1) / 2
        return area, self.sum(self.length * self.y) / area, self.sum(self.length * middle) / area

    def means(self, image: NDArray[Any]) -> Floats:
        """Mean of an image of the same shape over each particle's finite pixels."""
        counts = self.length
        if image.dtype.kind == "f" and not (finite := np.isfinite(image)).all():
            image = np.where(finite, image, 0)
            counts = self._along(finite)
        n = self.sum(counts)
        sums = self.sum(self._along(image))
        means = np.full(len(n), np.nan)
        np.divide(sums, n, out=means, where=n > 0)
        return means

    def _along(self, image: NDArray[Any]) -> NDArray[Any]:
        """Sum of the image over each run."""
        if not len(self):
            return np.empty(0)
        flat, offset = image.ravel(), self.y * image.shape[1]
        edges = np.column_stack((offset + self.start, offset + self.stop)).ravel()
        if edges[-1] == flat.size:  # the last run ends with the image
            edges = edges[:-1]
        return np.asarray(np.add.reduceat(flat, edges, dtype=np.float64)[::2])

    def pixels(self, width: int, most: int) -> Iterator[tuple[Ints, Ints]]:
        """Yield all pixels in portions: place in a flat image of this width, and particle.

        A portion has `most` pixels, or those of one run.
        """
        ends = np.cumsum(self.length)
        begin = 0
        while begin < len(self):
            done = ends[begin - 1] if begin else 0
            end = max(int(np.searchsorted(ends, done + most, side="right")), begin + 1)
            part = slice(begin, end)
            length = self.length[part]
            # the first pixel of each run, and from there on one by one
            shift = self.y[part] * width + self.start[part] - (ends[part] - length - done)
            yield (
                np.arange(length.sum()) + np.repeat(shift, length),
                np.repeat(self.particle[part], length),
            )
            begin = end

    def rows(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Particle, row, first and last column of each row of each particle, in that order."""
        order = np.lexsort((self.y, self.particle))
        particle, y = self.particle[order], self.y[order]
        new = np.ones(len(order), dtype=bool)
        new[1:] = (np.diff(particle) != 0) | (np.diff(y) != 0)
        at = np.flatnonzero(new)
        if not len(at):
            return particle, y, particle, y
        left = np.minimum.reduceat(self.start[order], at)
        right = np.maximum.reduceat(self.stop[order], at) - 1
        return particle[at], y[at], left, right


def _whole(ids: ArrayLike) -> NDArray[Any]:
    """Return ids as an array of whole numbers, each once."""
    array = np.unique(np.asarray(ids))
    if array.size and array.dtype.kind not in "ui":
        raise InputError("Particles are chosen by the whole numbers that the labels give them.")
    return array

"""Where particles lie in a label image: boxes, outlines, pixels. Arrays only, no napari."""

from __future__ import annotations

from copy import copy
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.library.changes import Box, Changes

# Outlines that are kept, of what was hovered and selected.
KEPT_OUTLINES = 500


class ParticleIndex:
    """Bounding boxes of the particles of one label image, so that one click touches few pixels.

    Parameters
    ----------
    labels : (H, W) int32 array
        The label image; it must not change afterwards.
    """

    def __init__(self, labels: NDArray[np.int32]) -> None:
        self.labels = labels
        self._outlines: dict[int, NDArray[np.float64]] = {}

    @cached_property
    def _boxes(self) -> list[Box | None]:
        # On first use: who steps through a stack asks most slices for none.
        from scipy import ndimage  # slow to load, and not needed to open the dock

        boxes: list[Box | None] = ndimage.find_objects(self.labels)
        return boxes

    def updated(self, labels: NDArray[np.int32], changes: Changes) -> ParticleIndex:
        """Return the index of a corrected label image; it looks only where something changed."""
        from scipy import ndimage

        new = copy(self)
        new.labels, new._boxes = labels, list(self._boxes)
        gone = changes.removed | changes.after
        new._outlines = {p: line for p, line in self._outlines.items() if p not in gone}
        rows, columns = changes.region
        found = ndimage.find_objects(labels[rows, columns])
        new._boxes += [None] * (max(changes.after, default=0) - len(new._boxes))
        for particle in changes.removed:
            new._boxes[particle - 1] = None
        for particle in changes.after:
            y, x = found[particle - 1]
            new._boxes[particle - 1] = (
                slice(y.start + rows.start, y.stop + rows.start),
                slice(x.start + columns.start, x.stop + columns.start),
            )
        return new

    def box(self, particle: int) -> Box | None:
        """Return the bounding box of a particle, or None if there is no such particle."""
        return self._boxes[particle - 1] if 0 < particle <= len(self._boxes) else None

    def at(self, y: float, x: float) -> int:
        """Return the id of the particle at a place in pixels, 0 for none."""
        row, column = round(y), round(x)
        inside = 0 <= row < self.labels.shape[0] and 0 <= column < self.labels.shape[1]
        return int(self.labels[row, column]) if inside else 0

    def center(self, particle: int) -> tuple[float, float] | None:
        """Return the middle (y, x) of the particle's bounding box in pixels."""
        if (box := self.box(particle)) is None:
            return None
        return tuple((s.start + s.stop - 1) / 2 for s in box)

    def pixels(self, particle: int) -> NDArray[np.intp] | None:
        """Return the pixels (2, m) of a particle as rows and columns, None if there is none."""
        if (box := self.box(particle)) is None:
            return None
        corner = np.array([[box[0].start], [box[1].start]])
        pixels: NDArray[np.intp] = np.stack(np.nonzero(self.labels[box] == particle)) + corner
        return pixels

    def inside(self, path: NDArray[np.float64]) -> list[int]:
        """Return the particles whose middle lies in a polygon, (m, 2) in pixels (y, x)."""
        from skimage.measure import points_in_poly

        ids = [i + 1 for i, box in enumerate(self._boxes) if box is not None]
        middles = np.array([self.center(particle) for particle in ids]).reshape(-1, 2)
        chosen = points_in_poly(middles, path)
        return [particle for particle, taken in zip(ids, chosen.tolist(), strict=True) if taken]

    def outline(self, particle: int) -> NDArray[np.float64] | None:
        """Return the longest outline of a particle, (m, 2) in pixels (y, x), closed."""
        if (box := self.box(particle)) is None:
            return None
        if particle in self._outlines:  # asked again at every move of the mouse
            return self._outlines[particle]
        from skimage.measure import find_contours  # slow to load too

        mask = np.pad(self.labels[box] == particle, 1).astype(float)
        contour = max(find_contours(mask, 0.5), key=len)
        outline: NDArray[np.float64] = contour + np.array([box[0].start - 1, box[1].start - 1])
        if len(self._outlines) >= KEPT_OUTLINES:
            self._outlines.clear()
        self._outlines[particle] = outline
        return outline


def look_up(
    labels: NDArray[np.int32],
    ids: ArrayLike,
    values: ArrayLike,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Return an image that shows one small number a particle.

    Parameters
    ----------
    labels : (H, W) int32 array
        Label image.
    ids : (n,) int
        Particles; those not named get 0. Of one named twice the last counts.
    values : (n,) int
        Their values, below 256.
    out : (H, W) uint8 array, optional
        Write here instead of into a new array.

    Returns
    -------
    (H, W) uint8 array
    """
    ids = np.asarray(ids, dtype=np.int64)
    table = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.uint8)
    known = ids < table.size
    table[ids[known]] = np.asarray(values, dtype=np.uint8)[known]
    if out is None:
        out = np.empty(labels.shape, dtype=np.uint8)
    # In one call: each gives Python's interpreter lock away, and waits for it while a model is
    # trained; bands that fit the processor's cache took 10 instead of 14 ms, but then 300. "clip"
    # skips a check of every pixel; the ids are within the table by its making.
    np.take(table, labels, out=out, mode="clip")
    return out


def rims(labels: NDArray[np.int32], ids: ArrayLike, width: int) -> NDArray[np.uint8]:
    """Return an image that is 1 on the outermost pixels of some particles.

    Parameters
    ----------
    labels : (H, W) int32 array
        Label image.
    ids : (n,) int
        Particles; the others get 0.
    width : int
        How many pixels wide the rim is, at least 1.

    Returns
    -------
    (H, W) uint8 array
    """
    from napari_ssrvae.imaging import filters  # OpenCV, not needed to open the dock

    return look_up(labels, ids, np.ones(np.size(ids))) & filters.rims(labels, width)

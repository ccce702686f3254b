"""Where particles lie in a label image: boxes, outlines, pixels. Arrays only, no napari."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Box = tuple[slice, slice]


class ParticleIndex:
    """Bounding boxes of the particles of one label image, so that one click touches few pixels.

    Parameters
    ----------
    labels : (H, W) int32 array
        The label image; it must not change afterwards.
    """

    def __init__(self, labels: NDArray[np.int32]) -> None:
        from scipy import ndimage  # slow to load, and not needed to open the dock

        self.labels = labels
        self._boxes: list[Box | None] = ndimage.find_objects(labels)

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

    def outline(self, particle: int) -> NDArray[np.float64] | None:
        """Return the longest outline of a particle, (m, 2) in pixels (y, x), closed."""
        if (box := self.box(particle)) is None:
            return None
        from skimage.measure import find_contours  # slow to load too

        mask = np.pad(self.labels[box] == particle, 1).astype(float)
        contour = max(find_contours(mask, 0.5), key=len)
        outline: NDArray[np.float64] = contour + np.array([box[0].start - 1, box[1].start - 1])
        return outline


def look_up(labels: NDArray[np.int32], values: dict[int, int]) -> NDArray[np.uint8]:
    """Return an image that shows one small number a particle.

    Parameters
    ----------
    labels : (H, W) int32 array
        Label image.
    values : dict of int to int
        Particle id → value below 256; particles not named get 0.

    Returns
    -------
    (H, W) uint8 array
    """
    table = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.uint8)
    ids = np.fromiter(values.keys(), dtype=np.int64, count=len(values))
    table[ids] = np.fromiter(values.values(), dtype=np.uint8, count=len(values))
    return table[labels]

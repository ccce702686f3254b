"""Pictures shrunk to the resolution that looking for particles needs, and labels drawn back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.imaging.candidates import Image, Mask
from napari_ssrvae.imaging.filters import (
    block_means,
    gaussian,
    highest,
    lowest,
    mean_around,
    resize,
)
from napari_ssrvae.imaging.proposals import Labels, versions

WORK_PIXELS = 200_000
"""Particles are proposed and chosen on a picture of at most about this many pixels."""
CLOSE_PIXELS = 400_000
"""The same where they are looked at closely, with the network that sees grains."""


def shrink(image: NDArray[Any], factor: float, shape: tuple[int, ...] | None = None) -> Image:
    """Shrink a picture by averaging, to a share of its sides or to a shape."""
    if factor >= 1:
        return image.astype(np.float32)
    step = int(1 / factor)
    blocks = block_means(image, step)  # whole pixels first: the mean of a block costs little
    if shape is None:
        shape = tuple(max(round(n * factor), 8) for n in image.shape)
    rest = blocks.shape[0] / shape[0]
    if rest > 1.02:
        blocks = gaussian(blocks, (rest - 1) / 2)
    return resize(blocks, shape)


def work_factor(pixels: int, most: int = WORK_PIXELS) -> float:
    """Share of its sides to which a picture is shrunk before particles are looked for."""
    return min(1.0, math.sqrt(most / pixels))


def prepared(image: Image, annotations: Mask, factor: float) -> tuple[dict[str, Image], Mask]:
    """Shrink a picture, and return its versions with its annotations."""
    small = shrink(image, factor)
    marked = annotations if factor == 1 else shrink(annotations.astype(np.float32), factor) > 0.3
    return versions(small, marked), marked


def nearest_pixels(
    wanted: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of a shrunk picture that each row and column of the large one lies on."""
    rows, columns = (
        np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(np.int64)
        for new, old in zip(wanted, shape, strict=True)
    )
    return rows, columns


def drawn_at(labels: Labels, image: Image) -> Labels:
    """Draw particles found on a picture, shrunk or not, at its own resolution.

    Near the border between particle and background, a pixel goes to the side whose mean
    brightness around it is nearer to its own.
    """
    # what a pixel is compared with is worked out on the shrunk picture: 16 million are many
    small = shrink(image, labels.shape[0] / image.shape[0], labels.shape)
    grown = highest(labels, 3)
    core = lowest(labels > 0, 3)
    beyond = grown == 0
    inside, inside_known = _mean_where(small, core, 7)
    outside, outside_known = _mean_where(small, beyond, 7)
    unsure = ~core & ~beyond & inside_known & outside_known
    level = (inside + outside) / 2
    side = np.sign(inside - outside)
    rows, columns = nearest_pixels(image.shape, labels.shape)
    at = np.ix_(rows, columns)
    drawn = np.asarray(labels[at], dtype=np.int32)
    where = np.flatnonzero(unsure[at])
    row, column = np.divmod(where, image.shape[1])
    row, column = rows[row], columns[column]
    values = gaussian(image, 0.8).ravel()[where]
    particle = (values - level[row, column]) * side[row, column] > 0
    drawn.ravel()[where] = np.where(particle, grown[row, column], 0)
    return drawn


def _mean_where(image: Image, mask: Mask, side: int) -> tuple[Image, Mask]:
    """Mean around each pixel over those of a mask, and where there are any."""
    weight = mean_around(mask, side)
    total = mean_around(np.where(mask, image, np.float32(0)), side)
    known = weight > 0.5 / side**2
    return np.asarray(total / np.where(known, weight, 1), dtype=np.float32), known

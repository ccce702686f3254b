"""Particles taken apart and found at the resolution that they need, drawn at the picture's own."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.imaging.annotations import find_annotations, inpaint
from napari_ssrvae.imaging.candidates import Image, Mask
from napari_ssrvae.imaging.choosing import Pool, choose, pool_segments, recipe_of
from napari_ssrvae.imaging.filters import (
    block_means,
    gaussian,
    highest,
    lowest,
    mean_around,
    resize,
)
from napari_ssrvae.imaging.heaps import add_from_heaps
from napari_ssrvae.imaging.proposals import Labels, versions

WORK_PIXELS = 200_000
"""Particles are proposed and chosen on a picture of at most about this many pixels."""

_LARGE = 0.35  # pictures that would be shrunk to less than this share may need more pixels
_FEW = 5  # particles in the middle from which nothing is learnt
_FINE_RADIUS = 4.0  # px: particles smaller than that on the shrunk picture need a finer one
_WANTED_RADIUS = 6.0  # px: that is fine enough
_MOST_PIXELS = 2_500_000  # of the finer picture
_RECIPES = 1  # taken from a part of the picture to all of it


def find_separate_particles(
    image: Image, signs: tuple[int, ...], depth_factor: float = 1.0, *, heaps: bool = True
) -> Labels:
    """Find particles one by one, also those that touch, at the picture's own resolution.

    Parameters
    ----------
    image
        (H, W) float32.
    signs
        Polarities to try: 1 bright, -1 dark.
    depth_factor
        Multiplies the depth of the neck at which particles are taken apart.
    heaps
        Whether heaps are looked at twice.

    Returns
    -------
    (H, W) int32
        Particles from 1, in no particular order.
    """
    annotations = find_annotations(image)
    labels = find_roughly(image, annotations, signs, depth_factor, heaps=heaps)
    return drawn_at(labels, inpaint(image, annotations))


def find_roughly(
    image: Image,
    annotations: Mask,
    signs: tuple[int, ...],
    depth_factor: float = 1.0,
    *,
    heaps: bool = False,
) -> Labels:
    """Find particles one by one, at the resolution that they need.

    Parameters
    ----------
    image, signs, depth_factor
        As `find_separate_particles` takes them.
    annotations
        From `find_annotations`.
    heaps
        Whether heaps are looked at twice.

    Returns
    -------
    (h, w) int32
        Particles from 1, on the picture shrunk to at most its own shape.
    """
    factor = min(1.0, math.sqrt(WORK_PIXELS / image.size))
    if factor < _LARGE:
        labels = _find_small(image, annotations, factor, signs, depth_factor)
        if labels is not None:
            return labels
    return _look(image, annotations, factor, signs, depth_factor, heaps=heaps)[1]


def _look(
    image: Image,
    annotations: Mask,
    factor: float,
    signs: tuple[int, ...],
    depth_factor: float,
    only: set[tuple[str, int, str]] | None = None,
    agreement: tuple[float, float] | None = None,
    heaps: bool = False,
) -> tuple[Pool | None, Labels, NDArray[np.int64]]:
    small = shrink(image, factor)
    marked = annotations if factor == 1 else shrink(annotations.astype(np.float32), factor) > 0.3
    pictures = versions(small, marked)
    pool = pool_segments(pictures, marked, signs, depth_factor, only, agreement)
    if pool is None:
        return None, np.zeros(small.shape, dtype=np.int32), np.zeros(0, dtype=np.int64)
    labels, chosen, _ = choose(pool)
    if heaps:
        labels = add_from_heaps(pictures, marked, pool, labels, chosen, depth_factor)
    return pool, labels, chosen


def _find_small(
    image: Image, annotations: Mask, factor: float, signs: tuple[int, ...], depth_factor: float
) -> Labels | None:
    """Find small particles of a large picture: learn from its middle how, then find all.

    None where the particles are large enough for the shrunk picture.
    """
    part = _middle(image, 1.0)
    pool, _, chosen = _look(image[part], annotations[part], 1.0, signs, depth_factor)
    if pool is None or len(chosen) < _FEW:
        return None
    radius = _typical_radius(pool, chosen)
    if radius * factor > _FINE_RADIUS:
        return None
    finer = min(1.0, _WANTED_RADIUS / radius, math.sqrt(_MOST_PIXELS / image.size))
    if finer < 1:
        part = _middle(image, finer)
        pool, _, chosen = _look(image[part], annotations[part], finer, signs, depth_factor)
        if pool is None or len(chosen) < _FEW:
            return None
    votes: Counter[tuple[str, int, str]] = Counter()
    for k in chosen:
        votes[recipe_of(pool.basins[pool.proposal[k]].proposal)] += 1
    only = {recipe for recipe, _ in votes.most_common(_RECIPES)}
    # one mask cannot agree with others: the typical agreement in the middle stands for all
    same, share = np.median(pool.features[chosen][:, -2:], axis=0)
    agreement = (float(same), float(share))
    _, labels, _ = _look(image, annotations, finer, signs, depth_factor, only, agreement)
    return labels


def _middle(image: Image, factor: float) -> tuple[slice, ...]:
    """Return the part of a picture that has the usual number of pixels once shrunk."""
    share = min(math.sqrt(WORK_PIXELS / image.size) / factor, 1.0)
    return tuple(slice(int(n * (1 - share) / 2), int(n * (1 + share) / 2)) for n in image.shape)


def _typical_radius(pool: Pool, chosen: NDArray[np.int64]) -> float:
    return float(np.sqrt(np.median(pool.area[chosen]) / np.pi))


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
    """Draw particles found on a shrunk picture at the picture's own resolution.

    Near the border between particle and background, a pixel goes to the side whose mean
    brightness around it is nearer to its own.
    """
    if labels.shape == image.shape:
        return labels
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

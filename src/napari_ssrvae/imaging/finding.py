"""Particles taken apart and found at the resolution that they need, drawn at the picture's own."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.imaging.annotations import find_annotations, inpaint
from napari_ssrvae.imaging.candidates import Image, Mask
from napari_ssrvae.imaging.choosing import (
    Pool,
    choose,
    pool_described,
    pool_segments,
    recipe_of,
)
from napari_ssrvae.imaging.grain_evidence import choose_seen
from napari_ssrvae.imaging.grain_proposals import Closely
from napari_ssrvae.imaging.proposals import Labels
from napari_ssrvae.imaging.resolution import drawn_at, prepared, work_factor

_LARGE = 0.35  # pictures that would be shrunk to less than this share may need more pixels
_FEW = 5  # particles in the middle from which nothing is learnt
_FINE_RADIUS = 4.0  # px: particles smaller than that on the shrunk picture need a finer one
_WANTED_RADIUS = 6.0  # px: that is fine enough
_MOST_PIXELS = 2_500_000  # of the finer picture
_RECIPES = 1  # taken from a part of the picture to all of it


def find_separate_particles(
    image: Image, signs: tuple[int, ...], depth_factor: float = 1.0, *, network: bool = True
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
    network
        Whether the network that sees grains has its say too, which takes a second; never where
        particles are so small that the picture is not shrunk.

    Returns
    -------
    (H, W) int32
        Particles from 1, in no particular order.
    """
    annotations = find_annotations(image)
    labels = find_roughly(image, annotations, signs, depth_factor, network=network)
    return drawn_at(labels, inpaint(image, annotations))


def find_roughly(
    image: Image,
    annotations: Mask,
    signs: tuple[int, ...],
    depth_factor: float = 1.0,
    *,
    network: bool = False,
) -> Labels:
    """Find particles one by one, at the resolution that they need.

    Parameters
    ----------
    image, signs, depth_factor
        As `find_separate_particles` takes them.
    annotations
        From `find_annotations`.
    network
        Whether the network that sees grains has its say too, which takes a second; never where
        particles are so small that the picture is not shrunk.

    Returns
    -------
    (h, w) int32
        Particles from 1, on the picture shrunk to at most its own shape.
    """
    factor = work_factor(image.size)
    if factor < _LARGE:
        labels = _find_small(image, annotations, factor, signs, depth_factor)
        if labels is not None:
            return labels
    if network:
        return _look_with_network(image, annotations, signs, depth_factor)
    return _look(image, annotations, factor, signs, depth_factor)[1]


def _look(
    image: Image,
    annotations: Mask,
    factor: float,
    signs: tuple[int, ...],
    depth_factor: float,
    only: set[tuple[str, int, str]] | None = None,
    agreement: tuple[float, float] | None = None,
) -> tuple[Pool | None, Labels, NDArray[np.int64]]:
    pictures, marked = prepared(image, annotations, factor)
    pool = pool_segments(pictures, marked, signs, depth_factor, only, agreement)
    if pool is None:
        return None, np.zeros(marked.shape, dtype=np.int32), np.zeros(0, dtype=np.int64)
    labels, chosen, _ = choose(pool)
    return pool, labels, chosen


def _look_with_network(
    image: Image, annotations: Mask, signs: tuple[int, ...], depth_factor: float
) -> Labels:
    closely = Closely.looked_at(image, annotations, signs, depth_factor)
    pool = pool_described(closely.described)
    if pool is None:
        return np.zeros(closely.pictures["plain"].shape, dtype=np.int32)
    return choose_seen(pool, closely.seen)


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
    share = min(work_factor(image.size) / factor, 1.0)
    return tuple(slice(int(n * (1 - share) / 2), int(n * (1 + share) / 2)) for n in image.shape)


def _typical_radius(pool: Pool, chosen: NDArray[np.int64]) -> float:
    return float(np.sqrt(np.median(pool.area[chosen]) / np.pi))

"""Proposals: many segmentations of one micrograph, each a set of segments.

A proposal is one threshold on one version of the picture in one polarity, with its holes filled
and touching particles taken apart to one degree. No single one is right for every picture; the
best segments of all of them together nearly are (`choosing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.segmentation import watershed

from napari_ssrvae.imaging.annotations import inpaint
from napari_ssrvae.imaging.candidates import THRESHOLDS, Image, Mask, flatten
from napari_ssrvae.imaging.filters import distance_inside, gaussian, highest, mean_around, resize

Labels = NDArray[np.int32]

_EIGHT = np.ones((3, 3), dtype=bool)
_SAME = 0.02  # thresholds nearer than this share of the range are one
_COVER = (0.0005, 0.97)  # share of the picture that the segments of a proposal may cover
_MOST_PIECES = 0.004  # pieces per pixel beyond which a mask is noise
DEPTHS = (0.06, 0.15, 0.35)
"""-log of the saddle between two particles as a share of the lower one's peak."""
_SMALL_HOLE = 0.25  # of the piece that it is in: larger ones are not filled
_SOURCES: dict[str, tuple[str, ...]] = {
    "plain": ("otsu", "li", "triangle", "low of three", "high of three"),
    "flat": ("otsu", "li", "noise", "low of three", "high of three"),
    "soft": ("otsu",),
    "near": ("otsu",),
    "wide": ("otsu",),
}
"""Which thresholds are tried on which version of the picture."""


@dataclass(frozen=True)
class Proposal:
    """One mask, taken apart to several degrees.

    Attributes
    ----------
    basins
        (H, W) the finest parts, from 1.
    groupings
        For every degree of splitting that makes a difference: its index and the segment (from 1)
        of each basin; the first entry is the background's 0.
    distance
        (H, W) distance to the background, px.
    filled
        (H, W) bool: what was a hole.
    source, sign, name, threshold
        Which version of the picture, 1 for bright particles and -1 for dark ones, which threshold,
        and its level on the picture times the sign.
    """

    basins: Labels
    groupings: list[tuple[int, Labels]]
    distance: Image
    filled: Mask
    source: str
    sign: int
    name: str
    threshold: float


def versions(image: Image, annotations: Mask) -> dict[str, Image]:
    """Versions of a picture that thresholds are tried on.

    Parameters
    ----------
    image
        (H, W), at the resolution at which particles are looked for.
    annotations
        (H, W), left out.
    """
    clean = inpaint(image, annotations)
    plain = gaussian(clean, 0.8)
    side = min(image.shape)
    return {
        "plain": plain,
        "flat": flatten(plain),
        "soft": gaussian(clean, 2.5),
        "near": plain - _mean_around(plain, 0.035 * side),
        "wide": plain - _mean_around(plain, 0.1 * side),
    }


def propose(
    pictures: dict[str, Image],
    signs: tuple[int, ...],
    depth_factor: float = 1.0,
    only: set[tuple[str, int, str]] | None = None,
) -> Iterator[Proposal]:
    """Make the proposals of a picture.

    Parameters
    ----------
    pictures
        From `versions`.
    signs
        Polarities to try: 1 bright, -1 dark.
    depth_factor
        Multiplies the depths of splitting: more takes fewer particles apart.
    only
        Sources, signs and names of thresholds to keep to; None tries all.
    """
    for source, names in _SOURCES.items():
        picture = pictures[source]
        sample = picture[::2, ::2]
        near = _SAME * float(np.ptp(np.percentile(sample, (0.5, 99.5))))
        for sign in signs:
            seen: list[float] = []
            for name in names:
                if only is not None and (source, sign, name) not in only:
                    continue
                threshold = THRESHOLDS[name](sample * np.float32(sign))
                if any(abs(threshold - other) <= near for other in seen):
                    continue
                seen.append(threshold)
                mask = picture * np.float32(sign) > threshold
                yield from taken_apart(mask, (source, sign, name), threshold, depth_factor)


def taken_apart(
    mask: Mask, recipe: tuple[str, int, str], threshold: float, depth_factor: float
) -> Iterator[Proposal]:
    """Make the proposal of one mask, or none if it is nothing but noise or the whole picture."""
    solid = solid_mask(mask)
    if solid is None:
        return
    distance = distance_inside(solid)
    basins, groupings = split_degrees(solid, distance, [depth_factor * d for d in DEPTHS])
    yield Proposal(basins, groupings, distance, solid & ~mask, *recipe, threshold)


def solid_mask(mask: Mask) -> Mask | None:
    """Fill a mask's small holes; None if it is nothing but noise or the whole picture."""
    if not _COVER[0] <= float(mask.mean()) <= _COVER[1]:
        return None
    pieces, count = ndi.label(mask)
    if count > max(_MOST_PIECES * mask.size, 50):
        return None
    solid = fill_small_holes(mask, pieces)
    return solid if solid.mean() <= _COVER[1] else None


def fill_small_holes(mask: Mask, pieces: Labels) -> Mask:
    """Fill the holes that are small against the piece around them."""
    holes, count = ndi.label(~mask, structure=_EIGHT)
    if count == 0:
        return mask
    area = np.bincount(holes.ravel(), minlength=count + 1)
    # the piece around a hole is the one left of its first pixel
    first = ndi.find_objects(holes)
    limit = np.zeros(count + 1)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    for number, box in enumerate(first, start=1):
        if box is None:
            continue
        top, left = box[0].start, box[1].start
        frame = (
            top == 0 or left == 0 or box[0].stop == mask.shape[0] or box[1].stop == mask.shape[1]
        )
        if frame:
            continue
        column = left + int(np.argmax(holes[top, left : box[1].stop] == number))
        limit[number] = _SMALL_HOLE * sizes[pieces[top - 1, column]]
    fill = area <= limit
    fill[0] = False
    return np.asarray(mask | fill[holes])


def split_degrees(
    mask: Mask, distance: Image, depths: list[float]
) -> tuple[Labels, list[tuple[int, Labels]]]:
    """Take touching particles apart to several degrees, at the price of one.

    One watershed from every maximum of the distance; then basins are merged whose saddle is at
    least exp(-depth) of the lower peak, for one depth after the other.

    Parameters
    ----------
    mask, distance
        (H, W) particles, and distance to the background.
    depths
        Ascending.

    Returns
    -------
    (H, W) int32
        The basins.
    list of int and (number of basins + 1,) int32
        Index of the depth and the segment of each basin, for all depths that differ and, under
        the number of depths, for no splitting at all.
    """
    soft = gaussian(distance, 1.0)
    soft[~mask] = 0
    peaks = (soft == highest(soft, 5)) & mask
    markers, count = ndi.label(peaks, structure=_EIGHT)
    basins = np.asarray(watershed(-soft, markers, mask=mask), dtype=np.int32)
    pairs, saddles = _saddles(basins, soft)
    peak = np.concatenate(([0.0], soft.ravel()[_first_pixels(markers, count)]))
    groupings: list[tuple[int, Labels]] = []
    for level, share in enumerate([*(float(np.exp(-d)) for d in depths), 0.0]):
        merged = _merge(pairs, saddles, peak, share)
        if not groupings or merged.max() != groupings[-1][1].max():
            groupings.append((level, merged))
    return basins, groupings


def _first_pixels(markers: Labels, count: int) -> NDArray[np.int64]:
    """Flat index of one pixel of each marker."""
    where = np.flatnonzero(markers)
    found = np.zeros(count + 1, dtype=np.int64)
    found[markers.ravel()[where]] = where
    return found[1:]


def _saddles(basins: Labels, height: Image) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Neighbouring basins and the height of the pass between them."""
    keys, heights = [], []
    factor = int(basins.max()) + 1
    for one, two in (
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1], np.s_[1:]),
    ):
        a, b = basins[one], basins[two]
        where = np.flatnonzero((a != b) & (a > 0) & (b > 0))
        a, b = a.ravel()[where].astype(np.int64), b.ravel()[where].astype(np.int64)
        keys.append(np.minimum(a, b) * factor + np.maximum(a, b))
        heights.append(np.minimum(height[one].ravel()[where], height[two].ravel()[where]))
    key, level = np.concatenate(keys), np.concatenate(heights).astype(np.float64)
    order = np.lexsort((-level, key))
    key, level = key[order], level[order]
    first = np.ones(len(key), dtype=bool)
    first[1:] = key[1:] != key[:-1]
    key, level = key[first], level[first]
    return np.stack([key // factor, key % factor], axis=1), level


def _merge(
    pairs: NDArray[np.int64],
    saddles: NDArray[np.float64],
    peak: NDArray[np.float64],
    share: float,
) -> Labels:
    """Give each basin its number once those with high saddles between them are one."""
    parent = np.arange(len(peak))
    peak = peak.copy()

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = int(parent[k])
        return k

    for k in np.argsort(-saddles, kind="stable"):
        a, b = root(int(pairs[k, 0])), root(int(pairs[k, 1]))
        if a != b and saddles[k] >= share * min(peak[a], peak[b]):
            if peak[a] < peak[b]:
                a, b = b, a
            parent[b] = a
    roots = np.array([root(k) for k in range(len(parent))])
    _, number = np.unique(roots, return_inverse=True)
    return np.asarray(number, dtype=np.int32)


def _mean_around(image: Image, sigma: float) -> Image:
    """Wide Gaussian mean, from a shrunk image."""
    step = max(1, int(sigma // 4))
    if step == 1 or min(image.shape) < 4 * step:
        return gaussian(image, sigma, reach=3)
    coarse = mean_around(image, step)[step // 2 :: step, step // 2 :: step]
    soft = gaussian(coarse, sigma / step, reach=3)
    return resize(soft, image.shape)

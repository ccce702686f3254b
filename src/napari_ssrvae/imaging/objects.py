"""From a mask to numbered particles: threads cut, dirt dropped, touching ones split or not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.morphology import h_maxima
from skimage.segmentation import watershed

from napari_ssrvae.imaging.filters import (
    dilated,
    distance_inside,
    eroded,
    gaussian,
    highest,
    lowest,
)

Mask = NDArray[np.bool_]

_EIGHT = np.ones((3, 3), dtype=bool)
_CRUMB = 0.2  # of a typical particle's area: smaller is dirt
_THREAD = 0.2  # of a typical particle's radius: thinner is charging, a tear, a scratch
_DIM = ((0.25, 3, 0.35), (0.7, 10, 0.6))
"""Dim parts of a clump, as (reach in typical radii, at most px, least brightness): the line between
two particles that touch, and the side of a particle that its neighbours shade. The brightness is
that above the background, 1 at the threshold."""
_MAX_THREAD = 6.0  # px
_LARGE = 400_000  # pixels of a mask beyond which distances are measured on every second one
_SMALL_HOLE = 0.3  # of a typical particle's area: filled whatever is in it
_DIM_HOLE = 1.5  # of a typical particle's area: filled if brighter than background
SADDLE = 0.88  # of the lower peak: particles whose neck is wider are one


def typical_radius(mask: Mask) -> float:
    """Radius in px of the particles that a mask is made of, alone or in clumps; 0 if empty.

    The median of the local maxima of the distance transform, weighted by radius, because noise
    has many small ones.
    """
    step = 2 if mask.size > _LARGE else 1
    distance = distance_inside(mask[::step, ::step])
    peak = (distance == highest(distance, 5)) & (distance > 1)
    spots, count = ndi.label(peak, structure=_EIGHT)
    if count == 0:
        return float(distance.max()) * step
    tops = np.zeros(count + 1, dtype=np.float32)
    np.maximum.at(tops, spots[peak], distance[peak])
    radii = np.sort(tops[1:])
    weight = np.cumsum(radii)
    return float(radii[np.searchsorted(weight, weight[-1] / 2)]) * step


def close_clumps(mask: Mask, contrast: NDArray[np.float32], radius: float) -> Mask:
    """Join what belongs to one clump: over what is dim between its bright parts, not over gaps.

    Parameters
    ----------
    mask
        (H, W).
    contrast
        (H, W) brightness above the background, 1 at the threshold.
    radius
        Typical radius of the particles, px.
    """
    for share, most, least in _DIM:
        side = 2 * max(1, min(round(share * radius), most)) + 1
        closed = lowest(highest(mask, side), side)
        mask = mask | (closed & (contrast > least))
    return mask


def fill_holes(mask: Mask, contrast: NDArray[np.float32], radius: float) -> Mask:
    """Fill the holes that belong to particles, and not those between them.

    Parameters
    ----------
    mask
        (H, W).
    contrast
        (H, W) brightness above the background, 1 at the threshold.
    radius
        Typical radius of the particles, px.

    Returns
    -------
    (H, W) bool
        With holes filled that are small against a particle, or that are as large as one but not
        as dark as the background: the dim middle of a bright-rimmed particle.
    """
    holes, count = ndi.label(~mask)
    if count == 0:
        return mask
    area = np.bincount(holes.ravel())
    level = np.bincount(holes.ravel(), weights=contrast.ravel()) / np.maximum(area, 1)
    typical = math.pi * radius**2
    fill = (area <= _SMALL_HOLE * typical) | ((area <= _DIM_HOLE * typical) & (level > 0.5))
    fill[_on_frame(holes)] = False
    fill[0] = False
    return np.asarray(mask | fill[holes])


def cut_threads(mask: Mask, radius: float) -> Mask:
    """Open the mask by a disc: threads are cut off, particles keep their outline."""
    width = min(_THREAD * radius, _MAX_THREAD)
    if width < 1:
        return mask
    core = eroded(mask, width)
    return mask & dilated(core, width + 0.5) if core.any() else mask


def number_objects(
    mask: Mask,
    *,
    radius: float,
    min_area: float | None,
    split: bool,
    exclude_border: bool,
    saddle: float = SADDLE,
) -> NDArray[np.int32]:
    """Give the particles of a mask numbers from 1, in the order of their topmost pixel.

    Parameters
    ----------
    mask
        (H, W).
    radius
        Typical radius, px.
    min_area
        px²; None drops what is under a fifth of a typical particle.
    split
        Whether particles that touch are taken apart.
    exclude_border
        Whether particles on the edge of the image are dropped.
    saddle
        As in `split_touching`.
    """
    labels = split_touching(mask, radius, saddle) if split else ndi.label(mask)[0]
    area = np.bincount(labels.ravel())
    limit = _CRUMB * math.pi * radius**2 if min_area is None else min_area
    keep = area >= limit
    keep[0] = False
    if exclude_border:
        keep[_on_frame(labels)] = False
    return np.asarray((np.cumsum(keep) * keep)[labels], dtype=np.int32)


def renumber(labels: NDArray[Any], min_area: float, exclude_border: bool) -> NDArray[np.int32]:
    """Give the particles that are to be kept numbers from 1, by their topmost pixel.

    Parameters
    ----------
    labels
        (H, W), 0 = background.
    min_area
        px²; smaller ones are dropped.
    exclude_border
        Whether particles on the edge of the image are dropped.
    """
    flat = labels.ravel()
    where = np.flatnonzero(flat)
    area = np.bincount(flat)
    keep = area >= max(min_area, 1)
    keep[0] = False
    if exclude_border:
        keep[_on_frame(labels)] = False
    topmost = np.zeros(len(area), dtype=np.int64)
    topmost[flat[where[::-1]]] = where[::-1]
    kept = np.flatnonzero(keep)
    number = np.zeros(len(area), dtype=np.int32)
    number[kept[np.argsort(topmost[kept], kind="stable")]] = np.arange(1, len(kept) + 1)
    return np.asarray(number[labels])


def without_border(labels: NDArray[Any]) -> tuple[NDArray[np.int32], int]:
    """Leave out the particles on the edge of the image; return the others, and how many those were.

    The others keep their order, with numbers from 1: what finding with `exclude_border` gives.

    Parameters
    ----------
    labels
        (H, W), 0 = background, particles 1 to n.
    """
    cut = _on_frame(labels)
    cut = cut[cut > 0]
    keep = np.ones(int(labels.max(initial=0)) + 1, dtype=bool)
    keep[0] = False
    keep[cut] = False
    return np.asarray((np.cumsum(keep) * keep)[labels], dtype=np.int32), int(cut.size)


def _on_frame(labels: NDArray[Any]) -> NDArray[Any]:
    """Ids that occur on the edge of the image."""
    return np.unique(np.concatenate((labels[0], labels[-1], labels[:, 0], labels[:, -1])))


def split_touching(mask: Mask, radius: float, saddle: float = SADDLE) -> NDArray[np.int32]:
    """Take touching particles apart at their necks.

    Watershed of the distance transform from those of its maxima that stand out by more than a
    share of their height: the depth is relative, so that large and small particles are treated
    alike (h-maxima of the logarithm).

    Parameters
    ----------
    mask
        (H, W).
    radius
        Typical radius, px.
    saddle
        Of the lower peak: particles whose neck is wider are one.
    """
    distance = gaussian(distance_inside(mask), 0.08 * radius)
    height = np.log(np.maximum(distance, 0.5))
    peaks, _ = ndi.label(h_maxima(height, -math.log(saddle)) & mask, structure=_EIGHT)
    labels = watershed(-distance, peaks, mask=mask)
    return np.asarray(labels, dtype=np.int32)

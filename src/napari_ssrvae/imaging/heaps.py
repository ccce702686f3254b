"""Grains of a heap that a first choice left out, taken apart along seams.

In a heap the distance to the background says little of where one grain ends. What was not chosen
there is taken apart along seams: the lines in which grains meet, and the foot of the step from one
to another of different brightness. The parts are rated beside the particles that were chosen.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_ssrvae.imaging.candidates import THRESHOLDS, Image, Mask
from napari_ssrvae.imaging.choosing import Pool, gather, select
from napari_ssrvae.imaging.filters import distance_inside, gaussian
from napari_ssrvae.imaging.particle_rating import rate_in_heap
from napari_ssrvae.imaging.proposals import DEPTHS, Labels, Proposal, solid_mask, split_degrees
from napari_ssrvae.imaging.segment_features import (
    NAMES,
    Integers,
    Surroundings,
    Values,
    weighted_median,
)

_MASKS = (("plain", "otsu"), ("flat", "otsu"), ("flat", "noise"))
_SEAMS = {"necks": None, "faint seams": (0.0, 0.5), "clear seams": (0.7, 0.8)}
"""Blur before seams are looked for, px, and the least depth as a share of the mask's deep ones."""
_DEEP = 0.9  # quantile of the depth of seams in a mask: those are deep
LEAST = 0.6  # least rating of what is added
_WORTH_IT = 0.05  # of the area of the chosen ones: if less was left out, nothing is looked for
_COMPANY = ("log_share", "inside", "outside", "step", "elongation", "texture")
_COLUMN = {name: k for k, name in enumerate(NAMES)}


def add_from_heaps(
    pictures: dict[str, Image],
    annotations: Mask,
    pool: Pool,
    labels: Labels,
    chosen: Integers,
    depth_factor: float = 1.0,
) -> Labels:
    """Add what the first choice left out of heaps.

    Parameters
    ----------
    pictures, annotations
        From `proposals.versions` and `annotations.find_annotations`.
    pool, labels, chosen
        The first choice, as `choosing.choose` returns it.
    depth_factor
        Multiplies the depths of splitting.

    Returns
    -------
    (H, W) int32
        The particles of `labels` and more.
    """
    rest = pool_rest(pictures, annotations, pool, labels, chosen, depth_factor)
    if rest is None:
        return labels
    return joined(labels, rest, rate_in_heap(beside(rest, pool, chosen)), LEAST)


def joined(labels: Labels, rest: Pool, rating: Values, least: float) -> Labels:
    """Join the first choice and the best of what it left out."""
    more, _ = select(rest, rating, least)
    return np.asarray(np.where(more > 0, more + labels.max(), labels), dtype=np.int32)


def pool_rest(
    pictures: dict[str, Image],
    annotations: Mask,
    pool: Pool,
    labels: Labels,
    chosen: Integers,
    depth_factor: float = 1.0,
) -> Pool | None:
    """Gather the parts of what was left out; None where that is little."""
    if not len(chosen):
        return None
    weight = np.bincount(labels.ravel(), minlength=len(chosen) + 1)[1:]
    sign = 1 if float(weight @ pool.sign[chosen]) >= 0 else -1
    around = Surroundings(pictures, annotations)
    proposals = list(_proposals(pictures, sign, labels > 0, depth_factor))
    return gather(proposals, around) if proposals else None


def _proposals(
    pictures: dict[str, Image], sign: int, taken: Mask, depth_factor: float
) -> Iterator[Proposal]:
    depths = [depth_factor * depth for depth in DEPTHS]
    plain = pictures["plain"]
    bends = {kind: seam_depth(plain, sign, how[0]) for kind, how in _SEAMS.items() if how}
    for source, name in _MASKS:
        picture = pictures[source] * np.float32(sign)
        threshold = THRESHOLDS[name](picture[::2, ::2])
        solid = solid_mask(picture > threshold)
        if solid is None:
            continue
        # one pixel of a rim that a chosen particle did not fill is no particle
        rest = ndi.binary_opening(solid & ~taken, np.ones((2, 2), dtype=bool))
        if rest.sum() < _WORTH_IT * taken.sum():
            continue
        for kind, how in _SEAMS.items():
            core = rest
            if how:
                depth = bends[kind]
                core = rest & (depth <= how[1] * np.quantile(depth[solid][::2], _DEEP))
            distance = distance_inside(core)
            basins, groupings = split_degrees(rest, distance, depths)
            if basins.any():
                filled = rest & (picture <= threshold)
                yield Proposal(
                    basins, groupings, distance, filled, source, sign, f"{name}, {kind}", threshold
                )


def seam_depth(image: Image, sign: int, blur: float) -> Image:
    """Tell seams: how sharply the brightness turns upwards across each pixel.

    The larger eigenvalue of the Hessian, where it is positive: large at the bottom of a valley
    and at the foot of a step.

    Parameters
    ----------
    image
        (H, W).
    sign
        1 for bright particles, -1 for dark ones, between which a seam is a crest.
    blur
        Standard deviation of a Gaussian that is applied first, px; 0 for none.
    """
    soft = gaussian(image, blur)
    dy, dx = np.gradient(soft * np.float32(sign))
    dyy, dyx = np.gradient(dy)
    dxx = np.gradient(dx, axis=1)
    bend = (dyy + dxx) / 2 + np.hypot((dyy - dxx) / 2, dyx)
    return np.asarray(np.maximum(bend, 0), dtype=np.float32)


def beside(rest: Pool, pool: Pool, chosen: Integers) -> Values:
    """Features of parts of a heap: their own, and how they differ from the chosen particles."""
    weight = np.sqrt(pool.area[chosen])
    columns: list[NDArray[np.float64]] = []
    for name in _COMPANY:
        k = _COLUMN[name]
        typical = weighted_median(pool.features[chosen, k], weight)
        columns.append(rest.features[:, k] - typical)
    columns.append(np.full(len(rest.area), np.log(len(chosen))))
    return np.column_stack([rest.features, *columns])

"""A first answer to where particles are, for a person who waits for the answer itself."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.micrograph import MIN_SIDE, Micrograph, as_micrograph
from napari_ssrvae.imaging.resolution import WORK_PIXELS, nearest_pixels, shrink
from napari_ssrvae.imaging.segmentation import segment_with
from napari_ssrvae.imaging.settings import SegmentationSettings

Region = tuple[slice, slice]

_WORTH_IT = 500_000  # pixels of a micrograph whose particles are found in a moment anyway
_AT_ONCE = 600_000  # pixels of a picture whose clumps are found in a moment
_PART = 0.5  # share of the micrograph: a larger part in view is looked at as a whole
_MARGIN = 0.2  # of the sides of a region, around it: what its edge cuts is seen whole


def first_look(
    image_or_micrograph: ArrayLike | Micrograph,
    settings: SegmentationSettings,
    region: Region | None = None,
) -> NDArray[np.int32] | None:
    """Find particles quickly: those in view as they will be found, or all of them roughly.

    Touching ones are taken apart in a small part only. The part in view is judged by itself, at its
    own resolution where that is not too much; the method "auto" may judge the whole otherwise.

    Parameters
    ----------
    image_or_micrograph
        (H, W) image or `Micrograph`.
    settings
        As `segment_with` takes them.
    region
        Rows and columns that a person looks at; None: all.

    Returns
    -------
    (H, W) int32 or None
        Particles, 0 outside the region; None where `segment_with` itself takes but a moment.
    """
    image = as_micrograph(image_or_micrograph).image
    if image.size <= _WORTH_IT:
        return None
    whole = (slice(0, image.shape[0]), slice(0, image.shape[1]))
    if region is None or _pixels(region) > _PART * image.size:
        region = wide = whole
    else:
        wide = _widened(region, image.shape)
    part = image[wide]
    if min(part.shape) < MIN_SIDE:
        return None
    if settings.method == "auto" and part.size > WORK_PIXELS:
        settings = replace(settings, split_touching=False)  # that takes longer
    factor = min(1.0, math.sqrt(_AT_ONCE / part.size))
    try:
        coarse = segment_with(shrink(part, factor), settings.scaled(factor), guided=False)
    except InputError:  # nothing but one grey level in view; of the whole, the answer says so
        return None
    found = np.zeros(image.shape, dtype=np.int32)
    found[wide] = coarse[np.ix_(*nearest_pixels(part.shape, coarse.shape))]
    seen = np.zeros(image.shape, dtype=np.int32)
    seen[region] = found[region]
    return seen


def _pixels(region: Region) -> int:
    return math.prod(max(part.stop - part.start, 0) for part in region)


def _widened(region: Region, shape: tuple[int, ...]) -> Region:
    rows, columns = (
        slice(
            max(part.start - math.ceil(_MARGIN * (part.stop - part.start)), 0),
            min(part.stop + math.ceil(_MARGIN * (part.stop - part.start)), n),
        )
        for part, n in zip(region, shape, strict=True)
    )
    return rows, columns

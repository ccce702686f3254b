"""Burnt-in annotations: letters, scale bars, boxes and the info bar of a micrograph.

What a program wrote onto a picture has the lowest or the highest grey value of all, changes to the
picture within a pixel or two, and lies near the top or the foot.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_ssrvae.imaging.filters import (
    distance_inside,
    fill_all_holes,
    gaussian,
    highest,
    lowest,
    nearest_outside,
)
from napari_ssrvae.imaging.infobar import find_info_bar

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

_EIGHT = np.ones((3, 3), dtype=bool)
_NEAR_VALUE = 0.03  # of the range: burnt-in grey values, softened by compression
_MARGIN = 0.27  # of the height at the top and at the foot, where annotations are put
_STEP = 0.30  # of the range: the least step at a letter's outline
_REACH = 11  # px: the neighbourhood that an outline's step is measured against
_HARD = 0.6  # share of the step that is done within two pixels
_HARD_SHARE = 0.6  # of the outline that has to be that hard
_THIN = 0.035  # of the image's shorter side: half the width of the boldest letter
_MAX_SHARE = 0.065  # of the picture: more than that is no lettering but the picture itself
_MIN_SIDE = 64  # px: smaller pictures are not journal figures


def find_annotations(image: NDArray[Any]) -> Mask:
    """Find what is burnt into a picture: letters, scale bars, boxes, the info bar.

    Parameters
    ----------
    image
        (H, W) grey image at its own resolution.

    Returns
    -------
    (H, W) bool
        Annotations with a rim of a few pixels.
    """
    found = np.zeros(image.shape, dtype=bool)
    if min(image.shape) < _MIN_SIDE:
        return found
    bar = find_info_bar(image)
    height = image.shape[0] - bar
    low, high = float(image[:height].min()), float(image[:height].max())
    if high > low:
        margin = max(int(_MARGIN * height), 1)
        for rows in (slice(0, margin), slice(height - margin, height)):
            part = (image[rows].astype(np.float32) - low) / np.float32(high - low)
            found[rows] |= _lettering(part, min(image.shape))
        if found.mean() > _MAX_SHARE:
            found[:] = False
    if bar:
        found[height:] = True
    return found


def inpaint(image: Image, mask: Mask) -> Image:
    """Put what lies around them in the place of annotations."""
    if not mask.any():
        return image
    filled = image.copy()
    rows = np.flatnonzero(mask.any(axis=1))
    reach = 40
    part = slice(max(rows[0] - reach, 0), rows[-1] + reach + 1)
    inside, values = mask[part], image[part]
    if inside.all():
        return image
    soft = gaussian(nearest_outside(values, inside), 5)
    filled[part] = np.where(inside, soft, values)
    return filled


def _lettering(part: Image, side: int) -> Mask:
    """Annotations in a strip whose grey values go from 0 to 1."""
    found = np.zeros(part.shape, dtype=bool)
    floor, ceiling = lowest(part, _REACH), highest(part, _REACH)
    for extreme in (1, 0):
        near = part >= 1 - _NEAR_VALUE if extreme else part <= _NEAR_VALUE
        labels, count = ndi.label(near, structure=_EIGHT)
        if not 0 < count < 20_000:
            continue
        for number, box in enumerate(ndi.find_objects(labels), start=1):
            if (box[0].stop - box[0].start) * (box[1].stop - box[1].start) < 12:
                continue
            wide = tuple(
                slice(max(s.start - 4, 0), min(s.stop + 4, n))
                for s, n in zip(box, part.shape, strict=True)
            )
            own = labels[wide] == number
            if _is_burnt_in(part[wide], own, extreme, floor[wide], ceiling[wide], side):
                found[wide] |= fill_all_holes(own)
    return highest(found, 7) if found.any() else found


def _is_burnt_in(
    part: Image, own: Mask, extreme: int, floor: Image, ceiling: Image, side: int
) -> bool:
    """Whether one connected piece of extreme grey value is a letter, a bar or a box."""
    rim = highest(own, 5) & ~highest(own, 3)
    if not rim.any():
        return False
    # the rim two pixels outside: how far has the step got there?
    beyond = floor if extreme else 1 - ceiling
    here = part if extreme else 1 - part
    step = 1 - beyond[rim]
    real = step > _STEP
    if real.mean() < 0.7:
        return False
    done = (1 - here[rim]) / np.maximum(step, 1e-6)
    hard = float((done[real] > _HARD).mean())
    if hard < _HARD_SHARE:
        return False
    filled = fill_all_holes(own)
    rows, columns = np.flatnonzero(own.any(1)), np.flatnonzero(own.any(0))
    box = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    if float(filled.sum()) / box > 0.93:
        return True  # a bar or a box
    thickness = float(distance_inside(np.pad(own, 1)).max())
    return thickness <= _THIN * side

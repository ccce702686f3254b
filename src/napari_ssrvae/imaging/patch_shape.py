"""Shape and brightness of the object in each patch, as a table of plain numbers.

These are the usual measures of the patch's Otsu mask, what a forest on shape is trained with.

Chosen so that the forest is as good as it gets with five upright labels a class: nothing that
changes when an object is turned (the share of its bounding box, for one, taught it the labelled
images' angle: .76 instead of .99 at ±180°), and Hu moments as they are (a signed logarithm makes
noise of those that are 0 by symmetry: the same loss).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import label, regionprops_table

_MEASURES = (
    "area",
    "perimeter",
    "perimeter_crofton",
    "solidity",
    "eccentricity",
    "euler_number",
    "feret_diameter_max",
    "axis_major_length",
    "axis_minor_length",
    "moments_hu",
    "moments_weighted_hu",
)
_SPECKS = 4  # objects in a mask; more than these are noise or dirt
_SMOOTHING = 1.5  # px, where there are
_LARGEST = 1e30  # a forest takes single precision


def patch_shapes(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Measure the objects of patches.

    Parameters
    ----------
    images
        (n, H, W), objects brighter than their background.

    Returns
    -------
    (n, f) array
        Area, perimeter (two ways), solidity, eccentricity, Euler number, largest Feret diameter,
        axes, Hu moments of the mask and of the grey values, aspect ratio, circularity, share of
        the ellipse of equal moments and of the Feret square, mean and standard deviation of the
        intensity; finite, also in single precision.
    """
    return np.array([_of_one(image) for image in images])


def _of_one(image: NDArray[np.float32]) -> NDArray[np.float64]:
    mask = otsu_mask(image)
    # The grey values of an empty image have no moments, and those of an almost empty one are huge.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found: dict[str, Any] = regionprops_table(
            mask.astype(np.uint8), intensity_image=image, properties=_MEASURES
        )
    values = {name: float(column[0]) for name, column in found.items()}
    major, minor = (max(values[f"axis_{name}_length"], 1.0) for name in ("major", "minor"))
    derived = (
        major / minor,
        4 * np.pi * values["area"] / max(values["perimeter"], 1.0) ** 2,
        values["area"] / (major * minor),
        values["area"] / max(values["feret_diameter_max"], 1.0) ** 2,
        image[mask].mean(),
        image[mask].std(),
    )
    measures = np.nan_to_num(np.array([*values.values(), *derived], np.float64))
    return np.asarray(measures.clip(-_LARGEST, _LARGEST))


def otsu_mask(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Otsu's mask; of the smoothed image, and its largest object, where that falls into specks."""
    if image.max() <= image.min():
        return np.ones(image.shape, dtype=bool)
    mask = image > threshold_otsu(image)
    if label(mask, connectivity=2).max() <= _SPECKS:
        return np.asarray(mask)
    smooth = gaussian(image, _SMOOTHING)
    numbered = label(smooth > threshold_otsu(smooth), connectivity=2)
    largest = 1 + int(np.bincount(numbered.ravel())[1:].argmax())
    return np.asarray(ndi.binary_fill_holes(numbered == largest))

"""The micrograph, and the one place where arrays from outside are validated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.errors import InputError

MIN_SIDE = 8
"""Shortest side in pixels of an image in which particles can be looked for."""

_LUMINANCE = (0.2126, 0.7152, 0.0722)  # ITU-R BT.709


@dataclass(frozen=True, eq=False)
class Micrograph:
    """One grey image of a sample, with its scale and where it came from.

    Attributes
    ----------
    image
        (H, W) array, integer or float, without the microscope's info bar.
    pixel_size
        Side of a pixel in nm, or None where it is not known.
    name
        What to call it: the file's stem for a file.
    path
        The file it was read from, if any.
    metadata
        What the file said. From `read_micrograph` at least ``"format"``, ``"instrument"``,
        ``"info_bar_rows"`` and ``"warnings"`` (a list of sentences to the person).
    """

    image: NDArray[Any]
    pixel_size: float | None = None
    name: str = "micrograph"
    path: Path | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        height, width = self.image.shape
        return int(height), int(width)


def as_micrograph(
    image_or_micrograph: ArrayLike | Micrograph,
    *,
    name: str = "micrograph",
    pixel_size: float | None = None,
) -> Micrograph:
    """Make a valid grey micrograph of an array, or check one that exists.

    Colour (last axis of 3 or 4) becomes luminance, booleans become 0 and 255, single NaN or
    infinite pixels get the median of the finite ones; other numbers stay as they are.

    Parameters
    ----------
    image_or_micrograph
        (H, W), (H, W, 3) or (H, W, 4) array of booleans, integers or floats, or a `Micrograph`.
    name
        Name of a micrograph made from an array; an existing micrograph keeps its own.
    pixel_size
        nm per pixel; None keeps that of an existing micrograph.

    Returns
    -------
    Micrograph
        The same object where nothing had to change.

    Raises
    ------
    InputError
        For stacks, empty, tiny (under 8x8), all-NaN and constant images, complex numbers,
        objects, and a pixel size that is not positive.
    """
    if isinstance(image_or_micrograph, Micrograph):
        given = image_or_micrograph
    else:
        given = Micrograph(np.asarray(image_or_micrograph), name=name)
    size = given.pixel_size if pixel_size is None else pixel_size
    if size is not None and not (np.isfinite(size) and size > 0):
        raise InputError(f"A pixel size of {size} nm makes no sense; give a positive number.")
    image = _grey(np.asarray(given.image))
    if image is given.image and size == given.pixel_size:
        return given
    return replace(given, image=image, pixel_size=None if size is None else float(size))


def _grey(image: NDArray[Any]) -> NDArray[Any]:
    """Check the array and return it as a native, finite, two-dimensional one."""
    if image.dtype.kind not in "buif":
        raise InputError(
            f"An image of {image.dtype} values cannot be used; give integers, floats or booleans."
        )
    if image.size == 0:
        raise InputError("The image is empty; give one with at least 8x8 pixels.")
    if image.ndim == 3:
        image = _flatten_third_axis(image)
    if image.ndim != 2:
        raise InputError(
            f"The image has {image.ndim} axes of shape {image.shape}; give one 2-D image."
        )
    if min(image.shape) < MIN_SIDE:
        raise InputError(
            f"The image has {image.shape[0]}x{image.shape[1]} pixels, too few to hold particles; "
            "give one with at least 8x8."
        )
    if image.dtype.kind == "b":
        image = image.astype(np.uint8) * np.uint8(255)
    if not image.dtype.isnative or image.dtype == np.float16:
        image = image.astype(
            np.float32 if image.dtype == np.float16 else image.dtype.newbyteorder("=")
        )
    if image.dtype.kind == "f":
        image = _without_holes(image)
    if image.min() == image.max():
        raise InputError(
            f"Every pixel of the image has the same value, {image.flat[0]}; "
            "there is nothing to find in it."
        )
    return image


def _flatten_third_axis(image: NDArray[Any]) -> NDArray[Any]:
    """Colour to luminance, one-slice stacks to their slice; real stacks are refused."""
    if image.shape[2] in (3, 4):
        return luminance(image)
    if image.shape[2] == 1:
        return np.asarray(image[:, :, 0])
    if image.shape[0] == 1:
        return np.asarray(image[0])
    raise InputError(
        f"The image is a stack of shape {image.shape}; give one 2-D slice of it at a time."
    )


def luminance(colour: NDArray[Any]) -> NDArray[Any]:
    """Grey values of an (H, W, 3 or 4) image in its own dtype; transparency is ignored."""
    red, green, blue = (colour[..., channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return np.ascontiguousarray(red)
    if colour.dtype.kind == "b":
        colour = colour.astype(np.uint8) * np.uint8(255)
    grey = colour[..., :3].astype(np.float32) @ np.asarray(_LUMINANCE, dtype=np.float32)
    if colour.dtype.kind in "ui":
        return np.asarray(np.rint(grey).astype(colour.dtype))
    return np.asarray(grey)


def _without_holes(image: NDArray[Any]) -> NDArray[Any]:
    """Put the median of the finite pixels into those that are NaN or infinite."""
    finite = np.isfinite(image)
    if finite.all():
        return image
    if not finite.any():
        raise InputError("No pixel of the image is a finite number; there is nothing to find.")
    filled = image.copy()
    filled[~finite] = np.median(image[finite])
    return filled

"""What the metadata of a file says, and when that is to be believed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.units import believable_pixel, length_in_nm

_SQUARE = 0.01  # by how much width and height of a pixel may differ
_RESAMPLED = (0.98, 1.15)  # rows by columns, against what was taken; an info bar adds rows

BY_HAND = "set the pixel size by hand."
Size = tuple[float | None, tuple[str, ...]]
"""A pixel size in nm, or None, and what there is to say to the person."""


@dataclass(frozen=True)
class FileFacts:
    """What the metadata of a file says.

    Attributes
    ----------
    format
        Short name: ``"Zeiss TIFF"``, ...
    instrument
        The microscope's name, or the vendor's where it has none.
    pixel_size
        nm per pixel or None.
    image_rows
        Rows of the picture above the info bar, where the file names them.
    warnings
        Sentences to the person.
    fields
        The vendor's own fields.
    pixel_size_from
        Which entry of the file gave the pixel size, in words.
    acquisition
        How the picture was taken, as far as the file says: ``date`` and ``detector`` (str),
        ``voltage_kv``, ``magnification`` and ``working_distance_mm`` (float).
    images
        Where the file holds several images that stand alone, as of several detectors: the number
        of each, and what the file calls it (may be empty).
    page
        Number of the image that all this is of.
    """

    format: str = "TIFF"
    instrument: str = ""
    pixel_size: float | None = None
    image_rows: int | None = None
    warnings: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    pixel_size_from: str = ""
    acquisition: Mapping[str, Any] = field(default_factory=dict)
    images: tuple[tuple[int, str], ...] = ()
    page: int = 0


def believable(pixel_size: float | None) -> Size:
    """Drop a pixel size that cannot be true, and say so."""
    if pixel_size is None or believable_pixel(pixel_size):
        return pixel_size, ()
    return None, (
        f"The file gives a pixel size of {pixel_size:g} nm, which cannot be true; {BY_HAND}",
    )


def convert(value: Any, unit: Any) -> Size:
    """Pixel size in nm of a value and unit as read from a file."""
    try:
        return believable(length_in_nm(float(value), str(unit)))
    except (InputError, TypeError, ValueError):
        return None, (
            f"The file gives a pixel size of {one_line(value)} {one_line(unit)}, "
            f"which cannot be read; {BY_HAND}",
        )


def square(width: Size, height: Size) -> Size:
    """One pixel size from width and height of a pixel: sizes need square pixels."""
    (x, _), (y, _) = width, height
    if x is None or y is None:
        return width if x is None else height
    if abs(x - y) <= _SQUARE * x:
        return width
    return None, (
        f"The pixels of the file are not square ({x:.4g} nm wide, {y:.4g} nm high), so that "
        "sizes cannot be told; make them square in another program.",
    )


def still_true(size: Size, shape: tuple[int, int], taken: tuple[int, int] | None) -> Size:
    """Drop the pixel size of a picture that was made smaller or larger after it was taken.

    Parameters
    ----------
    size
        As the file gives it.
    shape
        Rows and columns of the picture in the file, with or without an info bar.
    taken
        Rows and columns that the microscope took, if the file says. A cropped picture keeps
        its pixel size; one with the same proportions and another number of pixels does not.
    """
    if size[0] is None or taken is None or min(taken) <= 0 or shape[1] == taken[1]:
        return size
    by_columns, by_rows = shape[1] / taken[1], shape[0] / taken[0]
    if not _RESAMPLED[0] <= by_rows / by_columns <= _RESAMPLED[1]:
        return size
    return None, (
        f"The microscope took {taken[1]}x{taken[0]} pixels and the file has "
        f"{shape[1]}x{shape[0]}: its pixel size is no longer true; {BY_HAND}",
    )


def one_line(value: Any, length: int = 60) -> str:
    """Text from a file, fit to stand in a sentence."""
    text = "".join(c if c.isprintable() else " " for c in str(value)[: 4 * length])
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def number(value: Any, factor: float = 1.0) -> float | None:
    """Return a number from a file, None for what is none, for zero and for the infinite."""
    try:
        result = float(value) * factor
    except (TypeError, ValueError, OverflowError):
        return None
    return result if math.isfinite(result) and result != 0 else None


def known(**facts: str | float | None) -> dict[str, str | float]:
    """Return the entries of an acquisition that hold something: texts, and positive numbers."""
    kept: dict[str, str | float] = {}
    for key, value in facts.items():
        if isinstance(value, str):
            if text := one_line(value):
                kept[key] = text
        elif value is not None and value > 0:
            kept[key] = value
    return kept


def inside(tree: Any, *path: str) -> Any:
    """Return what lies in nested mappings, None where a step is missing."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree

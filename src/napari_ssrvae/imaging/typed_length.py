"""A length as a person types it."""

from __future__ import annotations

import math
import re

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.units import believable_pixel, length_in_nm

PIXELS = {"", "px", "pixel", "pixels", "unknown", "none", "?"}
_NUMBER_AND_UNIT = re.compile(r"([-+]?[\d.,]+(?:e[-+]?\d+)?)\s*([^\d\s].*)?", re.IGNORECASE)


def typed_length(text: str) -> float | None:
    """Return a typed length in nm; None for "px", "unknown" or nothing.

    A number alone is in nm; "0.01 µm", "0,01 um", "10 nm/px" and "1 px" are understood.

    Raises
    ------
    InputError
        It is no length above 0.
    """
    said = text.strip()
    bare = said.lower()
    for ending in ("/pixel", "/px"):
        bare = bare.removesuffix(ending).strip()
    if bare in PIXELS:
        return None
    parts = _NUMBER_AND_UNIT.fullmatch(bare)
    if parts is None:
        raise InputError(
            f"{said!r} is no length: write a number with its unit, such as 10 nm or 0.01 µm."
        )
    unit = parts[2] or "nm"
    if unit in PIXELS:
        return None
    try:
        number = float(parts[1].replace(",", "."))
    except ValueError:
        raise InputError(
            f"{parts[1]!r} is no number: write one with its unit, such as 10 nm or 0.01 µm."
        ) from None
    length = length_in_nm(number, unit)
    if not math.isfinite(length) or length <= 0:
        raise InputError(f"{said!r} is not above 0: write a length such as 10 nm.")
    return length


def typed_pixel_size(text: str) -> float | None:
    """Return a typed pixel size in nm; None for "px", "unknown" or nothing.

    Raises
    ------
    InputError
        It is no length, or one that is refused in a file too.
    """
    size = typed_length(text)
    if size is not None and not believable_pixel(size):
        raise InputError(
            f"A pixel size of {text.strip()} cannot be true: write one between 0.1 pm and 1 mm, "
            "such as 10 nm."
        )
    return size

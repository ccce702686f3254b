"""Lengths as files write them, in nanometres."""

from __future__ import annotations

import math

from napari_ssrvae.errors import InputError

MIN_PIXEL_NM, MAX_PIXEL_NM = 1e-4, 1e6
"""Pixel sizes outside 0.1 pm to 1 mm are no electron micrograph's, whoever says so."""

_NANOMETRES = {
    "fm": 1e-6,
    "pm": 1e-3,
    "å": 0.1,
    "angstrom": 0.1,
    "ångström": 0.1,
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometre": 1.0,
    "um": 1e3,
    "micron": 1e3,
    "microns": 1e3,
    "micrometer": 1e3,
    "micrometre": 1e3,
    "mm": 1e6,
    "millimeter": 1e6,
    "millimetre": 1e6,
    "cm": 1e7,
    "m": 1e9,
    "meter": 1e9,
    "metre": 1e9,
}


def length_in_nm(value: float, unit: str) -> float:
    r"""Convert a length to nanometres.

    Parameters
    ----------
    value
        Length in `unit`.
    unit
        ``"nm"``, ``"µm"`` (either code point, or ImageJ's escape ``"\\u00B5m"``), ``"um"``,
        ``"micron"``, ``"pm"``, ``"Å"``, ``"mm"``, ``"m"``, ... ; case matters for none of them.

    Returns
    -------
    float
        The same length in nm.

    Raises
    ------
    InputError
        If the unit is no length that this function knows, or the value no finite number.
    """
    key = unit.strip().replace("\\u00B5", "u").replace("\\u00b5", "u").lower()
    # MICRO SIGN lowers to itself, GREEK SMALL MU is what Unicode normalisation makes of it
    key = key.replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")
    try:
        factor = _NANOMETRES[key]
    except KeyError:
        raise InputError(f"{unit!r} is not a unit of length; use nm, µm, pm, mm or m.") from None
    if not math.isfinite(value):
        raise InputError(f"A length of {value} {unit} makes no sense; give a finite number.")
    return float(value) * factor


def believable_pixel(nanometres: float) -> bool:
    """Say whether pixels can be as large as that."""
    return MIN_PIXEL_NM <= nanometres <= MAX_PIXEL_NM

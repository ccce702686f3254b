"""What is known of a micrograph, as a short table for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_ssrvae.imaging.micrograph import Micrograph


def micrograph_facts(micrograph: Micrograph) -> list[tuple[str, str]]:
    """Tell what is known of a micrograph: the microscope, how it was taken, scale and size.

    Parameters
    ----------
    micrograph
        From `read_micrograph`, or from anywhere else: what is not known is left out.

    Returns
    -------
    list of (str, str)
        Names and values, in the order in which people look for them: Instrument, Date,
        Accelerating voltage, Magnification, Working distance, Detector (each only where the
        file says so), then always Pixel size and where it came from, Image size, Values,
        Info bar, and Format and File where there are any.
    """
    metadata = micrograph.metadata
    rows = [("Instrument", str(metadata.get("instrument") or "")), *_acquisition(metadata)]
    height, width = micrograph.shape
    rows += [
        ("Pixel size", _pixel_size(micrograph)),
        ("Image size", _image_size(height, width, micrograph.pixel_size)),
        ("Values", _values(micrograph)),
        ("Info bar", _info_bar(metadata)),
        ("Format", str(metadata.get("format") or "")),
        ("File", micrograph.path.name if micrograph.path else ""),
    ]
    return [(name, value) for name, value in rows if value]


def _acquisition(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    taken = metadata.get("acquisition") or {}
    voltage, distance = taken.get("voltage_kv"), taken.get("working_distance_mm")
    magnification = taken.get("magnification")
    return [
        ("Date", str(taken.get("date", ""))),
        ("Accelerating voltage", f"{voltage:.4g} kV" if voltage else ""),
        ("Magnification", f"{float(f'{magnification:.4g}'):,g}×" if magnification else ""),
        ("Working distance", f"{distance:.4g} mm" if distance else ""),
        ("Detector", str(taken.get("detector", ""))),
    ]


def _pixel_size(micrograph: Micrograph) -> str:
    metadata, size = micrograph.metadata, micrograph.pixel_size
    said = metadata.get("file_pixel_size")
    if size is None:
        return "not known: set it by hand"
    by = metadata.get("pixel_size_by")  # the scale bar, along which a person drew a line
    by_hand = f"measured along {by}" if by else "set by hand"
    if said is None:
        return f"{length_text(size)}, {by_hand}" if metadata else length_text(size)
    if abs(size - said) > 1e-6 * said:
        return f"{length_text(size)}, {by_hand} (the file says {length_text(said)})"
    if by:
        return f"{length_text(size)}, {by_hand}, as the file says"
    source = metadata.get("pixel_size_from")
    return f"{length_text(size)}, from {source}" if source else length_text(size)


def _image_size(height: int, width: int, size: float | None) -> str:
    text = f"{width} × {height} px"
    if size is None:
        return text
    return f"{text}, {length_text(width * size)} × {length_text(height * size)}"


def _values(micrograph: Micrograph) -> str:
    image = micrograph.image
    kind = {"u": "", "i": " signed", "f": " float"}[image.dtype.kind]
    return f"{8 * image.dtype.itemsize}-bit{kind}, {image.min():g} to {image.max():g}"


def _info_bar(metadata: Mapping[str, Any]) -> str:
    rows = metadata.get("info_bar_rows")
    if rows is None:
        return ""
    return f"{rows} rows cut off" if rows else "nothing cut off"


def length_text(nanometres: float) -> str:
    """Return a length with four digits in the unit that suits it: ``"2.615 µm"``."""
    for limit, unit, factor in ((0.1, "pm", 1e-3), (1e3, "nm", 1.0), (1e6, "µm", 1e3)):
        if nanometres < limit:
            return f"{nanometres / factor:.4g} {unit}"
    return f"{nanometres / 1e6:.4g} mm"

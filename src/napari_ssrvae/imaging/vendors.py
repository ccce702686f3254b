"""What a microscope's TIFF says about itself: pixel size and rows of the info bar.

Each vendor's function takes an open file and returns what it knows, or None where the file is
not that vendor's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tifffile import TiffFile

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.units import length_in_nm

MIN_PIXEL_NM, MAX_PIXEL_NM = 1e-4, 1e6
"""Pixel sizes outside 0.1 pm to 1 mm are no electron micrograph's."""

_ZEISS_REFERENCE_WIDTH = 1024  # `ap_pixel_size` is given for an image this wide


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
    """

    format: str = "TIFF"
    instrument: str = ""
    pixel_size: float | None = None
    image_rows: int | None = None
    warnings: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    pixel_size_from: str = ""
    acquisition: Mapping[str, Any] = field(default_factory=dict)


def tiff_facts(tiff: TiffFile) -> FileFacts:
    """Ask each vendor in turn; a plain TIFF's resolution is not believed.

    Programs write 72, 96 or 300 dots an inch there whatever the picture shows.
    """
    for vendor in (_zeiss, _fei, _jeol, _imagej):
        facts = vendor(tiff)
        if facts is not None:
            return facts
    return FileFacts(instrument=_tag_text(tiff, "Model") or _tag_text(tiff, "Make"))


def believable(pixel_size: float | None) -> tuple[float | None, tuple[str, ...]]:
    """Drop a pixel size that cannot be true, and say so."""
    if pixel_size is None or MIN_PIXEL_NM <= pixel_size <= MAX_PIXEL_NM:
        return pixel_size, ()
    return None, (
        f"The file gives a pixel size of {pixel_size:g} nm, which cannot be true; "
        "set the pixel size by hand.",
    )


def _convert(value: Any, unit: Any) -> tuple[float | None, tuple[str, ...]]:
    """Pixel size in nm of a value and unit as read from a file."""
    try:
        return believable(length_in_nm(float(value), str(unit)))
    except (InputError, TypeError, ValueError):
        return None, (
            f"The file gives a pixel size of {value} {unit}, which cannot be read; "
            "set the pixel size by hand.",
        )


def _tag_text(tiff: TiffFile, name: str) -> str:
    tag = tiff.pages[0].tags.get(name)
    return str(tag.value).strip() if tag is not None else ""


def _zeiss(tiff: TiffFile) -> FileFacts | None:
    """Zeiss (CZ_SEM, tag 34118): ``(name, value, unit)`` under ``ap_image_pixel_size``."""
    fields = tiff.sem_metadata
    if not fields:
        return None
    model = fields.get("dp_sem")
    instrument = f"Zeiss {model[1]}" if model is not None and len(model) > 1 else "Zeiss"
    size: float | None = None
    warnings: tuple[str, ...] = ()
    image_size, own_size = fields.get("ap_image_pixel_size"), fields.get("ap_pixel_size")
    if image_size is not None and len(image_size) >= 3:
        size, warnings = _convert(image_size[1], image_size[2])
    elif own_size is not None and len(own_size) >= 3:
        size, warnings = _convert(own_size[1], own_size[2])
        if size is not None:
            size *= _ZEISS_REFERENCE_WIDTH / tiff.pages[0].shape[1]
    named = {key: value for key, value in fields.items() if key}
    return FileFacts("Zeiss TIFF", instrument, size, None, warnings, named)


def _fei(tiff: TiffFile) -> FileFacts | None:
    """FEI/Thermo (tag 34682 or 34680): ``Scan.PixelWidth`` in metres."""
    fields = tiff.fei_metadata
    if not fields:
        return None
    size: float | None = None
    warnings: tuple[str, ...] = ()
    for section in ("Scan", "EScan", "IScan"):
        width = _entry(fields, section, "PixelWidth")
        if width is not None:
            size, warnings = _convert(width, "m")
            break
    rows = _entry(fields, "Image", "ResolutionY")
    bar = _entry(fields, "PrivateFei", "DatabarHeight")
    height = tiff.pages[0].shape[0]
    image_rows: int | None = None
    if isinstance(rows, int) and 0 < rows <= height:
        image_rows = rows
    elif isinstance(bar, int) and 0 < bar < height // 2:
        image_rows = height - bar
    system = _entry(fields, "System", "SystemType") or _entry(fields, "System", "Type") or ""
    return FileFacts("FEI TIFF", f"FEI {system}".strip(), size, image_rows, warnings, fields)


def _entry(fields: Mapping[str, Any], section: str, key: str) -> Any:
    part = fields.get(section)
    value = part.get(key) if isinstance(part, Mapping) else None
    return None if value == "" else value


def _jeol(tiff: TiffFile) -> FileFacts | None:
    """JEOL SEM: ``$KEY=value`` lines in UTF-16 in the EXIF MakerNote; its DPI is false."""
    exif = tiff.pages[0].tags.get(34665)
    note = exif.value.get("MakerNote") if exif is not None and isinstance(exif.value, dict) else b""
    if isinstance(note, str):
        text = note
    else:
        text = bytes(note or b"").removeprefix(b"UNICODE\0").decode("utf-16-le", "replace")
    fields = dict(re.findall(r"\$([A-Z0-9_]+)=([^\t\r\n$\0]*)", text))
    if not any(key.startswith(("CM_", "SM_")) for key in fields):
        return None
    size: float | None = None
    warnings: tuple[str, ...] = ()
    written = re.match(r"\s*([-+0-9.eE]+)\s*(\S+?)\s*/\s*pixel", fields.get("CM_PIXEL_SIZE", ""))
    if written:
        size, warnings = _convert(*written.groups())
    instrument = fields.get("SM_NICKNAME") or _tag_text(tiff, "Model")
    rows = _jeol_image_rows(fields, tiff.pages[0].shape[0])
    return FileFacts("JEOL TIFF", f"JEOL {instrument}".strip(), size, rows, warnings, fields)


def _jeol_image_rows(fields: Mapping[str, str], height: int) -> int | None:
    """Rows above the bar, unless somebody has cropped the file and the numbers do not add up."""
    bar = re.match(r"\s*(\d+)", fields.get("SM_PNU_HEIGHT", ""))
    scanned = re.match(r"\s*\d+\s+(\d+)", fields.get("CM_IMAGE_SIZE", ""))
    if bar is None:
        return None
    rows = height - int(bar[1])
    if scanned is not None and int(scanned[1]) not in (rows, height):
        return None
    if scanned is not None and int(scanned[1]) == height:
        return height
    return rows if rows > height // 2 else None


def _imagej(tiff: TiffFile) -> FileFacts | None:
    """ImageJ: XResolution in pixels per ``unit``, which is a word of the image description."""
    fields = tiff.imagej_metadata
    if not tiff.is_imagej or fields is None:
        return None
    unit = fields.get("unit")
    resolution = tiff.pages[0].tags.get("XResolution")
    size: float | None = None
    warnings: tuple[str, ...] = ()
    if unit and str(unit).strip().lower() not in ("pixel", "pixels", "inch", "cm"):
        if resolution is not None and resolution.value[0]:
            size, warnings = _convert(resolution.value[1] / resolution.value[0], unit)
        else:
            warnings = ("The file names a unit but no pixel size; set the pixel size by hand.",)
    kept = {key: value for key, value in fields.items() if isinstance(value, (str, int, float))}
    return FileFacts("ImageJ TIFF", "", size, None, warnings, kept)

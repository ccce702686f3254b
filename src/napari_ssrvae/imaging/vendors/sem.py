"""TIFFs of scanning electron microscopes: Zeiss, FEI/Thermo Fisher, JEOL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tifffile import TiffFile

from napari_ssrvae.imaging.vendors.file_facts import (
    FileFacts,
    Size,
    convert,
    known,
    number,
    one_line,
    square,
    still_true,
)

_ZEISS_REFERENCE_WIDTH = 1024  # `ap_pixel_size` is given for an image this wide
_ZEISS_SI_SIZE = 3  # which of the unnamed values is that pixel size in metres


def tag_text(tiff: TiffFile, name: str | int) -> str:
    """Return a tag of the first page as text, empty where there is none."""
    tag = tiff.pages[0].tags.get(name)
    return str(tag.value).strip() if tag is not None else ""


def plane(tiff: TiffFile) -> tuple[int, int]:
    """Rows and columns of the first page."""
    page = tiff.pages[0]
    return int(page.imagelength), int(page.imagewidth)


def zeiss(tiff: TiffFile) -> FileFacts | None:
    """Zeiss (CZ_SEM, tag 34118): ``(name, value, unit)`` under ``ap_image_pixel_size``."""
    fields = tiff.sem_metadata
    if not fields:
        return None
    found, source = _zeiss_size(fields, plane(tiff)[1])
    stored = re.match(r"(\d+) \* (\d+)", str(_zeiss_value(fields, "dp_image_store")))
    taken = (int(stored[2]), int(stored[1])) if stored else None
    size, warnings = still_true(found, plane(tiff), taken)
    named = {key: value for key, value in fields.items() if key}
    model = _zeiss_value(fields, "dp_sem") or _zeiss_value(fields, "sv_serial_number")
    return FileFacts(
        "Zeiss TIFF",
        one_line(f"Zeiss {model}"),
        size,
        None,
        warnings,
        named,
        source,
        _zeiss_acquisition(fields),
    )


def _zeiss_value(fields: Mapping[str, Any], key: str) -> Any:
    entry = fields.get(key)
    return entry[1] if isinstance(entry, tuple) and len(entry) > 1 else ""


def _zeiss_size(fields: Mapping[str, Any], width: int) -> tuple[Size, str]:
    for key, factor in (("ap_image_pixel_size", 1.0), ("ap_pixel_size", _ZEISS_REFERENCE_WIDTH)):
        entry = fields.get(key)
        if entry is not None and len(entry) >= 3:
            size, warnings = convert(entry[1], entry[2])
            if size is not None and factor != 1.0:
                size *= factor / width
            return (size, warnings), f"Zeiss “{one_line(entry[0])}”"
    unnamed: tuple[Any, ...] = fields.get("") or ()
    metres = number(unnamed[_ZEISS_SI_SIZE]) if len(unnamed) > _ZEISS_SI_SIZE else None
    if metres is None:
        return (None, ()), ""
    return convert(metres * _ZEISS_REFERENCE_WIDTH / width, "m"), "Zeiss' table of values"


def _zeiss_acquisition(fields: Mapping[str, Any]) -> dict[str, Any]:
    distance: tuple[Any, ...] = fields.get("ap_wd") or ()
    in_mm = {"mm": 1.0, "µm": 1e-3, "um": 1e-3, "m": 1e3}
    factor = in_mm.get(str(distance[2])) if len(distance) > 2 else None
    written = re.match(r"([\d.]+)\s*(K?)", str(_zeiss_value(fields, "ap_mag")))
    magnification = number(written[1], 1e3 if written[2] else 1.0) if written else None
    date, time = _zeiss_value(fields, "ap_date"), _zeiss_value(fields, "ap_time")
    return known(
        date=f"{date} {time}".strip(),
        voltage_kv=number(_zeiss_value(fields, "ap_actualkv")),
        magnification=magnification,
        working_distance_mm=number(distance[1], factor) if factor else None,
        detector=str(_zeiss_value(fields, "dp_detector_channel")),
    )


def fei(tiff: TiffFile) -> FileFacts | None:
    """FEI/Thermo (tag 34682 or 34680): ``Scan.PixelWidth`` in metres, or the field of view."""
    fields = tiff.fei_metadata
    if not fields:
        return None
    height, width = plane(tiff)
    rows, columns = _entry(fields, "Image", "ResolutionY"), _entry(fields, "Image", "ResolutionX")
    taken = (rows, columns) if isinstance(rows, int) and isinstance(columns, int) else None
    found, source = _fei_size(fields, taken)
    size, warnings = still_true(found, (height, width), taken)
    bar = _entry(fields, "PrivateFei", "DatabarHeight")
    image_rows: int | None = None
    if isinstance(rows, int) and 0 < rows <= height:
        image_rows = rows
    elif isinstance(bar, int) and 0 < bar < height // 2:
        image_rows = height - bar
    system = _entry(fields, "System", "SystemType") or _entry(fields, "System", "Type") or ""
    name = one_line(f"FEI {system}")
    acquisition = _fei_acquisition(fields)
    return FileFacts("FEI TIFF", name, size, image_rows, warnings, fields, source, acquisition)


def _fei_size(fields: Mapping[str, Any], taken: tuple[int, int] | None) -> tuple[Size, str]:
    for section in ("Scan", "EScan", "IScan"):
        width, height = (_entry(fields, section, f"Pixel{side}") for side in ("Width", "Height"))
        if width is not None:
            size = convert(width, "m")
            source = f"FEI “{section}.PixelWidth”"
            return (size if height is None else square(size, convert(height, "m"))), source
    beam = str(_entry(fields, "Beam", "Beam") or "")
    field_of_view = number(_entry(fields, beam, "HFW"))
    if field_of_view is None or taken is None or taken[1] <= 0:
        return (None, ()), ""
    return convert(field_of_view / taken[1], "m"), f"FEI “{one_line(beam)}.HFW”"


def _fei_acquisition(fields: Mapping[str, Any]) -> dict[str, Any]:
    distance = _entry(fields, "Stage", "WorkingDistance") or _entry(fields, "EBeam", "WD")
    canvas = number(_entry(fields, "Image", "MagCanvasRealWidth"))
    view = number(_entry(fields, "Scan", "HorFieldsize"))
    return known(
        date=f"{_entry(fields, 'User', 'Date') or ''} {_entry(fields, 'User', 'Time') or ''}",
        voltage_kv=number(_entry(fields, "Beam", "HV"), 1e-3),
        magnification=canvas / view if canvas and view else None,
        working_distance_mm=number(distance, 1e3),
        detector=str(_entry(fields, "Detectors", "Name") or ""),
    )


def _entry(fields: Mapping[str, Any], section: str, key: str) -> Any:
    part = fields.get(section)
    value = part.get(key) if isinstance(part, Mapping) else None
    return None if value == "" else value


def jeol(tiff: TiffFile) -> FileFacts | None:
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
    return jeol_facts(fields, plane(tiff), "JEOL TIFF", tag_text(tiff, "Model"))


def jeol_facts(
    fields: Mapping[str, str], shape: tuple[int, int], format: str, model: str = ""
) -> FileFacts:
    """Read JEOL's fields, from wherever they came."""
    found, source = _jeol_size(fields)
    sides = fields.get("CM_IMAGE_SIZE") or fields.get("CM_FULL_SIZE", "")
    written = re.match(r"\s*(\d+)\s+(\d+)", sides)
    taken = (int(written[2]), int(written[1])) if written else None
    size, warnings = still_true(found, shape, taken)
    name = fields.get("SM_NICKNAME") or fields.get("CM_INSTRUMENT") or model
    rows = _jeol_image_rows(fields, shape[0], taken)
    detector = fields.get("FE_DETECTOR_NAME") or fields.get("SM_DETECTOR") or ""
    acquisition = known(
        date=f"{fields.get('CM_DATE', '')} {fields.get('CM_TIME', '')}".strip(),
        voltage_kv=number(fields.get("CM_ACCEL_VOLT")),
        magnification=number(fields.get("CM_MAG")),
        working_distance_mm=number(fields.get("SM_WD")),
        detector=detector or fields.get("CM_SIGNAL", ""),
    )
    name = one_line(f"JEOL {name}")
    return FileFacts(format, name, size, rows, warnings, fields, source, acquisition)


def _jeol_size(fields: Mapping[str, str]) -> tuple[Size, str]:
    written = re.match(r"\s*([-+0-9.eE]+)\s*(\S+?)\s*/\s*pixel", fields.get("CM_PIXEL_SIZE", ""))
    if written:
        return convert(*written.groups()), "JEOL “CM_PIXEL_SIZE”"
    # older microscopes tell how long their scale bar is, in pixels and as a length
    marker = re.match(r"\s*([0-9.]+)\s*(\S+)", fields.get("SM_MICRON_MARKER", ""))
    pixels = number(fields.get("SM_MICRON_BAR"))
    if marker is None or pixels is None:
        return (None, ()), ""
    length = number(marker[1])
    return convert((length or 0.0) / pixels, marker[2]), "JEOL “SM_MICRON_BAR”"


def _jeol_image_rows(
    fields: Mapping[str, str], height: int, taken: tuple[int, int] | None
) -> int | None:
    """Rows above the bar, unless somebody has cropped the file and the numbers do not add up."""
    bar = re.match(r"\s*(\d+)", fields.get("SM_PNU_HEIGHT", ""))
    if bar is None:
        return None
    rows = height - int(bar[1])
    if taken is not None and taken[0] not in (rows, height):
        return None
    if taken is not None and taken[0] == height:
        return height
    return rows if rows > height // 2 else None

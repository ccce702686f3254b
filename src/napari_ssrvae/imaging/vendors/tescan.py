"""Tescan: ``KEY=value`` lines, in tag 50431 of a TIFF or in a ``.hdr`` file beside the picture.

No file of a real microscope was at hand: names and units are those that other open programs
read (``PixelSizeX`` and ``WD`` in metres, ``HV`` in volts, ``ImageStripSize`` in rows).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tifffile import TiffFile

from napari_ssrvae.imaging.vendors.file_facts import (
    FileFacts,
    Size,
    convert,
    known,
    number,
    one_line,
    square,
)
from napari_ssrvae.imaging.vendors.sem import plane

_TAG = 50431
_LINE = re.compile(r"(?:^|[\r\n\0])([A-Za-z][A-Za-z0-9]*)=([^\r\n\0]*)")


def tescan(tiff: TiffFile) -> FileFacts | None:
    """Tescan (tag 50431): text after a binary part that may hold a small picture."""
    raw = tiff.pages[0].tags.valueof(_TAG)
    if raw is None:
        return None
    text = raw if isinstance(raw, str) else bytes(raw).decode("latin-1")
    fields = tescan_fields(text)
    return tescan_facts(fields, plane(tiff), "Tescan TIFF") if fields else None


def tescan_fields(text: str) -> dict[str, str]:
    """Return the lines of the text; nothing where they are not Tescan's."""
    # the first line may follow binary bytes without a line break
    start = min((at for key in _FIRST if (at := text.find(key)) >= 0), default=0)
    fields = {key: value.strip() for key, value in _LINE.findall(text[start:])}
    return fields if "PixelSizeX" in fields or "ImageStripSize" in fields else {}


_FIRST = ("[MAIN]", "AccFrames=", "AccType=", "Company=", "Date=", "ImageStripSize=")


def tescan_facts(fields: Mapping[str, str], shape: tuple[int, int], format: str) -> FileFacts:
    """Read Tescan's fields, from wherever they came."""
    size: Size = (None, ())
    if "PixelSizeX" in fields:
        size = convert(fields["PixelSizeX"], "m")
        if "PixelSizeY" in fields:
            size = square(size, convert(fields["PixelSizeY"], "m"))
    strip = number(fields.get("ImageStripSize"))
    rows = None
    if strip is not None and 0 < strip < shape[0] // 2:
        rows = shape[0] - int(strip)
    voltage = number(fields.get("HV")) or number(fields.get("AcceleratorVoltage"))
    acquisition = known(
        date=f"{fields.get('Date', '')} {fields.get('Time', '')}".strip(),
        voltage_kv=None if voltage is None else abs(voltage) * 1e-3,
        magnification=number(fields.get("Magnification")),
        working_distance_mm=number(fields.get("WD"), 1e3),
        detector=fields.get("Detector") or fields.get("Detector0") or "",
    )
    device = fields.get("Device", "")
    name = device if device.upper().startswith("TESCAN") else f"Tescan {device}"
    source = "Tescan “PixelSizeX”"
    return FileFacts(format, one_line(name), size[0], rows, size[1], fields, source, acquisition)

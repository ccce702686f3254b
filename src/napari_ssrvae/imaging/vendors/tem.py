"""TIFFs of transmission electron microscopes and their cameras."""

from __future__ import annotations

import xml.etree.ElementTree as ET
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
)
from napari_ssrvae.imaging.vendors.sem import plane, tag_text

_SIS_TAGS = (33560, 33471)
_SIGHTX_IMAGING = ("MAG", "LOWMAG", "SAMAG", "LOW MAG", "SA MAG")
_INCH = 0.0254  # m
_NO_LENGTH = (
    "The picture is a diffraction pattern, so that there is no length to a pixel; "
    "particles can be found but not measured in nm."
)


def olympus_page(tiff: TiffFile) -> int:
    """Tell which image of an Olympus SIS file holds what the camera saw.

    The first can be a picture for the eye, with a burnt-in scale bar; the calibration is with
    the other.
    """
    for number_of_series, series in enumerate(tiff.series[:8]):
        if any(code in series.keyframe.tags for code in _SIS_TAGS):
            return number_of_series
    return 0


def olympus(tiff: TiffFile) -> FileFacts | None:
    """Olympus SIS (tag 33560 or 33471): pixel size in metres, on the page of the camera."""
    fields: dict[str, Any] = {}
    page = tiff.series[olympus_page(tiff)].keyframe
    for code in _SIS_TAGS:
        tag = page.tags.get(code)
        if tag is not None and isinstance(tag.value, dict):
            fields = {**fields, **tag.value}
    if not fields:
        return None
    size: Size = (None, ())
    x, y = number(fields.get("pixelsizex")), number(fields.get("pixelsizey"))
    if x is not None and y is not None:
        size = square(convert(x, "m"), convert(y, "m"))
    camera = str(fields.get("cameraname") or "")
    acquisition = known(
        date=str(fields.get("datetime") or ""),
        magnification=number(fields.get("magnification")),
        detector=camera,
    )
    name = one_line(f"Olympus SIS {camera or tag_text(tiff, 'Model')}")
    source = "Olympus SIS calibration"
    return FileFacts("Olympus SIS TIFF", name, size[0], None, size[1], fields, source, acquisition)


def tvips(tiff: TiffFile) -> FileFacts | None:
    """TVIPS EM-MENU (tag 37706): ``PixelSizeX`` in nm, in headers of version 2."""
    fields = tiff.tvips_metadata
    if not fields:
        return None
    size: Size = (None, ())
    x, y = number(fields.get("PixelSizeX")), number(fields.get("PixelSizeY"))
    if fields.get("TemMode") == 3:
        size = (None, (_NO_LENGTH,))
    elif x is not None and y is not None:
        # tifffile gave metres up to 2026.2.24, and as written, nm, from 2026.3.3 on
        unit = "m" if abs(x) < 1e-5 else "nm"
        size = square(convert(x, unit), convert(y, unit))
    acquisition = known(
        voltage_kv=number(fields.get("TemHighTension"), 1e-3),
        magnification=number(fields.get("TemMagnification")),
        detector=str(fields.get("CameraType") or ""),
    )
    name = one_line(f"TVIPS {fields.get('TemType') or ''}")
    simple = {key: value for key, value in fields.items() if isinstance(value, str | int | float)}
    source = "TVIPS “PixelSizeX”"
    return FileFacts("TVIPS TIFF", name, size[0], None, size[1], simple, source, acquisition)


def jeol_tem(tiff: TiffFile) -> FileFacts | None:
    """JEOL SightX (TEM): XML in the image description.

    The camera's pixel over the magnification. The XML has the camera's pixels per metre; the
    resolution tag repeats them rounded to whole dots an inch, which is half a percent off.
    """
    description = tiff.pages[0].description
    if "<TemReporter" not in description[:500]:
        return None
    try:
        # expat refuses entities that grow without end; external ones are never fetched
        root = ET.fromstring(description.strip(" \r\n\t\x01\x00"))
    except ET.ParseError:
        return FileFacts("JEOL TIFF", "JEOL")
    size = _sightx_size(root, plane(tiff))
    magnifies = (root.findtext("ImageFormingSystem/SelectorUnitString") or "").strip() == "X"
    selected = number(root.findtext("ImageFormingSystem/SelectorValue"))
    acquisition = known(
        date=(root.findtext("DateTime") or "")[:19].replace("T", " "),
        voltage_kv=number(root.findtext("ElectronGun/AccelerationVoltage"), 1e-3),
        magnification=selected if magnifies else None,
        detector=root.findtext("ImageSourceDetector") or "",
    )
    name = one_line(f"JEOL {root.findtext('Instruments') or ''}")
    source = "JEOL camera pixel and magnification"
    fields = {child.tag: child.text for child in root if child.text and child.text.strip()}
    return FileFacts("JEOL TIFF", name, size[0], None, size[1], fields, source, acquisition)


def _sightx_size(root: ET.Element, shape: tuple[int, int]) -> Size:
    mode = (root.findtext("ImageFormingSystem/ModeString") or "").strip()
    if mode == "DIFF":
        return None, (_NO_LENGTH,)
    magnification = number(root.findtext("ImageFormingSystem/SelectorValue"))
    transmission = (root.findtext("Eos/EosMode") or "").strip() == "eosTEM"
    if not transmission or mode.upper() not in _SIGHTX_IMAGING or magnification is None:
        return None, ()
    for drawn in root.iter("DrawImageInformation"):
        size = [number(drawn.findtext(f"ImageSize/{side}")) for side in ("Height", "Width")]
        density = number(drawn.findtext("PixelsPerMeter/Horizontal"))
        if size == [float(n) for n in shape] and density is not None:
            return convert(1 / density / magnification, "m")
    return None, ()


def digital_micrograph(tiff: TiffFile) -> FileFacts | None:
    """TIFF saved by Gatan's DigitalMicrograph: unit in tags 65003/4, scale in 65009/10."""
    tags = tiff.pages[0].tags
    if 65009 not in tags or 65003 not in tags:
        return None
    scales = [tags.valueof(code) for code in (65009, 65010)]
    units = [_text(tags.valueof(code)) for code in (65003, 65004)]
    size: Size = (None, ())
    if units[0] and not is_no_length(units[0]):
        size = convert(scales[0], units[0])
        if units[1] and scales[1] is not None:
            size = square(size, convert(scales[1], units[1]))
    fields = {"unit": units[0], "scale": scales[0]}
    name, source = "Gatan DigitalMicrograph", "DigitalMicrograph's calibration"
    return FileFacts("DigitalMicrograph TIFF", name, size[0], None, size[1], fields, source)


def is_no_length(unit: str) -> bool:
    """Tell whether a unit is one of reciprocal space, time, energy or of plain pixels."""
    text = unit.strip().lower().replace(" ", "")
    return not text or "/" in text or "^-" in text or "-1" in text or text in _OTHERS


_OTHERS = frozenset(
    {"px", "pix", "pixel", "pixels", "channel", "channels", "index", "rad", "mrad", "deg", "°"}
    | {"s", "sec", "second", "seconds", "ms", "us", "µs", "ns", "ev", "kev", "mev", "degree"}
)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return str(value or "").strip("\0 ")

"""TIFFs of programs that say what their pixels measure: OME-TIFF and ImageJ."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from tifffile import TiffFile

from napari_ssrvae.imaging.vendors.file_facts import (
    BY_HAND,
    FileFacts,
    Size,
    convert,
    known,
    number,
    one_line,
    square,
)
from napari_ssrvae.imaging.vendors.tem import is_no_length


def ome(tiff: TiffFile) -> FileFacts | None:
    """OME-TIFF: ``PhysicalSizeX`` of the first image, in µm where it names no unit."""
    text = tiff.ome_metadata
    if not text:
        return None
    try:
        # expat refuses entities that grow without end; external ones are never fetched
        root = ET.fromstring(text)
    except ET.ParseError:
        return FileFacts("OME-TIFF")
    pixels = root.find(".//{*}Image/{*}Pixels")
    size: Size = (None, ())
    if pixels is not None and pixels.get("PhysicalSizeX") is not None:
        sides = [_ome_side(pixels, axis) for axis in "XY"]
        size = square(*sides) if pixels.get("PhysicalSizeY") is not None else sides[0]
    microscope = root.find(".//{*}Instrument/{*}Microscope")
    name = ""
    if microscope is not None:
        name = f"{microscope.get('Manufacturer', '')} {microscope.get('Model', '')}"
    acquisition = known(date=root.findtext(".//{*}Image/{*}AcquisitionDate") or "")
    fields = {} if pixels is None else dict(pixels.attrib)
    source = "OME “PhysicalSizeX”"
    return FileFacts(
        "OME-TIFF", one_line(name), size[0], None, size[1], fields, source, acquisition
    )


def _ome_side(pixels: ET.Element, axis: str) -> Size:
    unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
    if is_no_length(unit) or unit == "reference frame":
        return None, ()
    return convert(pixels.get(f"PhysicalSize{axis}"), unit)


def imagej(tiff: TiffFile) -> FileFacts | None:
    """ImageJ: XResolution in pixels per ``unit``, which is a word of the image description."""
    fields = tiff.imagej_metadata
    if not tiff.is_imagej or fields is None:
        return None
    unit = str(fields.get("unit") or "").strip()
    size: Size = (None, ())
    # "inch" and "cm" are what ImageJ makes of the resolution of a picture that has no scale
    if unit and not is_no_length(unit) and unit.lower() not in ("inch", "cm"):
        size = square(_per_unit(tiff, "XResolution", unit), _per_unit(tiff, "YResolution", unit))
        if size == (None, ()):
            size = (None, (f"The file names a unit but no pixel size; {BY_HAND}",))
    kept = {key: value for key, value in fields.items() if isinstance(value, str | int | float)}
    return FileFacts("ImageJ TIFF", "", size[0], None, size[1], kept, "ImageJ's scale")


def _per_unit(tiff: TiffFile, name: str, unit: str) -> Size:
    """Size of a pixel where a tag holds pixels per unit as a fraction."""
    tag = tiff.pages[0].tags.get(name)
    value: Any = None if tag is None else tag.value
    if not isinstance(value, tuple) or len(value) != 2:
        return None, ()
    density = number(value[0])
    return (None, ()) if density is None else convert(value[1] / density, unit)

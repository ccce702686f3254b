"""EMD files of Thermo Fisher's Velox: their images, without the maps of spectra beside them.

An EMD of Velox is an HDF5 file with a group ``Data/Image``; each image is (H, W, frames) with
JSON beside it. rosettasciio reads them too, but not the images of a spectrum image unless a
compiler for its stream of X-rays (numba) is installed, and gives element maps before the
electron images.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.imaging.planes import Plane, check_claim
from napari_ssrvae.imaging.vendors.file_facts import (
    FileFacts,
    Size,
    convert,
    inside,
    known,
    number,
    one_line,
    square,
)
from napari_ssrvae.imaging.vendors.tem import is_no_length

_X_RAYS = ("superx", "dualx", "ultrax", "eds", "edx")
_OTHERS = {
    "Spectrum": "spectra",
    "SpectrumImage": "maps of spectra",
    "SpectrumStream": "maps of spectra",
}


def velox_planes(path: Path) -> tuple[list[Plane], list[str]] | None:
    """Return the images of a Velox file, and in words what else it holds.

    The electron images come first, then the element maps. The frames of one image are a stack,
    those that were taken along with a spectrum image are not: the first stands for all.

    Returns
    -------
    tuple or None
        None where the file is no EMD of Velox.
    """
    electrons: list[Plane] = []
    maps: list[Plane] = []
    with h5py.File(path, "r") as file:
        data = file.get("Data")
        if not isinstance(data, h5py.Group) or not {"Image", *_OTHERS} & set(data):
            return None
        with_spectra = "SpectrumImage" in data
        for name, group in data.get("Image", {}).items():
            pixels = group["Data"]
            check_claim(path, pixels.shape[:2], pixels.dtype.itemsize)
            said = _metadata(group)
            facts = _facts(said)
            title = str(inside(said, "BinaryResult", "Detector") or "")
            frames = pixels.shape[2] if pixels.ndim == 3 else 1
            for frame in range(1 if with_spectra else frames):
                read = partial(_frame, path, f"Data/Image/{name}/Data", frame)
                plane = Plane(read, facts, title, frames > 1 and not with_spectra)
                (maps if title.lower().startswith(_X_RAYS) else electrons).append(plane)
        others = [words for key, words in _OTHERS.items() if key in data]
    return [*electrons, *maps], others


def _frame(path: Path, dataset: str, frame: int) -> NDArray[Any]:
    with h5py.File(path, "r") as file:
        pixels = file[dataset]
        return np.asarray(pixels[:, :, frame] if pixels.ndim == 3 else pixels[...])


def _metadata(group: Any) -> Mapping[str, Any]:
    """Read the JSON of the first frame; nothing where it cannot be read."""
    try:
        raw = group["Metadata"][:, 0].tobytes().partition(b"\0")[0]
        said = json.loads(raw.decode("utf-8", "replace"))
    except (KeyError, ValueError, OSError):
        return {}
    return said if isinstance(said, Mapping) else {}


def _facts(said: Mapping[str, Any]) -> FileFacts:
    maker, model = (inside(said, "Instrument", f"{key}") for key in _NAMES)
    seconds = number(inside(said, "Acquisition", "AcquisitionStartDatetime", "DateTime"))
    date = datetime.fromtimestamp(seconds, UTC) if seconds and 0 < seconds < 1e11 else None
    acquisition = known(
        date="" if date is None else f"{date:%Y-%m-%d %H:%M} UTC",
        voltage_kv=number(inside(said, "Optics", "AccelerationVoltage"), 1e-3),
        magnification=number(inside(said, "Optics", "NominalMagnification")),
        detector=str(inside(said, "BinaryResult", "Detector") or ""),
    )
    size, warnings = _size(said)
    name = one_line(f"{maker or ''} {model or ''}")
    source = "Velox “PixelSize”"
    return FileFacts("Velox EMD", name, size, None, warnings, said, source, acquisition)


_NAMES = ("Manufacturer", "InstrumentModel")


def _size(said: Mapping[str, Any]) -> Size:
    sides = []
    for axis, side in (("X", "width"), ("Y", "height")):
        unit = str(inside(said, "BinaryResult", f"PixelUnit{axis}") or "")
        value = inside(said, "BinaryResult", "PixelSize", side)
        if value is None or is_no_length(unit):
            return None, ()
        sides.append(convert(value, unit))
    return square(*sides)

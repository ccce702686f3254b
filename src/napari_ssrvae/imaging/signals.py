"""Files of signals, which rosettasciio reads: DM3/DM4, EMD, TIA, BCF, MRC, hspy and zspy.

Such a file can hold images beside spectra and maps of them. rosettasciio is free software under
the GPL, so it comes with an extra of its own and is imported only here, when it is needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from math import prod
from pathlib import Path
from traceback import clear_frames
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.errors import ReadError
from napari_ssrvae.imaging.micrograph import luminance
from napari_ssrvae.imaging.planes import Plane, check_claim, choose_plane, with_warning
from napari_ssrvae.imaging.tag_trees import check_tags
from napari_ssrvae.imaging.vendors.file_facts import (
    BY_HAND,
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

SIGNALS = {
    ".dm3": ("digitalmicrograph", "DM3"),
    ".dm4": ("digitalmicrograph", "DM4"),
    ".emd": ("emd", "EMD"),
    ".emi": ("tia", "TIA"),
    ".ser": ("tia", "TIA"),
    ".bcf": ("bruker", "BCF"),
    ".mrc": ("mrc", "MRC"),
    ".hspy": ("hspy", "HyperSpy"),
    ".zspy": ("zspy", "HyperSpy"),
}
"""Endings of file names: rosettasciio's module, and what such a file is called."""

INSTALL = 'pip install "napari-ssrvae[formats]"'
_EXTRA = {".zspy": 'pip install "rosettasciio[zspy]"'}  # needs zarr 2, which others cannot share
_OPTIONS: dict[str, dict[str, Any]] = {
    ".bcf": {"select_type": "image"},
    ".mrc": {"metadata_file": None},  # else a name with "movie" in it is searched for more files
}

Signal = Mapping[str, Any]


def read_signal(path: Path, page: int | None) -> tuple[NDArray[Any], FileFacts]:
    """Return the grey values of one image of the file, and what it says.

    Raises
    ------
    ReadError
        Where rosettasciio is not installed (with the line that installs it), and for a file
        without an image, for a stack without a page, and for a page that is not there.
    """
    planes, others = signal_planes(path)
    plane = choose_plane(path.name, planes, page, others)
    data = plane.read()
    if data.dtype.names:  # colour, as rosettasciio gives it
        data = np.stack([data[channel] for channel in data.dtype.names], axis=-1)
    return (luminance(data) if data.ndim == 3 else data), plane.facts


def signal_planes(path: Path) -> tuple[list[Plane], list[str]]:
    """Return the images of a file, and in words what else it holds."""
    if path.suffix.lower() == ".emd":
        velox = import_velox(path)
        if velox is not None:
            return velox
    planes: list[Plane] = []
    others: list[str] = []
    for signal in _signals(path):
        data, axes = signal["data"], signal["axes"]
        sides = _image_axes(data, axes)
        if sides is None:
            others.append(_described(data, axes))
            continue
        leading = tuple(int(n) for n in data.shape[:-2])
        check_claim(path, data.shape[-2:], data.dtype.itemsize, prod(leading))
        facts = _facts(path, signal, sides)
        as_bytes = _mrc_bytes(signal) if facts.format == "MRC" else None
        title = str(inside(signal, "metadata", "General", "title") or "")
        for index in np.ndindex(*leading):
            read = partial(_plane_of, data, index, as_bytes)
            planes.append(Plane(read, facts, title, of_stack=prod(leading) > 1))
    return planes, others


def import_velox(path: Path) -> tuple[list[Plane], list[str]] | None:
    """Ask our reader of Velox files, which needs h5py; None where it is an EMD of NCEM's."""
    try:
        velox = import_module("napari_ssrvae.imaging.velox")
    except ImportError as error:
        raise _missing(path, error) from error
    found: tuple[list[Plane], list[str]] | None = velox.velox_planes(path)
    return found


def _signals(path: Path) -> Sequence[Signal]:
    """Let rosettasciio read the file, without its pixels where it can."""
    suffix = path.suffix.lower()
    module = SIGNALS[suffix][0]
    try:
        reader = import_module(f"rsciio.{module}")
    except ImportError as error:
        raise _missing(path, error) from error
    if module == "digitalmicrograph":
        check_tags(path)
    options = _OPTIONS.get(suffix, {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            signals: Sequence[Signal] = reader.file_reader(str(path), lazy=True, **options)
        except ImportError as error:
            raise _missing(path, error) from error
        except Exception as error:
            clear_frames(error.__traceback__)  # they hold files open, and complain when they end
            raise
    if suffix == ".emi" and not signals:
        raise ReadError(
            f"{path.name} has its images in files of the same name that end in _1.ser, _2.ser, "
            "...; copy them into the same folder."
        )
    return signals


def _missing(path: Path, error: ImportError) -> ReadError:
    """Say what is not installed, and the line that installs it."""
    suffix = path.suffix.lower()
    line = _EXTRA.get(suffix) if _installed("rsciio") else None
    name = getattr(error, "name", None) or "rosettasciio"
    library = "rosettasciio" if name.partition(".")[0] == "rsciio" else name
    return ReadError(
        f"{path.name} is read with the library {library}, which is not installed; "
        f"install it with: {line or INSTALL}"
    )


def _installed(module: str) -> bool:
    try:
        import_module(module)
    except ImportError:
        return False
    return True


def _image_axes(data: Any, axes: Sequence[Mapping[str, Any]]) -> tuple[Any, Any] | None:
    """Return the axes of rows and columns, None for a signal that is no image or stack of them."""
    if data.ndim < 2 or len(axes) != data.ndim:
        return None
    *leading, rows, columns = axes
    same_kind = bool(rows.get("navigate")) == bool(columns.get("navigate"))
    if not same_kind or (bool(rows.get("navigate")) and data.ndim > 2):
        return None
    if any(not axis.get("navigate") for axis in leading):
        return None
    several = [size for size in data.shape[:-2] if size > 1]
    return (rows, columns) if len(several) < 2 else None


def _described(data: Any, axes: Sequence[Mapping[str, Any]]) -> str:
    """Say what a signal is that is no image: ``"a map of spectra (240x320)"``."""
    size = "x".join(str(n) for n in data.shape)
    signal_axes = [axis for axis in axes if not axis.get("navigate")]
    if data.ndim == 1:
        return f"a spectrum ({size})"
    if len(signal_axes) == 1:
        return f"spectra of many places ({size})"
    if len(signal_axes) == 2:
        return f"patterns of many places ({size})"
    return f"data of {data.ndim} axes ({size})"


def _plane_of(data: Any, index: tuple[int, ...], as_bytes: type | None) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plane = np.asarray(data[index])
    return plane.view(as_bytes) if as_bytes and plane.dtype.itemsize == 1 else plane


def _mrc_bytes(signal: Signal) -> type:
    """Tell whether single bytes of an MRC file are signed: versions of rosettasciio differ.

    They are in MRC2014. Older files are not, and give themselves away by a largest value above
    127.
    """
    header = inside(signal, "original_metadata", "std_header") or {}
    smallest, largest = number(header.get("AMIN")) or 0.0, number(header.get("AMAX")) or 0.0
    return np.int8 if smallest < 0 or largest <= 127 else np.uint8


def _facts(path: Path, signal: Signal, sides: tuple[Any, Any]) -> FileFacts:
    """Collect what the signal says of itself."""
    name = SIGNALS[path.suffix.lower()][1]
    size, warnings_ = _size(sides)
    acquisition, instrument = _acquisition(signal)
    source = f"calibration of the {name} file"
    facts = FileFacts(name, one_line(instrument), size, None, warnings_, {}, source, acquisition)
    return _mrc_facts(signal, facts) if name == "MRC" else facts


def _size(sides: tuple[Any, Any]) -> Size:
    rows, columns = sides
    units = [str(axis.get("units") or "").strip() for axis in (columns, rows)]
    if any(is_reciprocal(unit) for unit in units):
        return None, (
            f"The axes of the file are in {one_line(units[0])}, which is no length; "
            "particles can be found but not measured in nm.",
        )
    if any(is_no_length(unit) or unit in _UNNAMED for unit in units):
        return None, ()
    scales = [axis.get("scale") for axis in (columns, rows)]
    return square(convert(scales[0], units[0]), convert(scales[1], units[1]))


_UNNAMED = frozenset({"[]", "<undefined>", "undefined", "dimensionless", "None"})


def is_reciprocal(unit: str) -> bool:
    """Tell whether a unit is one over a length."""
    text = unit.lower().replace(" ", "")
    return text.startswith("1/") or "^-" in text or text.endswith(("-1", "⁻¹"))


def _mrc_facts(signal: Signal, facts: FileFacts) -> FileFacts:
    """Drop what an MRC file does not say: rosettasciio makes 1 nm of a cell without a size.

    A cell as many ångström long as there are pixels is what many programs write where they do
    not know: that is not believed either.
    """
    header = inside(signal, "original_metadata", "std_header") or {}
    if inside(signal, "original_metadata", "fei_header"):
        return facts
    cell, steps = number(header.get("Xlen")), number(header.get("MX"))
    if cell is None or steps is None:
        return replace(facts, pixel_size=None, warnings=())
    if abs(cell / steps - 1) < 1e-6:
        note = (
            "The MRC file says 0.1 nm per pixel, which programs write where they do not know; "
            f"if it is true, {BY_HAND}"
        )
        return with_warning(replace(facts, pixel_size=None), note)
    return facts


def _acquisition(signal: Signal) -> tuple[dict[str, Any], str]:
    """How the image was taken, and the microscope."""
    general = {**(inside(signal, "metadata", "General") or {}), **_mapped(signal, "General")}
    instruments = inside(signal, "metadata", "Acquisition_instrument") or {}
    taken = dict(next((v for v in instruments.values() if isinstance(v, Mapping)), {}))
    for kind in ("TEM", "SEM"):
        taken.update(_mapped(signal, f"Acquisition_instrument.{kind}"))
    detector = inside(taken, "Detector", "detector_type") or inside(
        taken, "Detector", "Camera", "name"
    )
    acquisition = known(
        date=f"{general.get('date') or ''} {general.get('time') or ''}".strip(),
        voltage_kv=number(taken.get("beam_energy")),  # keV, which is kV for electrons
        magnification=number(taken.get("magnification")),
        working_distance_mm=number(taken.get("working_distance")),
        detector=str(detector or ""),
    )
    return acquisition, str(taken.get("microscope") or "")


def _mapped(signal: Signal, branch: str) -> dict[str, Any]:
    """Read entries of a vendor's metadata that rosettasciio names, but leaves where they are.

    Its ``mapping`` has for each entry where it belongs, and what makes a common value of it.
    """
    found: dict[str, Any] = {}
    for source, (target, make) in (signal.get("mapping") or {}).items():
        place, _, name = target.rpartition(".")
        value = inside(signal.get("original_metadata"), *source.split("."))
        if place != branch or value is None:
            continue
        try:
            found[name] = value if make is None else make(value)
        except Exception:  # written for files that are as they should be
            continue
    return {name: value for name, value in found.items() if value not in (None, "")}

"""Files to micrographs: grey, without the info bar, with the pixel size in nm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from tifffile import PHOTOMETRIC, TiffFile

from napari_ssrvae.errors import InputError, ReadError
from napari_ssrvae.imaging.infobar import find_info_bar
from napari_ssrvae.imaging.micrograph import Micrograph, as_micrograph, luminance
from napari_ssrvae.imaging.vendors import FileFacts, tiff_facts

TIFF_SUFFIXES = (".tif", ".tiff")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
SUFFIXES = TIFF_SUFFIXES + PICTURE_SUFFIXES
"""File name endings that `read_micrograph` takes, in lower case."""

_VENDOR_FORMATS = ("Zeiss TIFF", "FEI TIFF", "JEOL TIFF")


def read_micrograph(path: str | Path, *, page: int | None = None) -> Micrograph:
    """Read a micrograph from a TIFF, PNG or JPEG file.

    The pixel size comes from the metadata of Zeiss, FEI/Thermo, JEOL and ImageJ files; the
    resolution of a plain TIFF, PNG or JPEG (dots an inch) is never believed. The info bar at the
    foot is cut off: where the metadata names it, by that, else where one is seen in the picture.

    Parameters
    ----------
    path
        The file.
    page
        Which image of a file that holds several, from 0. Without it a microscope's file gives
        its first (the others are other detectors) with a warning, and a stack is refused.

    Returns
    -------
    Micrograph
        Named after the file; its metadata has ``format``, ``instrument``, ``info_bar_rows``,
        ``warnings`` and the vendor's ``fields``.

    Raises
    ------
    ReadError
        If the file is missing, a folder, of an unknown kind, truncated, no image, or a stack.
    """
    path = Path(path)
    _check_file(path)
    try:
        if path.suffix.lower() in TIFF_SUFFIXES:
            image, facts = _read_tiff(path, page)
        else:
            image, facts = _read_picture(path)
    except ReadError:
        raise
    except Exception as error:
        # decoders fail in more ways than they document: whatever it was, the file is no good
        raise ReadError(
            f"{path.name} cannot be read ({_first_line(error)}); "
            "it is truncated or not the image that its name says."
        ) from error
    rows = facts.image_rows
    if rows is None:
        rows = image.shape[0] - find_info_bar(image)
    metadata: dict[str, Any] = {
        "format": facts.format,
        "instrument": facts.instrument,
        "info_bar_rows": image.shape[0] - rows,
        "file_pixel_size": facts.pixel_size,
        "pixel_size_from": facts.pixel_size_from,
        "acquisition": dict(facts.acquisition),
        "warnings": list(facts.warnings),
        "fields": dict(facts.fields),
    }
    try:
        return as_micrograph(Micrograph(image[:rows], facts.pixel_size, path.stem, path, metadata))
    except InputError as error:
        raise ReadError(f"{path.name} holds no usable image: {error}") from error


def read_facts(path: str | Path) -> FileFacts | None:
    """Return what the metadata of a TIFF says of its images, without reading any pixel.

    None for another kind of file and for one that cannot be opened.
    """
    if Path(path).suffix.lower() not in TIFF_SUFFIXES:
        return None
    try:
        with TiffFile(path) as tiff:
            return tiff_facts(tiff)
    except Exception:  # decoders fail in more ways than they document
        return None


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise ReadError(f"{path} is a folder; give a micrograph file.")
    if not path.exists():
        raise ReadError(f"{path} does not exist; check the name.")
    if path.suffix.lower() not in SUFFIXES:
        raise ReadError(
            f"{path.name} is of a kind that cannot be read; give one of {', '.join(SUFFIXES)}."
        )
    if path.stat().st_size == 0:
        raise ReadError(f"{path.name} is empty; copy the file again.")


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__


def _read_tiff(path: Path, page: int | None) -> tuple[NDArray[Any], FileFacts]:
    with TiffFile(path) as tiff:
        series = tiff.series[0]
        _check_complete(path, tiff, series)
        facts = tiff_facts(tiff)
        colour = series.axes.endswith("S")
        planar = series.axes[-3:] == "SYX"
        image_axes = 3 if colour or planar else 2
        count = int(np.prod(series.shape[:-image_axes], dtype=np.int64))
        if count > 1 and page is None:
            facts = _first_of_several(path, count, facts)
        index = page or 0
        if not 0 <= index < count:
            raise ReadError(f"{path.name} has no image {index}; it holds {count}, from 0.")
        data = series.asarray() if count == 1 or len(series.pages) != count else None
        if data is None:
            data = series.pages[index].asarray()
        else:
            data = data.reshape(count, *series.shape[-image_axes:])[index]
        if planar:
            data = np.moveaxis(data, 0, -1)
        return _tiff_grey(data, tiff.pages[0], facts), facts


def _first_of_several(path: Path, count: int, facts: FileFacts) -> FileFacts:
    """Warn for a microscope's file of several detectors, refuse a stack of slices."""
    if facts.format not in _VENDOR_FORMATS:
        raise ReadError(
            f"{path.name} is a stack of {count} images; open one 2-D slice of it, "
            f"saved as its own file or chosen with page=0 to {count - 1}."
        )
    note = f"{path.name} holds {count} images, of which the first was opened."
    return replace(facts, warnings=(*facts.warnings, note))


def _check_complete(path: Path, tiff: TiffFile, series: Any) -> None:
    """Refuse a file that ends before its pixels do; decoders would fill the rest with zeros."""
    size = path.stat().st_size
    for page in series.pages:
        if page is None:
            continue
        ends = np.add(page.dataoffsets, page.databytecounts, dtype=np.int64)
        if ends.size == 0 or ends.max() > size or min(page.databytecounts) == 0:
            raise ReadError(f"{path.name} is truncated: it ends within its image; copy it again.")


def _tiff_grey(data: NDArray[Any], page: Any, facts: FileFacts) -> NDArray[Any]:
    """Intensities of what the file stores."""
    if page.photometric == PHOTOMETRIC.PALETTE and page.colormap is not None and data.ndim == 2:
        if facts.format == "Zeiss TIFF":
            return data  # the index is the intensity; coloured entries are for annotations
        return luminance(np.moveaxis(page.colormap[:, data], 0, -1))
    if page.photometric == PHOTOMETRIC.MINISWHITE and data.dtype.kind in "bu":
        return np.asarray(~data)
    if data.ndim == 3:
        return data[..., 0] if data.shape[-1] < 3 else luminance(data)
    return data


def _read_picture(path: Path) -> tuple[NDArray[Any], FileFacts]:
    """PNG and JPEG: pixels only; what they say of dots an inch is not the sample's scale."""
    data = np.asarray(iio.imread(path.read_bytes(), plugin="pillow"))
    if data.ndim == 3 and data.shape[-1] == 2:
        data = data[..., 0]
    elif data.ndim == 3:
        data = luminance(data)
    name = "PNG" if path.suffix.lower() == ".png" else "JPEG"
    return data, FileFacts(name)

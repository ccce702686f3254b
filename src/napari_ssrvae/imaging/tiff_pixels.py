"""TIFF: which of its images is meant, and its intensities."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import PHOTOMETRIC, TiffFile, memmap

from napari_ssrvae.errors import ReadError
from napari_ssrvae.imaging.micrograph import luminance
from napari_ssrvae.imaging.planes import (
    check_claim,
    check_page,
    stack_error,
    with_images,
    with_warning,
)
from napari_ssrvae.imaging.vendors import SEVERAL_DETECTORS, FileFacts, tiff_facts
from napari_ssrvae.imaging.vendors.tem import olympus_page


def read_tiff(path: Path, page: int | None) -> tuple[NDArray[Any], FileFacts]:
    """Return the grey values of one image of a TIFF, and what its metadata says.

    Raises
    ------
    ReadError
        For a stack without a page, a page that is not there, a truncated file, and one that
        says of itself what cannot be.
    """
    with TiffFile(path) as tiff:
        facts = tiff_facts(tiff)
        if facts.format == "Olympus SIS TIFF":
            return _read_olympus(path, tiff, page, facts)
        series = tiff.series[0]
        image_axes = 3 if series.axes.endswith("S") or series.axes[-3:] == "SYX" else 2
        count = prod(series.shape[:-image_axes])
        if count > 1 and page is None:
            facts = _first_of_several(path, count, facts)
        index = page or 0
        check_page(path.name, index, count)
        if facts.format in SEVERAL_DETECTORS:
            facts = with_images(facts, [(number, "") for number in range(count)], index)
        data = _pixels(path, series, index, count, image_axes)
        return _grey(data, series.keyframe, facts), facts


def _read_olympus(
    path: Path, tiff: TiffFile, page: int | None, facts: FileFacts
) -> tuple[NDArray[Any], FileFacts]:
    """Olympus SIS: the camera's image, not the picture with a burnt-in scale bar before it."""
    index = olympus_page(tiff) if page is None else page
    check_page(path.name, index, len(tiff.series))
    series = tiff.series[index]
    if page is None and len(tiff.series) > 1:
        which = f"{path.name} holds {len(tiff.series)} images, of which the camera's was opened."
        facts = with_warning(facts, which)
    facts = with_images(facts, [(number, "") for number in range(len(tiff.series))], index)
    image_axes = 3 if series.axes.endswith("S") or series.axes[-3:] == "SYX" else 2
    count = prod(series.shape[:-image_axes])
    return _grey(_pixels(path, series, 0, count, image_axes), series.keyframe, facts), facts


def _first_of_several(path: Path, count: int, facts: FileFacts) -> FileFacts:
    """Warn for a microscope's file of several detectors, refuse a stack of slices."""
    if facts.format not in SEVERAL_DETECTORS:
        raise stack_error(path.name, count)
    note = f"{path.name} holds {count} images, of which the first was opened."
    return with_warning(facts, note)


def _pixels(path: Path, series: Any, index: int, count: int, image_axes: int) -> NDArray[Any]:
    """Read one image of a series, and as little else as can be."""
    shape = series.shape[-image_axes:]
    planar = series.axes[-3:] == "SYX"
    check_claim(path, (*shape[1:], shape[0]) if planar else shape, series.dtype.itemsize)
    check_claim(path, series.keyframe.chunks, series.dtype.itemsize)
    own_pages = len(series.pages) == count
    _check_complete(path, [series.pages[index]] if own_pages and count > 1 else series.pages)
    if count > 1 and own_pages:
        data = series.pages[index].asarray()
    elif count > 1:
        data = _of_many(path, series).reshape(count, *shape)[index]
    else:
        data = series.asarray().reshape(shape)
    return np.moveaxis(data, 0, -1) if planar else data


def _of_many(path: Path, series: Any) -> NDArray[Any]:
    """All images behind one page, as ImageJ writes them: mapped where they lie in one piece."""
    try:
        return np.asarray(memmap(path, series=0, mode="r"))
    except ValueError:
        return np.asarray(series.asarray())


def _check_complete(path: Path, pages: Any) -> None:
    """Refuse a file that ends before its pixels do; decoders would fill the rest with zeros."""
    size = path.stat().st_size
    for page in pages:
        if page is None:
            continue
        ends = np.add(page.dataoffsets, page.databytecounts, dtype=np.int64)
        if ends.size == 0 or ends.max() > size or min(page.databytecounts) == 0:
            raise ReadError(f"{path.name} is truncated: it ends within its image; copy it again.")


def _grey(data: NDArray[Any], page: Any, facts: FileFacts) -> NDArray[Any]:
    """Intensities of what the file stores."""
    if page.photometric == PHOTOMETRIC.PALETTE and page.colormap is not None and data.ndim == 2:
        if facts.format == "Zeiss TIFF":
            return data  # the index is the intensity; coloured entries are for annotations
        return luminance(np.moveaxis(page.colormap[:, data], 0, -1))
    if page.photometric == PHOTOMETRIC.MINISWHITE and data.dtype.kind in "bu":
        data = np.asarray(~data)
    if data.ndim == 3:
        return data[..., 0] if data.shape[-1] < 3 else luminance(data)
    return data

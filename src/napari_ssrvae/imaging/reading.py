"""Files to micrographs: grey, without the info bar, with the pixel size in nm."""

from __future__ import annotations

from operator import index
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from tifffile import TiffFile

from napari_ssrvae.errors import InputError, ReadError
from napari_ssrvae.imaging.infobar import find_info_bar
from napari_ssrvae.imaging.micrograph import MIN_SIDE, Micrograph, as_micrograph
from napari_ssrvae.imaging.pictures import PICTURES, read_picture
from napari_ssrvae.imaging.signals import SIGNALS, read_signal
from napari_ssrvae.imaging.tiff_pixels import read_tiff
from napari_ssrvae.imaging.vendors import FileFacts, one_line, tiff_facts

TIFF_SUFFIXES = (".tif", ".tiff")
PICTURE_SUFFIXES = tuple(PICTURES)
SIGNAL_SUFFIXES = tuple(SIGNALS)
SUFFIXES = TIFF_SUFFIXES + PICTURE_SUFFIXES + SIGNAL_SUFFIXES
"""File name endings that `read_micrograph` takes, in lower case."""


def read_micrograph(
    path: str | Path, *, page: int | None = None, info_bar: int | None = None
) -> Micrograph:
    """Read a micrograph from a file of a microscope, a camera or a program.

    TIFF (with the metadata of Zeiss, FEI/Thermo, JEOL, Tescan, Hitachi, Olympus SIS, TVIPS,
    DigitalMicrograph, ImageJ and OME), PNG, JPEG and BMP; DM3/DM4, EMD, TIA (emi, ser), BCF, MRC
    and hspy/zspy with ``pip install "napari-ssrvae[formats]"``. The resolution of a plain
    picture (dots an inch) is never believed: it gets no pixel size. The info bar at the foot is
    cut off: where the metadata names it, by that, else where one is seen in the picture.

    Parameters
    ----------
    path
        The file.
    page
        Which image of a file that holds several, from 0. Without it a microscope's file gives
        its first (the others are other detectors) with a warning, and a stack is refused.
    info_bar
        Rows to cut off at the foot. None finds out, 0 keeps everything.

    Returns
    -------
    Micrograph
        Named after the file; its metadata has ``format``, ``instrument``, ``info_bar_rows`` (how
        many were cut off), ``file_pixel_size`` (nm or None), ``pixel_size_from``,
        ``acquisition``, ``warnings`` and the vendor's ``fields``; where the file holds several
        images beside each other, ``images`` (number and title of each) and ``page`` (which this
        is).

    Raises
    ------
    ReadError
        If the file is missing, a folder, of an unknown kind, truncated, no image, or a stack.
    InputError
        If `info_bar` is no number of rows, or leaves nothing of the image.
    """
    path = Path(path)
    rows_to_cut = None if info_bar is None else _rows_to_cut(info_bar)
    _check_file(path)
    image, facts = _read(path, page)
    if rows_to_cut is None:
        rows = facts.image_rows
        rows_to_cut = find_info_bar(image) if rows is None else image.shape[0] - rows
    elif rows_to_cut and image.shape[0] - rows_to_cut < MIN_SIDE:
        raise InputError(
            f"An info bar of {rows_to_cut} rows leaves nothing of an image of {image.shape[0]} "
            "rows; give fewer, or 0 to keep everything."
        )
    metadata: dict[str, Any] = {
        "format": facts.format,
        "instrument": facts.instrument,
        "info_bar_rows": rows_to_cut,
        "file_pixel_size": facts.pixel_size,
        "pixel_size_from": facts.pixel_size_from if facts.pixel_size is not None else "",
        "acquisition": dict(facts.acquisition),
        "warnings": list(facts.warnings),
        "fields": dict(facts.fields),
    }
    if facts.images:
        metadata |= {"images": list(facts.images), "page": facts.page}
    image = image[: image.shape[0] - rows_to_cut]
    try:
        return as_micrograph(Micrograph(image, facts.pixel_size, path.stem, path, metadata))
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


def _rows_to_cut(info_bar: Any) -> int:
    try:
        rows = -1 if isinstance(info_bar, bool) else index(info_bar)
    except TypeError:
        rows = -1
    if rows < 0:
        raise InputError(
            f"info_bar is {info_bar!r}; give the number of rows to cut off, 0 to keep everything, "
            "or None to have the bar found."
        )
    return rows


def _read(path: Path, page: int | None) -> tuple[NDArray[Any], FileFacts]:
    """Return the grey values of a file and what it says; a `ReadError` whatever fails."""
    suffix = path.suffix.lower()
    try:
        if suffix in TIFF_SUFFIXES:
            return read_tiff(path, page)
        if suffix in PICTURES:
            return read_picture(path)
        return read_signal(path, page)
    except ReadError:
        raise
    except Exception as error:
        # decoders fail in more ways than they document: whatever it was, the file is no good
        raise ReadError(
            f"{path.name} is cut off or is no {_kind(suffix)} file: copy it again, or check its "
            f"ending. The decoder says: {_first_line(error)}."
        ) from error


def _kind(suffix: str) -> str:
    """Return what a file with this ending is called."""
    if suffix in TIFF_SUFFIXES:
        return "TIFF"
    return PICTURES[suffix] if suffix in PICTURES else SIGNALS[suffix][1]


def _check_file(path: Path) -> None:
    suffix = path.suffix.lower()
    if path.is_dir() and suffix != ".zspy":  # which is a folder that other programs write
        raise ReadError(f"{path} is a folder; give a micrograph file.")
    if not path.exists():
        raise ReadError(f"{path} does not exist; check the name.")
    if suffix not in SUFFIXES:
        raise ReadError(
            f"{path.name} is of a kind that cannot be read; give one of {', '.join(SUFFIXES)}."
        )
    if path.is_file() and path.stat().st_size == 0:
        raise ReadError(f"{path.name} is empty; copy the file again.")


def _first_line(error: Exception) -> str:
    text = one_line(str(error).strip().partition("\n")[0], 200).rstrip(".")
    return text or type(error).__name__

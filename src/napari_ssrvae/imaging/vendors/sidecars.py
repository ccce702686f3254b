"""Text files that microscopes write beside a picture: Hitachi, JEOL, Tescan.

The same name with another ending. No Hitachi or Tescan file of a real microscope was at hand:
names and units are those that other open programs read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from napari_ssrvae.imaging.vendors.file_facts import (
    FileFacts,
    Size,
    convert,
    known,
    number,
    one_line,
    still_true,
)
from napari_ssrvae.imaging.vendors.sem import jeol_facts
from napari_ssrvae.imaging.vendors.tescan import tescan_facts, tescan_fields

_LONGEST = 256 * 1024  # bytes; a text file beside a picture may be anything

Shape = tuple[int, int]


def sidecar_facts(path: Path, shape: Shape) -> FileFacts | None:
    """Return what a microscope's text file beside a picture says, None where there is none.

    Parameters
    ----------
    path
        The picture. ``a.tif`` has ``a.txt`` (Hitachi, JEOL), ``a.hdr`` or ``a-tif.hdr`` (Tescan).
    shape
        Rows and columns of the picture, with its info bar.
    """
    for beside, read in _candidates(path):
        text = _text_of(beside)
        facts = read(text, shape) if text else None
        if facts is not None:
            return facts
    return None


def _candidates(path: Path) -> Iterator[tuple[Path, Callable[[str, Shape], FileFacts | None]]]:
    suffix = path.suffix[1:]
    for ending in ("hdr", "HDR"):
        yield path.with_suffix(f".{ending}"), _tescan
        yield path.with_name(f"{path.stem}-{suffix}.{ending}"), _tescan
    for ending in ("txt", "TXT"):
        yield path.with_suffix(f".{ending}"), _hitachi
        yield path.with_suffix(f".{ending}"), _jeol


def _text_of(path: Path) -> str:
    """Read a small text file in whatever encoding; empty where it cannot be."""
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST)
    except OSError:
        return ""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    if data[1:2] == b"\0":  # UTF-16 without its mark
        return data.decode("utf-16-le", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _tescan(text: str, shape: Shape) -> FileFacts | None:
    fields = tescan_fields(text)
    return tescan_facts(fields, shape, "Tescan") if fields else None


def _jeol(text: str, shape: Shape) -> FileFacts | None:
    """JEOL: ``$CM_MAG 5000`` and ``$$SM_MICRON_BAR 160``, a line each."""
    lines = re.findall(r"^\${1,2}((?:CM|SM)_\w+)[ =\t]+([^\r\n]*)", text, re.MULTILINE)
    return jeol_facts(dict(lines), shape, "JEOL") if lines else None


def _hitachi(text: str, shape: Shape) -> FileFacts | None:
    """Hitachi: ``[SemImageFile]`` and ``KEY=value`` lines; ``PixelSize`` in nm."""
    start = re.search(r"\[(?:Sem|Tem)ImageFile\]", text)
    if start is None:
        return None
    fields = {
        key: value.strip()
        for key, value in re.findall(r"^(\w+)=([^\r\n]*)", text[start.end() :], re.MULTILINE)
    }
    taken = _hitachi_taken(fields)
    size: Size = (None, ())
    if fields.get("PixelSize"):
        size = convert(fields["PixelSize"].removesuffix("nm").strip(), "nm")
    size = still_true(size, shape, taken)
    rows = None  # the text has no word of the bar, but of the rows that were taken
    if taken is not None and taken[1] == shape[1] and shape[0] * 3 // 4 < taken[0] <= shape[0]:
        rows = taken[0] if taken[0] < shape[0] else None
    acquisition = known(
        date=f"{fields.get('Date', '')} {fields.get('Time', '')}".strip(),
        voltage_kv=_hitachi_number(fields.get("AcceleratingVoltage", ""), {"v": 1e-3, "k": 1.0}),
        magnification=_hitachi_number(fields.get("Magnification", ""), {}),
        working_distance_mm=_hitachi_number(
            fields.get("WorkingDistance", ""), {"u": 1e-3, "m": 1.0}
        ),
        detector=fields.get("SignalName", ""),
    )
    name = one_line(f"Hitachi {fields.get('InstructName', '')}")
    source = "Hitachi “PixelSize”"
    return FileFacts("Hitachi", name, size[0], rows, size[1], fields, source, acquisition)


def _hitachi_taken(fields: Mapping[str, str]) -> Shape | None:
    written = re.match(r"\s*(\d+)\s*[xX]\s*(\d+)", fields.get("DataSize", ""))
    return (int(written[2]), int(written[1])) if written else None


def _hitachi_number(text: str, factors: Mapping[str, float]) -> float | None:
    """``"15000 Volt"`` and ``"8100 um"``: the unit begins with a letter of the table."""
    written = re.match(r"\s*([0-9.]+)\s*(\w?)", text)
    if written is None:
        return None
    factor = factors.get(written[2].lower(), 1.0 if not factors else None)
    if factor is None:  # plain numbers are volts and micrometres
        factor = 1e-3
    return number(written[1], factor)

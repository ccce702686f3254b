"""DM3 and DM4: whether the tags of a file can be as they say, before they are read.

A DigitalMicrograph file is a tree of tags, each with the number of values that it holds. A
damaged number sends a reader through the whole file one value at a time, or makes it ask for
more memory than there is. This walk reads the numbers only, and stops at the first that does not
fit into the file. The layout is that of
https://personal.ntu.edu.sg/cbb/info/dmformat (C. Boothroyd).
"""

from __future__ import annotations

from pathlib import Path
from struct import Struct
from typing import BinaryIO

from napari_ssrvae.errors import ReadError

_SIZES = {2: 2, 3: 4, 4: 2, 5: 4, 6: 4, 7: 8, 8: 1, 9: 1, 10: 1, 11: 8, 12: 8}
_STRUCT, _STRING, _ARRAY = 15, 18, 20
_GROUP, _DATA = 20, 21
_MOST_NUMBERS = 5_000  # that describe one tag; a structure has a handful of fields
_DEEPEST = 60


def check_tags(path: Path) -> None:
    """Refuse a DM3 or DM4 file with a tag that cannot be.

    Raises
    ------
    ReadError
        At the first tag whose numbers do not fit into the file.
    """
    with path.open("rb") as file:
        walk = _Walk(file, path.stat().st_size)
        try:
            walk.file()
        except _UnsureError:
            return
        except (EOFError, ValueError) as error:
            raise ReadError(
                f"{path.name} has a damaged tag at byte {file.tell()}: it is truncated or no "
                "file of DigitalMicrograph; copy it again."
            ) from error


class _UnsureError(Exception):
    """A tag of a kind whose length programs do not agree on: the reader may try."""


class _Walk:
    """Reads the numbers of one file; `ValueError` and `EOFError` where they cannot be."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self._short, self._long = Struct(">H"), Struct(">i")
        self._word = self._long  # 8 bytes in DM4

    def file(self) -> None:
        version = self._number(self._long)
        if version == 4:
            self._word = Struct(">q")
        elif version != 3:
            raise ValueError
        self._number(self._word)
        self._number(self._long)
        self._group(0)

    def _number(self, struct: Struct) -> int:
        data = self._file.read(struct.size)
        if len(data) < struct.size:
            raise EOFError
        return int(struct.unpack(data)[0])

    def _skip(self, count: int) -> None:
        if not 0 <= count <= self._size - self._file.tell():
            raise ValueError
        self._file.seek(count, 1)

    def _group(self, depth: int) -> None:
        self._skip(2)  # whether it is sorted and open on the screen
        tags = self._number(self._word)
        if not 0 <= tags <= self._size or depth > _DEEPEST:
            raise ValueError
        for _ in range(tags):
            self._tag(depth)

    def _tag(self, depth: int) -> None:
        kind = self._number(Struct(">B"))
        self._skip(self._number(self._short))  # its name
        if self._word.size == 8 and kind in (_GROUP, _DATA):
            self._skip(8)  # its length
        if kind == _GROUP:
            self._group(depth + 1)
        elif kind == _DATA:
            self._data()
        else:
            raise ValueError

    def _data(self) -> None:
        if self._file.read(4) != b"%%%%":
            raise ValueError
        count = self._number(self._word)
        if not 1 <= count <= _MOST_NUMBERS:
            raise ValueError
        numbers = [self._number(self._word) for _ in range(count)]
        size, used = self._bytes_of(numbers)
        if used > count:
            raise ValueError
        self._skip(size)

    def _bytes_of(self, numbers: list[int]) -> tuple[int, int]:
        """Tell how many bytes a value takes, and how many of the numbers describe it."""
        kind = numbers[0]
        if kind in _SIZES:
            return _SIZES[kind], 1
        if len(numbers) < 2:
            raise ValueError
        if kind == _STRING:
            raise _UnsureError
        if kind == _STRUCT:
            return self._struct(numbers)
        if kind != _ARRAY:
            raise ValueError
        size, used = self._bytes_of(numbers[1:])
        if len(numbers) < used + 2 or numbers[used + 1] < 0:
            raise ValueError
        return size * numbers[used + 1], used + 2

    def _struct(self, numbers: list[int]) -> tuple[int, int]:
        if len(numbers) < 3 or not 0 <= numbers[2] <= (len(numbers) - 3) // 2:
            raise ValueError
        used = 3 + 2 * numbers[2]
        fields = numbers[4:used:2]
        if {_STRING, _STRUCT, _ARRAY} & set(fields):
            raise _UnsureError
        if not set(fields) <= set(_SIZES):
            raise ValueError
        return sum(_SIZES[field] for field in fields), used

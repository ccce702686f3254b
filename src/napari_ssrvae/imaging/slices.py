"""A stack as the slices that it is made of: which there are, how each is called, its pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.micrograph import MIN_SIDE, Micrograph, as_micrograph

Index = tuple[int, ...]
"""Which slice of a stack: a number for each axis but the last two, from 0."""


@dataclass(frozen=True, eq=False)
class SliceReader:
    """Reads single slices of a stack, each only when it is asked for.

    Parameters
    ----------
    data : array-like
        (..., H, W) or, with `colour`, (..., H, W, 3 or 4): NumPy, dask, zarr, or whatever gives
        a slice for ``data[index]``.
    name : str
        Of the whole stack.
    pixel_size : float or None
        nm per pixel of each slice, None where unknown.
    rows : int or None
        Rows of a slice above the info bar; None for all.
    path : Path or None
        The file of the stack.
    colour : bool
        Whether the last axis is colour.
    warnings : tuple of str
        Sentences to the person, of each slice.
    metadata : mapping
        What the file says, of each slice.
    """

    data: Any
    name: str
    pixel_size: float | None = None
    rows: int | None = None
    path: Path | None = None
    colour: bool = False
    warnings: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kind = np.dtype(self.data.dtype).kind
        if kind not in "buif":
            raise InputError(
                f"A stack of {self.data.dtype} values cannot be used; give integers or floats."
            )
        if min(self.shape) < MIN_SIDE:
            raise InputError(
                f"Its slices have {self.shape[0]}x{self.shape[1]} pixels, too few to hold "
                f"particles; give a stack of at least {MIN_SIDE}x{MIN_SIDE}."
            )

    @property
    def leading(self) -> Index:
        """How many slices there are along each axis but the last two."""
        axes = len(self.data.shape) - (3 if self.colour else 2)
        return tuple(int(n) for n in self.data.shape[:axes])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a slice, without its info bar."""
        height, width = self.data.shape[len(self.leading) : len(self.leading) + 2]
        return int(self.rows or height), int(width)

    @property
    def info_bar_rows(self) -> int:
        """How many rows of each slice are cut off at the foot."""
        return int(self.data.shape[len(self.leading)]) - self.shape[0]

    def __len__(self) -> int:
        return prod(self.leading)

    def indices(self) -> Iterator[Index]:
        """Give the index of every slice, in order."""
        yield from np.ndindex(*self.leading)

    def name_of(self, index: Index) -> str:
        """Return what a slice is called: ``"series [3]"``."""
        return f"{self.name} [{', '.join(str(i) for i in index)}]"

    def index_named(self, name: str) -> Index | None:
        """Return the slice that is called so, None if there is none."""
        head, _, tail = name.rpartition(" [")
        numbers = tail.removesuffix("]").split(", ")
        if head != self.name or not all(n.isdecimal() for n in numbers):
            return None
        index = tuple(int(n) for n in numbers)
        inside = len(index) == len(self.leading)
        inside = inside and all(i < n for i, n in zip(index, self.leading, strict=True))
        return index if inside else None

    def read(self, index: Index) -> Micrograph:
        """Return one slice as a micrograph.

        A slice that holds nothing, such as the dark first frame of a film, comes back black and
        with a warning: it has its place in the stack all the same.
        """
        name, warnings = self.name_of(index), list(self.warnings)
        pixels = np.asarray(self.data[index])[: self.rows]
        try:
            image = as_micrograph(pixels).image
        except InputError as error:
            image, warnings = np.zeros(self.shape, np.uint8), [*warnings, str(error)]
        metadata = {**self.metadata, "info_bar_rows": self.info_bar_rows, "warnings": warnings}
        return Micrograph(image, self.pixel_size, name, self.path, metadata)

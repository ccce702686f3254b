"""The micrograph and the label image that a library's particles are from.

They are kept with the library, so that it can be shown on its micrograph again when the file has
moved, and so that its particles can be cut out anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_ssrvae.errors import InputError, ReadError


@dataclass(frozen=True, eq=False)
class Scene:
    """One micrograph and its particles.

    Attributes
    ----------
    image : (H, W) array
        The micrograph without its info bar.
    labels : (H, W) int32 array
        Its label image; ids as in the library's table.
    """

    image: npt.NDArray[Any]
    labels: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        if self.image.ndim != 2 or self.image.shape != self.labels.shape:
            raise InputError(
                f"The label image ({self.labels.shape}) is not as large as the micrograph "
                f"({self.image.shape}): give both of one micrograph."
            )

    def save(self, stem: Path) -> None:
        """Write ``STEM image.tif`` and ``STEM labels.tif``, lossless."""
        stem.parent.mkdir(exist_ok=True)
        for what, data in (("image", self.image), ("labels", self.labels)):
            tifffile.imwrite(
                _file(stem, what), np.asarray(data), compression="zlib", photometric="minisblack"
            )

    @classmethod
    def load(cls, stem: Path) -> Scene:
        """Read what `save` wrote.

        Raises
        ------
        ReadError
            A file is missing or damaged.
        """
        arrays = []
        for what in ("image", "labels"):
            path = _file(stem, what)
            try:
                arrays.append(tifffile.imread(path))
            except Exception as error:  # tifffile's decoders raise nearly anything on damage
                raise ReadError(f"{path} is missing or damaged.") from error
        try:
            return cls(arrays[0], arrays[1].astype(np.int32))
        except InputError as error:
            raise ReadError(f"{_file(stem, 'labels')} is damaged: {error}") from error


def _file(stem: Path, what: str) -> Path:
    return stem.with_name(f"{stem.name} {what}.tif")

"""Which particles are kept: by size, by shape, at the border, and what looks like a clump."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

CLUMP_AREA = 1.8
"""Times the typical area above which a ragged particle is a clump of several."""
CLUMP_SOLIDITY = 0.9
"""A single particle fills its convex hull to this share; several that touch leave bays."""
DEBRIS_AREA = 0.25
"""Times the typical area below which it is a crumb."""


@dataclass(frozen=True)
class ParticleFilter:
    """Limits that a particle has to keep; None sets no limit.

    Attributes
    ----------
    min_size, max_size
        Diameter of the circle of the same area: nm where the pixel size is known, else px.
    min_circularity
        4π area / perimeter², 0 to 1.
    min_solidity
        Area by area of the convex hull, 0 to 1.
    drop_border
        Whether particles that are cut by the edge of the image go.
    drop_clumps
        Whether what looks like a clump or like debris goes: larger than `CLUMP_AREA` typical
        areas and less solid than `CLUMP_SOLIDITY`, or smaller than `DEBRIS_AREA` typical areas.
    """

    min_size: float | None = None
    max_size: float | None = None
    min_circularity: float | None = None
    min_solidity: float | None = None
    drop_border: bool = False
    drop_clumps: bool = False

    def __post_init__(self) -> None:
        for name in ("min_size", "max_size", "min_circularity", "min_solidity"):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not np.isfinite(value) or value < 0:
                what = name.replace("_", ". ", 1)
                raise InputError(f"A {what} of {value!r} cannot be used; give 0 or more, or None.")
        for name in ("min_circularity", "min_solidity"):
            if (getattr(self, name) or 0) > 1:
                raise InputError(f"{name.replace('min_', 'A least ')} goes from 0 to 1.")
        if None not in (self.min_size, self.max_size) and self.min_size > self.max_size:  # type: ignore[operator]
            raise InputError(
                f"The smallest size ({self.min_size:g}) is above the largest ({self.max_size:g}): "
                "no particle could be kept."
            )

    @property
    def idle(self) -> bool:
        """Whether it keeps everything."""
        return self == ParticleFilter()

    def keeps(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Say which particles stay.

        Parameters
        ----------
        table
            From `measure_shapes`.

        Returns
        -------
        (n,) bool
            A value a row.
        """
        keep = np.ones(len(table), dtype=bool)
        size = sizes(table)
        for values, least in (
            (size, self.min_size),
            (table["circularity"].to_numpy(), self.min_circularity),
            (table["solidity"].to_numpy(), self.min_solidity),
        ):
            if least is not None:
                keep &= values >= least
        if self.max_size is not None:
            keep &= size <= self.max_size
        if self.drop_border:
            keep &= ~table["touches_border"].to_numpy(dtype=bool)
        if self.drop_clumps:
            keep &= ~looks_like_clump(table)
        return keep

    def apply(self, labels: NDArray[Any], table: pd.DataFrame) -> NDArray[np.int32]:
        """Return a label image without the particles that go; the others keep their ids.

        Parameters
        ----------
        labels
            (H, W).
        table
            Its particles, from `measure_shapes`.
        """
        gone = table["label"].to_numpy()[~self.keeps(table)]
        lut = np.arange(int(labels.max(initial=0)) + 1, dtype=np.int32)
        lut[gone] = 0
        return np.asarray(lut[labels], dtype=np.int32)

    def scaled(self, factor: float) -> ParticleFilter:
        """Return it for sizes in a unit of which `factor` make one of the old."""
        if not np.isfinite(factor) or factor <= 0:
            raise InputError(f"Sizes cannot be scaled by {factor}; give a positive number.")
        low, high = (None if v is None else v * factor for v in (self.min_size, self.max_size))
        return replace(self, min_size=low, max_size=high)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `from_dict` takes back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ParticleFilter:
        """Make a filter of a dictionary, refusing names and values that make no sense."""
        if unknown := set(values) - {f.name for f in fields(cls)}:
            raise InputError(f"Filters of particles do not have {', '.join(sorted(unknown))}.")
        return cls(**values)


def sizes(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return equivalent diameters: nm where the table has them, else px."""
    column = "equivalent_diameter_nm" if "equivalent_diameter_nm" in table else None
    return np.asarray(table[column or "equivalent_diameter"], dtype=np.float64)


def looks_like_clump(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Say which particles look like a clump of several, or like debris.

    Typical is the median area: clumps are fewer than particles, and it holds against their size.
    """
    if not len(table):
        return np.zeros(0, dtype=bool)
    area = table["area"].to_numpy(dtype=np.float64)
    relative = area / np.median(area)
    ragged = table["solidity"].to_numpy() < CLUMP_SOLIDITY
    return np.asarray(((relative > CLUMP_AREA) & ragged) | (relative < DEBRIS_AREA))

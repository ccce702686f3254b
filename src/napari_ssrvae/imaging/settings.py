"""How particles are found, as settings: apart from the finding, which takes long to load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from napari_ssrvae.errors import InputError

METHODS = ("auto", "otsu", "li", "triangle", "local", "log")
"""``auto`` tries many thresholds and keeps the best; ``log`` finds small round particles by the
Laplacian of Gaussian; the others are one threshold each."""

_SIGNS = {"auto": (1, -1), "bright": (1,), "dark": (-1,)}
POLARITIES = tuple(_SIGNS)
_DEPTH_RANGE = 4.0  # how much deeper or shallower a neck may be than that of `split_strength` 0.5


@dataclass(frozen=True)
class SegmentationSettings:
    """How particles are found; the same settings find the same particles again.

    Attributes
    ----------
    method
        One of `METHODS`.
    smoothing
        Standard deviation of the Gaussian that is applied first, px.
    min_area
        Smallest particle, px²; None decides from the picture.
    split_touching
        Whether particles that touch are taken apart; if not, a clump is one object.
    exclude_border
        Whether particles that touch the edge of the image are left out.
    polarity
        ``"bright"`` or ``"dark"`` particles, or ``"auto"``.
    split_strength
        How readily touching particles are taken apart, from 0 (hardly: only at a narrow neck) to
        1 (readily: at a slight one). Counts only with ``split_touching``.
    """

    method: str = "auto"
    smoothing: float = 1.0
    min_area: float | None = None
    split_touching: bool = False
    exclude_border: bool = True
    polarity: str = "auto"
    split_strength: float = 0.5

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("method", self.method, METHODS),
            ("polarity", self.polarity, POLARITIES),
        ):
            if value not in allowed:
                raise InputError(f"There is no {name} {value!r}; use one of {', '.join(allowed)}.")
        if not _is_number(self.smoothing) or not 0 <= self.smoothing <= 100:
            raise InputError(
                f"A smoothing of {self.smoothing!r} cannot be used; give 0 to 100 pixels."
            )
        if self.min_area is not None and (not _is_number(self.min_area) or self.min_area < 0):
            raise InputError(
                f"A smallest area of {self.min_area!r} cannot be used; give px² or None."
            )
        if not _is_number(self.split_strength) or not 0 <= self.split_strength <= 1:
            raise InputError(
                f"A split strength of {self.split_strength!r} cannot be used; give 0 to 1."
            )

    @property
    def signs(self) -> tuple[int, ...]:
        """Polarities to try: 1 bright, -1 dark."""
        return _SIGNS[self.polarity]

    @property
    def depth_factor(self) -> float:
        """By what the usual depth of a neck at which particles are taken apart is multiplied."""
        return float(_DEPTH_RANGE ** (1 - 2 * self.split_strength))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `from_dict` takes back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SegmentationSettings:
        """Make settings of a dictionary, refusing names and values that make no sense."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise InputError(f"Segmentation settings do not have {', '.join(sorted(unknown))}.")
        return cls(**values)

    def scaled(self, factor: float) -> SegmentationSettings:
        """Return the settings for an image with this many times as many pixels per length.

        Parameters
        ----------
        factor
            Old nm per pixel divided by new nm per pixel: lengths are multiplied by it, areas by
            its square.
        """
        if not np.isfinite(factor) or factor <= 0:
            raise InputError(f"Settings cannot be scaled by {factor}; give a positive number.")
        area = None if self.min_area is None else float(self.min_area * factor**2)
        return replace(self, smoothing=float(self.smoothing * factor), min_area=area)


def _is_number(value: object) -> bool:
    return (
        isinstance(value, (int, float, np.integer, np.floating))
        and not isinstance(value, bool)
        and bool(np.isfinite(value))
    )

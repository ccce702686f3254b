"""Particles found in a micrograph without training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage as ndi

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.candidates import (
    THRESHOLDS,
    Criterion,
    Image,
    Recipe,
    flatten,
    local_contrast,
    recipes,
)
from napari_ssrvae.imaging.micrograph import Micrograph, as_micrograph
from napari_ssrvae.imaging.objects import (
    close_clumps,
    cut_threads,
    fill_holes,
    number_objects,
    typical_radius,
)

METHODS = ("auto", "otsu", "li", "triangle", "local")
"""``auto`` tries many thresholds and keeps the best; the others are one threshold each."""

POLARITIES = ("auto", "bright", "dark")

_SIGNS = {"auto": (1, -1), "bright": (1,), "dark": (-1,)}
_CANDIDATE_PIXELS = 400_000  # candidates are compared on an image shrunk to about this


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
    """

    method: str = "auto"
    smoothing: float = 1.0
    min_area: float | None = None
    split_touching: bool = False
    exclude_border: bool = True
    polarity: str = "auto"

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


def segment_particles(
    image_or_micrograph: ArrayLike | Micrograph,
    method: str = "auto",
    split_touching: bool = False,
    min_area: float | None = None,
    *,
    smoothing: float = 1.0,
    exclude_border: bool = True,
    polarity: str = "auto",
) -> NDArray[np.int32]:
    """Find the particles of a micrograph.

    Parameters
    ----------
    image_or_micrograph
        (H, W) image or `Micrograph`.
    method, split_touching, min_area, smoothing, exclude_border, polarity
        See `SegmentationSettings`.

    Returns
    -------
    (H, W) int32
        0 = background, particles 1 to n in the order of their topmost pixel. All 0 where nothing
        was found.

    Raises
    ------
    InputError
        If the image or a setting cannot be used.
    """
    settings = SegmentationSettings(
        method, smoothing, min_area, split_touching, exclude_border, polarity
    )
    return segment_with(image_or_micrograph, settings)


def segment_with(
    image_or_micrograph: ArrayLike | Micrograph, settings: SegmentationSettings
) -> NDArray[np.int32]:
    """Find the particles of a micrograph as `SegmentationSettings` say.

    Parameters
    ----------
    image_or_micrograph
        (H, W) image or `Micrograph`.
    settings
        The recipe.

    Returns
    -------
    (H, W) int32
        As from `segment_particles`.
    """
    image = as_micrograph(image_or_micrograph).image.astype(np.float32)
    plain = ndi.gaussian_filter(image, settings.smoothing) if settings.smoothing else image
    if settings.method == "local":
        plain = flat = local_contrast(plain)
    else:
        flat = flatten(plain)
    recipe = _choose(plain, flat, settings)
    if recipe is None:
        return np.zeros(image.shape, dtype=np.int32)
    mask = recipe.mask(plain, flat)
    contrast = recipe.contrast(plain, flat)
    # dim middles of bright-rimmed particles count, the background inside a ring of them does not
    radius = typical_radius(mask | (ndi.binary_fill_holes(mask) & (contrast > 0.5)))
    if not settings.split_touching:
        mask = close_clumps(mask, contrast, radius)
    mask = fill_holes(mask, contrast, radius)
    mask = cut_threads(mask, radius)
    return number_objects(
        mask,
        radius=radius,
        min_area=settings.min_area,
        split=settings.split_touching,
        exclude_border=settings.exclude_border,
    )


def _choose(plain: Image, flat: Image, settings: SegmentationSettings) -> Recipe | None:
    """Score every candidate on a shrunk image; None where none is worth anything."""
    step = int(np.ceil(np.sqrt(plain.size / _CANDIDATE_PIXELS)))
    if step > 1:
        plain, flat = (ndi.uniform_filter(a, step)[::step, ::step] for a in (plain, flat))
    one = "otsu" if settings.method == "local" else settings.method
    names = tuple(THRESHOLDS) if settings.method == "auto" else (one,)
    criterion = Criterion(plain)
    best, best_score = None, 0.0
    for recipe in recipes(plain, flat, _SIGNS[settings.polarity], names):
        score = criterion.score(recipe.mask(plain, flat), recipe.sign)
        if score > best_score:
            best, best_score = recipe, score
    return best

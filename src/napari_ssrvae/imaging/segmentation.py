"""Particles found in a micrograph without training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage as ndi
from skimage.filters import threshold_li, threshold_otsu, threshold_triangle
from skimage.segmentation import clear_border, relabel_sequential, watershed

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.micrograph import Micrograph, as_micrograph

METHODS = ("auto", "otsu", "li", "triangle", "local")
POLARITIES = ("auto", "bright", "dark")


@dataclass(frozen=True)
class SegmentationSettings:
    """How particles are found."""

    method: str = "auto"
    smoothing: float = 1.0
    min_area: float | None = None
    split_touching: bool = False
    exclude_border: bool = True
    polarity: str = "auto"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"There is no method {self.method!r}; use one of {METHODS}.")
        if self.polarity not in POLARITIES:
            raise InputError(f"There is no polarity {self.polarity!r}; use one of {POLARITIES}.")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SegmentationSettings:
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise InputError(f"Segmentation settings do not have {', '.join(sorted(unknown))}.")
        return cls(**values)

    def scaled(self, factor: float) -> SegmentationSettings:
        area = None if self.min_area is None else self.min_area * factor**2
        return replace(self, smoothing=self.smoothing * factor, min_area=area)


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
    return segment_with(
        image_or_micrograph,
        SegmentationSettings(method, smoothing, min_area, split_touching, exclude_border, polarity),
    )


def segment_with(
    image_or_micrograph: ArrayLike | Micrograph, settings: SegmentationSettings
) -> NDArray[np.int32]:
    image = as_micrograph(image_or_micrograph).image.astype(np.float32)
    smooth = ndi.gaussian_filter(image, settings.smoothing)
    if settings.polarity == "dark":
        smooth = -smooth
    threshold = {"li": threshold_li, "triangle": threshold_triangle}.get(
        settings.method, threshold_otsu
    )
    flat = smooth - ndi.gaussian_filter(smooth, 50)
    mask = ndi.binary_fill_holes(ndi.binary_opening(flat > threshold(flat), iterations=2))
    labels, _ = ndi.label(mask)
    if settings.split_touching:
        distance = ndi.gaussian_filter(ndi.distance_transform_edt(mask), 2)
        peaks, _ = ndi.label((ndi.maximum_filter(distance, 11) == distance) & mask)
        labels = watershed(-distance, peaks, mask=mask)
    areas = np.bincount(labels.ravel())
    limit = (
        settings.min_area
        if settings.min_area is not None
        else 0.2 * np.median(areas[1:] if len(areas) > 1 else [0])
    )
    labels[(areas < limit)[labels]] = 0
    if settings.exclude_border:
        labels = clear_border(labels)
    return relabel_sequential(labels)[0].astype(np.int32)

"""Candidate masks of a micrograph, and the criterion that chooses among them.

Every candidate is one threshold on one version of the image (as it is, or with its background
flattened) in one polarity. The criterion asks what a person's eye asks: do the outlines lie on
edges, are the strong edges accounted for, and do the outlines bulge outwards, as those of
particles do and those of the gaps between particles do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.filters import threshold_li, threshold_multiotsu, threshold_otsu, threshold_triangle

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

_BINS = 256
_COARSE = 8  # the background is estimated on every eighth pixel
_COVER = (0.002, 0.85)  # shares of the picture that particles may cover
_STRONG_EDGE = 0.92  # quantile of the gradient above which an edge has to be accounted for
_SAME = 0.02  # thresholds nearer than this share of the range are one candidate


def flatten(image: Image) -> Image:
    """Subtract the slowly varying background (charging, shading) from an image.

    The background is a wide mean of the pixels near its first estimate, the most frequent value;
    what sticks out to either side (particles, holes) is left out of it.

    Parameters
    ----------
    image
        (H, W) float32.

    Returns
    -------
    (H, W) float32
        Background at about 0, same contrast.
    """
    step = max(1, min(_COARSE, min(image.shape) // 32))
    coarse = ndi.uniform_filter(image, step)[::step, ::step]
    sigma = max(coarse.shape) / 10
    background = np.full_like(coarse, most_frequent(coarse))
    for _ in range(3):
        residual = coarse - background
        centre = most_frequent(residual)
        away = np.abs(residual - centre)
        # the narrower flank of the background's peak: particles lie beyond the other one
        spread = min(
            float(np.median(away[side]))
            for side in (residual <= centre, residual >= centre)
            if side.any()
        )
        weight = (away <= 3 * max(spread, 1e-6)).astype(np.float32)
        overall = float(np.average(coarse, weights=weight))
        # far from any background pixel there is nothing better than the whole image's
        prior = 0.02
        mean = ndi.gaussian_filter(coarse * weight, sigma, mode="nearest") + prior * overall
        background = mean / (ndi.gaussian_filter(weight, sigma, mode="nearest") + prior)
    return np.asarray(image - enlarge(background, image.shape), dtype=np.float32)


def local_contrast(image: Image) -> Image:
    """Subtract the mean of the wider neighbourhood, particles and all."""
    sigma = max(image.shape) / 25
    return np.asarray(image - ndi.gaussian_filter(image, sigma, truncate=3), dtype=np.float32)


def enlarge(image: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Bring a coarse image back to a shape by linear interpolation."""
    factors = [new / old for new, old in zip(shape, image.shape, strict=True)]
    return np.asarray(ndi.zoom(image, factors, order=1, grid_mode=True, mode="nearest"))


def most_frequent(values: NDArray[Any]) -> float:
    """Peak of the smoothed histogram."""
    low, high = np.percentile(values, (0.5, 99.5))
    if high <= low:
        return float(low)
    counts, edges = np.histogram(values, bins=_BINS, range=(low, high))
    peak = int(np.argmax(ndi.gaussian_filter1d(counts.astype(float), 4)))
    return float((edges[peak] + edges[peak + 1]) / 2)


def threshold_noise(image: Image) -> float:
    """Threshold where the background's own peak has come to an end.

    Its half-width is taken from the flank on the dark side, which particles do not reach.
    """
    centre = most_frequent(image)
    below = centre - image[image <= centre]
    return centre + 3.5 * 1.4826 * float(np.median(below)) if below.size else centre


THRESHOLDS: dict[str, Callable[[Image], float]] = {
    "otsu": lambda image: float(threshold_otsu(image)),
    "li": lambda image: float(threshold_li(image)),
    "triangle": lambda image: float(threshold_triangle(image)),
    "noise": threshold_noise,
    "low of three": lambda image: float(threshold_multiotsu(image, 3, nbins=128)[0]),
    "high of three": lambda image: float(threshold_multiotsu(image, 3, nbins=128)[1]),
}
"""Each takes an image on which particles are bright."""


@dataclass(frozen=True)
class Recipe:
    """How a mask is made: which image, which polarity, which threshold on it.

    Attributes
    ----------
    flattened
        Whether it is applied to the flattened image.
    sign
        1 for bright particles, -1 for dark ones.
    threshold, background
        Levels of the image times the sign.
    name
        Of the threshold.
    """

    flattened: bool
    sign: int
    threshold: float
    background: float
    name: str

    def mask(self, plain: Image, flat: Image) -> Mask:
        """Apply the recipe, at any resolution of the same image."""
        return np.asarray(self._source(plain, flat) > self.threshold)

    def contrast(self, plain: Image, flat: Image) -> Image:
        """Brightness above the background, 1 at the threshold."""
        height = max(self.threshold - self.background, 1e-6)
        return (self._source(plain, flat) - self.background) / np.float32(height)

    def _source(self, plain: Image, flat: Image) -> Image:
        return (flat if self.flattened else plain) * np.float32(self.sign)


def recipes(
    plain: Image, flat: Image, signs: tuple[int, ...], names: tuple[str, ...]
) -> Iterator[Recipe]:
    """All thresholds that differ, on both images."""
    for flattened, source in ((True, flat), (False, plain)):
        near = _SAME * float(np.ptp(np.percentile(source, (0.5, 99.5))))
        for sign in signs:
            background = most_frequent(source * sign)
            seen: list[float] = []
            for name in names:
                threshold = THRESHOLDS[name](source * sign)
                if all(abs(threshold - other) > near for other in seen):
                    seen.append(threshold)
                    yield Recipe(flattened, sign, threshold, background, name)


class Criterion:
    """Scores masks of one image."""

    def __init__(self, image: Image) -> None:
        dy, dx = np.gradient(ndi.gaussian_filter(image, 0.7))
        self.edge = np.hypot(dy, dx)
        self.strong = self.edge > np.quantile(self.edge, _STRONG_EDGE)
        self.scale = float(np.mean(self.edge[self.strong])) or 1.0

    def score(self, mask: Mask) -> float:
        """Rate a mask from 0 (useless) to about 1.

        The product of three: mean edge strength along the outlines, the share of strong edges
        that lie on or inside the mask, and the share of the outlines that bulges outwards.
        """
        if not _COVER[0] <= mask.mean() <= _COVER[1]:
            return 0.0
        inner = ndi.binary_erosion(mask, border_value=1)
        outline = mask & ~inner
        if not outline.any():
            return 0.0
        strength = np.minimum(ndi.maximum_filter(self.edge, 3)[outline] / self.scale, 1).mean()
        grown = ndi.binary_dilation(mask, iterations=2)
        explained = float((self.strong & grown).sum()) / float(self.strong.sum())
        density = ndi.uniform_filter(mask.astype(np.float32), 7)[outline]
        # half of the window and half of the outline pixel's own row belong to a straight edge
        bulging = float((density < 0.5 + 0.5 / 7).mean())
        return float(strength * explained * bulging**2)

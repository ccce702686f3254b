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
from skimage.filters import threshold_multiotsu, threshold_otsu, threshold_triangle

from napari_ssrvae.imaging.filters import gaussian, highest, mean_around, resize

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

_BINS = 256
_ITERATIONS = 100
_LEVEL_PIXELS = 60_000
_COARSE = 8  # the background is estimated on every eighth pixel
_COVER = (0.002, 0.85)  # shares of the picture that particles may cover
_STRONG_EDGE = 0.85  # quantile of the gradient above which an edge has to be accounted for
_REAL_EDGE = 8.0  # times the noise of the gradient: an edge beyond doubt
_CURVATURE_SIGMA = 1.5  # px
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
    coarse = mean_around(image, step)[::step, ::step]
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
        mean = gaussian(coarse * weight, sigma, edge="nearest") + prior * overall
        background = mean / (gaussian(weight, sigma, edge="nearest") + prior)
    return np.asarray(image - resize(background, image.shape), dtype=np.float32)


def local_contrast(image: Image) -> Image:
    """Subtract the mean of the wider neighbourhood, particles and all."""
    sigma = max(image.shape) / 25
    return np.asarray(image - gaussian(image, sigma, reach=3), dtype=np.float32)


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


def threshold_cross_entropy(image: Image) -> float:
    """Li's threshold, by his iteration on the histogram.

    `skimage.filters.threshold_li` walks to and fro for ever on some pictures of a few specks; this
    one stops.
    """
    low, high = float(image.min()), float(image.max())
    if high <= low:
        return low
    counts, edges = np.histogram(image, bins=4 * _BINS, range=(low, high))
    levels = (edges[1:] + edges[:-1]) / 2 - low  # entropies need levels above 0
    number, mass = np.cumsum(counts), np.cumsum(counts * levels)
    threshold = mass[-1] / number[-1]
    for _ in range(_ITERATIONS):
        split = int(np.searchsorted(levels, threshold))
        if not 0 < split < len(levels) or number[split - 1] in (0, number[-1]):
            break
        dark = mass[split - 1] / number[split - 1]
        bright = (mass[-1] - mass[split - 1]) / (number[-1] - number[split - 1])
        following = (bright - dark) / (np.log(bright) - np.log(dark))
        if abs(following - threshold) < 0.25 * levels[0]:
            break
        threshold = following
    return low + float(threshold)


THRESHOLDS: dict[str, Callable[[Image], float]] = {
    "otsu": lambda image: float(threshold_otsu(image)),
    "li": threshold_cross_entropy,
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
    # levels need no more than some ten thousand pixels
    step = max(1, round(np.sqrt(plain.size / _LEVEL_PIXELS)))
    for flattened, source in ((True, flat[::step, ::step]), (False, plain[::step, ::step])):
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
    """Scores masks of one image.

    Quantiles and limits were chosen on journal figures with instance masks (EMPS) and a few
    micrographs of spheres; choices near them select nearly the same candidates.
    """

    def __init__(self, image: Image) -> None:
        edge = np.hypot(*np.gradient(gaussian(image, 0.7)))
        self._strong = edge > np.quantile(edge, _STRONG_EDGE)
        self._strong_count = max(int(np.count_nonzero(self._strong)), 1)
        strength = float(edge[self._strong].mean()) if self._strong.any() else 1.0
        # the gradient of pure noise is Rayleigh-distributed: its 20 % quantile is 0.668 σ
        noise = float(np.quantile(edge, 0.2)) / 0.668
        self._edge = highest(edge, 3)
        self._real = np.minimum(self._edge / max(_REAL_EDGE * noise, 0.1 * strength), 1)
        self._curvature = _isophote_curvature(image, 1e-6 * strength)

    def score(self, mask: Mask, sign: int) -> float:
        """Rate a mask from 0 (useless) to 1.

        The product of three: whether the outlines lie on edges that are more than noise, the
        share of the strong edges that lie in the mask or beside it, and the share of the
        outlines, by strength of their edges, that bulges outwards.

        Parameters
        ----------
        mask
            (H, W).
        sign
            1 if the mask is the brighter side of its outlines, else -1.
        """
        if not _COVER[0] <= float(mask.mean()) <= _COVER[1]:
            return 0.0
        outline = _outline(mask)
        if not outline.any():
            return 0.0
        precision = float(self._real[outline].mean())
        beside = mean_around(mask, 7) > 0.5 / 7**2
        explained = np.count_nonzero(self._strong & beside) / self._strong_count
        weight = self._edge[outline]
        bulges = weight[sign * self._curvature[outline] > 0].sum() / max(float(weight.sum()), 1e-9)
        return precision**2 * explained * float(np.clip((bulges - 0.3) / 0.25, 0.05, 1))


def _isophote_curvature(image: Image, least: float) -> NDArray[np.float32]:
    """Curvature of the lines of equal brightness, positive around bright bulges.

    It looks at one side of a line only, so that a narrow gap between two particles is told from
    a narrow particle: minus the divergence of the gradient's direction.
    """
    dy, dx = np.gradient(gaussian(image, _CURVATURE_SIGMA))
    length = np.hypot(dy, dx) + least + float(np.finfo(np.float32).tiny)
    return np.asarray(-(np.gradient(dy / length, axis=0) + np.gradient(dx / length, axis=1)))


def _outline(mask: Mask) -> Mask:
    """Pixels of the mask that have a neighbour outside it; the edge of the image is no outline."""
    inner = np.ones_like(mask)
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    return np.asarray(mask & ~inner)

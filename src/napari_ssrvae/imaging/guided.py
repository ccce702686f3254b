"""Particles from a probability map: the best segments of many segmentations.

A forest that saw a few strokes knows where particles are, but not sharply where they end; a
threshold knows that, where it is the right one. So both propose: thresholds that agree with the
probability, and the probability itself, each with touching particles taken apart to several
degrees. Every segment is rated (is it probable inside and not around, does its outline lie on
edges, is its shape a particle's), and the best that do not overlap are the particles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.segmentation import watershed

from napari_ssrvae.imaging.candidates import THRESHOLDS, Image, Mask, flatten
from napari_ssrvae.imaging.filters import distance_inside
from napari_ssrvae.imaging.micrograph import Micrograph
from napari_ssrvae.imaging.objects import cut_threads, typical_radius
from napari_ssrvae.imaging.pixel_features import shrink
from napari_ssrvae.imaging.segment_shapes import outline_of, segment_scores
from napari_ssrvae.imaging.segmentation import segment_with
from napari_ssrvae.imaging.settings import SegmentationSettings

Labels = NDArray[np.int32]

_PIXELS = 400_000  # segments are compared on a grid of about so many points
_MASKS = 6  # thresholds that are worth a closer look
_LEVELS = (0.35, 0.5, 0.65)  # of the probability
_SADDLES = (0.95, 0.9, 0.83, 0.7)
"""How deep the neck of touching particles must be: its share of the lower peak is under this."""
_LEAST_SCORE = 0.55
_LEAST_SHARE = 0.7  # of the mean score of the best segmentation, where even that is rated low
_OVERLAP = 0.4  # share of a segment that better ones may have taken already
_FAVOUR = 0.2  # for the segmentation that is best as a whole
_CRUMB = 0.1  # of a typical particle's area
_NEAR = 0.02  # thresholds nearer than this share of the range are one
_EIGHT = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, eq=False)
class Scene:
    """What segments are judged by, on the grid that they are compared on.

    Attributes
    ----------
    plain, probability
        (h, w) smoothed image and probability.
    automatic
        (h, w) what is found without strokes.
    strokes
        (h, w) uint8, 0 where nothing was painted.
    """

    plain: Image
    probability: Image
    automatic: Mask
    strokes: NDArray[np.uint8]


def segment_guided(
    micrograph: Micrograph,
    probability: NDArray[np.float32],
    settings: SegmentationSettings,
    *,
    strokes: NDArray[Any] | None = None,
) -> Labels:
    """Find particles where a classifier sees them.

    Parameters
    ----------
    micrograph
        The image.
    probability
        (H, W) of a particle at every pixel, 0 to 1.
    settings
        Smallest area, smoothing, whether touching particles are taken apart, those on the border.
    strokes
        (H, W) painted on this image: 1 background, 2 particle.

    Returns
    -------
    (H, W) int32
        As from `segment_particles`.
    """
    image = micrograph.image.astype(np.float32)
    step = max(1, math.ceil(math.sqrt(image.size / _PIXELS)))
    scene = _scene(image, probability, strokes, step, settings.smoothing)
    coarse = _best_segments(scene)
    radius = step * typical_radius(coarse > 0)
    if not settings.split_touching:  # a clump is what its particles cover, with the seams
        coarse, _ = ndi.label(ndi.binary_closing(np.pad(coarse > 0, 2), _EIGHT)[2:-2, 2:-2])
    labels = _sharpened(coarse, image, step)
    return _numbered(labels, settings, radius)


def _scene(
    image: Image,
    probability: NDArray[np.float32],
    strokes: NDArray[Any] | None,
    step: int,
    smoothing: float,
) -> Scene:
    small = shrink(image, step)
    painted = np.zeros(small.shape, np.uint8)
    if strokes is not None:
        y, x = np.nonzero(strokes)
        painted[y // step, x // step] = strokes[y, x]
    plain = ndi.gaussian_filter(small, smoothing / step)
    soft = ndi.gaussian_filter(shrink(probability, step), 1.0 / step)
    without = SegmentationSettings(smoothing=smoothing / step, exclude_border=False)
    automatic = segment_with(small, without) > 0
    return Scene(np.asarray(plain), np.asarray(soft), automatic, painted)


# -- proposals ---------------------------------------------------------------------------------
def _masks(scene: Scene) -> Iterator[Mask]:
    """Masks of thresholds that agree with the probability, and of the probability itself."""
    rated: list[tuple[float, int, Mask]] = []
    probability, plain = scene.probability, scene.plain
    total = float(probability.sum())
    wide = max(plain.shape) / 15
    heavy = ndi.gaussian_filter(plain, 2.5)
    for source in (flatten(plain), plain, heavy, plain - ndi.gaussian_filter(plain, wide)):
        away = float((source * (1 - probability)).sum()) / max(float((1 - probability).sum()), 1.0)
        inside = float((source * probability).sum()) / max(total, 1.0)
        sign = np.float32(1 if inside > away else -1)
        for level in _levels(source * sign, (inside + away) / 2 * float(sign)):
            mask = source * sign > level
            common = 2 * float(probability[mask].sum())
            agreement = common / max(float(mask.sum()) + total, 1.0) + _right(mask, scene.strokes)
            rated.append((agreement, len(rated), mask))
    rated.sort(key=lambda entry: (-entry[0], entry[1]))
    yield scene.automatic
    yield from (mask for _, _, mask in rated[:_MASKS])
    yield from (probability > level for level in _LEVELS)
    # between what is surely particle and surely background, the strongest edge decides
    sure = np.where(probability > 0.75, 2, np.where(probability < 0.25, 1, 0)).astype(np.int32)
    if (sure == 1).any() and (sure == 2).any():
        yield watershed(_gradient(plain), sure) == 2


def _right(mask: Mask, strokes: NDArray[np.uint8]) -> float:
    """Share of the strokes that a mask agrees with, both kinds alike."""
    shares = [
        float((mask == (kind == 2))[strokes == kind].mean()) for kind in np.unique(strokes) if kind
    ]
    return float(np.mean(shares)) if shares else 1.0


def _levels(source: Image, middle: float) -> list[float]:
    """Thresholds of an image on which particles are bright, those that differ."""
    sample = source[::2, ::2]
    near = _NEAR * float(np.ptp(np.percentile(sample, (0.5, 99.5))))
    levels = [middle]
    for threshold in THRESHOLDS.values():
        level = threshold(sample)
        if all(abs(level - other) > near for other in levels):
            levels.append(level)
    return levels


def _tidied(mask: Mask, probability: Image, radius: float) -> Mask:
    """Fill holes that are small or probably particle, and cut threads."""
    holes, count = ndi.label(~mask)
    if count:
        area = np.bincount(holes.ravel())
        sure = np.bincount(holes.ravel(), weights=probability.ravel()) / np.maximum(area, 1)
        typical = math.pi * radius**2
        fill = (area < 0.3 * typical) | ((area < 1.5 * typical) & (sure > 0.4))
        fill[np.concatenate((holes[0], holes[-1], holes[:, 0], holes[:, -1]))] = False
        fill[0] = False
        mask = mask | fill[holes]
    return cut_threads(mask, radius)


def _proposals(scene: Scene) -> Iterator[Labels]:
    """Label images of every mask, taken apart to several degrees."""
    for mask in _masks(scene):
        radius = typical_radius(mask)
        if radius < 1:
            continue
        for labels in split_degrees(_tidied(mask, scene.probability, radius), radius):
            area = np.bincount(labels.ravel())
            keep = area >= max(_CRUMB * math.pi * radius**2, 4)
            keep[0] = False
            if keep.any():
                yield np.asarray((np.cumsum(keep) * keep)[labels], dtype=np.int32)


def split_degrees(mask: Mask, radius: float) -> Iterator[Labels]:
    """Take touching particles apart, from readily to not at all, at the price of one watershed.

    One basin for every maximum of the distance to the background; basins are one particle again
    where the neck between them is at least a share of the lower peak.

    Parameters
    ----------
    mask
        (H, W).
    radius
        Typical radius, px.
    """
    distance = ndi.gaussian_filter(distance_inside(mask), 0.08 * radius)
    side = max(3, 2 * int(0.25 * radius) // 2 + 1)
    peaks = (distance == ndi.maximum_filter(distance, side)) & mask
    seeds, count = ndi.label(peaks, structure=_EIGHT)
    basins = watershed(-distance, seeds, mask=mask)
    height = np.zeros(count + 1)
    np.maximum.at(height, basins.ravel(), distance.ravel())
    pairs, necks = _necks(basins, distance)
    before = -1
    for share in (*_SADDLES, 0.0):
        number = _merged(pairs, necks, height, share)
        if int(number.max(initial=0)) != before:
            before = int(number.max(initial=0))
            yield number[basins]


def _necks(basins: Labels, distance: Image) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Neighbouring basins, (n, 2), and the distance at the widest place between them."""
    count = int(basins.max(initial=0)) + 1
    keys, widths = [], []
    for one, two in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        a, b = basins[one], basins[two]
        touch = (a != b) & (a > 0) & (b > 0)
        a, b = a[touch].astype(np.int64), b[touch].astype(np.int64)
        keys.append(np.minimum(a, b) * count + np.maximum(a, b))
        widths.append(np.minimum(distance[one][touch], distance[two][touch]))
    pairs, index = np.unique(np.concatenate(keys), return_inverse=True)
    widest = np.zeros(len(pairs))
    np.maximum.at(widest, index, np.concatenate(widths))
    return np.stack(np.divmod(pairs, count), axis=1), widest


def _merged(
    pairs: NDArray[np.int64], necks: NDArray[np.float64], height: NDArray[Any], share: float
) -> Labels:
    """Return the new number of each basin."""
    parent, top = np.arange(len(height)), height.copy()

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = int(parent[k])
        return k

    for k in np.argsort(-necks, kind="stable"):
        a, b = root(int(pairs[k, 0])), root(int(pairs[k, 1]))
        if a != b and necks[k] >= share * min(top[a], top[b]):
            parent[b] = a
            top[a] = max(top[a], top[b])
    _, number = np.unique([root(k) for k in range(len(parent))], return_inverse=True)
    return np.asarray(number, dtype=np.int32)


# -- choice ------------------------------------------------------------------------------------
def _best_segments(scene: Scene) -> Labels:
    """Return the best segments of all proposals that do not overlap."""
    proposals = list(_proposals(scene))
    empty = np.zeros(scene.plain.shape, np.int32)
    if not proposals:
        return empty
    scores: list[NDArray[np.float64]] = []
    whole: list[tuple[float, float]] = []
    for labels in proposals:
        score, area = segment_scores(labels, scene.plain, scene.probability, scene.strokes)
        scores.append(score)
        covered = labels > 0
        common = 2 * float(scene.probability[covered].sum())
        agreement = common / max(float(scene.probability.sum()) + float(covered.sum()), 1.0)
        rated = float(np.average(score, weights=np.sqrt(area)))
        whole.append((rated * agreement, rated))
    best = max(range(len(whole)), key=lambda k: whole[k])
    least = min(_LEAST_SCORE, _LEAST_SHARE * whole[best][1])
    scores[best] += _FAVOUR
    return _without_overlap(proposals, scores, least)


def _without_overlap(
    proposals: list[Labels], scores: list[NDArray[np.float64]], least: float
) -> Labels:
    """Take segments from the best down, each unless better ones lie where it is."""
    chosen = np.zeros(proposals[0].shape, np.int32)
    ranked = sorted(
        ((score, k, n) for k, of_one in enumerate(scores) for n, score in enumerate(of_one, 1)),
        key=lambda entry: (-entry[0], entry[1], entry[2]),
    )
    boxes = [ndi.find_objects(labels) for labels in proposals]
    number = 0
    for score, k, n in ranked:
        if score < least:
            break
        box = boxes[k][n - 1]
        inside, taken = proposals[k][box] == n, chosen[box]
        free = inside & (taken == 0)
        if np.count_nonzero(free) >= (1 - _OVERLAP) * np.count_nonzero(inside):
            number += 1
            taken[free] = number
    return chosen


# -- back to the image -------------------------------------------------------------------------
def _sharpened(coarse: Labels, image: Image, step: int) -> Labels:
    """Bring label images of the grid to the image; the strongest edge nearby is the outline."""
    if step == 1:
        return coarse
    labels = np.repeat(np.repeat(coarse, step, axis=0), step, axis=1)
    labels = labels[: image.shape[0], : image.shape[1]]
    unsure = outline_of(labels, thick=True)
    unsure = ndi.maximum_filter(unsure, 2 * (step // 2) + 1)
    markers = np.where(unsure, 0, labels + 1)
    grown = watershed(_gradient(ndi.gaussian_filter(image, 1.0)), markers) - 1
    return np.asarray(grown, dtype=np.int32)


def _numbered(labels: Labels, settings: SegmentationSettings, radius: float) -> Labels:
    """Drop what is small or on the border; number the rest by their topmost pixel."""
    area = np.bincount(labels.ravel())
    if len(area) < 2:
        return labels
    least = _CRUMB * math.pi * radius**2 if settings.min_area is None else settings.min_area
    keep = (area >= max(least, 1)) & (np.arange(len(area)) > 0)
    if settings.exclude_border:
        keep[np.concatenate((labels[0], labels[-1], labels[:, 0], labels[:, -1]))] = False
    found, first = np.unique(labels, return_index=True)
    number = np.zeros(len(area), np.int32)
    stay = found[np.argsort(first)]
    stay = stay[keep[stay]]
    number[stay] = np.arange(1, len(stay) + 1)
    return number[labels]


def _gradient(image: Image) -> Image:
    return np.asarray(np.hypot(*np.gradient(image)), dtype=np.float32)

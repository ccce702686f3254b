"""How much a segment looks like a particle that a classifier saw."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

Labels = NDArray[np.int32]
Values = NDArray[np.float64]

_WEIGHTS = {
    "inside": 2.82,
    "improbable": -1.52,
    "contrast": 5.73,
    "around": 1.51,
    "edge": 1.28,
    "one side": 1.88,
    "ellipse": 1.03,
    "round": 3.54,
    "small": 0.37,
    "large": -1.98,
    "unlike": -0.39,
    "frame": 0.64,
    "on background": -1.38,
}
"""Logistic regression on whether a segment has an IoU above 0.5 with a particle.

Fitted to the segments of 48 journal figures with instance maps (EMPS), each figure with simulated
strokes; `benchmarks/strokes.py` says what it is worth.
"""
_BIAS = -14.136
_LEAST_PROBABLE = 0.4


def segment_scores(
    labels: Labels,
    image: NDArray[np.float32],
    probability: NDArray[np.float32],
    strokes: NDArray[Any],
) -> tuple[Values, Values]:
    """Rate every segment of a label image from 0 to 1.

    Parameters
    ----------
    labels
        (h, w) segments 1 to n, all of them there.
    image, probability
        (h, w) smoothed image, and probability of a particle.
    strokes
        (h, w) 1 where background was painted.

    Returns
    -------
    (n,), (n,)
        Scores and areas.
    """
    facts, area = _facts(labels, image, probability, strokes)
    total = sum(_WEIGHTS[name] * values for name, values in facts.items()) + _BIAS
    score = 1 / (1 + np.exp(-np.clip(total, -50, 50)))
    # whatever its shape: the background as a whole looks like a perfect particle
    return np.where(facts["inside"] < _LEAST_PROBABLE, 0.0, score), area


def _facts(
    labels: Labels,
    image: NDArray[np.float32],
    probability: NDArray[np.float32],
    strokes: NDArray[Any],
) -> tuple[dict[str, Values], Values]:
    count = int(labels.max())

    def total(where: Any, weights: Any = None) -> Values:
        values = np.bincount(labels[where].ravel(), weights, minlength=count + 1)[1:]
        return np.asarray(values, dtype=np.float64)

    some = np.flatnonzero(labels)
    flat = labels.ravel()[some]

    def mean(values: Any) -> Values:
        return np.bincount(flat, values, minlength=count + 1)[1:] / area

    area = np.bincount(flat, minlength=count + 1)[1:].astype(np.float64)
    inside = mean(probability.ravel()[some])
    grown = ndi.maximum_filter(labels, 5)
    ring = (labels == 0) & (grown > 0)
    pixels = np.bincount(grown[ring], minlength=count + 1)[1:]
    around = np.bincount(grown[ring], probability[ring], minlength=count + 1)[1:]
    around = np.where(pixels > 0, around / np.maximum(pixels, 1), inside / 2)
    outline = outline_of(labels)
    length = np.maximum(total(outline), 1)
    edge, one_side = _edges(labels, image, outline, total, length)
    relative = np.log(area / _half_of_all(area))
    border = np.concatenate((labels[0], labels[-1], labels[:, 0], labels[:, -1]))
    facts = {
        "inside": inside,
        "improbable": mean(probability.ravel()[some] < 0.3),
        "contrast": inside - around,
        "around": around,
        "edge": np.minimum(edge, 1),
        "one side": np.abs(one_side),
        "ellipse": 5 * np.minimum(_ellipse(some, labels.shape[1], area, mean), 1) ** 2,
        "round": np.minimum(4 * np.pi * area / (1.1 * length) ** 2, 1.2),
        "small": np.minimum(relative, 0),
        "large": np.maximum(relative, 0),
        "unlike": np.abs(relative),
        "frame": np.bincount(border, minlength=count + 1)[1:] / length,
        "on background": (total(strokes == 1) > 0).astype(np.float64),
    }
    return facts, area


def _edges(
    labels: Labels, image: NDArray[np.float32], outline: NDArray[np.bool_], total: Any, length: Any
) -> tuple[Values, Values]:
    """Strength of the edges under each outline, and whether all have the same bright side."""
    dy, dx = (np.asarray(np.gradient(image, axis=axis)) for axis in (0, 1))
    slope = np.hypot(dy, dx)
    near = ndi.maximum_filter(slope, 3)
    sharp = slope > np.quantile(slope, 0.85)
    strong = float(near[sharp].mean()) if sharp.any() else 1.0
    edge = total(outline, np.minimum(near[outline] / max(strong, 1e-9), 1.5)) / length
    soft: NDArray[np.float32] = ndi.gaussian_filter((labels > 0).astype(np.float32), 1.5)
    ny, nx = (np.asarray(np.gradient(soft, axis=axis))[outline] for axis in (0, 1))
    along = (dy[outline] * ny + dx[outline] * nx) / (np.hypot(ny, nx) + 1e-6)
    return edge, total(outline, along) / np.maximum(total(outline, slope[outline]), 1e-6)


def _ellipse(some: NDArray[Any], width: int, area: Values, mean: Any) -> Values:
    """Area by that of the ellipse with the same second moments: 1 for an ellipse."""
    y, x = (axis.astype(np.float64) for axis in np.divmod(some, width))
    my, mx = mean(y), mean(x)
    yy, xx = mean(y * y) - my**2 + 1 / 12, mean(x * x) - mx**2 + 1 / 12
    xy = mean(y * x) - my * mx
    return np.asarray(area / (4 * np.pi * np.sqrt(np.maximum(yy * xx - xy**2, 1e-6))))


def _half_of_all(area: Values) -> float:
    """Area up to which particles make up half of what is covered."""
    order = np.sort(area)
    return float(order[np.searchsorted(np.cumsum(order), order.sum() / 2)])


def outline_of(labels: Labels, *, thick: bool = False) -> NDArray[np.bool_]:
    """Pixels of segments that touch another one or the background.

    With `thick`, also the pixels of the background that touch a segment.
    """
    differs = np.zeros(labels.shape, bool)
    down, across = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    differs[1:] |= down
    differs[:-1] |= down
    differs[:, 1:] |= across
    differs[:, :-1] |= across
    return differs if thick else differs & (labels > 0)

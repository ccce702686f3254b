"""Which images to label next: doubtful ones, typical of many, and unlike each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.metrics.pairwise import euclidean_distances

from napari_ssrvae.errors import InputError

ENOUGH = 4  # labels a class from which on doubt counts in full
REFERENCES = 500  # points that stand for all in estimating how crowded a place is
NEIGHBOURS = 0.01  # share of the references that makes a neighbourhood


def next_to_label(
    probabilities: ArrayLike,
    features: ArrayLike,
    n: int,
    labelled_features: ArrayLike | None = None,
) -> NDArray[np.int64]:
    """Choose images to label next, the most useful first.

    Greedy: each choice is the image of the largest product of

    - *doubt*: one minus the margin between its two most probable classes. With fewer than four
      labels a class it counts less, by a power from 0 to 1: a model that knows little doubts where
      chance has it (on noisy cards with one label a class, doubt in full cost labels);
    - *typicality*: how crowded its surroundings are, so that debris and odd ones, of which the
      model is always in doubt and whose labels teach nothing of the others, do not come first;
    - *distance* to the nearest image chosen before (or labelled already).

    Deterministic: the same input gives the same choice.

    Parameters
    ----------
    probabilities : array_like
        (m, k) class probabilities of the unlabelled images.
    features : array_like
        (m, f) points in a space where like images lie together.
    n : int
        How many to choose, at most m are.
    labelled_features : array_like, optional
        (l, f) of the images that have a label.

    Returns
    -------
    ndarray
        (min(n, m),) positions, no two alike.

    Raises
    ------
    InputError
        Where the shapes do not fit together, or n is below 0.
    """
    p, points, labelled = _checked(probabilities, features, n, labelled_features)
    if not len(points):
        return np.empty(0, np.int64)
    points, labelled = _of_equal_spread(points, labelled)
    top = np.sort(p, axis=1)[:, -2:]
    doubt = 1 - (top[:, 1] - top[:, 0]) + 1e-3
    labels_a_class = len(labelled) / p.shape[1] if len(labelled) else ENOUGH
    worth = doubt ** min(1.0, labels_a_class / ENOUGH) ** 2 * _typicality(points)
    nearest = np.full(len(points), np.inf)
    if len(labelled):
        nearest = pairwise_distances_argmin_min(points, labelled)[1]
    chosen = np.empty(min(n, len(points)), np.int64)
    for i in range(len(chosen)):
        usefulness = worth * (nearest if np.isfinite(nearest[0]) else 1.0)
        usefulness[chosen[:i]] = -1.0
        chosen[i] = usefulness.argmax()
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[i]], axis=1))
    return chosen


def _checked(
    probabilities: ArrayLike, features: ArrayLike, n: int, labelled_features: ArrayLike | None
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    p, points = np.asarray(probabilities, np.float32), np.asarray(features, np.float32)
    if p.ndim != 2 or points.ndim != 2 or len(p) != len(points) or p.shape[1] < 2:
        raise InputError(
            "Choosing what to label needs one row of probabilities (of at least two classes) and "
            f"one of features an image, not {p.shape} and {points.shape}."
        )
    if n < 0:
        raise InputError(f"The number of images to choose must be 0 or more, not {n}.")
    if labelled_features is None:
        return p, points, np.empty((0, points.shape[1]), np.float32)
    labelled = np.asarray(labelled_features, np.float32)
    if labelled.ndim != 2 or labelled.shape[1] != points.shape[1]:
        raise InputError(
            f"Labelled images need {points.shape[1]} features each, not shape {labelled.shape}."
        )
    return p, points, labelled


def _of_equal_spread(
    points: NDArray[np.float32], labelled: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shift and scale each feature alike: none counts more for its unit."""
    centre, spread = points.mean(axis=0), points.std(axis=0) + 1e-6
    return (points - centre) / spread, (labelled - centre) / spread


def _typicality(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """How crowded the surroundings of each point are: about 1 for most, 10 at most.

    One over the mean distance to the nearest of a sample of all points (Hacohen et al., ICML 2022,
    eq. 4): linear in the number of points.
    """
    at = np.linspace(0, len(points) - 1, min(len(points), REFERENCES)).astype(int)
    k = int(np.clip(NEIGHBOURS * len(at), 3, 20))
    if len(at) <= k:
        return np.ones(len(points), np.float32)
    apart = euclidean_distances(points, points[at])
    apart[at, np.arange(len(at))] = np.inf  # nobody is its own neighbour
    near = np.partition(apart, k - 1, axis=1)[:, :k].mean(axis=1)
    # Bounded, or copies of one image would outweigh everything.
    scale = near.mean() or 1.0
    return np.asarray(scale / (near + 0.1 * scale), np.float32)

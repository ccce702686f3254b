"""How good the classifier is, on labels that its training did not see."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from napari_ssrvae.errors import InputError

from .preprocessing import check_budget, checked_images, checked_labels
from .quality import QualityReport

if TYPE_CHECKING:
    from .estimator import SSRVAE
    from .training import EpochState

__all__ = [
    "QualityProgress",
    "QualityReport",
    "cross_validated",
    "held_back_parts",
    "iter_cross_validated",
]

FOLDS = 3  # as many fits, and no more: the report may cost three times one training
MANY = 100  # labels of every class, from which on half of them teach about as much as all


@dataclass(frozen=True)
class QualityProgress:
    """How far a quality report is.

    Attributes
    ----------
    fold, folds : int
        Model that is being trained, from 1, of how many.
    state : EpochState
        Of that model.
    """

    fold: int
    folds: int
    state: EpochState

    @property
    def done(self) -> float:
        """Share of all the epochs that may be needed, 0 to 1."""
        return (self.fold - 1 + self.state.epoch / self.state.n_epochs) / self.folds


def cross_validated(
    model: SSRVAE,
    X: ArrayLike,
    y: ArrayLike,
    *,
    max_seconds: float | None = None,
    progress: Callable[[QualityProgress], object] | None = None,
) -> QualityReport:
    """Hold back a part of the labels, train without them, ask for them; part by part.

    Parameters
    ----------
    model, X, y, max_seconds
        As in `iter_cross_validated`.
    progress : callable, optional
        Called with the `QualityProgress` of every epoch.

    Raises
    ------
    InputError
        Where images or labels cannot be used, or fewer than two classes are labelled.
    TrainingError
        Where training broke down.
    """
    steps = iter_cross_validated(model, X, y, max_seconds=max_seconds)
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            report: QualityReport = end.value
            return report
        if progress is not None:
            progress(step)


def iter_cross_validated(
    model: SSRVAE, X: ArrayLike, y: ArrayLike, *, max_seconds: float | None = None
) -> Generator[QualityProgress, None, QualityReport]:
    """Do what `cross_validated` does, one epoch at a time.

    Closing the generator after any epoch ends it, without a report. Its return value is the report.

    Every model starts anew and sees all images, but not the labels of its part. Two or three are
    trained (`held_back_parts`), so the report costs at most three times one training.

    Parameters
    ----------
    model : SSRVAE
        Gives the settings; it is neither trained nor changed.
    X : array_like
        (n, H, W) images.
    y : array_like of int
        (n,) classes >= 0 in any numbering, -1 where unlabelled.
    max_seconds : float, optional
        Budget of one training, as in `SSRVAE.fit`: the report takes at most three times as long.

    Raises
    ------
    InputError
        Where images or labels cannot be used, or fewer than two classes are labelled.
    """
    images = checked_images(X)
    check_budget(max_seconds)
    if y is None:
        raise InputError("A quality report needs labels: label at least two classes.")
    classes, indices = checked_labels(y, len(images))
    return _parts_in_turn(model, images, classes, indices, max_seconds)


def _parts_in_turn(
    model: SSRVAE,
    images: NDArray[np.generic],
    classes: NDArray[np.int64],
    indices: NDArray[np.int64],
    max_seconds: float | None,
) -> Generator[QualityProgress, None, QualityReport]:
    parts = held_back_parts(indices)
    probabilities = np.full((len(images), len(classes)), np.nan)
    given = np.where(indices < 0, -1, classes[indices])
    started = time.perf_counter()
    for number, held in enumerate(parts, 1):
        hidden = given.copy()
        hidden[held] = -1
        budget = None
        if max_seconds is not None:
            # A training that ran over its time takes it from those after it.
            left = len(parts) * max_seconds - (time.perf_counter() - started)
            budget = min(max_seconds, max(left, 1e-3) / (len(parts) - number + 1))
        fold = clone(model)
        with closing(fold.iter_fit(images, hidden, max_seconds=budget)) as states:
            for state in states:
                yield QualityProgress(number, len(parts), state)
        probabilities[held] = fold.predict_proba(images[held])
    rows = np.sort(np.concatenate([*parts, np.empty(0, np.int64)]))
    return QualityReport(
        classes=classes,
        counts=np.bincount(indices[indices >= 0], minlength=len(classes)),
        rows=rows,
        labels=given[rows],
        probabilities=probabilities[rows],
        folds=len(parts),
    )


def held_back_parts(indices: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Split the labelled rows into the parts that are held back one after the other.

    Three parts; two where no class has more than two labels, or where every class has so many that
    half of them suffice to train on. Classes are dealt one after the other like cards, so every
    part has its share of each. A class never loses all its labels at once, so that every model
    knows every class; hence a class with a single label is never held back.

    Parameters
    ----------
    indices : ndarray
        (n,) position of each row's class, -1 where unlabelled.

    Returns
    -------
    list of ndarray
        Rows of each part, ascending, none in two parts; no part at all where every class has a
        single label.
    """
    counts = np.bincount(indices[indices >= 0])
    folds = 2 if counts[counts > 0].min() >= MANY else int(min(FOLDS, counts.max()))
    rng = np.random.default_rng(0)
    deck = [rng.permutation(np.flatnonzero(indices == k)) for k in np.flatnonzero(counts >= 2)]
    if not deck:
        return []
    order = np.concatenate(deck)
    parts = [np.sort(order[fold::folds]) for fold in range(folds)]
    return [part for part in parts if len(part)]

"""How good the classifier is, on labels that its training did not see; and what to label next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from sklearn.model_selection import StratifiedKFold

from napari_ssrvae.errors import InputError

if TYPE_CHECKING:
    from .estimator import SSRVAE

FOLDS = 3  # as many fits, and no more: the report may cost three times one training
FEW = 5


@dataclass(frozen=True)
class QualityReport:
    """Quality on held-back labels.

    Attributes
    ----------
    classes : ndarray
        (k,) class labels.
    confusion : ndarray
        (k, k) counts; rows are the labels given by hand, columns the predictions.
    accuracy : float
        Share of held-back particles classified as labelled; NaN where none could be held back.
    per_class : DataFrame
        One row a class: `n` labels, `tested`, `precision`, `recall`, `f1` (NaN where untested).
    folds : int
        Models trained.
    message : str
        What this means, in plain words.
    """

    classes: NDArray[np.int64]
    confusion: NDArray[np.int64]
    accuracy: float
    per_class: pd.DataFrame
    folds: int
    message: str


def cross_validated(model: SSRVAE, X: NDArray[Any], y: NDArray[Any]) -> QualityReport:
    """Hold back a part of the labels, train without them, ask for them; part by part.

    Parameters
    ----------
    model : SSRVAE
        Gives the settings; it is neither trained nor changed.
    X, y : ndarray
        (n, H, W) images and (n,) classes, -1 where unlabelled.

    Raises
    ------
    InputError
        Where fewer than two classes are labelled.
    """
    if y.shape != (len(X),):
        raise InputError(f"y must hold one label for each of the {len(X)} images, not {y.shape}.")
    classes, counts = np.unique(y[y >= 0], return_counts=True)
    if len(classes) < 2:
        raise InputError("A quality report needs labels of at least two classes; label more.")
    # A class with one label must keep it: without, no model would know the class.
    testable = np.flatnonzero(np.isin(y, classes[counts >= 2]))
    folds = int(min(FOLDS, counts.max()))
    predicted = np.full(len(X), -1)
    if folds >= 2:
        for held in _parts(y[testable], folds):
            rows = testable[held]
            hidden = y.copy()
            hidden[rows] = -1
            predicted[rows] = clone(model).fit(X, hidden).predict(X[rows])
    tested = predicted >= 0
    return _report(classes, counts, y[tested], predicted[tested], folds if folds >= 2 else 0)


def _parts(y: NDArray[Any], folds: int) -> list[NDArray[np.int64]]:
    """Positions of each fold; every class keeps at least one label outside each fold."""
    counts = np.unique(y, return_counts=True)[1]
    if counts.min() >= folds:
        splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
        return [held for _, held in splitter.split(np.zeros(len(y)), y)]
    position = np.empty(len(y), np.int64)
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        position[rows] = np.random.default_rng(0).permutation(len(rows)) % folds
    return [np.flatnonzero(position == fold) for fold in range(folds)]


def _report(
    classes: NDArray[Any],
    counts: NDArray[Any],
    truth: NDArray[Any],
    predicted: NDArray[Any],
    folds: int,
) -> QualityReport:
    if not len(truth):
        blank = np.full(len(classes), np.nan)
        precision = recall = f1 = blank
        confusion = np.zeros((len(classes), len(classes)), np.int64)
    else:
        confusion = confusion_matrix(truth, predicted, labels=classes)
        precision, recall, f1, _ = precision_recall_fscore_support(
            truth, predicted, labels=classes, zero_division=0.0
        )
    tested = confusion.sum(axis=1)
    per_class = pd.DataFrame(
        {"class": classes, "n": counts, "tested": tested, "precision": precision,
         "recall": np.where(tested, recall, np.nan), "f1": np.where(tested, f1, np.nan)}
    )  # fmt: skip
    accuracy = float((truth == predicted).mean()) if len(truth) else float("nan")
    return QualityReport(
        classes.astype(np.int64), confusion, accuracy, per_class, folds,
        _in_words(per_class, accuracy),
    )  # fmt: skip


def _in_words(per_class: pd.DataFrame, accuracy: float) -> str:
    few = per_class.loc[per_class["n"] < FEW, "class"].tolist()
    if np.isnan(accuracy):
        return (
            "Too few labels to say anything: every class has a single one; "
            f"label at least {FEW} particles of each class."
        )
    total = int(per_class["tested"].sum())
    right = round(accuracy * total)
    message = (
        f"{right} of {total} labelled particles were recognised by models that had not seen "
        "their label."
    )
    if few:
        names = ", ".join(map(str, few))
        message += (
            f" Too few labels to rely on it (fewer than {FEW} in class {names}): label more there."
        )
    largest, smallest = per_class["n"].max(), per_class["n"].min()
    if largest >= 5 * smallest and largest >= 10:
        message += " The labels are unbalanced; label more of the rare classes."
    return message


def next_to_label(probabilities: NDArray[Any], features: NDArray[Any], n: int) -> NDArray[np.int64]:
    """Choose images to label next: uncertain ones, each unlike those chosen before.

    Parameters
    ----------
    probabilities : ndarray
        (m, k) class probabilities.
    features : ndarray
        (m, f) points in a space where like images lie together.
    n : int
        How many, at most m.
    """
    top = np.sort(probabilities, axis=1)[:, -2:]
    doubt = 1 - (top[:, 1] - top[:, 0]) + 1e-3
    spread = features.std(axis=0) + 1e-6
    points = (features - features.mean(axis=0)) / spread
    nearest = np.full(len(points), np.inf)
    chosen: list[int] = []
    for _ in range(min(n, len(points))):
        usefulness = doubt * np.where(np.isinf(nearest), 1.0, nearest)
        usefulness[chosen] = -1.0
        best = int(usefulness.argmax())
        chosen.append(best)
        nearest = np.minimum(nearest, np.linalg.norm(points - points[best], axis=1))
    return np.array(chosen, np.int64)

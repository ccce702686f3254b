"""`QualityReport`: what held-back labels say of a classifier, in numbers and in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from napari_ssrvae.errors import InputError

from .reliability import Calibration, calibration, wilson_interval

FEW = 5  # labels of a class, below which its recall is an anecdote
FEW_TESTED = 10  # particles tested in all, below which the accuracy is one
UNBALANCED = 5  # the most common class has this many times the labels of the rarest


@dataclass(frozen=True, eq=False)
class QualityReport:
    """Quality on held-back labels: the evidence, and what follows from it.

    The first six are the evidence, from which all others are computed.

    Attributes
    ----------
    classes : ndarray
        (k,) class labels, ascending.
    counts : ndarray
        (k,) hand labels of each class, tested or not.
    rows : ndarray
        (t,) rows of the images whose label was held back, ascending.
    labels : ndarray
        (t,) labels given by hand.
    probabilities : ndarray
        (t, k) class probabilities, each from a model that never saw the label of that row.
    folds : int
        Models trained; 0 where no label could be held back.
    predicted : ndarray
        (t,) most probable class.
    confusion : ndarray
        (k, k) counts; rows are the labels given by hand, columns the predictions.
    accuracy : float
        Share of held-back particles classified as labelled; NaN where none could be held back.
    accuracy_interval : (float, float)
        Its 95 % Wilson interval.
    balanced_accuracy : float
        Mean recall of the classes tested: a rare class counts as much as a common one.
    per_class : DataFrame
        One row a class: `class`, `n` labels, `tested`, `precision` (NaN where nothing was called
        so), `recall`, `f1`, `recall_low`, `recall_high` (95 % Wilson interval; NaN where
        untested), `missing` (labels still wanted before its row means anything).
    disagreements : DataFrame
        Particles that label and model call differently, the model's surest first: `row`,
        `label`, `predicted`, `probability` (of `predicted`), `label_probability`. The first ones
        are where a mislabelled particle is most likely found.
    calibration : Calibration
        Whether the probabilities mean what they say.
    message : str
        What this means, in plain words.
    """

    classes: NDArray[np.int64]
    counts: NDArray[np.int64]
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    folds: int

    def __post_init__(self) -> None:
        k, t = len(self.classes), len(self.rows)
        if (len(self.counts), len(self.labels), self.probabilities.shape) != (k, t, (t, k)):
            raise InputError(
                "A quality report needs a count for each class, and a label and a probability of "
                "each class for each row."
            )
        if not np.isin(self.labels, self.classes).all():
            raise InputError("A quality report has a label that is none of its classes.")

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """(t,) most probable class."""
        return np.asarray(self.classes[self.probabilities.argmax(axis=1)], np.int64)

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """(k, k) counts; rows are the labels given by hand, columns the predictions."""
        if not len(self.rows):
            return np.zeros((len(self.classes), len(self.classes)), np.int64)
        return np.asarray(confusion_matrix(self.labels, self.predicted, labels=self.classes))

    @property
    def accuracy(self) -> float:
        """Share of held-back particles classified as labelled; NaN where none could be."""
        return self._right / len(self.rows) if len(self.rows) else float("nan")

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy."""
        return wilson_interval(self._right, len(self.rows))

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the classes tested; NaN where none was."""
        return float(self.per_class["recall"].mean())

    @cached_property
    def per_class(self) -> pd.DataFrame:
        """One row a class; columns as in the class's description."""
        if len(self.rows):
            precision, recall, f1, _ = precision_recall_fscore_support(
                self.labels, self.predicted, labels=self.classes, zero_division=0.0
            )
        else:
            precision = recall = f1 = np.zeros(len(self.classes))
        tested, called = self.confusion.sum(axis=1), self.confusion.sum(axis=0)
        right = np.diag(self.confusion)
        intervals = np.array([wilson_interval(*x) for x in zip(right, tested, strict=True)])
        return pd.DataFrame(
            {
                "class": self.classes,
                "n": self.counts,
                "tested": tested,
                "precision": np.where(called, precision, np.nan),
                "recall": np.where(tested, recall, np.nan),
                "f1": np.where(tested, f1, np.nan),
                "recall_low": intervals[:, 0],
                "recall_high": intervals[:, 1],
                "missing": np.maximum(FEW - self.counts, 0),
            }
        )

    @cached_property
    def disagreements(self) -> pd.DataFrame:
        """Particles that label and model call differently, the model's surest first."""
        at = np.searchsorted(self.classes, self.labels)
        table = pd.DataFrame(
            {
                "row": self.rows,
                "label": self.labels,
                "predicted": self.predicted,
                "probability": self.probabilities.max(axis=1, initial=0.0),
                "label_probability": self.probabilities[np.arange(len(at)), at],
            }
        )
        table = table[table["label"] != table["predicted"]]
        table = table.sort_values("probability", ascending=False, kind="stable")
        return table.reset_index(drop=True)

    @cached_property
    def calibration(self) -> Calibration:
        """Whether the probabilities mean what they say."""
        # Sums of float32 softmaxes end a hair above 1.
        sure = np.clip(self.probabilities.max(axis=1, initial=0.0), 0, 1)
        return calibration(sure, self.predicted == self.labels)

    @property
    def unbalanced(self) -> bool:
        """Whether one class has so many more labels than another that accuracy misleads."""
        largest, smallest = self.counts.max(), self.counts.min()
        return bool(largest >= UNBALANCED * smallest and largest >= 2 * FEW)

    @property
    def message(self) -> str:
        """What this means, in plain words; classes by their numbers."""
        return " ".join(self.sentences())

    def sentences(self, names: Mapping[int, str] | None = None) -> list[str]:
        """Say in plain words what this means and what to do.

        Parameters
        ----------
        names : mapping of class to str, optional
            What to call the classes; "class 3" where it has none.
        """
        known = dict(names or {})
        called = [known.get(int(c), f"class {int(c)}") for c in self.classes]
        parts = [
            self._on_accuracy(), self._on_few(called), self._on_untested(called),
            self._on_balance(called),
        ]  # fmt: skip
        if len(self.rows):
            parts += [self.calibration.in_words(), self._on_disagreements()]
        return [part for part in parts if part]

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it: the evidence, and the main numbers for whoever reads the file.

        Numbers that cannot be given (NaN) are None.
        """
        return {
            "classes": self.classes.tolist(),
            "counts": self.counts.tolist(),
            "rows": self.rows.tolist(),
            "labels": self.labels.tolist(),
            "probabilities": self.probabilities.tolist(),
            "folds": self.folds,
            "accuracy": _plain(self.accuracy),
            "accuracy_interval": [_plain(v) for v in self.accuracy_interval],
            "balanced_accuracy": _plain(self.balanced_accuracy),
            "confusion": self.confusion.tolist(),
            "per_class": _records(self.per_class),
            "disagreements": _records(self.disagreements),
            "calibration": {
                "error": _plain(self.calibration.error),
                "chance": _plain(self.calibration.chance),
                "enough": self.calibration.enough,
                "bins": _records(self.calibration.bins),
            },
            "message": self.message,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`; what follows from the evidence is computed anew."""
        classes, rows = _whole(content["classes"]), _whole(content["rows"])
        probabilities = np.array(content["probabilities"], np.float64)
        return cls(
            classes=classes,
            counts=_whole(content["counts"]),
            rows=rows,
            labels=_whole(content["labels"]),
            probabilities=probabilities if len(rows) else np.empty((0, len(classes))),
            folds=int(content["folds"]),
        )

    # ------------------------------------------------------------------ in words

    @property
    def _right(self) -> int:
        return int((self.predicted == self.labels).sum())

    def _on_accuracy(self) -> str:
        n = len(self.rows)
        if not n:
            return "Too few labels to say anything: every class has a single one."
        low, high = self.accuracy_interval
        found = (
            f"{self._right} of {n} labelled particles were recognised by models that had not "
            f"seen their label: {100 * self.accuracy:.0f} % (95 % interval "
            f"{100 * low:.0f} to {100 * high:.0f} %)."
        )
        return f"Too few labels to say much. {found}" if n < FEW_TESTED else found

    def _on_few(self, called: Sequence[str]) -> str:
        wanted = [
            f"{missing} more of {name}"
            for name, missing in zip(called, self.per_class["missing"], strict=True)
            if missing
        ]
        if not wanted:
            return ""
        return (
            f"Label at least {_listed(wanted)}: below {FEW} labels, what is said of a class "
            "is an anecdote."
        )

    def _on_untested(self, called: Sequence[str]) -> str:
        untested = [name for name, n in zip(called, self.per_class["tested"], strict=True) if not n]
        if not untested or not len(self.rows):
            return ""
        return (
            f"Nothing is known of {_listed(untested)}: a class with a single label needs it for "
            "training."
        )

    def _on_balance(self, called: Sequence[str]) -> str:
        if not self.unbalanced:
            return ""
        most, least = int(self.counts.argmax()), int(self.counts.argmin())
        return (
            f"The labels are unbalanced ({called[most]} has {self.counts[most]}, {called[least]} "
            f"{self.counts[least]}): label more of the rare classes, and go by the recall of each "
            "class, not by the accuracy."
        )

    def _on_disagreements(self) -> str:
        n = len(self.disagreements)
        if not n:
            return "Label and model agree everywhere."
        return (
            f"Label and model disagree on {n} particle{'s' if n > 1 else ''}: look at the ones of "
            "which the model is surest, a label may be wrong."
        )


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON can hold them."""
    return [
        {str(k): _plain(v) if isinstance(v, float) else v for k, v in row.items()}
        for row in table.to_dict("records")
    ]


def _whole(values: Any) -> NDArray[np.int64]:
    return np.array(values, np.int64)

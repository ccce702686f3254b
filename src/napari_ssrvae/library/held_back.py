"""Labels that a model does not see in training, and what it then says about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix

from napari_ssrvae.errors import InputError
from napari_ssrvae.learning.quality import FEW


@dataclass(frozen=True)
class HeldBack:
    """How a model did on labels that it was not trained on.

    Parameters
    ----------
    class_ids : tuple of int
        Classes, in the order of the matrix.
    confusion : tuple of tuple of int
        `confusion[i][j]`: particles of class i that the model calls class j.
    source : str
        Where the labels are from, as part of a sentence ("the simulation's truth").
    """

    class_ids: tuple[int, ...]
    confusion: tuple[tuple[int, ...], ...]
    source: str

    @classmethod
    def compare(cls, true: npt.ArrayLike, predicted: npt.ArrayLike, source: str) -> Self:
        """Count true against predicted classes.

        Parameters
        ----------
        true, predicted : (n,) int
            Class ids, at least one.
        source : str
            Where the true classes are from.
        """
        true, predicted = np.asarray(true), np.asarray(predicted)
        if true.shape != predicted.shape or not true.size:
            raise InputError("Comparing classes needs as many true as predicted ones, at least 1.")
        ids = np.union1d(true, predicted)
        matrix = confusion_matrix(true, predicted, labels=ids)
        return cls(
            class_ids=tuple(int(i) for i in ids),
            confusion=tuple(tuple(int(n) for n in row) for row in matrix),
            source=source,
        )

    @property
    def matrix(self) -> npt.NDArray[np.int64]:
        """(k, k) counts, rows true, columns predicted."""
        return np.array(self.confusion, dtype=np.int64)

    @property
    def n(self) -> int:
        """Number of particles compared."""
        return int(self.matrix.sum())

    @property
    def accuracy(self) -> float:
        """Fraction of particles that the model calls what the label says."""
        return float(np.trace(self.matrix) / self.n)

    @property
    def balanced_accuracy(self) -> float:
        """Mean over the true classes of the fraction found: rare classes count as much."""
        rows = self.matrix.sum(axis=1)
        recall = np.diag(self.matrix)[rows > 0] / rows[rows > 0]
        return float(recall.mean())

    @property
    def few(self) -> bool:
        """Whether a class has too few particles for its row to mean much."""
        rows = self.matrix.sum(axis=1)
        return bool((rows[rows > 0] < FEW).any())

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "class_ids": list(self.class_ids),
            "confusion": [list(row) for row in self.confusion],
            "source": self.source,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`."""
        ids = tuple(int(i) for i in content["class_ids"])
        confusion = tuple(tuple(int(n) for n in row) for row in content["confusion"])
        if len(confusion) != len(ids) or any(len(row) != len(ids) for row in confusion):
            raise InputError("A confusion matrix needs one row and one column for each class.")
        return cls(ids, confusion, str(content["source"]))


def hold_back(
    labels: Mapping[int, int], *, fraction: float = 0.3, keep: int = 5, seed: int = 0
) -> tuple[dict[int, int], dict[int, int]]:
    """Split hand labels into those to train on and those to test with, class by class.

    Parameters
    ----------
    labels : mapping of particle id to class id
        Hand labels.
    fraction : float
        Part of each class that is held back.
    keep : int
        Never leave a class with fewer labels than this to train on: a class with `keep` labels
        or fewer is not held back at all.
    seed : int
        Which ones.

    Returns
    -------
    training, held_back : dict
        Both {particle id: class id}.
    """
    rng = np.random.default_rng(seed)
    held: dict[int, int] = {}
    for class_id in sorted(set(labels.values())):
        members = sorted(i for i, c in labels.items() if c == class_id)
        n = min(round(fraction * len(members)), max(len(members) - keep, 0))
        held |= {int(i): class_id for i in rng.choice(members, n, replace=False)}
    return {i: c for i, c in labels.items() if i not in held}, held


def few_per_class(labels: Mapping[int, int], n: int, *, seed: int = 0) -> dict[int, int]:
    """At most `n` labels of each class, at random."""
    rng = np.random.default_rng(seed)
    chosen: dict[int, int] = {}
    for class_id in sorted(set(labels.values())):
        members = sorted(i for i, c in labels.items() if c == class_id)
        picked = rng.choice(members, min(n, len(members)), replace=False)
        chosen |= {int(i): class_id for i in picked}
    return chosen

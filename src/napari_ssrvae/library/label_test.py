"""`LabelTest`: a quality report over several micrographs, and which particles it is of."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.library.selection import Place

if TYPE_CHECKING:
    from napari_ssrvae.imaging.particles import Particles
    from napari_ssrvae.learning.estimator import SSRVAE
    from napari_ssrvae.learning.evaluation import QualityProgress
    from napari_ssrvae.learning.quality import QualityReport

HandLabels = Mapping[int, Mapping[int, int]]


@dataclass(frozen=True)
class Disagreement:
    """A particle that its label and the model call differently.

    Attributes
    ----------
    place : Place
        The particle.
    label, predicted : int
        Class by hand, class by a model that had not seen the label.
    probability : float
        Of `predicted`.
    """

    place: Place
    label: int
    predicted: int
    probability: float


@dataclass(frozen=True, eq=False)
class LabelTest:
    """What held-back labels of a session's micrographs say.

    Attributes
    ----------
    report : QualityReport
        Its `rows` count through the particles of all micrographs, one after the other.
    keys, particles : (n,) int64
        Micrograph and particle id of each of those rows.
    hand_labels : mapping of int to mapping of int to int
        Micrograph key → particle id → class id: what was tested.
    """

    report: QualityReport
    keys: NDArray[np.int64]
    particles: NDArray[np.int64]
    hand_labels: HandLabels

    @property
    def n_labels(self) -> int:
        """Hand labels that there were."""
        return sum(len(labels) for labels in self.hand_labels.values())

    def place(self, row: int) -> Place:
        """Return the particle of a row of the report."""
        return Place(int(self.keys[row]), int(self.particles[row]))

    def cell(self, label: int, predicted: int) -> list[Place]:
        """Return the particles in one cell of the confusion matrix, by class ids."""
        report = self.report
        there = (report.labels == label) & (report.predicted == predicted)
        return [self.place(row) for row in report.rows[there].tolist()]

    def disagreements(self) -> list[Disagreement]:
        """Return where label and model differ, the model's surest first."""
        table = self.report.disagreements
        columns = (table[c].tolist() for c in ("row", "label", "predicted", "probability"))
        return [Disagreement(self.place(row), *rest) for row, *rest in zip(*columns, strict=True)]

    def changed_since(self, hand_labels: HandLabels) -> str:
        """Say in a sentence how hand labels differ from those tested, empty where they do not."""
        now = {(key, p): c for key, labels in hand_labels.items() for p, c in labels.items()}
        then = {(key, p): c for key, labels in self.hand_labels.items() for p, c in labels.items()}
        if now == then:
            return ""
        if len(now) != len(then):
            return f"Measured with {len(then)} labels; now there are {len(now)}: test again."
        changed = sum(then.get(place) != class_id for place, class_id in now.items())
        return (
            f"Measured with {len(then)} labels, of which {changed} "
            f"{'has' if changed == 1 else 'have'} changed: test again."
        )


def missing_for_test(counts: Mapping[int, int], names: Mapping[int, str]) -> str:
    """Return what must be labelled before labels can be held back, empty where that is enough.

    Parameters
    ----------
    counts : mapping of int to int
        Class id → hand labels, without the classes that have none.
    names : mapping of int to str
        Class id → name, of all classes.
    """
    labelled = {c: n for c, n in counts.items() if n}
    if len(labelled) >= 2 and max(labelled.values()) >= 2:
        return ""
    if len(labelled) < 2:
        wanted = "one more class" if labelled else "two classes"
        return (
            f"Label at least two particles of {wanted}: the test keeps some labels back, trains on "
            "the others, and asks the model for those kept back."
        )
    listed = " or ".join(names.get(c, f"class {c}") for c in labelled)
    return (
        "Every class has a single label, and training needs it: label one more particle of "
        f"{listed}, better of each."
    )


def iter_label_test(
    particles: Mapping[int, Particles],
    hand_labels: HandLabels,
    *,
    model: SSRVAE | None = None,
    max_seconds: float | None = None,
) -> Generator[QualityProgress, None, LabelTest]:
    """Hold labels back in turn, train without them, and ask for them; an epoch at a time.

    Parameters
    ----------
    particles : mapping of int to Particles
        By key of the micrograph; all of one patch size and physical scale.
    hand_labels : mapping of int to mapping of int to int
        Micrograph key → particle id → class id.
    model : SSRVAE, optional
        Whose settings to train with; it is not changed. None: the defaults.
    max_seconds : float, optional
        Budget of one of the two or three trainings.

    Returns
    -------
    LabelTest
        The generator's return value; closing the generator ends it without one.

    Raises
    ------
    InputError
        See `training_arrays`.
    TrainingError
        Training could not go on.
    """
    from sklearn.base import clone

    from napari_ssrvae.learning.estimator import SSRVAE
    from napari_ssrvae.learning.evaluation import iter_cross_validated
    from napari_ssrvae.library.workflow import training_arrays

    filled = {key: p for key, p in particles.items() if len(p.table)}
    labels = {key: dict(hand_labels.get(key, {})) for key in filled}
    X, y = training_arrays([*filled.values()], [labels[key] for key in filled])
    untrained = SSRVAE(seed=0) if model is None else clone(model)
    with closing(iter_cross_validated(untrained, X, y, max_seconds=max_seconds)) as steps:
        report = yield from steps
    ids = [p.table["label"].to_numpy(np.int64) for p in filled.values()]
    keys = [np.full(len(of_one), key) for key, of_one in zip(filled, ids, strict=True)]
    return LabelTest(
        report, np.concatenate(keys).astype(np.int64), np.concatenate(ids), hand_labels=labels
    )

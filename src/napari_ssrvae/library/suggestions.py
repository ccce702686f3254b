"""Which particles to label next, and why, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_ssrvae.library.selection import Place

if TYPE_CHECKING:
    from napari_ssrvae.imaging.particles import Particles
    from napari_ssrvae.learning.estimator import SSRVAE
    from napari_ssrvae.library.predictions import Predictions

MOST = 100
"""Suggestions made at once: more than a person labels before the model is trained again."""

UNDECIDED = 0.25
"""Difference between the two most probable classes below which the model wavers."""


@dataclass(frozen=True)
class Suggestion:
    """One particle worth labelling.

    Attributes
    ----------
    place : Place
        Which particle.
    class_id : int
        What the model takes it for.
    probability : float
        How sure it is of that.
    second_id : int
        The next probable class.
    second_probability : float
        How sure it is of that one.
    """

    place: Place
    class_id: int
    probability: float
    second_id: int
    second_probability: float

    def reason(self, names: Mapping[int, str]) -> str:
        """Say why it is worth a label, with the names of the classes."""
        first = f"{names.get(self.class_id, 'no class')} ({self.probability:.0%})"
        if self.probability - self.second_probability < UNDECIDED:
            second = f"{names.get(self.second_id, 'no class')} ({self.second_probability:.0%})"
            return f"the model wavers between {first} and {second}"
        return f"the model says {first}, and no particle like it has a label yet"


def suggest_labels(
    model: SSRVAE,
    particles: Mapping[int, Particles],
    predictions: Mapping[int, Predictions],
    hand_labels: Mapping[int, Mapping[int, int]],
    n: int = MOST,
) -> list[Suggestion]:
    """Choose unlabelled particles of one or more micrographs, the most useful first.

    Parameters
    ----------
    model : SSRVAE
        Trained; see its `suggest` for how it chooses.
    particles, predictions : mapping of micrograph key
        Extracted particles and what the model says of them, in the same order.
    hand_labels : mapping of micrograph key to mapping of particle id to class id
        Particles with a label are not suggested.
    n : int
        At most so many.

    Returns
    -------
    list of Suggestion
        Empty where all particles are labelled, or the model has fewer than two classes.
    """
    if len(model.classes_) < 2:
        return []
    places, images, probabilities, labelled = [], [], [], []
    for key, part in particles.items():
        ids = part.table["label"].to_numpy(dtype=np.int64)
        known = np.isin(ids, list(hand_labels.get(key, ())))
        places += [Place(key, int(i)) for i in ids[~known]]
        images.append(part.patches[~known])
        labelled.append(part.patches[known])
        probabilities.append(predictions[key].probabilities[~known])
    if not places:
        return []
    known_images = np.concatenate(labelled)
    rows = model.suggest(
        np.concatenate(images), n, labelled=known_images if len(known_images) else None
    )
    p = np.concatenate(probabilities)
    return [_suggestion(places[row], p[row], model.classes_.tolist()) for row in rows.tolist()]


def _suggestion(place: Place, p: np.ndarray, classes: Sequence[int]) -> Suggestion:
    second, first = np.argsort(p)[-2:].tolist()
    return Suggestion(place, classes[first], float(p[first]), classes[second], float(p[second]))

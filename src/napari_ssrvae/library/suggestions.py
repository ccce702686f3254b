"""Which particles to label next, and why, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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
        Extracted particles and what the model says of them, in its classes or in what became of
        them; micrographs of which another model spoke, and particles of which nothing is said, are
        passed over.
    hand_labels : mapping of micrograph key to mapping of particle id to class id
        Particles with a label are not suggested.
    n : int
        At most so many.

    Returns
    -------
    list of Suggestion
        Empty where all particles are labelled, or there are fewer than two classes.
    """
    from napari_ssrvae.library.predictions import model_mark

    mark = model_mark(model)
    of_model = [said for said in predictions.values() if said.model == mark]
    classes = of_model[0].model_classes if of_model else np.empty(0, np.int64)
    if len(classes) < 2:
        return []
    places, images, probabilities, labelled = [], [], [], []
    for key, part in particles.items():
        said = predictions[key]
        if said.model != mark:
            continue
        ids = part.table["label"].to_numpy(dtype=np.int64)
        known = np.isin(ids, list(hand_labels.get(key, ())))
        labelled.append(part.patches[known])
        row = {int(particle): i for i, particle in enumerate(said.particle_ids)}
        asked = [i for i, p in enumerate(ids.tolist()) if p in row and not known[i]]
        places += [Place(key, int(ids[i])) for i in asked]
        images.append(part.patches[asked])
        probabilities.append(said.probabilities[[row[int(ids[i])] for i in asked]])
    if not places:
        return []
    known_images, p = np.concatenate(labelled), np.concatenate(probabilities)
    rows = model.suggest(
        np.concatenate(images),
        n,
        labelled=known_images if len(known_images) else None,
        probabilities=p,
    )
    return [_suggestion(places[row], p[row], classes) for row in rows.tolist()]


def suggestion_of(place: Place, predictions: Predictions) -> Suggestion | None:
    """Return what is now said of a particle; None where nothing is, or of one class only."""
    rows = np.flatnonzero(predictions.particle_ids == place.particle)
    if not len(rows) or len(predictions.model_classes) < 2:
        return None
    return _suggestion(place, predictions.probabilities[rows[0]], predictions.model_classes)


def _suggestion(place: Place, p: NDArray[np.float64], classes: NDArray[np.int64]) -> Suggestion:
    second, first = np.argsort(p)[-2:]
    return Suggestion(
        place, int(classes[first]), float(p[first]), int(classes[second]), float(p[second])
    )

"""What a trained model says about each particle: class, probabilities and latents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_ssrvae.errors import InputError

if TYPE_CHECKING:
    from napari_ssrvae.imaging.particles import Particles
    from napari_ssrvae.learning.estimator import SSRVAE

Ids = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

_BY_ROW = ("particle_ids", "class_ids", "probabilities", "z", "angle", "shift", "scale")


@dataclass(frozen=True)
class Predictions:
    """Class, probabilities and latents of n particles, one row a particle.

    Parameters
    ----------
    particle_ids : (n,) int64
        Ids of the particles in their label image.
    class_ids : (n,) int64
        Most probable class of each particle.
    probabilities : (n, k) float64
        Probability of each class, columns in the order of `model_classes`.
    model_classes : (k,) int64
        Class ids that the model knows, ascending.
    z : (n, d) float64
        Latent coordinates without pose.
    angle : (n,) float64
        Rotation in radians, counter-clockwise as seen on the screen.
    shift : (n, 2) float64
        (y, x) in fractions of the frame.
    scale : (n,) float64
        Magnification; 1 where the model does not know scale.
    model : str or None
        `model_mark` of the model that said it; None where that is not known.
    """

    particle_ids: Ids
    class_ids: Ids
    probabilities: Values
    model_classes: Ids
    z: Values
    angle: Values
    shift: Values
    scale: Values
    model: str | None = None

    def __post_init__(self) -> None:
        n = len(self.particle_ids)
        for name in _BY_ROW:
            if len(getattr(self, name)) != n:
                raise InputError(
                    f"Predictions for {n} particles need {n} rows of {name}, "
                    f"but {len(getattr(self, name))} were given."
                )
        if self.probabilities.shape != (n, len(self.model_classes)):
            raise InputError(
                "Predictions need one probability for each particle and each class of the model."
            )

    def __len__(self) -> int:
        return len(self.particle_ids)

    @property
    def confidence(self) -> Values:
        """(n,) probability of the most probable class."""
        if not len(self):
            return np.empty(0)
        return np.asarray(self.probabilities.max(axis=1))

    @classmethod
    def empty(cls, model_classes: npt.ArrayLike = (), latent_dim: int = 0) -> Predictions:
        """Predictions of no particle at all."""
        classes = np.asarray(model_classes, dtype=np.int64)
        return cls(
            particle_ids=np.empty(0, np.int64),
            class_ids=np.empty(0, np.int64),
            probabilities=np.empty((0, len(classes))),
            model_classes=classes,
            z=np.empty((0, latent_dim)),
            angle=np.empty(0),
            shift=np.empty((0, 2)),
            scale=np.empty(0),
        )

    def merged(self, renumbered: Mapping[int, int]) -> Predictions:
        """Return these with some classes taken for others, or for none.

        The probabilities of classes that become one are added up; those of a class that becomes
        none are shared out among the others.

        Parameters
        ----------
        renumbered : mapping of int to int
            Class id → the class that it becomes, 0 for none; classes that are not named stay.
        """
        become = np.array([renumbered.get(int(c), int(c)) for c in self.model_classes], np.int64)
        classes = np.unique(become[become > 0])
        if not len(classes) or np.array_equal(become, self.model_classes):
            return self
        p = np.stack([self.probabilities[:, become == c].sum(axis=1) for c in classes], axis=1)
        p = (p + 1e-12) / (p + 1e-12).sum(axis=1, keepdims=True)
        return replace(
            self, class_ids=classes[p.argmax(axis=1)], probabilities=p, model_classes=classes
        )

    def subset(self, rows: npt.ArrayLike) -> Predictions:
        """Return these rows, in this order, or those where a mask is True.

        Parameters
        ----------
        rows : (m,) int or (n,) bool
        """
        chosen = np.asarray(rows)
        if not chosen.size:
            chosen = chosen.astype(np.int64)
        return replace(self, **{name: getattr(self, name)[chosen] for name in _BY_ROW})

    def without(self, ids: Iterable[int]) -> Predictions:
        """Return these but for some particles, which need not be among them."""
        gone = np.isin(self.particle_ids, np.fromiter(ids, np.int64))
        return self.subset(~gone) if gone.any() else self

    def updated(self, newer: Predictions) -> Predictions:
        """Return these with newer rows put in place or added, in the order of the ids.

        Raises
        ------
        InputError
            The newer ones speak of other classes or have other latents.
        """
        if not self.agrees_with(newer):
            raise InputError("The predictions are of another model: classify all particles again.")
        older = self.without(newer.particle_ids.tolist())
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(older, name), getattr(newer, name)]) for name in _BY_ROW
        }
        both = replace(self, **joined)
        return both.subset(np.argsort(both.particle_ids, kind="stable"))

    def agrees_with(self, other: Predictions) -> bool:
        """Say whether both are of one model, of the same classes, with as many latents."""
        return (
            self.model == other.model
            and np.array_equal(self.model_classes, other.model_classes)
            and self.z.shape[1] == other.z.shape[1]
        )

    def is_of(self, model: SSRVAE) -> bool:
        """Say whether this model said it, in its own classes."""
        return self.model == model_mark(model) and np.array_equal(
            self.model_classes, model.classes_
        )

    def table(self) -> pd.DataFrame:
        """One row a particle: `label`, `class_id`, `confidence`, `p_<class id>`…, latents.

        Returns
        -------
        pandas.DataFrame
            Columns `label`, `class_id`, `confidence`, `p_1`…, `z1`…, `angle` (radians),
            `shift_y`, `shift_x` (fractions of the frame), `pose_scale`.
        """
        columns: dict[str, Any] = {
            "label": self.particle_ids,
            "class_id": self.class_ids,
            "confidence": self.confidence,
        }
        columns |= {f"p_{c}": self.probabilities[:, i] for i, c in enumerate(self.model_classes)}
        return pd.DataFrame(columns | self.latent_columns())

    def latent_columns(self) -> dict[str, Values]:
        """Columns `z1`…, `angle`, `shift_y`, `shift_x`, `pose_scale`, each (n,) float64."""
        columns = {f"z{i + 1}": self.z[:, i] for i in range(self.z.shape[1])}
        columns["angle"] = self.angle
        columns["shift_y"], columns["shift_x"] = self.shift[:, 0], self.shift[:, 1]
        columns["pose_scale"] = self.scale
        return columns


def model_mark(model: SSRVAE) -> str:
    """Return a word that tells a trained model apart from all others; saved and opened, it stays.

    Parameters
    ----------
    model : SSRVAE
        A trained model.
    """
    # No two trainings have the same losses to the last digit, and they are saved with the model.
    losses = model.history_["loss"].to_numpy(dtype=np.float64)
    return hashlib.sha256(losses.tobytes()).hexdigest()[:12]


def predict_particles(particles: Particles, model: SSRVAE) -> Predictions:
    """Class, probabilities and latents of every particle.

    Parameters
    ----------
    particles : Particles
        May be empty.
    model : SSRVAE
        A trained model that knows classes.

    Returns
    -------
    Predictions
        Rows in the order of `particles.table`.

    Raises
    ------
    NotFittedError
        The model was not trained.
    """
    classes = np.asarray(model.classes_, dtype=np.int64)
    if not len(particles.table):
        return replace(Predictions.empty(classes, int(model.latent_dim)), model=model_mark(model))
    probabilities = np.asarray(model.predict_proba(particles.patches), dtype=np.float64)
    latents = model.encode(particles.patches)
    return Predictions(
        particle_ids=particles.table["label"].to_numpy(dtype=np.int64),
        class_ids=classes[probabilities.argmax(axis=1)],
        probabilities=probabilities,
        model_classes=classes,
        z=np.asarray(latents.z, dtype=np.float64),
        angle=np.asarray(latents.angle, dtype=np.float64),
        shift=np.asarray(latents.shift, dtype=np.float64),
        scale=np.asarray(latents.scale, dtype=np.float64),
        model=model_mark(model),
    )


def decoded_strip(
    model: SSRVAE, class_id: int, z: npt.NDArray[np.float64], n: int = 7
) -> npt.NDArray[np.float32]:
    """Images that the model draws for one class, upright and centred, over the class's own range.

    Parameters
    ----------
    model : SSRVAE
        A trained model.
    class_id : int
        One of its classes.
    z : (m, latent_dim) float64
        Latents of particles of the class: `n` of them, evenly spread by z1, are drawn, so that
        no image is of a z that no particle has. Without any, z = 0.
    n : int
        At most so many images.

    Returns
    -------
    (min(n, max(m, 1)), H, W) float32
    """
    if not len(z):
        z = np.zeros((1, int(model.latent_dim)))
    chosen = np.linspace(0, len(z) - 1, min(n, len(z))).round().astype(int)
    z = z[np.argsort(z[:, 0], kind="stable")[chosen]] if z.shape[1] else z[chosen]
    return np.asarray(model.decode(np.full(len(z), class_id), z), dtype=np.float32)

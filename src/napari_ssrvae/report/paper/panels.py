"""What one panel of a figure holds, and what all experiments share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from napari_ssrvae.learning.estimator import SSRVAE

from . import published
from .sets import Classes, Images, ImageSet, Sizes, agglomerates, training_cards
from .systems import Progress, System, TrainedSystems


@dataclass(frozen=True)
class Comparison:
    """One number of ours beside what the paper says of it."""

    quantity: str
    ours: float
    paper: str = "–"


@dataclass(frozen=True)
class Panel:
    """One panel: everything that its drawing and its JSON need.

    Attributes
    ----------
    name : str
        As in the paper: "3a".
    title : str
        What it shows.
    notes : tuple of str
        Sentences: how many images, and how many the paper has.
    numbers : dict
        Everything drawn that is a number; JSON can hold it.
    compared : tuple of Comparison
        The numbers that matter, beside the paper's.
    pictures : dict
        Images to draw, as arrays.
    """

    name: str
    title: str
    notes: tuple[str, ...]
    numbers: Mapping[str, Any]
    compared: tuple[Comparison, ...] = ()
    pictures: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Study:
    """One run: its sizes, its seed, and the models that its figures share."""

    sizes: Sizes
    trained: TrainedSystems
    progress: Progress

    @property
    def seed(self) -> int:
        """Of every set and every training."""
        return self.trained.seed

    def cards(self, angle: float = published.ANGLE, labelled: int | None = None) -> ImageSet:
        """Return training cards whose unlabelled part is turned by up to `angle` degrees."""
        sizes = self.sizes
        return _training_cards(angle, sizes.unlabelled, labelled or sizes.labelled, self.seed)

    def agglomerates(self) -> ImageSet:
        """Return the set in place of the gold nanoparticles."""
        return _agglomerates(self.sizes.agglomerates, self.seed)

    def model(self, system: System, images: ImageSet) -> SSRVAE:
        """Return a trained system, from the folder where it is there."""
        return self.trained.get(system, images)

    @property
    def test_seed(self) -> int:
        """Of test cards: training cards use the two numbers before it."""
        return 3 * self.seed + 2


# The last sets are kept: the systems of one figure are trained on the same one.
_training_cards = lru_cache(maxsize=2)(training_cards)
_agglomerates = lru_cache(maxsize=1)(agglomerates)


def accuracy(model: Any, X: Images, truth: Classes) -> float:
    """Share of images that are classified rightly."""
    return float((model.predict(X) == truth).mean())


def r_squared(z: NDArray[Any], factor: NDArray[Any]) -> float:
    """How much of a factor the latents tell: held-out R² of a quadratic regression.

    Parameters
    ----------
    z : ndarray
        (n, d) latents.
    factor : ndarray
        (n,) the factor of variation.
    """
    regression = make_pipeline(
        StandardScaler(), PolynomialFeatures(2), RidgeCV(np.logspace(-4, 2, 7))
    )
    told = cross_val_predict(regression, z, factor, cv=5)
    return float(1 - ((factor - told) ** 2).sum() / ((factor - factor.mean()) ** 2).sum())

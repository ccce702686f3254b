"""What is believed of the unlabelled images' classes before the class encoder knows them.

Two teachers see what a few labelled images cannot teach a convolutional network: the registration
(which class's template fits best, in its best pose) and, where that one does badly, a forest on
shape measures. They count by how well they do on labelled images that they have not learnt from;
where neither does better than chance, nobody teaches. Both are gone after training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor

from napari_ssrvae.imaging.outline import shape_and_outline_measures

from .preprocessing import TrainingData

if TYPE_CHECKING:
    from .alignment import Poses

EFFECTIVE = 60  # independent numbers in an image, as far as a class is concerned
TREES = 300
LEAF = 2  # labelled images in a leaf, at least
SHARPNESS = np.geomspace(0.5, 4, 25)
VOTE = 1e-3  # for a class that no tree voted for
MOST = 2000  # images whose shape is measured: 10 ms each
SOME = 200  # images that show how good the registration is
DOUBT = 4.0  # labelled images that the registration's own certainty counts as
ENOUGH = 0.9  # skill of the registration beyond which no forest is asked
LEAST = 0.1  # a forest of less skill has learnt nothing


class ShapeForest:
    """A random forest on the shape of the object in each image.

    Parameters
    ----------
    data : TrainingData
        Images and class indices.
    n_classes : int
        Number of classes.
    seed : int
        For the forest and for the choice of images.

    Attributes
    ----------
    beliefs : ndarray
        (n, k) class probabilities; NaN for images that were not measured.
    skill : float
        How much better than chance it does on labels that its trees have not seen, 0 to 1.
    """

    def __init__(self, data: TrainingData, n_classes: int, seed: int) -> None:
        labelled = np.flatnonzero(data.y >= 0)
        others = np.random.default_rng(seed).permutation(np.flatnonzero(data.y < 0))
        rows = np.concatenate([labelled, others[: max(0, MOST - len(labelled))]])
        lifted = data.normalisation(data.images[rows]) - data.normalisation.background
        bright = np.where(lifted.sum((1, 2)) >= 0, 1, -1)[:, None, None]
        shapes = shape_and_outline_measures(np.asarray(lifted * bright, np.float32))
        y = data.y[labelled]
        forest = RandomForestClassifier(
            TREES,
            min_samples_leaf=LEAF,
            class_weight="balanced",
            oob_score=True,
            random_state=seed,
        ).fit(shapes[: len(labelled)], y)
        held_back = np.nan_to_num(forest.oob_decision_function_, nan=1 / n_classes)
        self.skill = skill(float((forest.classes_[held_back.argmax(1)] == y).mean()), n_classes)
        votes = forest.predict_proba(shapes)
        shares = votes[len(labelled) :].mean(0) if len(rows) > len(labelled) else votes.mean(0)
        sharpness = best_sharpness(held_back, np.searchsorted(forest.classes_, y), shares)
        self.beliefs = np.full((len(data.y), n_classes), np.nan, np.float32)
        self.beliefs[rows] = 0
        self.beliefs[np.ix_(rows, forest.classes_)] = sharpened(votes, sharpness)


class Teachers:
    """What is believed of the unlabelled images, and how far it may be trusted.

    The forest is asked only where the templates do not tell the classes apart: it costs seconds.

    Parameters
    ----------
    data : TrainingData
        Images and class indices.
    poses : Poses
        Where the classes lie in them.
    n_classes : int
        Number of classes.
    seed : int
        For the forest.

    Attributes
    ----------
    by_registration : float
        Skill of the registration, 0 to 1. On few labels, its own certainty stands in for hits.
    """

    def __init__(self, data: TrainingData, poses: Poses, n_classes: int, seed: int) -> None:
        labelled = np.flatnonzero(data.y >= 0)
        tests = np.setdiff1d(labelled, poses.anchors)[:SOME]
        others = np.flatnonzero(data.y < 0)[:SOME]
        device = poses.background.device
        found = poses.trial(data.batch(tests, device) - poses.background)
        hits = int((found.score.argmax(0).cpu().numpy() == data.y[tests]).sum())
        score = poses(others, data.batch(others, device)).score
        sure = float(registration_belief(score).amax(1).mean()) if len(others) else 0.0
        self.by_registration = skill((hits + DOUBT * sure) / (len(tests) + DOUBT), n_classes)
        self.skill = self.by_registration
        self.beliefs: NDArray[np.float32] | None = None
        if self.by_registration < ENOUGH and len(labelled) >= 3 * n_classes:
            forest = ShapeForest(data, n_classes, seed)
            if forest.skill >= LEAST:
                self.skill, self.beliefs = max(self.skill, forest.skill), forest.beliefs

    def __call__(self, rows: NDArray[np.int64], score: Tensor) -> Tensor:
        """Class probabilities (n, k) of some rows, given their correlations (k, n)."""
        belief = registration_belief(score)
        if self.beliefs is None:
            return belief
        by_shape = torch.from_numpy(self.beliefs[rows]).to(belief.device)
        return torch.where(by_shape.isnan(), belief, by_shape)


def registration_belief(score: Tensor) -> Tensor:
    """Class probabilities (n, k) of normalised correlations (k, n).

    The likelihood of a match of correlation r, gain and noise at their best, is
    (1 - r^2)^(-N / 2) with N independent numbers.
    """
    return torch.softmax(-0.5 * EFFECTIVE * torch.log1p(1e-3 - score**2), dim=0).T


def sharpened(beliefs: NDArray[np.float64], sharpness: float) -> NDArray[np.float64]:
    """Votes (n, k) of a forest to a power, as probabilities."""
    powers = (beliefs + VOTE) ** sharpness
    return np.asarray(powers / powers.sum(1, keepdims=True))


def best_sharpness(
    votes: NDArray[np.float64], truth: NDArray[np.int64], shares: NDArray[np.float64]
) -> float:
    """Return the power at which a forest's votes predict labels best that it has not learnt from.

    Votes are no probabilities: where the trees agree, they are too modest. The labels count as
    often as their classes are met (label shift; Lipton et al. 2018): a person who labels as many of
    each class makes the rare and difficult ones too common.

    Parameters
    ----------
    votes : ndarray
        (n, k), of trees that have not learnt from the label.
    truth : ndarray
        (n,) columns.
    shares : ndarray
        (k,) of the classes among the images that are to be classified.
    """
    rows, counts = np.arange(len(truth)), np.bincount(truth, minlength=len(shares))
    weights = (shares / np.maximum(counts, 1))[truth]
    losses = [-(weights * np.log(sharpened(votes, s)[rows, truth])).sum() for s in SHARPNESS]
    return float(SHARPNESS[int(np.argmin(losses))])


def skill(rate: float, n_classes: int) -> float:
    """How much better than chance a rate of right answers is, 0 to 1."""
    return float(np.clip((rate - 1 / n_classes) / (1 - 1 / n_classes), 0, 1))

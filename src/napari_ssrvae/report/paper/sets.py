"""The images that the figures are made of: cards, and simulated agglomerates for the gold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.datasets.card_suits import cards
from napari_ssrvae.datasets.simulation import simulated_micrograph
from napari_ssrvae.imaging.particles import extract_particles

from . import published

Images = NDArray[np.float32]
Classes = NDArray[np.int64]


@dataclass(frozen=True)
class Sizes:
    """How many images the figures are made of; cards are counted for each suit.

    Attributes
    ----------
    unlabelled, labelled : int
        Cards that a model is trained on.
    more_labelled : int
        The same with more labels (Video S3).
    test : int
        Cards of a test set.
    cell : int
        Cards for each cell of Figures 4a, 4e and 4f.
    agglomerates : int
        In the place of the gold nanoparticles.
    angles : tuple of float
        Degrees of Figure 3a.
    slow_seconds : float or None
        Longest training with the paper's own decoder.
    """

    unlabelled: int
    labelled: int
    more_labelled: int
    test: int
    cell: int
    agglomerates: int
    angles: tuple[float, ...]
    slow_seconds: float | None

    @property
    def in_words(self) -> str:
        """What a model of cards is trained on."""
        return f"{4 * self.unlabelled:,} unlabelled and {4 * self.labelled} labelled cards"


# The shares of labels are the paper's, 1 in 15, so that the smaller set is not an easier one.
SMALL = Sizes(500, 33, 165, 250, 100, 477, (4.0, 30.0, 60.0, 90.0, 120.0, 180.0), 240.0)
FULL = Sizes(
    published.UNLABELLED,
    published.LABELLED,
    1000,
    published.TEST,
    published.TEST,
    sum(published.GOLD_COUNTS),
    (4.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0, 120.0, 150.0, 180.0),
    None,
)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images to train on.

    Attributes
    ----------
    name : str
        Words that tell it from other sets.
    made_of : dict
        All numbers that it follows from.
    X : ndarray
        (n, H, W) float32 images in [0, 1].
    y : ndarray
        (n,) int64 classes as training may know them, -1 where it may not.
    truth : ndarray
        (n,) int64 classes.
    """

    name: str
    made_of: dict[str, float]
    X: Images
    y: Classes
    truth: Classes


def training_cards(angle: float, unlabelled: int, labelled: int, seed: int) -> ImageSet:
    """Draw the paper's training cards: labelled ones upright and centred, unlabelled ones not.

    Parameters
    ----------
    angle : float
        Degrees to either side by which the unlabelled cards are turned.
    unlabelled, labelled : int
        Of each suit.
    seed : int
        Same seed, same cards.
    """
    known, suits, _ = cards(
        labelled, published.LABELLED_ANGLE, published.SHEAR, max_shift=0, seed=3 * seed
    )
    unknown, hidden, _ = cards(
        unlabelled, angle, published.SHEAR, published.SHIFT, seed=3 * seed + 1
    )
    return ImageSet(
        name=f"cards ±{angle:g}°",
        made_of={"angle": angle, "unlabelled": unlabelled, "labelled": labelled, "seed": seed},
        X=np.concatenate([known, unknown]),
        y=np.concatenate([suits, np.full(len(hidden), -1)]),
        truth=np.concatenate([suits, hidden]),
    )


def agglomerates(n: int, seed: int) -> ImageSet:
    """Simulate agglomerates of 1 to 4 spheres in place of the paper's gold nanoparticles.

    Those are not public. Ours have its imbalance (304 / 93 / 49 / 31) and its 15 labels a class,
    are cut out along their true outlines, and have no background, as all patches of this package.

    Parameters
    ----------
    n : int
        Agglomerates; 477 gives the paper's numbers of each class.
    seed : int
        Same seed, same agglomerates.

    Returns
    -------
    ImageSet
        Classes 1 to 4 are the numbers of spheres.
    """
    side = int(np.ceil(np.sqrt(n / 200) * 1110))  # as dense as the default micrograph
    micrograph, labels, classes = simulated_micrograph(seed, shape=(side, side), n_particles=n)
    particles = extract_particles(micrograph, labels)
    truth = classes.loc[particles.table["label"]].to_numpy(np.int64)
    y = np.full(len(truth), -1)
    rng = np.random.default_rng(seed)
    for label in np.unique(truth):
        rows = np.flatnonzero(truth == label)
        # In a small set, half of a class stays unlabelled to test with.
        chosen = min(published.GOLD_LABELLED, len(rows) // 2)
        y[rng.choice(rows, chosen, replace=False)] = label
    return ImageSet(
        name="agglomerates",
        made_of={"agglomerates": n, "seed": seed},
        X=particles.patches,
        y=y,
        truth=truth,
    )

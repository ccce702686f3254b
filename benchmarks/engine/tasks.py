"""What is trained on and what is asked afterwards, the same for our model and for its peers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_ssrvae import extract_particles
from napari_ssrvae.datasets import cards, simulated_micrograph

from .agglomerates import agglomerates

Images = NDArray[np.float32]
Labels = NDArray[np.int64]

ANGLES = (4, 60, 120, 180)  # degrees to either side
NOISES = (0.4, 1.0)
DENSITIES = (0.1, 0.2)
PAPER_SHEARS = (0.0, 0.219, 0.312, 0.469)
PAPER_ANGLES = (0, 24, 60, 84, 120, 180)

_PAPERS_IMBALANCE = {1: 304, 2: 93, 3: 49, 4: 31}
_LABELS_A_CLASS = 15
FEWEST = 25
"""Images of a class of the real agglomerates; classes of fewer are left out."""


@dataclass(frozen=True)
class Sizes:
    """How many images: the whole table, or a trial of the benchmark itself."""

    unlabelled: int = 2000
    paper_labelled: int = 200  # a class
    paper_unlabelled: int = 12000
    clean: int = 1000
    spoilt: int = 400
    noisiest: int = 600  # the calibration is read off these as well
    factors: int = 2000
    outliers: int = 250  # of each kind
    imbalance: float = 1.0  # share of the paper's counts
    epochs: int | None = None  # None: the default

    def key(self) -> dict[str, float | None]:
        """Tell a trial's results from the table's."""
        return dict(vars(self))


WHOLE = Sizes()
QUICK = Sizes(
    unlabelled=200,
    paper_labelled=20,
    paper_unlabelled=400,
    clean=100,
    spoilt=40,
    noisiest=40,
    factors=400,
    outliers=25,
    imbalance=0.4,
    epochs=6,
)


@dataclass(frozen=True)
class Task:
    """Images with labels (-1 = unlabelled), and named sets of images with the true labels."""

    X: Images
    y: Labels
    tests: dict[str, tuple[Images, Labels]] = field(default_factory=dict)

    @property
    def labelled(self) -> tuple[Images, Labels]:
        """The labelled images alone, and their labels."""
        known = self.y >= 0
        return self.X[known], self.y[known]

    def thinned(self, n: int) -> Task:
        """Ask about the first n images of each test set alone (they are in random order)."""
        return replace(self, tests={k: (X[:n], y[:n]) for k, (X, y) in self.tests.items()})


def few_labels(seed: int, labels: int, sizes: Sizes) -> Task:
    """Cards: a few upright labelled ones a class, unlabelled and tested at any angle.

    Labelled at ±4° and centred, unlabelled at ±180° and shifted by up to a tenth of the frame.
    """
    X, y = _training(seed, labels, sizes.unlabelled, 180, factor=1)
    tests = {f"{a}°": fresh_cards(seed, sizes.clean, a, stream=10 + a) for a in ANGLES}
    for noise in NOISES:
        n = sizes.noisiest if noise == max(NOISES) else sizes.spoilt
        tests[f"σ {noise}"] = fresh_cards(seed, n, 180, stream=300, noise=noise)
    for density in DENSITIES:
        tests[f"dirt {density:.0%}"] = fresh_cards(
            seed, sizes.spoilt, 180, stream=400, contamination=(density, 1.0)
        )
    return Task(X, y, tests)


def paper(seed: int, sizes: Sizes) -> Task:
    """Make the paper's synthetic experiment and its table of shear by angle (its figure 4a).

    Digital Discovery 2024, 3, 1213: 200 labelled images a class at ±4° and centred, 12,000
    unlabelled ones at ±60°, shift 0.1 and shear 0.23; a cell of the table holds images of up to
    its angle and up to its shear.
    """
    X, y = _training(seed, sizes.paper_labelled, sizes.paper_unlabelled, 60, factor=2)
    tests = {
        f"{shear:.3f} {angle}°": fresh_cards(
            seed, sizes.clean, angle, stream=500 + 10 * i + j, max_shear=shear
        )
        for i, shear in enumerate(PAPER_SHEARS)
        for j, angle in enumerate(PAPER_ANGLES)
    }
    return Task(X, y, tests)


def _training(
    seed: int, labels: int, unlabelled: int, max_angle: float, factor: int
) -> tuple[Images, Labels]:
    upright, classes, _ = cards(labels, 4, max_shift=0, seed=_stream(seed, 100 * factor + labels))
    turned, _, _ = cards(unlabelled // 4, max_angle, seed=_stream(seed, factor))
    unknown = np.full(len(turned), -1)
    return np.concatenate([upright, turned]), np.concatenate([classes, unknown])


def fresh_cards(
    seed: int, n: int, max_angle: float, stream: int, **disorder: object
) -> tuple[Images, Labels]:
    """Draw cards that no model has seen; `stream` tells the sets of one seed apart."""
    images, labels, _ = cards(
        n // 4,
        max_angle,
        seed=_stream(seed, 1000 + stream),
        **disorder,  # type: ignore[arg-type]
    )
    return images, labels


def cards_with_factors(seed: int, n: int) -> tuple[Images, Labels, pd.DataFrame]:
    """Clean cards at ±180° with what they were drawn by."""
    return cards(n // 4, 180, seed=_stream(seed, 2000))


def _stream(seed: int, number: int) -> int:
    """Return a seed of its own for every set of every repetition."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


@lru_cache(maxsize=2)
def imbalanced(seed: int, sizes: Sizes) -> Task:
    """Make simulated agglomerates in the paper's imbalance, 15 labels a class.

    The unlabelled ones are in X and are what is asked.
    """
    wanted = {c: max(20, round(n * sizes.imbalance)) for c, n in _PAPERS_IMBALANCE.items()}
    patches, classes = [], []
    scale = None
    counts = dict.fromkeys(wanted, 0)
    for number in range(50):
        micrograph, labels, truth = simulated_micrograph(_stream(seed, 3000 + number))
        particles = extract_particles(micrograph, labels, 48, scale=scale)
        scale = particles.scale  # one magnification, as a workflow keeps it
        patches.append(particles.patches)
        classes.append(truth.loc[particles.table["label"]].to_numpy())
        counts = {c: int((np.concatenate(classes) == c).sum()) for c in wanted}
        if all(counts[c] >= n for c, n in wanted.items()):
            break
    X, y = np.concatenate(patches), np.concatenate(classes).astype(np.int64)
    rng = np.random.default_rng(_stream(seed, 3999))
    chosen = [rng.permutation(np.flatnonzero(y == c))[:n] for c, n in wanted.items()]
    order = rng.permutation(np.concatenate(chosen))
    return _transductive(X[order], y[order], rng)


def real_agglomerates(name: str, split: int) -> Task:
    """Make one split of the real agglomerates: 15 labels a class, the rest is asked.

    A class of which too few would be left to ask about takes no part.
    """
    X, y = agglomerates(name)
    enough = np.isin(y, np.flatnonzero(np.bincount(y) >= FEWEST))
    return _transductive(X[enough], y[enough], np.random.default_rng(split))


def class_counts(name: str) -> dict[str, str]:
    """Count the real agglomerates of each class, as a line of a table."""
    counts = np.bincount(agglomerates(name)[1])[1:]
    shown = {
        f"{c} particles": f"{n}" if n >= FEWEST else f"{n} (left out)"
        for c, n in enumerate(counts.tolist(), start=1)
    }
    return {"data": name, **shown}


def _transductive(X: Images, truth: Labels, rng: np.random.Generator) -> Task:
    y = np.full(len(X), -1)
    for c in np.unique(truth):
        chosen = rng.permutation(np.flatnonzero(truth == c))[:_LABELS_A_CLASS]
        y[chosen] = c
    unknown = y < 0
    return Task(X, y, {"unlabelled": (X[unknown], truth[unknown])})

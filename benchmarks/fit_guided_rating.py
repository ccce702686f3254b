"""Fit how ratings and strokes are combined, and say what that is worth out of fold.

Every EMPS image is painted on several times (`stroke_data.simulated_strokes`). The ratings are
those of trees that have not seen the image (--folds FILE, see `out_of_fold.py`); a logistic
regression says how much they, the probability inside and its contrast count, for each of the three
ratings. It is fitted on five sixths of the images and tried on the rest, six times, and at last on
all: that prints the weights that stand in `imaging.guided`. F1 is at IoU 0.5, on the shrunk
pictures.
"""

from __future__ import annotations

import argparse
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fit_particle_rating import Example, compared, training_rows
from napari_ssrvae.imaging import Micrograph, PixelClassifier, SegmentationSettings
from napari_ssrvae.imaging.choosing import company, select
from napari_ssrvae.imaging.grain_evidence import grain_evidence
from napari_ssrvae.imaging.guided import _FIRST, _SECOND, Groundwork, guided_rating, pool_guided
from napari_ssrvae.imaging.particle_rating import Trees
from napari_ssrvae.imaging.stroke_evidence import Evidence
from out_of_fold import FOLDS, KINDS, add_option, asked_for, fold_of_each
from segmentation_data import DATA, emps, f1
from stroke_data import simulated_strokes

SEEDS = (101, 102)
LEASTS = (0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
Weights = tuple[float, ...]


@dataclass
class Painted:
    """One image with strokes: its pool, what strokes and network say, and trees new to it."""

    example: Example
    said: Evidence
    grains: np.ndarray
    fold: int
    trees: list[Trees]

    def rate(self, kind: int, rating: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Rate in the company of what was chosen; of the second kind, by the network too."""
        pool = self.example.pool
        columns = [pool.features, company(pool, rating, chosen)]
        return self.trees[kind](np.column_stack([*columns, self.grains][: kind + 1]))


def painted_on(image: np.ndarray, truth: np.ndarray, fold: int, trees: list[Any]) -> list[Painted]:
    """Paint on one image with every seed."""
    micrograph = Micrograph(image.astype(np.float32))
    groundwork = Groundwork.of(micrograph, SegmentationSettings(split_touching=True))
    found = []
    for seed in SEEDS:
        strokes = simulated_strokes(truth, seed)
        sure = PixelClassifier.fit(micrograph, strokes).probability(micrograph)
        pooled = pool_guided(groundwork, *groundwork.shrunk(sure, strokes))
        assert pooled is not None
        pool, said = pooled
        grains = grain_evidence(pool, groundwork.closely.seen)
        rating = [Trees(**one) for one in trees]
        found.append(Painted(compared(pool, truth), said, grains, fold, rating))
    return found


def fitted(some: list[Painted], base: list[np.ndarray]) -> tuple[list[np.ndarray], Weights]:
    """Out-of-fold combinations, and the weights fitted to all images."""
    tables = [
        np.column_stack([rating, one.said.probable, one.said.contrast])
        for rating, one in zip(base, some, strict=True)
    ]
    found: list[Any] = [None] * len(some)
    for fold in range(FOLDS):
        learnt = [k for k, one in enumerate(some) if one.fold != fold]
        weights = _regression([some[k] for k in learnt], [tables[k] for k in learnt])
        for k, one in enumerate(some):
            if one.fold == fold:
                found[k] = guided_rating(weights, base[k], one.said)
    return found, _regression(some, tables)


def _regression(some: list[Painted], tables: list[np.ndarray]) -> Weights:
    from sklearn.linear_model import LogisticRegression

    X, y, weights = training_rows([one.example for one in some], tables)
    model = LogisticRegression(max_iter=500).fit(X, y > 0.5, weights)
    return float(model.intercept_[0]), *(float(v) for v in model.coef_[0])


def report(title: str, some: list[Painted], values: list[np.ndarray]) -> None:
    """Print the mean F1 for several least ratings."""
    for least in LEASTS:
        score = np.mean(
            [
                f1(select(one.example.pool, rating, least)[0], one.example.truth)
                for one, rating in zip(some, values, strict=True)
            ]
        )
        print(f"{title:<11} least {least:.2f}  F1 out of fold {score:.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_option(parser, required=True)
    parser.add_argument("--cache", type=Path, help="keep the proposals in this file between runs")
    arguments = parser.parse_args()
    if not (DATA / "emps").is_dir():
        print(f"EMPS is not at {DATA / 'emps'}: nothing to learn from")
        return
    unseen = asked_for(arguments)
    some: list[Painted] = []
    if arguments.cache and arguments.cache.exists():
        some = pickle.loads(arguments.cache.read_bytes())
    else:
        fold_of = fold_of_each()
        for name, image, truth in emps():
            some += painted_on(image, truth, fold_of[name], unseen[name])
        if arguments.cache:
            arguments.cache.write_bytes(pickle.dumps(some))
    by_itself = [one.trees[0](one.example.pool.features) for one in some]
    rating = by_itself
    for kind, (title, least) in enumerate(zip(KINDS, (_FIRST, _SECOND, None), strict=True)):
        combined, weights = fitted(some, rating)
        print(title, *(f"{v:.2f}" for v in weights))
        report(title, some, combined)
        if least is not None:
            chosen = [
                select(one.example.pool, value, least)[1]
                for one, value in zip(some, combined, strict=True)
            ]
            rating = [
                one.rate(kind + 1, before, those)
                for one, before, those in zip(some, rating, chosen, strict=True)
            ]


if __name__ == "__main__":
    main()

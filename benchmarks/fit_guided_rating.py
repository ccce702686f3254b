"""Fit how ratings and strokes are combined, and say what that is worth out of fold.

Every EMPS image is painted on several times (`stroke_data.simulated_strokes`). The ratings are
those of trees that have not seen the image (--folds FILE of `fit_particle_rating.py`); a logistic
regression says how much they, the probability inside and its contrast count. It is fitted on five
sixths of the images and tried on the rest, six times, and at last on all: that prints the weights
that stand in `imaging.guided`. F1 is at IoU 0.5, on the shrunk pictures.
"""

from __future__ import annotations

import argparse
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fit_particle_rating import FOLDS, Example, compared, training_rows
from napari_ssrvae.imaging import Micrograph, PixelClassifier, SegmentationSettings
from napari_ssrvae.imaging.choosing import company, select
from napari_ssrvae.imaging.guided import _FIRST, Groundwork, guided_rating, pool_guided
from napari_ssrvae.imaging.particle_rating import Trees
from napari_ssrvae.imaging.stroke_evidence import Evidence
from segmentation_data import DATA, emps, f1
from stroke_data import simulated_strokes

SEEDS = (101, 102)
LEASTS = (0.7, 0.75, 0.8, 0.85, 0.9)
Weights = tuple[float, ...]


def examples_of(image: np.ndarray, truth: np.ndarray) -> list[tuple[Example, Evidence]]:
    """Pools of one image for strokes of every seed, and what these say of the segments."""
    micrograph = Micrograph(image.astype(np.float32))
    groundwork = Groundwork.of(micrograph, SegmentationSettings(split_touching=True))
    found = []
    for seed in SEEDS:
        strokes = simulated_strokes(truth, seed)
        sure = PixelClassifier.fit(micrograph, strokes).probability(micrograph)
        pooled = pool_guided(groundwork, *groundwork.shrunk(sure, strokes))
        assert pooled is not None
        found.append((compared(pooled[0], truth), pooled[1]))
    return found


def fitted(
    examples: list[Example], told: list[Evidence], base: list[np.ndarray], folds: np.ndarray
) -> tuple[list[np.ndarray], Weights]:
    """Out-of-fold combinations, and the weights fitted to all images."""
    tables = [
        np.column_stack([rating, said.probable, said.contrast])
        for rating, said in zip(base, told, strict=True)
    ]
    found: list[Any] = [None] * len(examples)
    for fold in range(FOLDS):
        weights = _regression(examples, tables, folds != fold)
        for k in np.flatnonzero(folds == fold):
            found[k] = guided_rating(weights, base[k], told[k])
    return found, _regression(examples, tables, folds >= 0)


def _regression(examples: list[Example], tables: list[np.ndarray], train: np.ndarray) -> Weights:
    from sklearn.linear_model import LogisticRegression

    of = np.flatnonzero(train)
    X, y, weights = training_rows([examples[k] for k in of], [tables[k] for k in of])
    model = LogisticRegression(max_iter=500).fit(X, y > 0.5, weights)
    return float(model.intercept_[0]), *(float(v) for v in model.coef_[0])


def report(title: str, examples: list[Example], values: list[np.ndarray]) -> None:
    """Print the mean F1 for several least ratings."""
    for least in LEASTS:
        score = np.mean(
            [
                f1(select(one.pool, rating, least)[0], one.truth)
                for one, rating in zip(examples, values, strict=True)
            ]
        )
        print(f"{title:<11} least {least:.2f}  F1 out of fold {score:.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folds", type=Path, required=True, help="automatic trees of each fold")
    parser.add_argument("--cache", type=Path, help="keep the proposals there between runs")
    arguments = parser.parse_args()
    if not (DATA / "emps").is_dir():
        print(f"EMPS is not at {DATA / 'emps'}: nothing to learn from")
        return
    stored = json.loads(arguments.folds.read_text())
    examples, told, trees, image_of = [], [], [], []
    for number, (name, image, truth) in enumerate(emps()):
        kept = arguments.cache / f"{name}.pickle" if arguments.cache else None
        if kept and kept.exists():
            found = pickle.loads(kept.read_bytes())
        else:
            found = examples_of(image, truth)
            if kept:
                kept.write_bytes(pickle.dumps(found))
        unseen: list[Callable[[np.ndarray], np.ndarray]] = [Trees(**one) for one in stored[name]]
        for one, said in found:
            examples.append(one)
            told.append(said)
            trees.append(unseen)
            image_of.append(number)
    count = max(image_of) + 1
    fold_of = np.empty(count, dtype=int)
    fold_of[np.random.default_rng(0).permutation(count)] = np.arange(count) % FOLDS
    folds = fold_of[image_of]
    plain = [own[0](one.pool.features) for own, one in zip(trees, examples, strict=True)]
    alone, weights = fitted(examples, told, plain, folds)
    print("alone", *(f"{v:.2f}" for v in weights))
    beside = []
    for own, one, rating, by_itself in zip(trees, examples, alone, plain, strict=True):
        _, chosen = select(one.pool, rating, _FIRST)
        others = company(one.pool, by_itself, chosen)
        beside.append(own[1](np.column_stack([one.pool.features, others])))
    together, weights = fitted(examples, told, beside, folds)
    print("company", *(f"{v:.2f}" for v in weights))
    report("alone", examples, alone)
    report("in company", examples, together)


if __name__ == "__main__":
    main()

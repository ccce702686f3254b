"""Grow the trees that rate segments, and say what they are worth out of fold.

Every image of EMPS that lies in the data folder is proposed once; the trees are then grown on five
sixths of the images and tried on the rest, six times, and at last on all. Prints the mean F1 at
IoU 0.5 on the shrunk pictures; writes `particle_rating.json` with --write, the out-of-fold trees
with --folds FILE (`segmentation.py` measures with them).
"""

from __future__ import annotations

import argparse
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_ssrvae.imaging import choosing, particle_rating
from napari_ssrvae.imaging.annotations import find_annotations
from napari_ssrvae.imaging.choosing import Pool, company, pool_segments, select
from napari_ssrvae.imaging.resolution import prepared, work_factor
from out_of_fold import FOLDS, fold_of_each
from segmentation_data import DATA, emps, f1

ROWS = 900  # segments of an image that are learnt from
TREES = {"max_iter": 50, "max_leaf_nodes": 10, "learning_rate": 0.14}
TARGET = Path(particle_rating.__file__).with_name("particle_rating.json")


@dataclass
class Kept:
    """What choosing needs of a pool, in less memory."""

    shape: tuple[int, int]
    features: np.ndarray
    area: np.ndarray
    centre: np.ndarray
    sign: np.ndarray
    members: np.ndarray
    member_of: np.ndarray
    parts: list[np.ndarray]

    def pixels(self, segment: int) -> np.ndarray:
        """Flat indices of one segment."""
        return self.parts[segment]


@dataclass
class Example:
    """One image: its pool of segments, and how well each fits a true particle."""

    pool: Kept
    iou: np.ndarray
    truth: np.ndarray


def example(image: np.ndarray, truth: np.ndarray) -> Example:
    """Propose the segments of an image and compare each with the truth."""
    pictures, marked = prepared(image, find_annotations(image), work_factor(image.size))
    pool = pool_segments(pictures, marked, (1, -1))
    assert pool is not None
    return compared(pool, truth)


def compared(pool: Pool, truth: np.ndarray) -> Example:
    """Compare each segment of a pool with the instance map of its image."""
    rows, columns = (
        ((np.arange(n) + 0.5) * old / n).astype(int)
        for n, old in zip(pool.shape, truth.shape, strict=True)
    )
    truth = np.unique(truth[np.ix_(rows, columns)], return_inverse=True)[1].reshape(pool.shape)
    kept = keep(pool)
    return Example(kept, best_overlap(kept, truth), truth)


def best_overlap(pool: Kept, truth: np.ndarray) -> np.ndarray:
    """Intersection over union of each segment and the true particle that it fits best."""
    area = np.bincount(truth.ravel())
    iou = np.zeros(len(pool.parts))
    for k, part in enumerate(pool.parts):
        shared = np.bincount(truth.ravel()[part], minlength=len(area))
        iou[k] = np.max(shared[1:] / (area + len(part) - shared)[1:], initial=0)
    return iou


def keep(pool: Pool) -> Kept:
    """Keep what choosing needs."""
    return Kept(
        pool.shape,
        pool.features,
        pool.area,
        pool.centre,
        pool.sign,
        pool.members,
        pool.member_of,
        [pool.pixels(k).astype(np.int32) for k in range(len(pool.area))],
    )


Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def training_rows(
    examples: list[Example],
    features: list[np.ndarray],
    most: list[int] | None = None,
    seed: int = 0,
) -> Rows:
    """Features, ratings and weights: images count alike, particles as much as what is none.

    Of each image up to `most` segments, drawn by lot, are learnt from.
    """
    rng = np.random.default_rng(seed)
    X, y, w = [], [], []
    limits = most or [ROWS] * len(examples)
    for one, table, limit in zip(examples, features, limits, strict=True):
        rows = np.arange(len(one.iou))
        if len(rows) > limit:
            rows = rng.choice(rows, limit, replace=False)
        good = one.iou[rows] > 0.4
        weight = np.where(good, 0.5 / max(good.sum(), 1), 0.5 / max((~good).sum(), 1))
        X.append(table[rows])
        y.append(np.clip((one.iou[rows] - 0.25) / 0.5, 0, 1))
        w.append(weight * one.truth.max() ** 0.25)
    weights = np.concatenate(w)
    return np.concatenate(X), np.concatenate(y), weights / weights.mean()


def grow(rows: Rows, seed: int = 0, share: float = 1.0) -> Any:
    """Fit the trees, each of whose branches may ask for a share of the features."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(
        **TREES,
        min_samples_leaf=40,
        l2_regularization=1.0,
        max_features=share,
        random_state=seed,
    )
    return model.fit(*rows)


def as_numbers(*models: Any) -> dict[str, Any]:
    """Trees of scikit-learn as lists, of one model or of the mean of several."""
    trees = []
    for (predictor,) in (tree for model in models for tree in model._predictors):
        nodes = predictor.nodes
        leaf = nodes["is_leaf"].astype(bool)
        trees.append(
            [
                np.where(leaf, -1, nodes["feature_idx"]).tolist(),
                [float(f"{v:.7g}") if np.isfinite(v) else 0.0 for v in nodes["num_threshold"]],
                nodes["left"].tolist(),
                nodes["right"].tolist(),
                [float(f"{v:.5g}") for v in nodes["value"] / len(models)],
            ]
        )
    start = np.mean([np.ravel(model._baseline_prediction)[0] for model in models])
    return {"start": float(start), "trees": trees}


def ratings(
    examples: list[Example], features: list[np.ndarray], folds: np.ndarray
) -> tuple[list[np.ndarray], list[Any]]:
    """Out-of-fold ratings, and the models of the folds."""
    found: list[Any] = [None] * len(examples)
    models = []
    for fold in range(FOLDS):
        train = [k for k in range(len(examples)) if folds[k] != fold]
        rows = training_rows([examples[k] for k in train], [features[k] for k in train])
        models.append(grow(rows))
        for k in np.flatnonzero(folds == fold):
            found[k] = np.clip(models[-1].predict(features[k]), 0, 1)
    return found, models


def in_company(examples: list[Example], alone: list[np.ndarray]) -> list[np.ndarray]:
    """Features of the second rating."""
    tables = []
    for one, rating in zip(examples, alone, strict=True):
        _, chosen = select(one.pool, rating, choosing._FIRST)
        tables.append(np.column_stack([one.pool.features, company(one.pool, rating, chosen)]))
    return tables


def report(title: str, examples: list[Example], values: list[np.ndarray]) -> None:
    """Print the mean F1 for several least ratings."""
    for least in (0.5, 0.55, 0.6, 0.65, 0.7, 0.75):
        scores = [
            f1(select(one.pool, rating, least)[0], one.truth)
            for one, rating in zip(examples, values, strict=True)
        ]
        print(f"{title:<11} least {least:.2f}  F1 out of fold {np.mean(scores):.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="replace the package's trees")
    parser.add_argument("--folds", type=Path, help="where to write the out-of-fold trees")
    parser.add_argument("--cache", type=Path, help="keep the proposals there between runs")
    arguments = parser.parse_args()
    if not (DATA / "emps").is_dir():
        print(f"EMPS is not at {DATA / 'emps'}: nothing to learn from")
        return
    names, examples = [], []
    for name, image, truth in emps():
        kept = arguments.cache / f"{name}.pickle" if arguments.cache else None
        if kept and kept.exists():
            one = pickle.loads(kept.read_bytes())
        else:
            one = example(image, truth)
            if kept:
                kept.write_bytes(pickle.dumps(one))
        names.append(name)
        examples.append(one)
    fold_of = fold_of_each()
    folds = np.array([fold_of[name] for name in names])
    plain = [one.pool.features for one in examples]
    alone, first = ratings(examples, plain, folds)
    report("alone", examples, alone)
    tables = in_company(examples, alone)
    together, second = ratings(examples, tables, folds)
    report("in company", examples, together)
    if arguments.folds:
        stored = {
            name: [as_numbers(first[fold]), as_numbers(second[fold])]
            for name, fold in zip(names, folds, strict=True)
        }
        arguments.folds.write_text(json.dumps(stored))
    if arguments.write:
        numbers = json.loads(TARGET.read_text()) | {
            # the second rating learns from first ones that are as uncertain as on new images
            "alone": as_numbers(grow(training_rows(examples, plain))),
            "company": as_numbers(grow(training_rows(examples, tables))),
        }
        TARGET.write_text(json.dumps(numbers, separators=(",", ":")) + "\n")
        print(TARGET, f"{TARGET.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()

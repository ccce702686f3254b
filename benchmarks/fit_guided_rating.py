"""Grow the trees that rate segments by strokes too, and say what they are worth out of fold.

Every EMPS image is painted on several times (`stroke_data.simulated_strokes`), and once more with
a classifier that learnt from strokes while none are known on the image, as when it was loaded from
a file. The trees are grown on five sixths of the images and tried on the rest, six times, and at
last on all. Prints the mean F1 at IoU 0.5 on the shrunk pictures, beside that of a simple
combination: a logistic regression on the automatic rating, the probability inside and the
contrast. Writes `guided_rating.json` with --write, the out-of-fold trees with --folds FILE
(`strokes.py` measures with them).
"""

from __future__ import annotations

import argparse
import json
import pickle
from pathlib import Path

import numpy as np

from fit_particle_rating import (
    FOLDS,
    Example,
    as_numbers,
    compared,
    grow,
    ratings,
    training_rows,
)
from napari_ssrvae.imaging import (
    Micrograph,
    PixelClassifier,
    SegmentationSettings,
    guided,
    particle_rating,
)
from napari_ssrvae.imaging.choosing import company, select
from napari_ssrvae.imaging.guided import Groundwork, obedient, pool_guided
from napari_ssrvae.imaging.particle_rating import rate_alone, rate_in_company
from napari_ssrvae.imaging.stroke_evidence import NAMES
from segmentation_data import DATA, emps, f1
from stroke_data import simulated_strokes

TARGET = Path(particle_rating.__file__).with_name("guided_rating.json")
SEEDS = (101, 102, 103)
LEASTS = (0.45, 0.5, 0.55, 0.6, 0.65, 0.7)


def examples_of(image: np.ndarray, truth: np.ndarray) -> list[tuple[Example, np.ndarray]]:
    """Pools of one image for strokes of every seed, and what these say of the segments."""
    micrograph = Micrograph(image.astype(np.float32))
    groundwork = Groundwork.of(micrograph, SegmentationSettings(split_touching=True))
    found = []
    for seed in SEEDS:
        strokes = simulated_strokes(truth, seed)
        sure = PixelClassifier.fit(micrograph, strokes).probability(micrograph)
        for painted in (strokes, None)[: 2 if seed == SEEDS[0] else 1]:
            pooled = pool_guided(groundwork, *groundwork.shrunk(sure, painted))
            assert pooled is not None
            found.append((compared(pooled[0], truth), pooled[1]))
    return found


def in_company(
    examples: list[Example], alone: list[np.ndarray], told: list[np.ndarray]
) -> list[np.ndarray]:
    """Features of the second rating."""
    tables = []
    for one, rating, said in zip(examples, alone, told, strict=True):
        _, chosen = select(one.pool, obedient(rating, said), guided._FIRST)
        beside = company(one.pool, obedient(rating, said), chosen)
        tables.append(np.column_stack([one.pool.features, said, beside]))
    return tables


def simple(examples: list[Example], told: list[np.ndarray], folds: np.ndarray) -> list[np.ndarray]:
    """Out-of-fold ratings of the simple combination."""
    from sklearn.linear_model import LogisticRegression

    tables = []
    for one, said in zip(examples, told, strict=True):
        alone = rate_alone(one.pool.features)
        _, chosen = select(one.pool, alone, 0.65)
        beside = company(one.pool, alone, chosen)
        rating = rate_in_company(np.column_stack([one.pool.features, beside]))
        columns = [said[:, NAMES.index(name)] for name in ("probable", "contrast")]
        tables.append(np.column_stack([rating, *columns]))
    found: list[np.ndarray] = [np.zeros(0)] * len(examples)
    for fold in range(FOLDS):
        train = np.flatnonzero(folds != fold)
        X, y, weights = training_rows([examples[k] for k in train], [tables[k] for k in train])
        model = LogisticRegression().fit(X, y > 0.5, weights)
        for k in np.flatnonzero(folds == fold):
            found[k] = model.predict_proba(tables[k])[:, 1]
    return found


def report(
    title: str, examples: list[Example], values: list[np.ndarray], told: list[np.ndarray]
) -> None:
    """Print the mean F1 with and without strokes known, for several least ratings."""
    blank = np.array([not said[:, NAMES.index("on_particle")].any() for said in told])
    for least in LEASTS:
        scores = np.array(
            [
                f1(select(one.pool, obedient(rating, said), least)[0], one.truth)
                for one, rating, said in zip(examples, values, told, strict=True)
            ]
        )
        print(
            f"{title:<11} least {least:.2f}  F1 out of fold {scores[~blank].mean():.3f}"
            f"  strokes not known {scores[blank].mean():.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="replace the package's trees")
    parser.add_argument("--folds", type=Path, help="where to write the out-of-fold trees")
    parser.add_argument("--cache", type=Path, help="keep the proposals there between runs")
    arguments = parser.parse_args()
    if not (DATA / "emps").is_dir():
        print(f"EMPS is not at {DATA / 'emps'}: nothing to learn from")
        return
    names, examples, told, of_image = [], [], [], []
    for number, (name, image, truth) in enumerate(emps()):
        kept = arguments.cache / f"{name}.pickle" if arguments.cache else None
        if kept and kept.exists():
            found = pickle.loads(kept.read_bytes())
        else:
            found = examples_of(image, truth)
            if kept:
                kept.write_bytes(pickle.dumps(found))
        names.append(name)
        for one, said in found:
            examples.append(one)
            told.append(said)
            of_image.append(number)
    fold_of = np.empty(len(names), dtype=int)
    fold_of[np.random.default_rng(0).permutation(len(names))] = np.arange(len(names)) % FOLDS
    folds = fold_of[of_image]
    report("simple", examples, simple(examples, told, folds), told)
    plain = [np.column_stack([e.pool.features, t]) for e, t in zip(examples, told, strict=True)]
    alone, first = ratings(examples, plain, folds)
    report("alone", examples, alone, told)
    tables = in_company(examples, alone, told)
    together, second = ratings(examples, tables, folds)
    report("in company", examples, together, told)
    if arguments.folds:
        stored = {
            name: {"alone": as_numbers(first[fold]), "company": as_numbers(second[fold])}
            for name, fold in zip(names, fold_of, strict=True)
        }
        arguments.folds.write_text(json.dumps(stored))
    if arguments.write:
        numbers = {
            # the second rating learns from first ones that are as uncertain as on new images
            "alone": as_numbers(grow(training_rows(examples, plain))),
            "company": as_numbers(grow(training_rows(examples, tables))),
        }
        TARGET.write_text(json.dumps(numbers, separators=(",", ":")) + "\n")
        print(TARGET, f"{TARGET.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()

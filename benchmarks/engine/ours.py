"""What is asked of `SSRVAE()` with its defaults; every answer is one cell of the table."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from sklearn.metrics import roc_auc_score

from _common import rate
from napari_ssrvae import SSRVAE

from . import tasks
from .cells import CACHE, Cell, Cells, digest, engine_fingerprint, file_name, own_fingerprint
from .measures import (
    answers,
    calibration_error,
    concentration,
    continuous_latents,
    readable,
)
from .outliers import outliers
from .tasks import Images, Labels, Sizes, Task

SYMMETRY = {0: 1, 1: 1, 2: 1, 3: 2}
"""Turns of each suit onto itself: a diamond looks the same after half a turn."""


@lru_cache(maxsize=2)
def training(data: str, seed: int, sizes: Sizes) -> Task:
    """Return what is trained on and asked, by the data's name."""
    if data == "five labels":
        return tasks.few_labels(seed, 5, sizes)
    if data == "one label":
        return tasks.few_labels(seed, 1, sizes)
    if data == "paper":
        return tasks.paper(seed, sizes)
    if data == "imbalanced":
        return tasks.imbalanced(seed, sizes)
    return tasks.real_agglomerates(data, seed)


@dataclass(frozen=True)
class Fitted:
    """A trained model, what it was trained on, and what that took."""

    model: SSRVAE
    data: str
    seed: int
    sizes: Sizes
    seconds: float
    cpu_seconds: float

    @property
    def task(self) -> Task:
        """The data, drawn only where an answer needs them."""
        return training(self.data, self.seed, self.sizes)


@lru_cache(maxsize=1)
def fitted(data: str, seed: int, sizes: Sizes, fresh: bool) -> Fitted:
    """Train, or read the model that an earlier run has trained with the same code."""
    key = {
        "data": data,
        "seed": seed,
        "sizes": sizes.key(),
        "engine": engine_fingerprint(),
        "code": own_fingerprint("tasks.py", "agglomerates.py"),
    }
    folder = CACHE / "models" / f"{file_name(data)}-{seed}-{digest(key)}"
    times = folder / "fit.json"
    if fresh or not times.exists():
        shutil.rmtree(folder, ignore_errors=True)
        task = training(data, seed, sizes)
        wall, cpu = time.perf_counter(), time.process_time()
        model = SSRVAE(seed=seed, epochs=sizes.epochs).fit(task.X, task.y)
        took = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
        folder.mkdir(parents=True)
        model.save(folder / "model")
        times.write_text(json.dumps(took), encoding="utf-8")
        print(f"  fit, {data}, {seed}: {took['seconds']:.1f} s", file=sys.stderr, flush=True)
    took = json.loads(times.read_text(encoding="utf-8"))
    return Fitted(SSRVAE.load(folder / "model"), data, seed, sizes, **took)


# ------------------------------------------------------------------------------- questions


def accuracies(known: Fitted) -> Cell:
    """Accuracy at each angle (few labels, one label), or in each cell of the paper's table."""
    model, tests = known.model, known.task.tests
    clean = {name: test for name, test in tests.items() if "°" in name}
    found = {name: float((model.predict(X) == y).mean()) for name, (X, y) in clean.items()}
    return {"accuracy": found, "seconds": known.seconds, "cpu_seconds": known.cpu_seconds}


def noise(known: Fitted) -> Cell:
    """Accuracy, calibration and time under noise."""
    return _spoilt(known, [f"σ {level}" for level in tasks.NOISES])


def contamination(known: Fitted) -> Cell:
    """Accuracy, calibration and time under contamination."""
    return _spoilt(known, [f"dirt {density:.0%}" for density in tasks.DENSITIES])


def _spoilt(known: Fitted, names: list[str]) -> Cell:
    found: Cell = {}
    for name in names:
        X, y = known.task.tests[name]
        start = time.perf_counter()
        found[name] = _with_confidence(known.model, X, y)
        found[name]["ms_an_image"] = 1000 * (time.perf_counter() - start) / len(X)
    return found


def _with_confidence(model: SSRVAE, X: Images, y: Labels) -> Cell:
    probabilities = model.predict_proba(X)
    hit = model.classes_[probabilities.argmax(1)] == y
    confidence = probabilities.max(1)
    return {
        **answers(y, model.classes_[probabilities.argmax(1)]),
        "calibration": calibration_error(confidence, hit),
        "confidence": [round(float(c), 5) for c in confidence],
        "hit": [int(h) for h in hit],
    }


def transductive(known: Fitted) -> Cell:
    """Unlabelled images of the training set: recalls, accuracy, calibration."""
    found = _with_confidence(known.model, *known.task.tests["unlabelled"])
    return {**found, "seconds": known.seconds, "cpu_seconds": known.cpu_seconds}


def pose(known: Fitted) -> Cell:
    """Circular concentration of the angle's error for each suit."""
    X, truth, factors = tasks.cards_with_factors(known.seed, known.sizes.factors)
    error = known.model.encode(X).angle - factors["angle"].to_numpy()
    return {
        str(suit): concentration(error[truth == suit], turns) for suit, turns in SYMMETRY.items()
    }


def factors(known: Fitted) -> Cell:
    """R² of scale and shear, read from all continuous latents."""
    X, _, truth = tasks.cards_with_factors(known.seed, known.sizes.factors)
    latents = known.model.encode(X)
    return dict(readable(continuous_latents(latents), latents.y, truth, ("scale", "shear")))


def reject(known: Fitted) -> Cell:
    """AUROC of `novelty`: fresh cards against each kind of outlier, and against all."""
    X, _, _ = tasks.cards_with_factors(known.seed, known.sizes.factors)
    inside = known.model.novelty(X[: known.sizes.clean])
    scores = {
        kind: known.model.novelty(images)
        for kind, images in outliers(known.sizes.outliers, known.seed).items()
    }
    scores["all"] = np.concatenate(list(scores.values()))
    return {
        kind: float(roc_auc_score([0] * len(inside) + [1] * len(out), [*inside, *out]))
        for kind, out in scores.items()
    }


def speed(known: Fitted) -> Cell:
    """Clean patches a second, by default and in the fast setting; milliseconds of a noisy one."""
    X, _, _ = tasks.cards_with_factors(known.seed, known.sizes.factors)
    noisy, _ = known.task.tests[f"σ {max(tasks.NOISES)}"]
    predict = known.model.predict
    return {
        "default": rate(predict, X),
        "fast": rate(partial(predict, fast=True), X),
        "noisy_ms": 1000 / rate(predict, noisy[:100], repeats=1),
    }


QUESTIONS: dict[str, tuple[str, Callable[[Fitted], Cell]]] = {
    "few_labels": ("five labels", accuracies),
    "one_label": ("one label", accuracies),
    "paper": ("paper", accuracies),
    "noise": ("five labels", noise),
    "contamination": ("five labels", contamination),
    "imbalance": ("imbalanced", transductive),
    "pose": ("five labels", pose),
    "factors": ("five labels", factors),
    "reject": ("five labels", reject),
    "speed": ("five labels", speed),
    "bam_tio2": ("bam_tio2", transductive),
    "emps": ("emps", transductive),
}
"""Each cell's data, and what is asked of a model trained on them."""


def answer(question: str, seed: int, sizes: Sizes, cells: Cells) -> Cell:
    """Return one cell, measured where it is not kept."""
    data, ask = QUESTIONS[question]
    key = {
        "question": question,
        "seed": seed,
        "sizes": sizes.key(),
        "engine": engine_fingerprint(),
        "code": own_fingerprint(
            "tasks.py", "agglomerates.py", "ours.py", "measures.py", "outliers.py"
        ),
    }
    name = f"{question}, SSRVAE, {seed}"
    return cells.get(name, key, lambda: ask(fitted(data, seed, sizes, cells.fresh)))

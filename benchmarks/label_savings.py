"""How many labels `suggest` saves against labelling at random. Defaults only.

Both strategies start from the same few random labels and the same model, label the same number of
images a round, and train on (``resume=True``). What counts is the accuracy on the images that are
still unlabelled, all of which the model sees in training. A strategy that reaches with 20 labels
what random labels reach with 40 saves half of them.

Sets: cards at ±180° and the paper's largest shear, with noise, one label a class at the start; the
real agglomerates of 1 to 4 particles, three labels a class (skipped where they are missing).
A seed of a set is 9 fits, 8 of them resumed (half as long); finished seeds are kept in
`benchmarks/cache` and not run again.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _common import table, write_json
from engine.agglomerates import NAMES, agglomerates, realdata
from engine.cells import Cells, engine_fingerprint, own_fingerprint
from engine.measures import answers
from napari_ssrvae import SSRVAE
from napari_ssrvae.datasets import cards

STRATEGIES = ("random", "suggest")
PROTOCOL = 1  # raise it where what is measured changes: kept results are then measured anew

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Task:
    """A set of images with all their classes, and how it is labelled."""

    load: Callable[[int], tuple[NDArray[np.float32], Indices]]
    first: int  # labels a class at the start
    added: int  # labels a round
    rounds: int = 4


def _cards(seed: int) -> tuple[NDArray[np.float32], Indices]:
    images, y, _ = cards(150, 180, max_shear=0.47, noise=0.3, seed=4000 + seed)
    return images, y


def _agglomerates(name: str, seed: int) -> tuple[NDArray[np.float32], Indices]:
    return agglomerates(name)


TASKS = {
    "cards": Task(_cards, first=1, added=4),
    **{name: Task(partial(_agglomerates, name), first=3, added=8) for name in NAMES},
}


def one_seed(task: Task, seed: int, epochs: int | None) -> dict[str, list[dict[str, Any]]]:
    """Accuracy after each round, by strategy."""
    X, truth = task.load(seed)
    start = _some_of_each(truth, task.first, seed)
    with tempfile.TemporaryDirectory() as folder:
        SSRVAE(seed=seed, epochs=epochs).fit(X, _hidden(truth, start)).save(f"{folder}/start")
        return {
            strategy: _curve(SSRVAE.load(f"{folder}/start"), X, truth, start, task, seed, strategy)
            for strategy in STRATEGIES
        }


def _curve(
    model: SSRVAE,
    X: NDArray[np.float32],
    truth: Indices,
    labelled: Indices,
    task: Task,
    seed: int,
    strategy: str,
) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(task.rounds + 1):
        rest = np.setdiff1d(np.arange(len(X)), labelled)
        rows.append({"labels": len(labelled), **answers(truth[rest], model.predict(X[rest]))})
        if number == task.rounds:
            return rows
        if strategy == "random":
            more = rng.choice(len(rest), task.added, replace=False)
        else:
            more = model.suggest(X[rest], task.added, X[labelled])
        labelled = np.concatenate([labelled, rest[more]])
        model.fit(X, _hidden(truth, labelled), resume=True)
    raise AssertionError("unreachable")


def _some_of_each(truth: Indices, n: int, seed: int) -> Indices:
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.choice(np.flatnonzero(truth == c), n, replace=False) for c in np.unique(truth)]
    )


def _hidden(truth: Indices, labelled: Indices) -> Indices:
    y = np.full(len(truth), -1)
    y[labelled] = truth[labelled]
    return y


def kept_or_run(
    cells: Cells, name: str, seed: int, epochs: int | None
) -> dict[str, list[dict[str, Any]]]:
    """One seed of one set, from the cache where it was run before."""
    task = TASKS[name]
    key = {
        "protocol": PROTOCOL, "first": task.first, "added": task.added, "rounds": task.rounds,
        "epochs": epochs, "set": name, "seed": seed, "engine": engine_fingerprint(),
        "data": own_fingerprint("agglomerates.py"),
    }  # fmt: skip
    return cells.get(f"label savings {name} {seed}", key, lambda: one_seed(task, seed, epochs))


def accuracies(name: str, seeds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean over the seeds for each number of labels."""
    rows = []
    for number, labels in enumerate(entry["labels"] for entry in seeds[0]["random"]):
        row: dict[str, Any] = {"set": name, "labels": labels, "seeds": len(seeds)}
        for measure in ("accuracy", "balanced"):
            by = {s: np.array([c[s][number][measure] for c in seeds]) for s in STRATEGIES}
            row |= {f"{measure}: {s}": float(by[s].mean()) for s in STRATEGIES}
            gain = by["suggest"] - by["random"]
            row[f"{measure}: gain"] = float(gain.mean())
        rows.append(row)
    return rows


def savings(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Labels that either strategy needs to reach what random labels reach after each round."""
    labels = np.array([row["labels"] for row in rows], float)
    curves = {s: np.maximum.accumulate([row[f"accuracy: {s}"] for row in rows]) for s in STRATEGIES}
    found = []
    for target in np.unique(curves["random"])[1:]:
        needed = {s: _reached(labels, curves[s], target) for s in STRATEGIES}
        found.append(
            {
                "set": name,
                "to reach": float(target),
                **needed,
                "ratio": needed["suggest"] / needed["random"],
            }
        )
    return found


def _reached(labels: NDArray[np.float64], curve: NDArray[np.float64], target: float) -> float:
    """Labels at which a rising curve passes the target; inf where it never does."""
    at = int(np.searchsorted(curve, target))
    if at == len(curve):
        return float("inf")
    if at == 0:
        return float(labels[0])
    share = (target - curve[at - 1]) / (curve[at] - curve[at - 1])
    return float(labels[at - 1] + share * (labels[at] - labels[at - 1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--sets", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--epochs", type=int, help="shorter fits, to try the benchmark itself")
    parser.add_argument("--fresh", action="store_true", help="run again what is in the cache")
    options = parser.parse_args()
    names = [n for n in options.sets if n == "cards" or realdata() is not None]
    for name in set(options.sets) - set(names):
        print(f"{name}: skipped, the real micrographs are missing (set SSRVAE_REALDATA)")
    fits = options.seeds * sum(1 + len(STRATEGIES) * TASKS[n].rounds for n in names)
    print(f"{fits} fits, of which {options.seeds * len(names)} anew and the others resumed")
    cells, rows, saved = Cells(options.fresh), [], []
    for name in names:
        seeds = [kept_or_run(cells, name, seed, options.epochs) for seed in range(options.seeds)]
        rows += (these := accuracies(name, seeds))
        saved += savings(name, these)
    table(rows)
    print("\nLabels needed to reach what random labels reach (ratio below 1: suggest saves)")
    table(saved)
    name = "label_savings" if options.epochs is None else "label_savings_trial"
    # JSON has no infinity: None stands for "not reached".
    plain = [{k: None if v == float("inf") else v for k, v in row.items()} for row in saved]
    write_json(name, {"settings": vars(options), "accuracies": rows, "savings": plain})


if __name__ == "__main__":
    main()

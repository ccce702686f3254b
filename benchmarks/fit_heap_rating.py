"""Grow the trees that rate what a first choice left out of heaps, and say what they are worth.

Learns from EMPS and from the titanium dioxide of BAM. EMPS is tried in the folds of
`fit_particle_rating.py` (whose --folds file is given, so that the first choice is one of trees that
have not seen the image), BAM with one image left out at a time. Prints the mean F1 at IoU 0.5 on
the shrunk pictures; adds the trees to FILE, and with --write to `particle_rating.json`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fit_particle_rating import (
    TARGET,
    Example,
    as_numbers,
    best_overlap,
    grow,
    keep,
    training_rows,
)
from napari_ssrvae.imaging import heaps, particle_rating
from napari_ssrvae.imaging.annotations import find_annotations
from napari_ssrvae.imaging.choosing import choose, pool_segments
from napari_ssrvae.imaging.finding import WORK_PIXELS, nearest_pixels, shrink
from napari_ssrvae.imaging.proposals import versions
from segmentation_data import bam, emps, f1

LEASTS = (0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75)


@dataclass
class Heap:
    """One image after the first choice: what was chosen, and the parts of the rest, if any."""

    name: str
    labels: np.ndarray
    truth: np.ndarray
    rest: Example | None
    features: np.ndarray

    def score(self, rating: np.ndarray | None, least: float) -> float:
        """F1 with the parts that are rated well."""
        if self.rest is None or rating is None:
            return f1(self.labels, self.truth)
        return f1(heaps.joined(self.labels, self.rest.pool, rating, least), self.truth)


def heap(name: str, image: np.ndarray, truth: np.ndarray, trees: list[Any]) -> Heap:
    """Choose particles with trees that have not seen the image, and propose the rest."""
    factor = min(1.0, (WORK_PIXELS / image.size) ** 0.5)
    small = shrink(image, factor)
    marked = shrink(find_annotations(image), factor) > 0.3
    pictures = versions(small, marked)
    pool = pool_segments(pictures, marked, (1, -1))
    assert pool is not None
    particle_rating._trees = lambda kind: trees[kind == "company"]  # type: ignore
    labels, chosen, _ = choose(pool)
    truth = truth[np.ix_(*nearest_pixels(small.shape, truth.shape))]
    truth = np.unique(truth, return_inverse=True)[1].reshape(small.shape)
    rest = heaps.pool_rest(pictures, marked, pool, labels, chosen)
    if rest is None:
        return Heap(name, labels, truth, None, np.zeros((0, 0)))
    kept = keep(rest)
    features = heaps.beside(rest, pool, chosen)
    return Heap(name, labels, truth, Example(kept, best_overlap(kept, truth), truth), features)


def learn(some: list[Heap]) -> Any:
    """Grow trees on images that have a rest."""
    some = [one for one in some if one.rest is not None]
    return grow(training_rows([one.rest for one in some], [one.features for one in some]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "folds", type=Path, help="trees of each fold, to which those here are added"
    )
    parser.add_argument("--write", action="store_true", help="replace the package's trees")
    arguments = parser.parse_args()
    folds = json.loads(arguments.folds.read_text())
    stored = json.loads(TARGET.read_text())
    package = [stored["alone"], stored["company"]]
    images = {"EMPS": list(emps()), "BAM": list(bam())}
    found: dict[str, list[Heap]] = {}
    for group, some in images.items():
        found[group] = []
        for name, image, truth in some:
            folds[name] = folds.get(name, package)[:2]
            trees = [particle_rating.Trees(**one) for one in folds[name]]
            found[group].append(heap(name, image, truth, trees))
    every = found["EMPS"] + found["BAM"]
    # images whose first trees are the same are one fold
    fold = {one.name: json.dumps(folds[one.name][0]) for one in found["EMPS"]}
    fold |= {one.name: one.name for one in found["BAM"]}
    scores: dict[str, list[list[float]]] = {"EMPS": [], "BAM": []}
    for part in dict.fromkeys(fold.values()):
        model = learn([one for one in every if fold[one.name] != part])
        for group, some in found.items():
            for one in some:
                if fold[one.name] == part:
                    folds[one.name].append(as_numbers(model))
                    rating = None if one.rest is None else model.predict(one.features)
                    scores[group].append(
                        [one.score(None, 1)] + [one.score(rating, least) for least in LEASTS]
                    )
    for group, rows in scores.items():
        first, *means = np.mean(rows, axis=0)
        print(f"{group}: first choice {first:.3f}; with parts rated at least", end=" ")
        print(", ".join(f"{a}: {b:.3f}" for a, b in zip(LEASTS, means, strict=True)), flush=True)
    arguments.folds.write_text(json.dumps(folds))
    if arguments.write:
        stored["heap"] = as_numbers(learn(every))
        TARGET.write_text(json.dumps(stored, separators=(",", ":")) + "\n")
        print(TARGET, f"{TARGET.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()

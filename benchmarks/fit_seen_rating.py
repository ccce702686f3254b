"""Grow the trees that rate segments by what the network saw, and say what they are worth.

The network has seen drawn heaps only. Learns from EMPS, in the folds of `fit_particle_rating.py`
(whose --folds file is given, so that the ratings before are of trees that have not seen the image);
BAM is learnt from nowhere, unless --bam says so: then with one image left out at a time. Prints the
mean F1 at IoU 0.5 on the shrunk pictures; adds the trees to FILE, and with --write to
`particle_rating.json`.
"""

from __future__ import annotations

import argparse
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fit_particle_rating import ROWS, TARGET, Example, as_numbers, compared, grow, training_rows
from napari_ssrvae.imaging.annotations import find_annotations
from napari_ssrvae.imaging.choosing import choose, pool_described, select
from napari_ssrvae.imaging.grain_evidence import told
from napari_ssrvae.imaging.grain_proposals import Closely
from out_of_fold import add_option, asked_for, fold_of_each, rated_by
from segmentation_data import bam, emps, f1

LEASTS = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
SETS, SHARE = 4, 0.4  # of trees, and of the features that a branch may ask for
OF_BAM = 3  # times as many segments of an image of BAM: these few have the most grains


@dataclass
class Seen:
    """One image: its pool, what is known of each segment, and the choice without the network."""

    name: str
    example: Example
    features: np.ndarray
    before: np.ndarray
    of_bam: bool

    def score(self, rating: np.ndarray, least: float) -> float:
        """F1 of what is chosen."""
        return f1(select(self.example.pool, rating, least)[0], self.example.truth)


def look(
    name: str, image: np.ndarray, truth: np.ndarray, trees: list[Any], *, of_bam: bool
) -> Seen:
    """Propose the segments of an image, rated by trees that have not seen it."""
    image = image.astype(np.float32)
    with rated_by(trees):
        closely = Closely.looked_at(image, find_annotations(image), (1, -1))
        pool = pool_described(closely.described)
        assert pool is not None
        labels, chosen, rating = choose(pool)
    features = told(pool, chosen, rating, closely.seen)
    return Seen(name, compared(pool, truth), features, labels, of_bam)


def learn(some: list[Seen]) -> list[Any]:
    """Grow several sets of trees: one alone is the better or the worse for its luck by 0.01."""
    examples, features = [one.example for one in some], [one.features for one in some]
    most = [ROWS * (OF_BAM if one.of_bam else 1) for one in some]
    sets = (training_rows(examples, features, most, seed) for seed in range(SETS))
    return [grow(rows, seed, SHARE) for seed, rows in enumerate(sets)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_option(parser, required=True)
    parser.add_argument("--bam", action="store_true", help="learn from BAM too")
    parser.add_argument("--cache", type=Path, help="keep the proposals in this file between runs")
    parser.add_argument("--write", action="store_true", help="replace the package's trees")
    arguments = parser.parse_args()
    unseen = asked_for(arguments)
    folds = {name: trees[:2] for name, trees in unseen.items() if name in fold_of_each()}
    if arguments.cache and arguments.cache.exists():
        found = pickle.loads(arguments.cache.read_bytes())
    else:
        found = {
            group: [look(*one, folds.get(one[0], []), of_bam=group == "BAM") for one in images]
            for group, images in (("EMPS", emps()), ("BAM", bam()))
        }
        if arguments.cache:
            arguments.cache.write_bytes(pickle.dumps(found))
    fold: dict[str, int | str] = {**fold_of_each()}
    fold |= {one.name: one.name if arguments.bam else "BAM" for one in found["BAM"]}
    stored = json.loads(TARGET.read_text())
    package = [stored["alone"], stored["company"]]
    known = found["EMPS"] + (found["BAM"] if arguments.bam else [])
    scores: dict[str, list[list[float]]] = {"EMPS": [], "BAM": []}
    for part in dict.fromkeys(fold.values()):
        models = learn([one for one in known if fold[one.name] != part])
        for group, some in found.items():
            for one in some:
                if fold[one.name] == part:
                    folds[one.name] = [*folds.get(one.name, package)[:2], as_numbers(*models)]
                    rating = np.mean([model.predict(one.features) for model in models], axis=0)
                    before = f1(one.before, one.example.truth)
                    scores[group].append([before, *(one.score(rating, x) for x in LEASTS)])
    for group, rows in scores.items():
        first, *means = np.mean(rows, axis=0)
        print(f"{group}: without the network's say {first:.3f}; rated at least", end=" ")
        print(", ".join(f"{a}: {b:.3f}" for a, b in zip(LEASTS, means, strict=True)), flush=True)
    arguments.folds.write_text(json.dumps(folds))
    if arguments.write:
        kept = {"alone": stored["alone"], "company": stored["company"]}
        kept["seen"] = as_numbers(*learn(known))
        TARGET.write_text(json.dumps(kept, separators=(",", ":")) + "\n")
        print(TARGET, f"{TARGET.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()

"""Trees that have not seen an image, in the place of the package's.

A figure that counts is taken out of fold: EMPS falls into six parts by lot, and what rates the
segments of one part was grown on the other five.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from napari_ssrvae.imaging import particle_rating
from napari_ssrvae.imaging.particle_rating import Trees
from segmentation_data import emps_names

FOLDS = 6
KINDS = ("alone", "company", "seen")
Unseen = dict[str, list[dict[str, Any]]]
"""Of each image the trees that have not seen it, for as many of `KINDS` as were grown."""


def fold_of_each() -> dict[str, int]:
    """Fold of each image of EMPS, drawn by lot."""
    names = emps_names()
    order = np.random.default_rng(0).permutation(len(names))
    return {names[k]: place % FOLDS for place, k in enumerate(order)}


def add_option(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Add the option --folds."""
    parser.add_argument(
        "--folds",
        type=Path,
        required=required,
        help="trees of each fold, of fit_particle_rating.py and fit_seen_rating.py",
    )


def asked_for(arguments: argparse.Namespace) -> Unseen:
    """Read the file that --folds names; nothing without it."""
    return json.loads(arguments.folds.read_text()) if arguments.folds else {}


@contextmanager
def rated_by(trees: list[dict[str, Any]]) -> Iterator[None]:
    """Rate segments by these trees; of kinds that they lack, by the package's."""
    own = particle_rating._trees
    others = {kind: Trees(**one) for kind, one in zip(KINDS, trees, strict=False)}
    particle_rating._trees = lambda kind: others.get(kind) or own(kind)  # type: ignore
    try:
        yield
    finally:
        particle_rating._trees = own

"""The peers' cells, and the table that puts them beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import tasks
from .cells import Cell, Cells, own_fingerprint, package_fingerprint
from .measures import answers
from .ours import training
from .peers import PEERS, SHARED, SOURCES
from .tasks import Sizes

ASKED = 400
"""Images of each test set that the peers are asked about: their features take long."""

FEWER: dict[str, int] = {"CNN + rotations": 3, "pyroVED": 1}
"""Seeds and splits of the slow peers; the others take all."""

SETTINGS: dict[str, tuple[str, ...]] = {
    "five labels": ("few_labels", "noise", "contamination", "hard_cards"),
    "one label": ("one_label",),
    "imbalanced": ("imbalance",),
    "bam_tio2": ("agglomerates",),
    "emps": ("agglomerates",),
}
"""What the peers are trained on, and the rows of the table that it belongs to."""


def peer_cell(peer: str, setting: str, seed: int, sizes: Sizes, cells: Cells) -> Cell:
    """Accuracies of a peer on each test set of a setting."""
    files = ("tasks.py", "agglomerates.py", "measures.py", *SOURCES.get(peer, ("peers.py",)))
    key = {
        "peer": peer,
        "setting": setting,
        "seed": seed,
        "asked": ASKED,
        "sizes": sizes.key(),
        "code": own_fingerprint(*files),
        "shared": package_fingerprint(*SHARED.get(peer, ())),
    }

    def measure() -> Cell:
        task = training(setting, seed, sizes).thinned(ASKED)
        found = PEERS[peer](task, seed)
        return {name: answers(truth, found[name]) for name, (_, truth) in task.tests.items()}

    return cells.get(f"{setting}, {peer}, {seed}", key, measure)


def seeds_of(peer: str, wanted: int) -> range:
    """Seeds (or splits) that a peer is measured on."""
    return range(min(wanted, FEWER.get(peer, wanted)))


def comparison(
    peers: Mapping[str, Mapping[str, Sequence[Cell]]], ours: Mapping[str, Sequence[Cell]]
) -> list[dict[str, Any]]:
    """One line a method: medians over the seeds, means over the splits.

    Parameters
    ----------
    peers
        Cells by peer and setting.
    ours
        Our cells by question.
    """
    lines = [{"method": "SSRVAE", **_ours(ours)}]
    lines += [{"method": peer, **_theirs(found)} for peer, found in peers.items()]
    columns = list(dict.fromkeys(name for line in lines for name in line))
    return [{name: line.get(name, "-") for name in columns} for line in lines]


def _worst_angle(cell: Cell) -> float:
    return min(cell[f"{angle}°"]["accuracy"] for angle in tasks.ANGLES)


def _theirs(found: Mapping[str, Sequence[Cell]]) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for setting, column in (("five labels", "5 labels"), ("one label", "1 label")):
        if found.get(setting):
            line[column] = _median([_worst_angle(cell) for cell in found[setting]])
    for name in _spoilt():
        if found.get("five labels"):
            line[name] = _median([cell[name]["accuracy"] for cell in found["five labels"]])
    if found.get("imbalanced"):
        recalls = [min(c["unlabelled"]["recalls"].values()) for c in found["imbalanced"]]
        line["imbalance"] = _median(recalls)
    for name in ("bam_tio2", "emps"):
        if found.get(name):
            line.update(_both(name, [cell["unlabelled"] for cell in found[name]]))
    return line


def _ours(found: Mapping[str, Sequence[Cell]]) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for question, column in (("few_labels", "5 labels"), ("one_label", "1 label")):
        if found.get(question):
            line[column] = _median([min(c["accuracy"].values()) for c in found[question]])
    for question in ("noise", "contamination"):
        for name in _spoilt():
            if found.get(question) and name in found[question][0]:
                line[name] = _median([cell[name]["accuracy"] for cell in found[question]])
    if found.get("imbalance"):
        line["imbalance"] = _median([min(c["recalls"].values()) for c in found["imbalance"]])
    for name in ("bam_tio2", "emps"):
        if found.get(name):
            line.update(_both(name, found[name]))
    return line


def _spoilt() -> list[str]:
    return [f"σ {n}" for n in tasks.NOISES] + [f"dirt {d:.0%}" for d in tasks.DENSITIES]


def _both(name: str, cells: Sequence[Cell]) -> dict[str, str]:
    accuracy, balanced = (np.mean([c[k] for c in cells]) for k in ("accuracy", "balanced"))
    return {name: f"{accuracy:.3f} / {balanced:.3f}"}


def _median(values: Sequence[float]) -> str:
    return f"{np.median(values):.3f}"

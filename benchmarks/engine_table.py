"""The engine's table: what `SSRVAE()` must reach, what it reaches, and what its peers reach.

Every cell (question, seed, method) is kept in `benchmarks/cache`: a run that was ended goes on
where it stopped, and a changed engine measures its own cells anew. Five seeds on the cards, ten
splits on the real agglomerates (which need the folder that SSRVAE_REALDATA names, or shared/data
beside the checkout; without it those rows are left out).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from _common import table, write_json
from engine import agglomerates, ours, rows, tasks
from engine.cells import Cell, Cells
from engine.comparison import FEWER, SETTINGS, comparison, peer_cell, seeds_of
from engine.peers import PEERS
from engine.pyroved_peer import NOTE

SPLITS = 10
Lines = list[dict[str, Any]]
OurCells = dict[str, list[Cell]]
PeerCells = dict[str, dict[str, list[Cell]]]


def measured(options: argparse.Namespace, cells: Cells) -> OurCells:
    """Return our cells of the chosen rows; those of one fit one after another."""
    wanted = {row.question for row in rows.ROWS if row.name in options.rows}
    if "agglomerates" in options.rows:
        wanted |= set(agglomerates.NAMES)
    jobs = [
        (ours.QUESTIONS[question][0], seed, question)
        for question in ours.QUESTIONS
        if question in wanted
        for seed in range(options.splits if question in agglomerates.NAMES else options.seeds)
    ]
    found: OurCells = {question: [] for question in ours.QUESTIONS if question in wanted}
    for _, seed, question in sorted(jobs, key=lambda job: job[:2]):
        found[question].append(ours.answer(question, seed, options.sizes, cells))
    return found


def measured_peers(options: argparse.Namespace, cells: Cells) -> PeerCells:
    """Return the peers' cells of the chosen rows."""
    found: PeerCells = {}
    for peer in _chosen_peers(options):
        found[peer] = {}
        for setting, belongs in SETTINGS.items():
            if not set(belongs) & set(options.rows):
                continue
            count = options.splits if setting in agglomerates.NAMES else options.seeds
            found[peer][setting] = [
                peer_cell(peer, setting, seed, options.sizes, cells)
                for seed in seeds_of(peer, count)
            ]
    return found


def _chosen_peers(options: argparse.Namespace) -> list[str]:
    if not options.peers:  # the table itself needs these
        return ["forest, pixels", "forest, shape"]
    return [peer for peer in PEERS if not (options.quick and peer == "pyroVED")]


def judged(options: argparse.Namespace, found: OurCells, peers: PeerCells) -> Lines:
    """Return the lines of the table of targets."""
    lines = [
        {"row": row.name, **figure.judged(found[row.question]), "data": row.data}
        for row in rows.ROWS
        if row.name in options.rows
        for figure in row.figures
    ]
    if "hard_cards" in options.rows:
        line = rows.HARD_CARDS.judged(peers["forest, pixels"]["five labels"])
        lines.append({"row": "hard_cards", **line, "data": "5 labels a class"})
    if "agglomerates" in options.rows:
        lines += rows.agglomerate_calibration({name: found[name] for name in agglomerates.NAMES})
    return lines


def extras(found: OurCells) -> dict[str, Lines]:
    """Return tables that say more about single rows."""
    more: dict[str, Lines] = {}
    if found.get("paper"):
        more["The paper's table: median accuracy by shear and angle"] = [
            {"shear": f"{shear:.3f}"} | {
                f"{angle}°": _median(found["paper"], "accuracy", f"{shear:.3f} {angle}°")
                for angle in tasks.PAPER_ANGLES
            }
            for shear in tasks.PAPER_SHEARS
        ]  # fmt: skip
    if found.get("factors"):
        more["Factors: median R²"] = [
            {"factor": name}
            | {how: _median(found["factors"], name, how) for how in found["factors"][0][name]}
            for name in ("scale", "shear")
        ]
    for question, title in (("reject", "Reject: median AUROC"), ("pose", "Pose: median, by suit")):
        if found.get(question):
            names = found[question][0]
            more[title] = [{name: _median(found[question], name) for name in names}]
    return more


def _median(cells: Sequence[Cell], *path: str) -> str:
    values = []
    for cell in cells:
        value: Any = cell
        for name in path:
            value = value[name]
        values.append(value)
    return f"{np.median(values):.3f}"


def _peers_title() -> str:
    few = ", ".join(f"{peer} {n}" for peer, n in FEWER.items())
    return (
        "Peers: accuracy (5 and 1 label: worst angle; imbalance: lowest recall; agglomerates: "
        f"accuracy / balanced). Fewer seeds and splits: {few}. pyroVED is scaled down: {NOTE}"
    )


def report(tables: Mapping[str, Lines], markdown: bool) -> None:
    """Print every table under its title."""
    for title, lines in tables.items():
        print(f"\n{'### ' if markdown else ''}{title}\n")
        if markdown:
            _markdown(lines)
        else:
            table(lines)


def _markdown(lines: Lines) -> None:
    print("| " + " | ".join(lines[0]) + " |")
    print("|" + " --- |" * len(lines[0]))
    for line in lines:
        cells = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in line.values())
        print("| " + " | ".join(cells) + " |")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows",
        type=lambda text: text.split(","),
        default=list(rows.NAMES),
        help="some of: " + ", ".join(rows.NAMES),
    )
    parser.add_argument("--seeds", type=int, default=5, help="on cards and simulations")
    parser.add_argument("--splits", type=int, default=SPLITS, help="of the real agglomerates")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--fresh", action="store_true", help="measure all chosen cells anew")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument(
        "--quick", action="store_true", help="tiny data and training: a trial of this script"
    )
    options = parser.parse_args()
    unknown = set(options.rows) - set(rows.NAMES)
    if unknown:
        parser.error(f"no row is called {', '.join(sorted(unknown))}")
    if options.quick:
        options.seeds, options.splits = min(options.seeds, 2), min(options.splits, 2)
    options.sizes = tasks.QUICK if options.quick else tasks.WHOLE
    return options


def main() -> int:
    options = parsed()
    if "agglomerates" in options.rows and agglomerates.realdata() is None:
        print("No real micrographs (SSRVAE_REALDATA): the agglomerates are left out.")
        options.rows = [name for name in options.rows if name != "agglomerates"]
    start, cells = time.perf_counter(), Cells(options.fresh)
    found = measured(options, cells)
    peers = measured_peers(options, cells)
    tables = {"Targets": judged(options, found, peers), **extras(found)}
    if "agglomerates" in options.rows:
        tables["Real agglomerates: images of each class"] = [
            tasks.class_counts(name) for name in agglomerates.NAMES
        ]
        tables["Real agglomerates, 15 labels a class, paired by split"] = rows.agglomerate_lines(
            {name: found[name] for name in agglomerates.NAMES}, peers["forest, shape"]
        )
    tables[_peers_title()] = comparison(peers, found)
    if options.quick:
        print("A trial on tiny data with tiny training: none of these figures means anything.")
    report(tables, options.markdown)
    took = time.perf_counter() - start
    print(f"\n{cells.measured} cells measured in {took / 60:.1f} min, the others kept.")
    settings = {k: v for k, v in vars(options).items() if k != "sizes"}
    write_json(
        "engine_quick" if options.quick else "engine",
        {"settings": settings, "tables": tables, "seconds": took, "cells": found, "peers": peers},
    )
    every = [line for lines in tables.values() for line in lines]
    return int(any(line.get("reached", "yes") != "yes" for line in every))


if __name__ == "__main__":
    sys.exit(main())

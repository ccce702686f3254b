"""Cards, 5 labels a class (±4°), 2,000 unlabelled at ±180°: accuracy, time, pose. Defaults only.

The bar: 0.98 on a fresh set at ±180°, within two minutes on two cores.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from _common import table, write_json
from napari_ssrvae import SSRVAE
from napari_ssrvae.datasets import cards

ANGLES = (4, 60, 120, 180)
SYMMETRY = {0: 1, 1: 1, 2: 1, 3: 2}  # a diamond looks the same after half a turn


def one_seed(seed: int, labelled: int, unlabelled: int) -> dict[str, Any]:
    upright, classes, _ = cards(labelled, 4, max_shift=0, seed=1000 + seed)
    turned, _, _ = cards(unlabelled // 4, 180, seed=2000 + seed)
    X = np.concatenate([upright, turned])
    y = np.concatenate([classes, np.full(len(turned), -1)])
    wall, cpu = time.perf_counter(), time.process_time()
    model = SSRVAE(seed=seed).fit(X, y)
    row: dict[str, Any] = {
        "seed": seed,
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
    }
    for angle in ANGLES:
        fresh, truth, factors = cards(250, angle, seed=3000 + seed)
        row[f"acc_{angle}"] = float((model.predict(fresh) == truth).mean())
    error = model.encode(fresh).angle - factors["angle"].to_numpy()
    for suit, times in SYMMETRY.items():
        row[f"pose_{suit}"] = float(abs(np.exp(1j * times * error[truth == suit]).mean()))
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--labelled", type=int, default=5, help="labels a class")
    parser.add_argument("--unlabelled", type=int, default=2000)
    options = parser.parse_args()
    rows = [one_seed(s, options.labelled, options.unlabelled) for s in range(options.seeds)]
    table(rows)
    write_json("fit_cards", {"settings": vars(options), "rows": rows})


if __name__ == "__main__":
    main()

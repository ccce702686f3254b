"""Patches a second of `predict` and `encode`, 48x48, with the defaults."""

from __future__ import annotations

import argparse

from _common import rate, table, write_json
from napari_ssrvae import SSRVAE
from napari_ssrvae.datasets import cards


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, default=4000)
    options = parser.parse_args()
    X, y, _ = cards(options.patches // 4, 180, seed=0)
    # The speed does not depend on what was learnt: a short training is enough.
    model = SSRVAE(seed=0, epochs=1, steps_per_epoch=2).fit(X[:200], y[:200])
    rows = [
        {"call": name, "patches_per_second": rate(getattr(model, name), X)}
        for name in ("predict", "encode", "reconstruct", "novelty")
    ]
    table(rows)
    write_json("predict_speed", {"settings": vars(options), "rows": rows})


if __name__ == "__main__":
    main()

"""How well particles are found from a few strokes, on the EMPS images.

Strokes are simulated from the instance maps: five of 20 px on particles, each inside one particle
as far as that is long enough, and five on background. Prints every image and writes
`benchmarks/results/strokes.json`. Reported: F1 at IoU 0.5 with touching particles taken apart,
and how many pixels the classifier alone gets right. The weights of `imaging.segment_shapes` were
fitted to these images.

    python benchmarks/strokes.py [--brush 1] [--seed 0] [--only 12]
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from _common import table, write_json
from napari_ssrvae import read_micrograph
from napari_ssrvae.imaging import PixelClassifier, SegmentationSettings

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("SSRVAE_REALDATA", HERE.parents[1] / "shared" / "data"))
STROKES, LENGTH, TRIES = 5, 20, 60


def simulated_strokes(instances: NDArray[Any], seed: int, brush: int = 1) -> NDArray[np.uint8]:
    """Paint straight strokes on particles (2) and background (1), brush px wide."""
    draw = np.random.default_rng(seed)
    painted = np.zeros(instances.shape, np.uint8)
    for kind, where in ((2, instances > 0), (1, instances == 0)):
        spots = np.argwhere(where)
        for _ in range(STROKES):
            stroke = np.zeros(instances.shape, bool)
            stroke[_line(instances, spots, draw)] = True
            if brush > 1:
                stroke = ndi.binary_dilation(stroke, np.ones((brush, brush))) & where
            painted[stroke] = kind
    return painted


def _line(instances: NDArray[Any], spots: NDArray[Any], draw: np.random.Generator) -> Any:
    """Return the pixels of one stroke: the longest of some that stays on what it began on."""
    best: Any = ((), ())
    reach = np.linspace(-(LENGTH - 1) / 2, (LENGTH - 1) / 2, LENGTH)
    for _ in range(TRIES):
        y, x = spots[draw.integers(len(spots))]
        angle = draw.uniform(0, np.pi)
        rows = np.round(y + reach * np.sin(angle)).astype(int)
        columns = np.round(x + reach * np.cos(angle)).astype(int)
        inside = (rows >= 0) & (columns >= 0)
        inside &= (rows < instances.shape[0]) & (columns < instances.shape[1])
        rows, columns = rows[inside], columns[inside]
        same = instances[rows, columns] == instances[y, x]
        if np.count_nonzero(same) > len(best[0]):
            best = rows[same], columns[same]
        if len(best[0]) == LENGTH:
            break
    return best


def f1_score(found: NDArray[Any], truth: NDArray[Any], overlap: float = 0.5) -> float:
    """F1 of particles that overlap a true one with an IoU above a half: no two can."""
    n, m = int(found.max()) + 1, int(truth.max()) + 1
    pairs = np.bincount(found.ravel().astype(np.int64) * m + truth.ravel(), minlength=n * m)
    common = pairs.reshape(n, m)
    area, true_area = common.sum(axis=1)[1:, None], common.sum(axis=0)[None, 1:]
    union = area + true_area - common[1:, 1:]
    hits = np.count_nonzero(common[1:, 1:] > overlap * np.maximum(union, 1))
    return 2 * hits / max(np.count_nonzero(area) + np.count_nonzero(true_area), 1)


def measure(name: str, seed: int, brush: int) -> dict[str, Any]:
    """Segment one image with strokes of its own."""
    micrograph = read_micrograph(DATA / "emps" / "images" / f"{name}.png")
    truth = iio.imread(DATA / "emps" / "instances" / f"{name}.png").astype(np.int32)
    truth = truth[: micrograph.shape[0]]
    strokes = simulated_strokes(truth, seed + int(name[:6], 16), brush)
    settings = SegmentationSettings(split_touching=True, exclude_border=False)
    start = time.process_time()
    classifier = PixelClassifier.fit(micrograph, strokes)
    probability = classifier.probability(micrograph)
    middle = time.process_time()
    labels = classifier.segment(micrograph, settings, strokes=strokes, probability=probability)
    end = time.process_time()
    seen = probability > 0.5
    return {
        "image": name,
        "strokes_px": int(np.count_nonzero(strokes)),
        "true": len(np.unique(truth)) - 1,
        "found": int(labels.max()),
        "f1": round(f1_score(labels, truth), 3),
        "pixels_right": round(float((seen == (truth > 0)).mean()), 3),
        "forest_cpu_s": round(middle - start, 2),
        "segments_cpu_s": round(end - middle, 2),
    }


def large(seed: int) -> dict[str, Any]:
    """Time an image of 1280 x 960."""
    from napari_ssrvae.datasets import simulated_micrograph

    micrograph, truth, _ = simulated_micrograph(0)
    tiles = [-(-960 // micrograph.shape[0]), -(-1280 // micrograph.shape[1])]
    image = np.tile(micrograph.image, tiles)[:960, :1280]
    strokes = simulated_strokes(np.tile(truth, tiles)[:960, :1280], seed)
    classifier = PixelClassifier.fit(image, strokes)
    start = time.process_time()
    PixelClassifier.of_examples(classifier.examples)
    refit = time.process_time() - start
    wall, cpu = time.perf_counter(), time.process_time()
    classifier = PixelClassifier.fit(image, strokes)
    classifier.segment(image, SegmentationSettings(split_touching=True), strokes=strokes)
    return {
        "pixels": "1280x960",
        "wall_s": round(time.perf_counter() - wall, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "refit_cpu_s": round(refit, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brush", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="so many images, evenly spaced")
    options = parser.parse_args()
    names = sorted(path.stem for path in (DATA / "emps" / "images").glob("*.png"))
    if not names:
        print(f"There are no EMPS images in {DATA}.")
        return
    if options.only:
        names = names[:: -(-len(names) // options.only)]
    rows = []
    for name in names:
        rows.append(measure(name, options.seed, options.brush))
        print(*(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    mean = {
        key: round(float(np.mean([row[key] for row in rows])), 3)
        for key in ("f1", "pixels_right", "forest_cpu_s", "segments_cpu_s")
    }
    size = large(options.seed)
    print()
    table([{"images": len(rows), **mean}])
    table([size])
    write_json(
        "strokes",
        {"brush": options.brush, "seed": options.seed, "mean": mean, "large": size, "rows": rows},
    )


if __name__ == "__main__":
    main()

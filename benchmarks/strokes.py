"""How well particles are found from a few strokes, on the EMPS images.

Strokes are simulated from the instance maps: five of 20 px on particles, each inside one particle
as far as that is long enough, and five on background. Prints every image and writes
`benchmarks/results/strokes.json`. Reported: F1 at IoU 0.5 with touching particles taken apart,
and how many pixels the classifier alone gets right. The trees that rate segments have learnt from
these very images: with --folds FILE (see `out_of_fold.py`) each image is also
found with trees that have not seen it.

    python benchmarks/strokes.py [--folds FILE] [--brush 1] [--seed 0] [--only 12]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import imageio.v3 as iio
import numpy as np

from _common import table, write_json
from napari_ssrvae import read_micrograph
from napari_ssrvae.imaging import PixelClassifier, SegmentationSettings, as_micrograph
from napari_ssrvae.imaging.guided import Groundwork
from out_of_fold import Unseen, add_option, asked_for, rated_by
from segmentation_data import DATA, f1
from stroke_data import simulated_strokes


def measure(name: str, seed: int, brush: int, unseen: Unseen) -> dict[str, Any]:
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
    row = {
        "image": name,
        "strokes_px": int(np.count_nonzero(strokes)),
        "true": len(np.unique(truth)) - 1,
        "found": int(labels.max()),
        "f1": round(f1(labels, truth), 3),
        "pixels_right": round(float(((probability > 0.5) == (truth > 0)).mean()), 3),
        "forest_cpu_s": round(middle - start, 2),
        "segments_cpu_s": round(end - middle, 2),
    }
    if name in unseen:
        with rated_by(unseen.get(name, [])):
            labels = classifier.segment(
                micrograph, settings, strokes=strokes, probability=probability
            )
        row["f1_out_of_fold"] = round(f1(labels, truth), 3)
    return row


def large(seed: int) -> dict[str, Any]:
    """Time an image of 1280 x 960: the first strokes, and one more."""
    from napari_ssrvae.datasets import simulated_micrograph

    micrograph, truth, _ = simulated_micrograph(0)
    tiles = [-(-960 // micrograph.shape[0]), -(-1280 // micrograph.shape[1])]
    image = as_micrograph(np.tile(micrograph.image, tiles)[:960, :1280])
    strokes = simulated_strokes(np.tile(truth, tiles)[:960, :1280], seed)
    settings = SegmentationSettings(split_touching=True)
    PixelClassifier.fit(image, strokes)  # loads what it needs
    wall, cpu = time.perf_counter(), time.process_time()
    classifier = PixelClassifier.fit(image, strokes)
    groundwork = Groundwork.of(image, settings)
    classifier.segment(image, settings, strokes=strokes, groundwork=groundwork)
    first = time.perf_counter() - wall, time.process_time() - cpu
    features = classifier.features(image)
    wall, cpu = time.perf_counter(), time.process_time()
    classifier = PixelClassifier.of_examples(classifier.examples)
    sure = classifier.probability(features)
    classifier.segment(image, settings, strokes=strokes, probability=sure, groundwork=groundwork)
    further = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "pixels": "1280x960",
        "wall_s": round(first[0], 2),
        "cpu_s": round(first[1], 2),
        "further_stroke_wall_s": round(further[0], 2),
        "further_stroke_cpu_s": round(further[1], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_option(parser)
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
    unseen = asked_for(options)
    rows = []
    for name in names:
        rows.append(measure(name, options.seed, options.brush, unseen))
        print(*(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    keys = ("f1", "f1_out_of_fold", "pixels_right", "forest_cpu_s", "segments_cpu_s")
    mean = {
        key: round(float(np.mean([row[key] for row in rows])), 3) for key in keys if key in rows[0]
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

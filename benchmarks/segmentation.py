"""Score the finding of particles on images with instance maps: F1 at IoU 0.5, image by image.

`segment_particles(image, split_touching=True)` and nothing else, on EMPS (journal figures of all
kinds) and on titanium dioxide of BAM. The trees that rate segments have learnt from these very
images: with --folds FILE (see `out_of_fold.py`) each image is also found with trees that have not
seen it. Beside it the default, which keeps touching particles together, against the maps with
touching instances merged (then out of fold too). Writes `benchmarks/results/segmentation.json`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from _common import table, write_json
from napari_ssrvae import segment_particles
from out_of_fold import Unseen, add_option, asked_for, rated_by
from segmentation_data import DATA, bam, clumps_of, emps, f1


def measure(
    group: str, name: str, image: np.ndarray, truth: np.ndarray, unseen: Unseen
) -> tuple[dict[str, Any], np.ndarray]:
    """Scores and processor seconds of one image, and the particles that count."""
    start = time.process_time()
    labels = segment_particles(image, split_touching=True)
    seconds = time.process_time() - start
    row: dict[str, Any] = {
        "group": group,
        "image": name,
        "true": len(np.unique(truth)) - 1,
        "found": int(labels.max()),
        "f1": round(f1(labels, truth), 3),
        "cpu s": round(seconds, 2),
    }
    merged = clumps_of(truth, drawn_apart=group == "BAM")
    with rated_by(unseen.get(name, [])):
        if name in unseen:
            apart = segment_particles(image, split_touching=True)
            row["f1 out of fold"] = round(f1(apart, truth), 3)
        row["f1 together"] = round(f1(segment_particles(image), merged), 3)
        row["with border"] = round(f1(segment_particles(image, exclude_border=False), merged), 3)
    return row, labels


def sheet(items: list[tuple[str, np.ndarray, np.ndarray]], path: Path) -> None:
    """Draw the outlines of all images on one page."""
    from PIL import Image, ImageDraw
    from skimage.segmentation import find_boundaries

    width, columns = 420, 6
    tiles = []
    for name, image, labels in items:
        rgb = np.repeat(image.astype(float)[..., None], 3, axis=2)
        rgb = (255 * (rgb - rgb.min()) / max(np.ptp(rgb), 1)).astype(np.uint8)
        rgb[find_boundaries(labels, mode="thick")] = (255, 40, 40)
        height = int(image.shape[0] * width / image.shape[1])
        tile = Image.fromarray(rgb).resize((width, height), Image.Resampling.BILINEAR)
        ImageDraw.Draw(tile).text((3, 3), name, fill=(0, 255, 0))
        tiles.append(tile)
    rows = [tiles[k : k + columns] for k in range(0, len(tiles), columns)]
    page = Image.new("RGB", (width * columns, sum(max(t.height for t in row) for row in rows)))
    top = 0
    for row in rows:
        for k, tile in enumerate(row):
            page.paste(tile, (k * width, top))
        top += max(tile.height for tile in row)
    page.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_option(parser)
    parser.add_argument("--sheet", type=Path, help="contact sheet with outlines (PNG)")
    arguments = parser.parse_args()
    if not (DATA / "emps").is_dir():
        print(f"The images are not at {DATA}; set SSRVAE_REALDATA to their folder.")
        return
    unseen = asked_for(arguments)
    rows, items = [], []
    for group, images in (("EMPS", emps()), ("BAM", bam())):
        for name, image, truth in images:
            row, labels = measure(group, name, image, truth, unseen)
            rows.append(row)
            items.append((f"{name} {row['f1']:.2f}", image, labels))
            print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    means = []
    for group in ("EMPS", "BAM"):
        own = [row for row in rows if row["group"] == group]
        mean: dict[str, Any] = {"mean of": f"{len(own)} {group}"}
        for key in ("f1", "f1 out of fold", "f1 together", "with border", "cpu s"):
            values = [row[key] for row in own if key in row]
            mean[key] = round(float(np.mean(values)), 3) if values else "-"
        means.append(mean)
    print()
    table(means)
    write_json("segmentation", {"means": means, "rows": rows})
    if arguments.sheet:
        sheet(items, arguments.sheet)


if __name__ == "__main__":
    main()

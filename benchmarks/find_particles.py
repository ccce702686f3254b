"""Time finding and cutting out the particles of a 1280x960 micrograph.

Prints a table and writes `benchmarks/results/find_particles.json`. The real micrograph is used
where it lies beside the checkout (or in the folder that SSRVAE_REALDATA names).
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_ssrvae import Micrograph, extract_particles, read_micrograph, segment_particles
from napari_ssrvae.datasets import simulated_micrograph
from napari_ssrvae.imaging import SegmentationSettings, propose_size
from napari_ssrvae.imaging.first_look import first_look
from napari_ssrvae.imaging.shape import frame_extents

RUNS = 5
HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("SSRVAE_REALDATA", HERE.parents[1] / "shared" / "data"))


def median_seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Median wall and processor seconds of several runs, after one to warm up."""
    work()
    wall, cpu = [], []
    for _ in range(RUNS):
        start, start_cpu = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    return statistics.median(wall), statistics.median(cpu)


def measure(micrograph: Micrograph) -> list[dict[str, object]]:
    """Segment and extract one micrograph."""
    labels = segment_particles(micrograph)
    rows: list[dict[str, object]] = []
    for step, work in (
        ("first look", lambda: first_look(micrograph, SegmentationSettings())),
        ("find particles", lambda: segment_particles(micrograph)),
        ("find, split", lambda: segment_particles(micrograph, split_touching=True)),
        ("cut out 48x48", lambda: extract_particles(micrograph, labels)),
    ):
        wall, cpu = median_seconds(work)
        rows.append(
            {
                "image": micrograph.name,
                "pixels": f"{micrograph.shape[1]}x{micrograph.shape[0]}",
                "particles": int(labels.max()),
                "step": step,
                "seconds": round(wall, 4),
                "cpu_seconds": round(cpu, 4),
            }
        )
    return rows


def single_across(micrograph: Micrograph) -> dict[str, object]:
    """Say how large a single particle is in its patch: round ones without dents are single.

    Of sizes that a mixture of singles, pairs and clumps has, theirs is the smallest.
    """
    labels = segment_particles(micrograph)
    particles = extract_particles(micrograph, labels)
    table = particles.table
    # area by area of the circle around it: pairs have at most half of that
    round_ones = table[
        (table["aspect_ratio"] < 1.25)
        & (table["solidity"] > 0.9)
        & (table["area"] > 0.6 * np.pi / 4 * table["max_feret"] ** 2)
        & ~table["touches_border"]
    ]
    across = round_ones["equivalent_diameter"] / particles.scale
    return {
        "image": micrograph.name,
        "particles": len(particles),
        "single": len(round_ones),
        "patch": particles.patches.shape[-1],
        "micrograph px per patch px": round(particles.scale, 3),
        "median px across": round(float(across.median()), 1),
        "proposed patch": propose_size(frame_extents(labels)),
        "larger than their patch": int(table["oversize"].sum()),
    }


def main() -> None:
    images = [simulated_micrograph(0)[0]]
    real = DATA / "sem" / "B-2h07.tif"
    if real.is_file():
        images.append(read_micrograph(real))
    else:
        print(f"{real.name} is not at {real.parent}: the simulated micrograph only")
    rows = [row for image in images for row in measure(image)]
    print(f"{'image':<14}{'pixels':<11}{'particles':>9}  {'step':<16}{'wall s':>8}{'cpu s':>8}")
    for row in rows:
        print(
            f"{row['image']:<14}{row['pixels']:<11}{row['particles']:>9}  {row['step']:<16}"
            f"{row['seconds']:>8.3f}{row['cpu_seconds']:>8.3f}"
        )
    singles = [single_across(image) for image in images]
    for one in singles:
        print(", ".join(f"{what}: {value}" for what, value in one.items()))
    result = {
        "single_particles_in_their_patches": singles,
        "runs": RUNS,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "rows": rows,
    }
    target = HERE / "results" / "find_particles.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Images with instance maps, and the score, for the benchmarks of finding particles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import tifffile
from scipy import ndimage as ndi

DATA = Path(
    os.environ.get("SSRVAE_REALDATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)
BAM_ROWS = 704  # the info bar begins there
BAM_SPECK = 20  # px: smaller pieces of the masks drawn by hand are slips of the pen


def emps_names() -> list[str]:
    """Names of the EMPS images."""
    return sorted(path.stem for path in (DATA / "emps" / "images").glob("*.png"))


def emps() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, grey image and instance map of the EMPS images."""
    for name in emps_names():
        image = iio.imread(DATA / "emps" / "images" / f"{name}.png")
        if image.ndim == 3:
            image = np.rint(image[..., :3] @ (0.2126, 0.7152, 0.0722)).astype(np.uint8)
        truth = iio.imread(DATA / "emps" / "instances" / f"{name}.png")
        yield name, image, truth.astype(np.int64)


def bam() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield the same of the titanium dioxide of BAM, without the info bar."""
    for path in sorted((DATA / "bam_tio2" / "images").glob("*.tif")):
        mask = tifffile.imread(DATA / "bam_tio2" / "instances" / path.name)[:BAM_ROWS] > 0
        labels, _ = ndi.label(mask)
        labels[np.bincount(labels.ravel())[labels] < BAM_SPECK] = 0
        yield path.stem, tifffile.imread(path)[:BAM_ROWS], labels.astype(np.int64)


def clumps_of(truth: np.ndarray, drawn_apart: bool) -> np.ndarray:
    """Merge touching instances; those of BAM are drawn apart by a line of a pixel."""
    eight = np.ones((3, 3), dtype=bool)
    mask = truth > 0
    if drawn_apart:
        mask = ndi.binary_closing(np.pad(mask, 2), eight)[2:-2, 2:-2]
    return np.asarray(ndi.label(mask, eight)[0])


def f1(labels: np.ndarray, truth: np.ndarray, least: float = 0.5) -> float:
    """F1 of particles that overlap a true one by more than this intersection over union."""
    found, true = int(labels.max()) + 1, np.unique(truth, return_inverse=True)[1]
    columns = int(true.max()) + 1
    pairs = np.bincount(
        labels.ravel().astype(np.int64) * columns + true.ravel(), minlength=found * columns
    ).reshape(found, columns)
    union = pairs.sum(0) + pairs.sum(1)[:, None] - pairs
    hits = np.count_nonzero((pairs / np.maximum(union, 1))[1:, 1:] > least)
    number = np.count_nonzero(pairs.sum(1)[1:]) + columns - 1
    return 2 * hits / number if number else 1.0

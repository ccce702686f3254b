"""Particles found one by one: touching ones, annotations, bad pictures, bounded time."""

from __future__ import annotations

import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging import SegmentationSettings, segment_particles
from napari_ssrvae.imaging.annotations import find_annotations
from napari_ssrvae.imaging.candidates import threshold_cross_entropy


def spheres(dark: bool = False, pitch: int = 46) -> tuple[np.ndarray, np.ndarray]:
    """Noisy rows of spheres of radius 22, one beside the other."""
    y, x = np.mgrid[:420, :520]
    rng = np.random.default_rng(1)
    truth = np.zeros(y.shape, dtype=np.int32)
    for row in range(60, 380, 100):
        for column in range(60, 480, pitch):
            truth[np.hypot(y - row, x - column) <= 22] = truth.max() + 1
    image = ndi.gaussian_filter(60 + 0.05 * x + 110.0 * (truth > 0), 1.2)
    image = (image + rng.normal(0, 5, y.shape)).clip(0, 255)
    return (255 - image if dark else image).astype(np.uint8), truth


def best_overlaps(labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    columns = int(truth.max()) + 1
    pairs = np.bincount(
        labels.ravel().astype(np.int64) * columns + truth.ravel(),
        minlength=(int(labels.max()) + 1) * columns,
    ).reshape(-1, columns)
    union = pairs.sum(0) + pairs.sum(1)[:, None] - pairs
    return (pairs / np.maximum(union, 1))[1:, 1:].max(0)


@pytest.mark.parametrize("dark", [False, True])
def test_rows_of_touching_spheres_come_apart(dark: bool) -> None:
    image, truth = spheres(dark)
    labels = segment_particles(image, split_touching=True)
    assert labels.dtype == np.int32
    assert labels.max() == truth.max()
    assert (best_overlaps(labels, truth) > 0.8).all()
    again = segment_particles(image, split_touching=True)
    assert np.array_equal(labels, again)


def test_letters_and_bars_are_no_particles() -> None:
    image, truth = spheres(pitch=70)
    plain = segment_particles(image, split_touching=True)
    marked = image.copy()
    marked[395:405, 330:500] = 255  # scale bar
    for k in range(5):  # strokes of letters
        marked[4:30, 10 + 14 * k : 16 + 14 * k] = 255
    found = find_annotations(marked)
    assert found[400, 400]
    assert found[15, 12]
    assert not found[truth > 0].any()
    labels = segment_particles(marked, split_touching=True)
    assert labels.max() == plain.max() == truth.max()


def test_split_strength_is_a_knob() -> None:
    image, _ = spheres(pitch=34)  # they overlap by a quarter
    counts = [
        int(segment_particles(image, "otsu", split_touching=True, split_strength=s).max())
        for s in (0, 0.5, 1)
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[2]
    for bad in (-0.1, 1.5, float("nan"), "much"):
        with pytest.raises(InputError, match="split strength"):
            SegmentationSettings(split_strength=bad)  # type: ignore[arg-type]


def test_small_particles_of_a_large_picture() -> None:
    rng = np.random.default_rng(0)
    image = np.full((1600, 1600), 50.0)
    y, x = np.mgrid[-8:9, -8:9]
    truth = np.zeros(image.shape, dtype=np.int32)
    for row in range(30, 1580, 40):
        for column in range(30, 1580, 40):
            disc = np.hypot(y, x) <= 6.5
            truth[row - 8 : row + 9, column - 8 : column + 9][disc] = truth.max() + 1
    image = ndi.gaussian_filter(image + 100.0 * (truth > 0), 1) + rng.normal(0, 5, image.shape)
    start = time.process_time()
    labels = segment_particles(image, split_touching=True)
    assert time.process_time() - start < 20
    assert abs(int(labels.max()) - int(truth.max())) <= 0.02 * truth.max()
    assert (best_overlaps(labels, truth) > 0.5).mean() > 0.97


def test_small_round_ones_by_the_laplacian() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:300, :300]
    truth = np.zeros(y.shape, dtype=np.int32)
    for k, radius in enumerate([2.5, 4, 6, 9] * 9):
        row, column = 25 + 48 * (k // 6), 25 + 48 * (k % 6)
        truth[np.hypot(y - row, x - column) <= radius] = k + 1
    image = 100 - 60.0 * (ndi.gaussian_filter((truth > 0).astype(float), 0.7))
    image += rng.normal(0, 3, y.shape)
    labels = segment_particles(image, "log", smoothing=0)
    assert labels.max() == 36
    assert (best_overlaps(labels, truth) > 0.5).all()


@pytest.mark.parametrize("method", ["auto", "log"])
def test_pictures_with_nothing_in_them(method: str) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="same value"):
        segment_particles(np.full((50, 50), 7), method, split_touching=True)
    with pytest.raises(InputError, match="too few"):
        segment_particles(np.arange(100_000.0)[None], method, split_touching=True)
    holed = spheres()[0].astype(np.float32)
    holed[10:20, 10:20] = np.nan
    holed[30, 30] = np.inf
    for image in (
        rng.normal(0, 1, (8, 8)),
        rng.normal(0, 1, (9, 400)),
        np.eye(64),
        np.arange(64.0 * 64).reshape(64, 64),
        holed,
    ):
        labels = segment_particles(image, method, split_touching=True)
        assert labels.shape == image.shape
        assert np.array_equal(np.unique(labels[labels > 0]), np.arange(1, labels.max() + 1))


def test_a_hundred_thousand_specks_end() -> None:
    rng = np.random.default_rng(0)
    image = np.full((1200, 1200), 40, dtype=np.uint8)
    image.ravel()[rng.choice(image.size, 100_000, replace=False)] = 200
    for method in ("auto", "log"):
        start = time.process_time()
        labels = segment_particles(image, method, split_touching=True)
        assert time.process_time() - start < 30
        assert labels.shape == image.shape


def test_the_cross_entropy_threshold_ends_where_others_walk_for_ever() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(-100, 3, (200, 200)).astype(np.float32)
    image[50:53, 50:53] = -250
    level = threshold_cross_entropy(image)
    assert -250 <= level <= -80
    two = np.where(rng.random((100, 100)) < 0.3, 200.0, 50.0).astype(np.float32)
    assert 50 <= threshold_cross_entropy(two) < 200


@pytest.mark.realdata
def test_journal_figures(realdata: Path) -> None:
    """A floor under the mean F1 on every seventh image of EMPS; the benchmark measures all."""
    scores = []
    for path in sorted((realdata / "emps" / "images").glob("*.png"))[2::7]:
        image = iio.imread(path)
        truth = iio.imread(realdata / "emps" / "instances" / path.name).astype(np.int32)
        truth = np.unique(truth, return_inverse=True)[1].reshape(truth.shape)
        labels = segment_particles(image, split_touching=True)
        hits = (best_overlaps(labels, truth) > 0.5).sum() if labels.max() else 0
        scores.append(2 * hits / (labels.max() + truth.max()))
    assert np.mean(scores) >= 0.65, scores

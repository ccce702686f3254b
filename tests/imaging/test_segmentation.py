"""Particles found: on simulated and real micrographs, with every setting, and none at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage as ndi

from napari_ssrvae.datasets import simulated_micrograph
from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging import (
    METHODS,
    SegmentationSettings,
    read_micrograph,
    segment_particles,
    segment_with,
)
from napari_ssrvae.imaging.objects import without_border


def overlaps(labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Best intersection over union of every true particle."""
    columns = int(truth.max()) + 1
    pairs = np.bincount(
        labels.ravel().astype(np.int64) * columns + truth.ravel(),
        minlength=(int(labels.max()) + 1) * columns,
    ).reshape(-1, columns)
    union = pairs.sum(0) + pairs.sum(1)[:, None] - pairs
    return (pairs / np.maximum(union, 1))[1:, 1:].max(0)


def discs(dark: bool = False, touching: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Twelve noisy discs of radius 14 on a slope, in pairs that touch or apart."""
    y, x = np.mgrid[:300, :400]
    rng = np.random.default_rng(3)
    truth = np.zeros(y.shape, dtype=np.int32)
    for k in range(12):
        row, column = 50 + 100 * (k // 4), 60 + 90 * (k % 4)
        if touching:
            column = 50 + 180 * (k % 4 // 2) + 27 * (k % 2)
        truth[np.hypot(y - row, x - column) <= 14] = k + 1
    image = 90 + 0.1 * x + 70.0 * (truth > 0)
    image = ndi.gaussian_filter(image, 1) + rng.normal(0, 5, y.shape)
    return (255 - image if dark else image), truth


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_finds_the_agglomerates_of_the_simulation(seed: int) -> None:
    micrograph, truth, _ = simulated_micrograph(seed)
    labels = segment_particles(micrograph)
    assert labels.dtype == np.int32
    assert labels.shape == truth.shape
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
    assert (overlaps(labels, truth) > 0.7).mean() >= 0.98
    assert labels.max() <= 1.02 * truth.max()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_and_polarity(method: str, dark: bool) -> None:
    image, truth = discs(dark)
    labels = segment_particles(image, method)
    # one low threshold (triangle) draws outlines wider than the blurred truth
    assert (overlaps(labels, truth) > 0.72).all()
    assert labels.max() == 12
    given = segment_particles(image, method, polarity="dark" if dark else "bright")
    assert np.array_equal(given, labels)


def test_touching_particles_are_one_object_unless_split() -> None:
    image, truth = discs(touching=True)
    assert segment_particles(image).max() == 6
    split = segment_particles(image, split_touching=True)
    assert split.max() == 12
    assert (overlaps(split, truth) > 0.8).all()


def test_a_ring_keeps_its_hole_and_a_bright_rim_is_filled() -> None:
    y, x = np.mgrid[:300, :400]
    rng = np.random.default_rng(0)
    image = np.full(y.shape, 60.0)
    ring = [(150 + 50 * np.sin(a), 110 + 50 * np.cos(a)) for a in np.arange(12) * np.pi / 6]
    for row, column in ring:
        image[np.hypot(y - row, x - column) <= 14] = 160
    rims = [(60, 300), (150, 300), (240, 300)]
    for row, column in rims:
        distance = np.hypot(y - row, x - column)
        image[distance <= 14] = 105
        image[(distance <= 14) & (distance > 10)] = 200
    image = ndi.gaussian_filter(image, 1) + rng.normal(0, 4, y.shape)
    labels = segment_particles(image)
    assert labels[150, 110] == 0, "the hole of a ring of particles was filled"
    for row, column in rims:
        assert labels[row, column] > 0, "the middle of a bright-rimmed particle is missing"


def test_border_and_smallest_area() -> None:
    image, _ = discs()
    image = image[45:]  # cuts the first row of discs
    assert segment_particles(image).max() == 8
    assert segment_particles(image, exclude_border=False).max() == 12
    image[20:26, 200:206] += 80  # dirt
    assert segment_particles(image).max() == 8
    assert segment_particles(image, min_area=10).max() == 9
    assert segment_particles(image, min_area=5000).max() == 0


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_those_on_the_border_can_be_left_out_afterwards(method: str, split: bool) -> None:
    image = discs()[0][45:]  # cuts the first row of discs
    settings = SegmentationSettings(method, split_touching=split, exclude_border=False)
    everything = segment_with(image, settings)
    inner, left_out = without_border(everything)
    assert inner.max() + left_out == everything.max()
    assert left_out > 0
    there = segment_with(image, replace(settings, exclude_border=True))
    np.testing.assert_array_equal(inner, there)


def test_kinds_of_numbers_find_the_same() -> None:
    image, _ = discs()
    grey = image.clip(0, 255).astype(np.uint8)
    expected = segment_particles(grey)
    assert np.array_equal(segment_particles(grey.astype(np.uint16)), expected)
    assert np.array_equal(segment_particles(np.dstack([grey] * 3)), expected)
    assert segment_particles(grey / 255).max() == expected.max()
    assert segment_particles(grey > 140).max() >= 11


def test_nothing_to_find_gives_zeros() -> None:
    labels = segment_particles(np.arange(64.0 * 64).reshape(64, 64))
    assert labels.shape == (64, 64)
    labels = segment_particles(np.eye(8))
    assert labels.dtype == np.int32


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "best"},
        {"polarity": "up"},
        {"smoothing": -1},
        {"smoothing": float("nan")},
        {"smoothing": "much"},
        {"min_area": -5},
        {"min_area": True},
        {"colour": 3},
    ],
)
def test_settings_are_checked(settings: dict[str, object]) -> None:
    with pytest.raises(InputError):
        SegmentationSettings.from_dict(settings)


def test_settings_round_trip_and_scale() -> None:
    settings = SegmentationSettings("li", 1.5, 40.0, True, False, "dark")
    assert SegmentationSettings.from_dict(settings.to_dict()) == settings
    twice = settings.scaled(2)
    assert (twice.smoothing, twice.min_area) == (3.0, 160.0)
    assert twice.scaled(0.5) == settings
    assert SegmentationSettings().scaled(3).min_area is None
    with pytest.raises(InputError):
        settings.scaled(0)
    image, _ = discs()
    assert np.array_equal(
        segment_with(image, SegmentationSettings("otsu")), segment_particles(image, "otsu")
    )


@pytest.mark.realdata
def test_spheres_and_clumps_of_the_main_micrograph(realdata: Path) -> None:
    labels = segment_particles(read_micrograph(realdata / "sem" / "B-2h07.tif"))
    assert 50 <= labels.max() <= 90
    areas = np.bincount(labels.ravel())
    # (y, x) of lone spheres, about 25 px across, and of a dimer, a trimer and clumps
    singles = [(177, 800), (168, 945), (186, 1023), (437, 22), (543, 119), (885, 161), (738, 692)]
    for y, x in singles:
        assert 400 <= areas[labels[y, x]] <= 800, (y, x)
    assert 900 <= areas[labels[628, 299]] <= 1600
    clump = labels[175, 718]
    assert clump > 0
    for y, x in ((150, 720), (195, 700), (205, 740), (180, 735)):
        assert labels[y, x] == clump, "a clump is one object with its inside filled"
    for y, x in ((300, 750), (440, 950), (630, 430), (700, 250)):
        assert labels[y, x] == 0, "background and holes of the film are no particles"


@pytest.mark.realdata
def test_titanium_dioxide_against_masks_by_hand(realdata: Path) -> None:
    for path in sorted((realdata / "bam_tio2" / "images").glob("*.tif")):
        micrograph = read_micrograph(path)
        found = segment_particles(micrograph, exclude_border=False) > 0
        truth = tifffile.imread(realdata / "bam_tio2" / "instances" / path.name)
        truth = truth[: len(found)] > 0
        assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.88, path.name


@pytest.mark.realdata
def test_a_crowded_field_has_the_right_polarity(realdata: Path) -> None:
    micrograph = read_micrograph(realdata / "sem" / "GM59_20.tif")
    found = segment_particles(micrograph, exclude_border=False) > 0
    assert 0.40 < found.mean() < 0.60
    assert found[421, 169]
    assert not found[600, 100]

"""A first look comes quickly, and shows what is in view as it will be found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_ssrvae.imaging import SegmentationSettings, segment_with
from napari_ssrvae.imaging.first_look import first_look


@pytest.fixture(scope="module")
def discs() -> tuple[np.ndarray, np.ndarray]:
    """Discs of 12 px radius on a large picture, and their map."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-14:15, -14:15]
    truth = np.zeros((1200, 1400), dtype=np.int32)
    for row in range(40, 1180, 60):
        for column in range(40, 1380, 60):
            disc = np.hypot(y, x) <= 12
            truth[row - 14 : row + 15, column - 14 : column + 15][disc] = truth.max() + 1
    image = ndi.gaussian_filter(100.0 + 80 * (truth > 0), 1) + rng.normal(0, 6, truth.shape)
    return image.astype(np.float32), truth


@pytest.mark.parametrize("split", [False, True])
def test_all_of_it_at_first_roughly(discs: tuple[np.ndarray, np.ndarray], split: bool) -> None:
    image, truth = discs
    settings = SegmentationSettings(split_touching=split, min_area=200)
    first = first_look(image, settings)
    assert first is not None
    assert first.shape == image.shape
    assert abs(len(np.unique(first)) - len(np.unique(truth))) <= 3
    assert ((first > 0) == (truth > 0)).mean() > 0.97


@pytest.mark.parametrize("method", ["otsu", "li", "auto"])
def test_the_part_in_view_as_it_will_be_found(
    discs: tuple[np.ndarray, np.ndarray], method: str
) -> None:
    image, _ = discs
    settings = SegmentationSettings(method)
    view = (slice(300, 600), slice(500, 900))
    first = first_look(image, settings, view)
    assert first is not None
    outside = np.ones(image.shape, dtype=bool)
    outside[view] = False
    assert not first[outside].any()
    last = segment_with(image, settings)[view] > 0
    assert ((first[view] > 0) == last).mean() > 0.95


def test_nothing_where_the_answer_itself_takes_but_a_moment() -> None:
    assert first_look(np.eye(400, 500), SegmentationSettings()) is None


def test_nothing_of_a_view_that_misses_the_picture(discs: tuple[np.ndarray, np.ndarray]) -> None:
    assert first_look(discs[0], SegmentationSettings(), (slice(0, 0), slice(30, 10))) is None


def test_particles_too_small_to_be_taken_apart_at_once_are_shown_together() -> None:
    rng = np.random.default_rng(0)
    image = np.zeros((900, 1300))
    image[10::20, 10::20] = 1
    image = 80.0 * (ndi.distance_transform_edt(image == 0) < 3.5) + rng.normal(100, 4, image.shape)
    first = first_look(image, SegmentationSettings(split_touching=True))
    assert first is not None
    assert len(np.unique(first)) > 0.9 * 45 * 65

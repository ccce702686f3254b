"""Filters of particles, on shapes whose measures are known."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import disk, ellipse

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging import ParticleFilter, measure_shapes


def scene() -> np.ndarray:
    """Six discs, an ellipse (7), a dumbbell (8), a crumb (9) and a disc cut by the edge (10)."""
    labels = np.zeros((220, 300), np.int32)
    for n in range(6):
        labels[disk((30, 25 + 45 * n), 15)] = n + 1
    labels[ellipse(100, 50, 30, 8)] = 7
    for x in (120, 160):
        labels[disk((100, x), 18)] = 8
    labels[99:102, 120:160] = 8
    labels[disk((100, 220), 4)] = 9
    labels[disk((210, 100), 15, shape=labels.shape)] = 10
    return labels


def kept(filters: ParticleFilter, pixel_size: float | None = None) -> list[int]:
    table = measure_shapes(scene(), pixel_size=pixel_size)
    return table["label"][filters.keeps(table)].tolist()


def test_nothing_set_keeps_everything() -> None:
    assert kept(ParticleFilter()) == list(range(1, 11))
    assert ParticleFilter().idle
    assert not ParticleFilter(min_size=1).idle


def test_sizes_are_diameters_in_px_and_in_nm_where_the_scale_is_known() -> None:
    assert kept(ParticleFilter(min_size=28, max_size=31)) == [1, 2, 3, 4, 5, 6, 7]
    assert kept(ParticleFilter(min_size=56, max_size=62), 2.0) == [1, 2, 3, 4, 5, 6, 7]
    assert kept(ParticleFilter(min_size=28, max_size=31).scaled(2), 2.0) == [1, 2, 3, 4, 5, 6, 7]
    assert 9 not in kept(ParticleFilter(min_size=10))


def test_shape_and_border() -> None:
    assert 7 not in kept(ParticleFilter(min_circularity=0.8))
    assert {1, 9} <= set(kept(ParticleFilter(min_circularity=0.8)))
    assert 8 not in kept(ParticleFilter(min_solidity=0.9))
    assert {7, 10} <= set(kept(ParticleFilter(min_solidity=0.9)))
    assert kept(ParticleFilter(drop_border=True)) == list(range(1, 10))


def test_clumps_and_debris_go_and_single_particles_of_any_shape_stay() -> None:
    assert kept(ParticleFilter(drop_clumps=True)) == [1, 2, 3, 4, 5, 6, 7, 10]


def test_the_others_keep_their_pixels_and_ids() -> None:
    labels = scene()
    left = ParticleFilter(drop_border=True, min_size=10).apply(labels, measure_shapes(labels))
    assert left.dtype == np.int32
    np.testing.assert_array_equal(left, np.where(np.isin(labels, (9, 10)), 0, labels))


def test_empty_images_pass() -> None:
    labels = np.zeros((20, 20), np.int32)
    every = ParticleFilter(1, 2, 0.5, 0.5, True, True)
    assert not every.apply(labels, measure_shapes(labels)).any()


def test_values_that_make_no_sense_are_refused() -> None:
    for wrong in (
        {"min_size": -1},
        {"max_size": float("nan")},
        {"min_circularity": 1.2},
        {"min_size": 5, "max_size": 4},
    ):
        with pytest.raises(InputError):
            ParticleFilter(**wrong)
    with pytest.raises(InputError, match="do not have colour"):
        ParticleFilter.from_dict({"colour": 1})
    filters = ParticleFilter(min_size=3, drop_clumps=True)
    assert ParticleFilter.from_dict(filters.to_dict()) == filters

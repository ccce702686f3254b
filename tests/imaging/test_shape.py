"""Shape measures against figures whose measures are known, and against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import perimeter_crofton, regionprops_table

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging import measure_shapes
from napari_ssrvae.imaging.shape import frame_extents


@pytest.fixture
def labels() -> np.ndarray:
    """Disc 2, bar 5, turned ellipse 9 and a single pixel 70; the bar touches the edge."""
    y, x = np.mgrid[:200, :260]
    labels = np.zeros((200, 260), dtype=np.int32)
    labels[(y - 60) ** 2 + (x - 60) ** 2 <= 40**2] = 2
    labels[190:200, 20:120] = 5
    turn = np.deg2rad(30)  # counter-clockwise on the screen
    u = (x - 180) * np.cos(turn) - (y - 90) * np.sin(turn)
    v = (x - 180) * np.sin(turn) + (y - 90) * np.cos(turn)
    labels[(u / 50) ** 2 + (v / 20) ** 2 <= 1] = 9
    labels[10, 250] = 70
    return labels


def test_known_figures(labels: np.ndarray) -> None:
    table = measure_shapes(labels, labels.astype(float) * 3, pixel_size=2.5).set_index("label")
    assert list(table.index) == [2, 5, 9, 70]
    disc, bar, ellipse, pixel = (table.loc[k] for k in (2, 5, 9, 70))
    assert (disc.y, disc.x) == (60, 60)
    assert disc.area == pytest.approx(np.pi * 40**2, rel=0.005)
    assert disc.perimeter == pytest.approx(2 * np.pi * 40, rel=0.03)
    assert disc.equivalent_diameter == pytest.approx(80, rel=0.005)
    assert disc.max_feret == pytest.approx(81, abs=1)
    assert disc.circularity > 0.95
    assert disc.solidity > 0.97
    assert disc.aspect_ratio == pytest.approx(1, abs=0.01)
    assert (bar.top, bar.left, bar.bottom, bar.right) == (190, 20, 200, 120)
    assert bar.area == 1000
    assert bar.solidity == 1
    assert bar.max_feret == pytest.approx(np.hypot(10, 100))
    assert bar.aspect_ratio == pytest.approx(10)
    assert bar.orientation == pytest.approx(0)
    assert bar.mean_intensity == 15
    assert ellipse.major_axis == pytest.approx(100, rel=0.01)
    assert ellipse.minor_axis == pytest.approx(40, rel=0.01)
    assert ellipse.eccentricity == pytest.approx(np.sqrt(1 - 0.16), abs=0.01)
    assert np.rad2deg(ellipse.orientation) == pytest.approx(30, abs=0.5)
    assert (pixel.area, pixel.solidity) == (1, 1)
    assert list(table.touches_border) == [False, True, False, False]
    assert np.isfinite(table.select_dtypes(float)).all().all()


def test_nanometres_follow_the_pixel_size(labels: np.ndarray) -> None:
    table = measure_shapes(labels, pixel_size=2.5)
    for name in ("perimeter", "equivalent_diameter", "max_feret", "major_axis", "minor_axis"):
        assert np.allclose(table[f"{name}_nm"], 2.5 * table[name])
    assert np.allclose(table["area_nm2"], 6.25 * table["area"])
    assert not any("_nm" in name for name in measure_shapes(labels).columns)


def test_agrees_with_scikit_image(labels: np.ndarray) -> None:
    table = measure_shapes(labels)
    reference = regionprops_table(
        labels, properties=("label", "area", "centroid", "bbox", "axis_major_length", "solidity")
    )
    assert np.array_equal(table["label"], reference["label"])
    assert np.array_equal(table["area"], reference["area"])
    assert np.allclose(table[["y", "x"]].T, [reference["centroid-0"], reference["centroid-1"]])
    for k, name in enumerate(("top", "left", "bottom", "right")):
        assert np.array_equal(table[name], reference[f"bbox-{k}"])
    assert np.allclose(table["major_axis"][:3], reference["axis_major_length"][:3], rtol=0.002)
    assert np.allclose(table["solidity"][:3], reference["solidity"][:3], atol=0.015)
    for _, row in table.iterrows():
        own = np.pad(labels == row["label"], 1)
        assert row["perimeter"] == pytest.approx(perimeter_crofton(own, 4), rel=1e-6)


def test_touching_neighbours_do_not_change_each_other(labels: np.ndarray) -> None:
    both = np.zeros((60, 60), dtype=np.int32)
    both[10:50, 10:30], both[10:50, 30:50] = 1, 2
    alone = np.where(both == 1, 1, 0)
    first, only = measure_shapes(both).iloc[0], measure_shapes(alone).iloc[0]
    assert first.equals(only)


def test_a_turned_particle_stays_in_its_frame(labels: np.ndarray) -> None:
    extents = frame_extents(labels)
    assert extents[0] == pytest.approx(81, abs=1)
    assert extents[1] == pytest.approx(np.hypot(100, 10), abs=1.5)
    assert extents[3] == 1


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        (np.zeros((5, 5)), "whole numbers"),
        (np.ones((5, 5), bool), "booleans"),
        (np.zeros((2, 5, 5), int), "3 axes"),
        (np.full((5, 5), -1), "negative"),
    ],
)
def test_labels_that_are_none(labels: np.ndarray, word: str) -> None:
    with pytest.raises(InputError, match=word):
        measure_shapes(labels)


def test_no_particles_give_an_empty_table() -> None:
    table = measure_shapes(np.zeros((20, 20), dtype=int), pixel_size=1)
    assert len(table) == 0
    assert "area_nm2" in table

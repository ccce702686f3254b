"""Shape measures against figures whose measures are known, and against scikit-image."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import ConvexHull
from skimage.measure import find_contours, regionprops_table

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
    assert bar.max_feret == pytest.approx(np.hypot(9, 101) - 1, abs=0.1)
    assert bar.feret_min == 10
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
    for name in ("perimeter", "equivalent_diameter", "max_feret", "feret_min"):
        assert np.allclose(table[f"{name}_nm"], 2.5 * table[name])
    assert np.allclose(table["area_nm2"], 6.25 * table["area"])
    assert not any("_nm" in name for name in measure_shapes(labels).columns)


def drawn(inside: object, side: int = 200) -> np.ndarray:
    """Label image of the points (y, x), counted from its middle, where a formula is true."""
    assert callable(inside)
    y, x = np.mgrid[:side, :side] - side / 2 + 0.25  # nothing lies on the grid by chance
    return inside(y, x).astype(np.int32)


def turned(degrees: float) -> object:
    """Coordinates along two axes that are turned counter-clockwise on the screen."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return lambda y, x: (x * c - y * s, x * s + y * c)


def square(side: float, degrees: float) -> np.ndarray:
    axes = turned(degrees)
    assert callable(axes)

    def inside(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        u, v = axes(y, x)
        return (abs(u) <= side / 2) & (abs(v) <= side / 2)

    return drawn(inside)


def ellipse(major: float, minor: float, degrees: float) -> np.ndarray:
    axes = turned(degrees)
    assert callable(axes)

    def inside(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        u, v = axes(y, x)
        return np.hypot(2 * u / major, 2 * v / minor) <= 1

    return drawn(inside)


def known(
    area: float, perimeter: float, ferets: tuple[float, float], axes: tuple[float, float]
) -> dict[str, float]:
    return {
        "area_nm2": area,
        "perimeter_nm": perimeter,
        "equivalent_diameter_nm": np.sqrt(4 * area / np.pi),
        "max_feret_nm": ferets[0],
        "feret_min_nm": ferets[1],
        "major_axis_nm": axes[0],
        "minor_axis_nm": axes[1],
        "aspect_ratio": axes[0] / axes[1],
        "circularity": 4 * np.pi * area / perimeter**2,
        "solidity": 1.0,
    }


NM = 2.5
DISC = known(np.pi * 150**2 / 4, np.pi * 150, (150, 150), (150, 150))
# Ramanujan's formula, exact to a millionth here; axes of 200 and 120 nm
ELLIPSE = known(np.pi * 200 * 120 / 4, 510.54, (200, 120), (200, 120))
SQUARE = known(150**2, 600, (150 * np.sqrt(2), 150), (300 / np.sqrt(3), 300 / np.sqrt(3)))


@pytest.mark.parametrize(
    ("labels", "expected", "degrees"),
    [
        (ellipse(60, 60, 0), DISC, None),
        *((ellipse(80, 48, turn), ELLIPSE, turn) for turn in (0, 20, 45, 70, -30)),
        *((square(60, turn), SQUARE, None) for turn in (0, 10, 22.5, 30, 45)),
    ],
)
def test_drawn_figures_measure_what_geometry_says_within_two_percent(
    labels: np.ndarray, expected: dict[str, float], degrees: float | None
) -> None:
    found = measure_shapes(labels, pixel_size=NM).iloc[0]
    for name, value in expected.items():
        # a slanted edge is a staircase, of which the hull takes in half a pixel: 2.7 % at 60 px
        within = 0.03 if name == "solidity" else 0.02
        assert found[name] == pytest.approx(value, rel=within), name
    if degrees is not None:
        assert np.rad2deg(found["orientation"]) == pytest.approx(degrees, abs=0.5)


def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Forty particles with dents and holes, ids with gaps, and an image with a slope."""
    from scipy import ndimage as ndi

    rng = np.random.default_rng(5)
    rough = ndi.gaussian_filter(rng.standard_normal((320, 400)), 4)
    labels, _ = ndi.label(rough > 0.03)
    labels[labels > 0] = labels[labels > 0] * 7 + 3
    return labels.astype(np.int32), 50 + np.add.outer(np.arange(320.0), np.arange(400.0))


def test_agrees_with_scikit_image() -> None:
    labels, image = blobs()
    table = measure_shapes(labels, image).set_index("label")
    assert len(table) > 25
    same = {
        "centroid-0": "y",
        "centroid-1": "x",
        "bbox-0": "top",
        "bbox-1": "left",
        "bbox-2": "bottom",
        "bbox-3": "right",
        "area": "area",
        "equivalent_diameter_area": "equivalent_diameter",
        "mean_intensity": "mean_intensity",
    }
    # scikit-image leaves the extent of a pixel out of a mean intensity weighted with nothing, and
    # counts a hull's pixels where this takes its area: alike, but for small particles.
    alike = {
        "axis_major_length": ("major_axis", 0.01),
        "axis_minor_length": ("minor_axis", 0.02),
        "eccentricity": ("eccentricity", 0.03),
        "solidity": ("solidity", 0.06),
        "feret_diameter_max": ("max_feret", 0.06),
        "perimeter_crofton": ("perimeter", 0.10),
    }
    properties = ["label", "centroid", "bbox", "orientation", "mean_intensity", "area"]
    reference = pd.DataFrame(
        regionprops_table(
            labels, image, properties=[*properties, "equivalent_diameter_area", *alike]
        )
    ).set_index("label")
    assert table.index.tolist() == reference.index.tolist()
    for theirs, ours in same.items():
        np.testing.assert_allclose(table[ours], reference[theirs], rtol=1e-12, err_msg=ours)
    large = table["area"] > 150
    assert large.sum() > 15
    for theirs, (ours, tolerance) in alike.items():
        np.testing.assert_allclose(
            table[ours][large], reference[theirs][large], rtol=tolerance, err_msg=ours
        )
    # theirs is from the y axis; angles are the same up to half a turn
    away = table["orientation"] - (reference["orientation"] + np.pi / 2)
    long = large & (table["aspect_ratio"] > 1.2)
    assert np.abs(np.sin(away[long])).max() < 0.01


def test_hull_and_caliper_are_those_of_the_outline() -> None:
    labels, _ = blobs()
    table = measure_shapes(labels).set_index("label")
    for label, row in table[table["area"] > 20].iterrows():
        own = np.pad(labels == label, 1).astype(float)
        outline = np.concatenate(find_contours(own, 0.5))
        around = ConvexHull(outline)
        expected = min(row["area"] / around.volume, 1)  # in 2-D the "volume" is the area
        assert row["solidity"] == pytest.approx(expected, rel=1e-9)
        hull = outline[around.vertices]
        angles = np.linspace(0, np.pi, 1440, endpoint=False)
        widths = np.ptp(hull @ np.stack((np.sin(angles), np.cos(angles))), axis=0)
        assert row["max_feret"] == pytest.approx(widths.max(), rel=1e-3)
        assert row["feret_min"] == pytest.approx(widths.min(), rel=0.02)


def test_ids_may_be_any_positive_whole_numbers() -> None:
    labels, image = blobs()
    plain = measure_shapes(labels, image)
    most = 2**31 - 1
    largest = np.where(labels == labels.max(), most, labels).astype(np.int32)
    tracemalloc.start()
    table = measure_shapes(largest, image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6  # nothing is as long as the largest id
    assert table["label"].iloc[-1] == most
    pd.testing.assert_frame_equal(table.drop(columns="label"), plain.drop(columns="label"))
    unsigned = measure_shapes(labels.astype(np.uint16), image)
    pd.testing.assert_frame_equal(unsigned, plain)


@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (1, 100_000), (100_000, 1)])
def test_particles_of_one_row_or_column(shape: tuple[int, int]) -> None:
    row = measure_shapes(np.ones(shape, dtype=np.int32), pixel_size=1.0).iloc[0]
    n = max(shape)
    assert (row["area"], row["solidity"], row["feret_min"]) == (n, 1, 1)
    assert row["max_feret"] == pytest.approx(n, rel=1e-6)
    assert row["major_axis"] == pytest.approx(n * 2 / np.sqrt(3), rel=0.001)
    assert row["minor_axis"] == pytest.approx(2 / np.sqrt(3))
    assert row["perimeter"] == pytest.approx(2 * n, rel=0.2)
    assert 0 < row["circularity"] < 0.1


def test_specks_of_one_pixel() -> None:
    labels = np.zeros((640, 640), dtype=np.int32)
    labels[::2, ::2] = np.arange(1, 320 * 320 + 1).reshape(320, 320)
    table = measure_shapes(labels, labels.astype(np.float32), 2.0)
    assert len(table) == 102_400
    first = table.drop(columns=["label", "y", "x", "top", "left", "bottom", "right"]).iloc[500]
    for name in ("area", "equivalent_diameter", "max_feret", "feret_min", "aspect_ratio"):
        assert table[name].nunique() == 1, name
    assert (first["area"], first["max_feret"], first["feret_min"]) == (1, 1, 1)
    assert (first["solidity"], first["aspect_ratio"], first["eccentricity"]) == (1, 1, 0)
    assert np.array_equal(table["mean_intensity"], table["label"])
    assert np.isfinite(table.select_dtypes(float)).all().all()


def test_a_particle_that_is_all_of_the_image() -> None:
    row = measure_shapes(np.ones((900, 1200), dtype=np.int32)).iloc[0]
    assert row["touches_border"]
    assert (row["area"], row["solidity"], row["feret_min"]) == (900 * 1200, 1, 900)
    assert row["max_feret"] == pytest.approx(1500, rel=0.002)
    assert row["perimeter"] == pytest.approx(4200, rel=0.02)


def test_pixels_that_are_no_number_are_left_out_of_the_intensity() -> None:
    labels = np.zeros((20, 30), dtype=np.int32)
    labels[2:6, 2:6], labels[10:14, 10:14], labels[16:20, 26:30] = 1, 2, 3
    image = np.where(labels > 0, labels * 10.0, np.nan)
    image[3, 3], image[4, 4] = np.nan, np.inf
    image[labels == 2] = np.nan
    table = measure_shapes(labels, image)
    assert table["mean_intensity"].tolist()[::2] == [10, 30]
    assert np.isnan(table["mean_intensity"][1])


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

"""A line drawn along a burnt-in scale bar is snapped to it, on drawn bars and on real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.scale_bar import bar_length, find_bar

# A line as a hand draws it: some pixels off, and not level.
DRAWN = ((103.0, 57.0), (98.0, 202.0))


def ground(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(110, 25, (160, 300)).clip(0, 255).astype(np.uint8)


def bar(kind: str) -> tuple[np.ndarray, float]:
    """Draw a bar from column 60 to 199, and say how long it is."""
    image = ground()
    image[80:125, 30:240] = 0 if kind != "dark" else 250
    rows = slice(99, 104)
    if kind == "bright":
        image[rows, 60:200] = 255
    elif kind == "dark":
        image[rows, 60:200] = 5
    elif kind == "thin":
        image[100, 60:200] = 240
    elif kind == "ticks":
        image[100:102, 60:200] = 255
        image[92:110, 60:62] = image[92:110, 198:200] = 255
        return image, 138.0
    elif kind == "lettered":
        image[100, 60:110] = image[100, 150:200] = 255
        image[92:110, 60] = image[92:110, 199] = 255
        image[94:107, 115:145] = np.random.default_rng(1).integers(0, 2, (13, 30)) * 255
        return image, 139.0
    elif kind == "framed":
        image[96:108, 60:200] = 255
        image[97:107, 61:199] = 0
        return image, 139.0
    elif kind == "upon the picture":
        image = ground()
        image[rows, 60:200] = 255
    elif kind == "blurred":
        image[rows, 61:200] = 200
        image[rows, 60] = image[rows, 200] = 100
        return image, 140.0
    elif kind == "16 bit":
        image[rows, 60:200] = 255
        return image.astype(np.uint16) * 200, 140.0
    return image, 140.0


KINDS = ["bright", "dark", "thin", "ticks", "lettered", "framed", "upon the picture", "blurred"]


@pytest.mark.parametrize("kind", [*KINDS, "16 bit"])
def test_the_ends_of_a_drawn_line_snap_to_the_bar(kind: str) -> None:
    image, length = bar(kind)
    assert bar_length(image, *DRAWN) == pytest.approx(length, abs=0.3)
    assert bar_length(image, *reversed(DRAWN)) == pytest.approx(length, abs=0.3)


@pytest.mark.parametrize("kind", KINDS)
def test_an_upright_bar_is_measured_too(kind: str) -> None:
    image, length = bar(kind)
    start, end = (point[::-1] for point in DRAWN)
    found = find_bar(image.T, start, end)
    assert found.found
    assert found.length == pytest.approx(length, abs=0.3)
    assert found.start[0] < found.end[0]


def test_the_line_lies_on_the_edges_of_the_bar() -> None:
    found = find_bar(bar("bright")[0], *DRAWN)
    assert found.start == (101, pytest.approx(59.5))
    assert found.end == (101, pytest.approx(199.5))


@pytest.mark.parametrize(
    ("start", "end", "length"),
    [
        ((20.0, 40.0), (23.0, 200.0), np.hypot(3, 160)),  # over noise
        ((140.0, 40.0), (20.0, 160.0), np.hypot(120, 120)),  # slanting
        ((101.0, 60.0), (101.0, 130.0), 70.0),  # half of the bar: the person meant something
    ],
)
def test_where_no_bar_is_the_drawn_length_counts(
    start: tuple[float, float], end: tuple[float, float], length: float
) -> None:
    found = find_bar(bar("bright")[0], start, end)
    assert not found.found
    assert found.length == pytest.approx(length)


def test_lines_beyond_the_picture_are_harmless() -> None:
    image = bar("bright")[0]
    assert bar_length(image, (-40.0, -10.0), (-40.0, 90.0)) == pytest.approx(100)
    assert bar_length(image, (158.0, -50.0), (158.0, 900.0)) == pytest.approx(950)
    assert bar_length(np.zeros((20, 20)), (3.0, 3.0), (3.0, 9.0)) == pytest.approx(6)


@pytest.mark.parametrize("end", [(5.0, 5.0), (5.0, float("nan"))])
def test_a_line_without_length_is_refused(end: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="from one end of the scale bar to the other"):
        bar_length(ground(), (5.0, 5.0), end)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("path", "row", "left", "right", "nanometres", "pixel_size", "off"),
    [
        # Bars are drawn in whole pixels: half a pixel at each end is as near as they tell.
        ("sem/B-2h07.tif", 976, 980, 1080, 1000, 10.0, 0.002),
        ("sem/GM59_20.tif", 740, 22, 90, 300, 4.466, 0.005),
        ("sem/GM124_00.tif", 740, 22, 90, 300, 4.466, 0.005),
        ("bam_tio2/images/1908248.tif", 740, 890, 917, 200, 7.344, 0.01),
        ("bam_tio2/images/1908312.tif", 740, 890, 917, 200, 7.344, 0.01),
        ("vendor/fei-sem-rbc.tif", 1040, 948, 1467, 4000, 7.708, 0.005),
    ],
)
def test_real_bars(
    realdata: Path,
    path: str,
    row: int,
    left: int,
    right: int,
    nanometres: float,
    pixel_size: float,
    off: float,
) -> None:
    image = tifffile.imread(realdata / path)
    image = image if image.ndim == 2 else image[..., 0]
    rng = np.random.default_rng(0)
    for shaky in rng.uniform(-2.5, 2.5, (20, 4)):
        found = find_bar(
            image, (row + shaky[0], left + shaky[1]), (row + shaky[2], right + shaky[3])
        )
        assert found.found
        assert nanometres / found.length == pytest.approx(pixel_size, rel=off)

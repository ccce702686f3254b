"""Arrays from outside: what is made of them, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging import Micrograph, as_micrograph, length_in_nm


@pytest.fixture
def ramp() -> np.ndarray:
    return np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_numbers_stay_as_they_are(dtype: str) -> None:
    image = (np.arange(600).reshape(20, 30) % 251).astype(dtype)
    micrograph = as_micrograph(image, name="a", pixel_size=2)
    assert micrograph.image is image
    assert (micrograph.shape, micrograph.pixel_size, micrograph.name) == ((20, 30), 2.0, "a")


def test_a_valid_micrograph_is_returned_itself(ramp: np.ndarray) -> None:
    micrograph = Micrograph(ramp, 3.0)
    assert as_micrograph(micrograph) is micrograph
    assert as_micrograph(micrograph, pixel_size=4).pixel_size == 4


def test_booleans_become_black_and_white(ramp: np.ndarray) -> None:
    image = as_micrograph(ramp > 300).image
    assert image.dtype == np.uint8
    assert set(np.unique(image)) == {0, 255}


@pytest.mark.parametrize("channels", [3, 4])
def test_colour_becomes_luminance(channels: int) -> None:
    colour = np.zeros((10, 12, channels), dtype=np.uint8)
    colour[..., 1] = 200
    colour[5:, :, 0] = 100
    if channels == 4:
        colour[..., 3] = np.arange(12)  # transparency says nothing about brightness
    grey = as_micrograph(colour).image
    assert grey.dtype == np.uint8
    assert grey[0, 0] == round(0.7152 * 200)
    assert grey[9, 0] == round(0.7152 * 200 + 0.2126 * 100)


def test_grey_stored_as_colour_keeps_its_values(ramp: np.ndarray) -> None:
    assert np.array_equal(as_micrograph(np.dstack([ramp] * 3)).image, ramp)


def test_single_slices_are_taken_out_of_their_stack(ramp: np.ndarray) -> None:
    assert np.array_equal(as_micrograph(ramp[None]).image, ramp)
    assert np.array_equal(as_micrograph(ramp[..., None]).image, ramp)


def test_broken_pixels_get_the_median() -> None:
    image = np.arange(100, dtype=np.float32).reshape(10, 10)
    image[3, 3], image[4, 4] = np.nan, np.inf
    filled = as_micrograph(image).image
    expected = np.median(image[np.isfinite(image)])
    assert filled[3, 3] == filled[4, 4] == expected
    assert np.isnan(image[3, 3]), "the person's array was changed"
    assert filled[5, 5] == 55


def test_foreign_byte_order_and_half_floats_are_converted(ramp: np.ndarray) -> None:
    assert as_micrograph(ramp.astype(">u2")).image.dtype == np.dtype("uint16")
    assert as_micrograph(ramp.astype(np.float16)).image.dtype == np.float32


@pytest.mark.parametrize(
    ("image", "word"),
    [
        (np.zeros((0, 0)), "empty"),
        (np.zeros((5, 0, 3)), "empty"),
        (np.ones((1, 1)), "1x1"),
        (np.arange(70.0).reshape(7, 10), "too few"),
        (np.full((20, 20), 7), "same value, 7"),
        (np.full((20, 20), np.nan), "No pixel"),
        (np.full((20, 20), np.inf), "No pixel"),
        (np.arange(400.0).reshape(20, 20) * 1j, "complex"),
        (np.full((20, 20), "a", dtype=object), "object"),
        (np.random.default_rng(0).random((5, 20, 20)), "one 2-D slice"),
        (np.random.default_rng(0).random((3, 20, 20)), "one 2-D slice"),
        (np.random.default_rng(0).random((2, 5, 20, 20)), "4 axes"),
        (np.arange(20.0), "1 axes"),
        (3.0, "0 axes"),
    ],
)
def test_what_cannot_be_a_micrograph_is_refused_in_one_sentence(
    image: np.ndarray, word: str
) -> None:
    with pytest.raises(InputError, match=word):
        as_micrograph(image)


@pytest.mark.parametrize("size", [0, -1, np.nan, np.inf])
def test_impossible_pixel_sizes_are_refused(ramp: np.ndarray, size: float) -> None:
    with pytest.raises(InputError, match="pixel size"):
        as_micrograph(ramp, pixel_size=size)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (2, "nm", 2),
        (2, "µm", 2000),
        (2, "μm", 2000),
        (2, " um ", 2000),
        (2, "micron", 2000),
        (2, "\\u00B5m", 2000),
        (5, "pm", 0.005),
        (1, "Å", 0.1),
        (7e-9, "m", 7),
        (1, "mm", 1e6),
    ],
)
def test_lengths(value: float, unit: str, expected: float) -> None:
    assert length_in_nm(value, unit) == pytest.approx(expected)


@pytest.mark.parametrize(("value", "unit"), [(1, "inch"), (1, ""), (np.nan, "nm"), (np.inf, "m")])
def test_lengths_that_are_none(value: float, unit: str) -> None:
    with pytest.raises(InputError):
        length_in_nm(value, unit)

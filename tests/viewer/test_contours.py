"""Contours drawn by OpenCV are those that napari draws."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from napari.layers import Labels
from napari.layers.labels._labels_utils import get_contours

from napari_ssrvae.viewer.contours import draw_contours_quickly


def labels(dtype: type) -> np.ndarray:
    rng = np.random.default_rng(0)
    made = np.zeros((80, 120), dtype=dtype)
    for number in range(1, 30):
        y, x = rng.integers(0, 70), rng.integers(0, 110)
        made[y : y + rng.integers(2, 20), x : x + rng.integers(2, 20)] = number
    return made


@pytest.mark.parametrize("dtype", [np.int32, np.uint8])
@pytest.mark.parametrize("contour", [1, 3])
def test_the_same_picture(dtype: type, contour: int) -> None:
    data = labels(dtype)
    layer = Labels(data)
    draw_contours_quickly(layer)
    layer.contour = contour
    part = (slice(11, 60), slice(0, 77))
    wanted = get_contours(data, contour, 0)
    assert np.array_equal(layer._calculate_contour(data, part), wanted[part])
    whole = (slice(0, 80), slice(0, 120))
    shown = layer._calculate_contour(data, whole)
    assert shown.dtype == dtype
    assert np.array_equal(shown, wanted)
    layer.contour = 0
    assert layer._calculate_contour(data, whole) is None


def test_napari_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """If napari calls it otherwise one day, we want to know."""
    called: list[int] = []
    from napari_ssrvae.imaging import filters

    real = filters.boundaries
    monkeypatch.setattr(
        filters, "boundaries", lambda data, width: called.append(width) or real(data, width)
    )
    layer = Labels(labels(np.int32))
    draw_contours_quickly(layer)
    layer.contour = 2
    assert set(called) == {2}


def test_a_layer_goes_when_nobody_holds_it() -> None:
    layer = Labels(labels(np.int32))
    draw_contours_quickly(layer)
    gone = weakref.ref(layer)
    del layer
    gc.collect()
    assert gone() is None

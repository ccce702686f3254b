"""Contours drawn by OpenCV are those that napari draws."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels
from napari.layers.labels._labels_utils import get_contours
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

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


def wheel(hands: Any, steps: int) -> None:
    """Turn the wheel over the middle of the canvas: up (above 0) comes closer."""
    middle = hands.canvas.rect().center()
    for _ in range(abs(steps)):
        turned = QWheelEvent(
            QPointF(middle),
            QPointF(hands.canvas.mapToGlobal(middle)),
            QPoint(),
            QPoint(0, 120 if steps > 0 else -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(hands.canvas, turned)
    hands.settle()


def test_outlines_are_wider_from_afar(
    hands: Any, spheres: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_ssrvae.imaging import filters

    hands.viewer.add_image(np.tile(spheres, (3, 3)), name="many", scale=(2.5, 2.5))
    hands.wait(lambda: hands.session.active is not None)
    camera = hands.viewer.scene.camera
    assert 0.5 < camera.zoom * 2.5 < 1
    hands.find()
    layer = hands.viewer.layers["many particles"]
    assert layer.contour == 2
    drawn: list[int] = []
    real = filters.boundaries
    monkeypatch.setattr(
        filters, "boundaries", lambda data, width: drawn.append(width) or real(data, width)
    )
    wheel(hands, 12)
    assert camera.zoom * 2.5 > 1
    assert layer.contour == 1
    times = len(drawn)
    wheel(hands, 3)
    wheel(hands, -3)
    assert len(drawn) == times  # nothing is drawn anew while the width is the same
    wheel(hands, -24)
    assert camera.zoom * 2.5 < 0.5
    assert layer.contour == 3
    layer.contour = 5  # a person's choice
    wheel(hands, 24)
    assert layer.contour == 5

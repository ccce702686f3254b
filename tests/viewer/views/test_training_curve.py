from __future__ import annotations

import math

import pytest
from qtpy.QtWidgets import QApplication

from napari_ssrvae.viewer.views import TrainingCurve
from napari_ssrvae.viewer.views.training_curve import ACCURACY_COLOR, LOSS_COLOR


@pytest.fixture
def curve(qtbot, theme):
    widget = TrainingCurve()
    qtbot.addWidget(widget)
    widget.resize(300, 130)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def draw(curve, screen):
    for _ in range(3):
        QApplication.processEvents()
    return screen.colors(curve)


def test_before_training_it_says_what_to_do(curve, screen):
    assert curve.text() == "Train to see the loss fall and the accuracy rise"
    assert not {LOSS_COLOR, ACCURACY_COLOR} & draw(curve, screen)


def test_both_curves_are_drawn_and_the_latest_values_written(curve, screen):
    for epoch in range(5):
        curve.append(epoch, 100 - 10 * epoch, 0.2 * epoch)
    assert "Epoch 4" in curve.text()
    assert "loss 60" in curve.text()
    assert "accuracy 0.80" in curve.text()
    assert {LOSS_COLOR, ACCURACY_COLOR} <= draw(curve, screen)


def test_without_classes_there_is_only_the_loss(curve, screen):
    for epoch in range(5):
        curve.append(epoch, 100 - 10 * epoch)
    assert "accuracy" not in curve.text()
    shown = draw(curve, screen)
    assert LOSS_COLOR in shown
    assert ACCURACY_COLOR not in shown


def test_a_loss_that_is_not_finite_leaves_a_gap(curve, screen):
    for epoch, loss in enumerate([3.0, math.inf, math.nan, 2.0, 1.0]):
        curve.append(epoch, loss, 0.5)
    epochs, losses, _ = curve.values()
    assert epochs == [0, 1, 2, 3, 4]
    assert [math.isnan(loss) for loss in losses] == [False, True, True, False, False]
    assert LOSS_COLOR in draw(curve, screen)


def test_clear_forgets_everything(curve, screen):
    curve.append(0, 3.0, 0.5)
    curve.append(1, 2.0, 0.6)
    curve.clear()
    assert curve.values() == ([], [], [])
    assert curve.text() == TrainingCurve.EMPTY_TEXT
    assert LOSS_COLOR not in draw(curve, screen)
    curve.append(0, 9.0, 0.1)
    assert "loss 9" in curve.text()


def test_it_stays_low_and_fits_a_narrow_dock(curve, qtbot):
    curve.append(0, 12345.678, 0.5)
    curve.resize(260, curve.height())
    QApplication.processEvents()
    assert curve.minimumSizeHint().width() <= 260
    assert curve.sizeHint().height() <= 150


def test_it_follows_the_palette_and_a_theme_of_its_own(curve, theme, screen):
    curve.append(0, 3.0, 0.5)
    curve.append(1, 2.0, 0.6)
    assert theme.background in draw(curve, screen)
    curve.set_theme("#102030", "#ffee00")
    assert "#102030" in draw(curve, screen)

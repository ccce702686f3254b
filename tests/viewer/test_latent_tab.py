"""The latent plot in the window: what is chosen and drawn around there is selected everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QToolTip
from skimage.measure import label

from napari_ssrvae.library.predictions import Predictions
from napari_ssrvae.library.selection import Place
from napari_ssrvae.viewer.tabs.latent import LatentTab
from napari_ssrvae.viewer.tabs.scatter import projection

LEFT = Qt.MouseButton.LeftButton


def predictions(ids, dims, seed=0):
    """Two classes by turns, well apart in z1; z3 varies more than z2."""
    n, rng = len(ids), np.random.default_rng(seed)
    classes = 1 + np.arange(n) % 2
    probabilities = np.where(np.c_[classes == 1, classes == 2], 0.9, 0.1)
    z = rng.normal(size=(n, dims)) * np.array([0.1, 0.2, 1.0, 0.1])[:dims]
    z[:, 0] += 3 * classes
    flat = np.zeros(n)
    return Predictions(
        ids, classes, probabilities, np.array([1, 2]), z, flat, np.zeros((n, 2)), flat + 1
    )


@pytest.fixture
def tab(hands, spheres, qtbot):
    hands.viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    hands.session.set_particles(hands.session.active_key, label(spheres > 120))
    tab = LatentTab(hands.workbench)
    qtbot.addWidget(tab, before_close_func=lambda tab: tab.shutdown())
    tab.resize(700, 420)
    tab.show()
    qtbot.waitExposed(tab)
    return tab


def show(hands, dims, seed=0):
    key, state = hands.session.active_key, hands.session.active
    hands.session.set_predictions(key, predictions(state.particle_ids, dims, seed))
    hands.wait(lambda: not hands.workbench.jobs.running("pictures"))
    return key, state.particle_ids.tolist()


def place_of(tab, key, particle):
    return tab.plot.point_position(tab.point_of(Place(key, particle)))


def choose(hands, tab, name, keys):
    box = tab.findChild(QComboBox, name)
    box.setFocus()
    QTest.keyClicks(box, keys)
    hands.settle()


def axes(tab):
    return tuple(tab.findChild(QComboBox, f"{a} axis").currentText() for a in "xy")


def drag(viewport, corners):
    """Draw from corner to corner."""
    none = Qt.MouseButton.NoButton
    kinds = QEvent.Type
    moves = [(kinds.MouseMove, corner, none, LEFT) for corner in corners[1:]]
    for kind, at, button, buttons in (
        (kinds.MouseButtonPress, corners[0], LEFT, LEFT),
        *moves,
        (kinds.MouseButtonRelease, corners[-1], LEFT, none),
    ):
        where = QPointF(at), QPointF(viewport.mapToGlobal(at))
        event = QMouseEvent(kind, *where, button, buttons, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(viewport, event)
        QTest.qWait(20)  # pyqtgraph follows 100 times a second


def test_the_mouse_in_the_plot_selects_in_the_session(hands, tab):
    assert [x.text() for x in tab.findChildren(QLabel) if x.isVisible()] == [tab.plot.EMPTY_TEXT]
    key, ids = show(hands, 2)
    viewport, camera = tab.plot.viewport(), hands.viewer.scene.camera
    camera.center = (0.0, 0.0, 0.0)
    QTest.mouseClick(viewport, LEFT, pos=place_of(tab, key, ids[4]))
    hands.settle()
    assert list(hands.session.selection) == [Place(key, ids[4])]
    y, x = np.argwhere(hands.session.active.labels == ids[4]).mean(axis=0)
    assert camera.center[-2:] == pytest.approx((y, x), abs=2)
    assert tab.plot.selected() == tab.point_of(Place(key, ids[4]))

    shift = Qt.KeyboardModifier.ShiftModifier
    QTest.mouseClick(viewport, LEFT, shift, pos=place_of(tab, key, ids[9]))
    assert set(hands.session.selection) == {Place(key, ids[4]), Place(key, ids[9])}
    assert hands.session.selection.focus == Place(key, ids[9])

    QTest.mouseClick(tab.findChild(QPushButton, "lasso"), LEFT)
    places = [place_of(tab, key, particle) for particle in ids[::2]]  # class 1
    left, right = min(p.x() for p in places) - 6, max(p.x() for p in places) + 6
    top, bottom = min(p.y() for p in places) - 6, max(p.y() for p in places) + 6
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    drag(viewport, [QPoint(*corner) for corner in corners])
    hands.settle()
    assert sorted(p.particle for p in hands.session.selection) == ids[::2]

    hands.click_particle(ids[1])
    assert tab.plot.selected() == tab.point_of(Place(key, ids[1]))


def test_choices_survive_new_predictions_and_fall_back_where_columns_go(hands, tab, hover):
    key, ids = show(hands, 3)
    hands.session.label(key, {ids[0]: 2})
    hands.settle()
    assert axes(tab) == ("z1", "z2")
    choose(hands, tab, "x axis", "pro")
    choose(hands, tab, "y axis", "dia")
    choose(hands, tab, "color by", "hand")
    chosen = ("projection 1", "diameter (px)")
    assert axes(tab) == chosen
    shown = [x.text() for x in tab.findChildren(QLabel) if x.isVisible()]
    rest = f"unlabelled {len(ids) - 1}"
    assert shown[:4] == ["class 1 0", "class 2 1", rest, "by hand"]

    show(hands, 3, seed=1)
    assert axes(tab) == chosen
    show(hands, 1)
    assert axes(tab) == ("z1", "confidence")
    show(hands, 3)
    assert axes(tab) == chosen

    hover(tab.plot.viewport(), lambda: place_of(tab, key, ids[0]), f"Particle {ids[0]}")
    assert "<img" in QToolTip.text()
    assert "class 2 (by hand), model: class 1 (90%)<br>diameter (px): " in QToolTip.text()
    QToolTip.hideText()


def test_choices_survive_a_pixel_size_that_gives_measures_another_unit(hands, tab):
    show(hands, 2)
    choose(hands, tab, "x axis", "d")
    choose(hands, tab, "color by", "area")
    color = tab.findChild(QComboBox, "color by")
    assert axes(tab) == ("diameter (px)", "z2")
    assert color.currentText() == "area (px²)"
    hands.workbench.set_pixel_size(2.0)
    hands.settle()
    assert axes(tab) == ("diameter (nm)", "z2")
    assert color.currentText() == "area (nm²)"
    hands.session.history.undo()
    hands.settle()
    assert axes(tab) == ("diameter (px)", "z2")
    assert color.currentText() == "area (px²)"


def test_the_projection_holds_what_varies_most_and_is_always_the_same():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(500, 4)) * [0.1, 3.0, 0.2, 1.0]
    z[3] = np.nan
    shown = projection(z)
    assert np.isnan(shown[3]).all()
    known = np.arange(500) != 3
    for column, source in enumerate((1, 3)):
        assert np.corrcoef(shown[known, column], z[known, source])[0, 1] > 0.95
    np.testing.assert_allclose(projection(z[::-1])[::-1], shown, atol=1e-9)
    assert np.isnan(projection(np.full((2, 3), np.nan))).all()

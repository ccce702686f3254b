from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_ssrvae.errors import InputError
from napari_ssrvae.viewer.views.manifold import ClassManifold

CLASSES = [("monomer", "#0072b2"), ("dimer", "#e69f00")]


@pytest.fixture
def view(qtbot, theme):
    widget = ClassManifold()
    qtbot.addWidget(widget)
    widget.resize(900, 260)
    widget.show()
    qtbot.waitExposed(widget)
    widget.set_classes(CLASSES, 1)
    show(widget)
    return widget


def show(view, rows=3, columns=4):
    """Cell (i, j) is a picture of one grey, brighter to the right; the first column is empty."""
    images = np.zeros((rows, columns, 6, 6)) + np.linspace(0.1, 1, columns)[:, None, None]
    near, counts = np.ones((rows, columns), bool), np.ones((rows, columns), int)
    near[:, 0], counts[:, 0] = False, 0
    view.set_grid(images, near, counts, np.linspace(-1, 1, columns), np.linspace(2, -2, rows))
    QApplication.processEvents()


def heard(signal):
    calls = []
    signal.connect(lambda *args: calls.append(args))
    return calls


def click(view, row, column):
    place = view.grid.cell_rect(row, column).center()
    QTest.mouseClick(view.grid, Qt.MouseButton.LeftButton, pos=place)
    QApplication.processEvents()


def test_a_click_shows_the_cell_large_and_asks_for_particles(view):
    calls = heard(view.cell_chosen)
    assert view.large.is_empty()
    click(view, 1, 3)
    assert calls == [(1, 3)]
    assert view.where.text() == "z1 = 1.00, z2 = 0.00\n1 particle here"
    middle = view.large.grab().toImage().pixelColor(view.large.width() // 2, 40)
    assert middle.red() == 255
    click(view, 0, 0)
    assert view.where.text() == "z1 = -1.00, z2 = 2.00\nno particle here"


def test_arrows_walk_and_stay_inside(view):
    calls = heard(view.cell_chosen)
    click(view, 0, 2)
    for key in (
        Qt.Key.Key_Right,
        Qt.Key.Key_Right,
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_Left,
    ):
        QTest.keyClick(view.grid, key)
    QTest.keyClick(view.grid, Qt.Key.Key_Return)
    assert calls == [(0, 2), (0, 3), (0, 3), (0, 3), (1, 3), (1, 2), (1, 2)]


def test_cells_without_particles_are_dimmed(view):
    picture = view.grid.grab().toImage()
    near, far = (view.grid.cell_rect(1, column).center() for column in (1, 0))
    assert picture.pixelColor(near).red() == pytest.approx(0.4 * 255, abs=3)
    background = view.theme().background.red()
    expected = 0.3 * 0.1 * 255 + 0.7 * background
    assert picture.pixelColor(far).red() == pytest.approx(expected, abs=5)


def test_real_particles_are_clicked_and_pressed(view):
    calls = heard(view.neighbour_clicked)
    click(view, 1, 1)
    view.set_neighbours(np.ones((3, 6, 6)), ["0.1", "0.2", "0.3"], ["a", "b", "c"])
    QApplication.processEvents()
    buttons = view.neighbours()
    assert [button.text() for button in buttons] == ["0.1", "0.2", "0.3"]
    QTest.mouseClick(buttons[1], Qt.MouseButton.LeftButton)
    QTest.keyClick(buttons[2], Qt.Key.Key_Return)
    assert calls == [(1,), (2,)]
    view.mark((2, 1), 1)
    assert [button.is_marked() for button in buttons] == [False, True, False]
    ring = view.grid.cell_rect(2, 1).topLeft() + QPoint(3, 10)
    assert view.grid.grab().toImage().pixelColor(ring) == view.theme().selected
    view.set_neighbours(np.ones((0, 6, 6)), [], [])
    assert view.nearest.text() == "No particle has been taken for this class."


def test_back_and_other_classes(view):
    back, chosen = heard(view.back_wanted), heard(view.class_chosen)
    QTest.mouseClick(view.back, Qt.MouseButton.LeftButton)
    QTest.keyClick(view.grid, Qt.Key.Key_Escape)
    assert len(back) == 2
    assert view.classes.currentText() == "dimer"
    view.classes.setFocus()
    QTest.keyClick(view.classes, Qt.Key.Key_Up)
    assert chosen == [(0,)]


@pytest.mark.parametrize(("rows", "columns"), [(7, 9), (1, 9)])
def test_it_fits_a_side_pane_and_a_wide_tab(view, rows, columns):
    show(view, rows, columns)
    click(view, 0, 5)
    view.set_neighbours(np.ones((8, 6, 6)), ["0.12"] * 8, ["a"] * 8)
    for width, height in ((220, 600), (1100, 230)):
        view.resize(width, height)
        for _ in range(3):
            QApplication.processEvents()
        parts = [view.grid, view.large, view.back, view.classes, *view.neighbours()]
        for part in parts:
            assert part.mapTo(view, QPoint(part.width(), 0)).x() <= width
    assert view.grid.height() < 230


def test_arrays_that_do_not_fit_are_refused(view):
    with pytest.raises(InputError, match="make no grid of 2 rows"):
        view.set_grid(
            np.ones((3, 4, 6, 6)), np.ones((3, 4), bool), np.ones((3, 4), int), [0] * 4, [1, 0]
        )

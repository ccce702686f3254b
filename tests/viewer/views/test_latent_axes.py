"""Axes, colours and pictures of the latent plot; how it takes clicks is in test_latent_plot.py."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QToolTip
from skimage.measure import points_in_poly
from test_latent_plot import (
    IDS,
    LEFT,
    LEGEND,
    TICK,
    XY,
    move_with_left_button,
    settle,
    shows,
    turn_wheel,
)

from napari_ssrvae.viewer.views import LatentPlot
from napari_ssrvae.viewer.views._points import as_points

COLUMNS = {"z1": XY[:, 0], "z2": XY[:, 1], "diameter (nm)": np.array([20.0, 30.0, 40.0, 900.0])}
GREY = "#8c8c8c"


class Owner:
    """Has the columns and answers what a person chooses, as a tab does."""

    def __init__(self, plot):
        self.plot, self.axes, self.coloring = plot, ("z1", "z2"), "class"
        plot.axes_chosen.connect(self.on_axes)
        plot.coloring_chosen.connect(self.on_coloring)
        self.draw()

    def on_axes(self, x, y):
        self.axes = (x, y)
        self.draw()

    def on_coloring(self, name):
        self.coloring = name
        self.draw()

    def draw(self):
        by_class = self.coloring == "class"
        self.plot.offer(list(COLUMNS), self.axes, ["class", *COLUMNS], self.coloring)
        self.plot.set_points(
            np.column_stack([COLUMNS[name] for name in self.axes]),
            [0, 1, 0, -1] if by_class else COLUMNS[self.coloring],
            IDS,
            legend=LEGEND if by_class else (),
            axis_labels=self.axes,
            color_label=None if by_class else self.coloring,
        )


@pytest.fixture
def plot(qtbot, theme):
    widget = LatentPlot()
    qtbot.addWidget(widget)
    widget.resize(640, 400)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


@pytest.fixture
def owner(plot):
    owner = Owner(plot)
    settle()
    return owner


def texts(plot):
    return [label.text() for label in plot.findChildren(QLabel) if label.isVisible()]


def choose(plot, name, keys):
    """Choose in a box with the keyboard."""
    box = plot.findChild(QComboBox, name)
    assert box.isVisible()
    box.setFocus()
    QTest.keyClicks(box, keys)
    settle()
    return box


def test_an_axis_is_chosen_with_the_keyboard_and_everything_is_seen_again(plot, owner, theme):
    plot.select(3)
    turn_wheel(plot, plot.point_position(3), steps=6)
    box = choose(plot, "y axis", "d")
    assert owner.axes == ("z1", "diameter (nm)")
    assert box.currentText() == "diameter (nm)"
    at = [plot.point_position(particle) for particle in IDS.tolist()]
    assert all(plot.viewport().rect().contains(place) for place in at)
    assert at[3].y() < at[2].y() < at[0].y()  # 900 nm above 40 nm above 20 nm
    assert plot.selected() == 3
    assert shows(plot, at[0] + TICK, theme.foreground)


def test_the_boxes_take_the_focus_one_after_the_other_and_say_what_they_are_for(plot, owner):
    plot.findChild(QComboBox, "x axis").setFocus()
    order = []
    for _ in range(3):
        order.append(plot.focusWidget().accessibleName())
        QTest.keyClick(plot.focusWidget(), Qt.Key.Key_Tab)
    assert order == ["x axis", "y axis", "color by"]
    assert all(box.toolTip() for box in plot.findChildren(QComboBox))


def test_new_points_on_the_same_axes_keep_zoom_and_choice(plot, owner):
    choose(plot, "x axis", "d")
    turn_wheel(plot, plot.point_position(3), steps=6)
    before = plot.point_position(3)
    owner.draw()
    settle()
    assert (plot.point_position(3) - before).manhattanLength() <= 1
    assert plot.findChild(QComboBox, "x axis").currentText() == "diameter (nm)"


def test_without_columns_to_choose_from_there_are_no_boxes(plot):
    plot.set_points(XY, [0, 1, 0, -1], IDS, legend=LEGEND)
    assert not any(box.isVisible() for box in plot.findChildren(QComboBox))


def test_numbers_are_colours_from_low_to_high_with_a_bar(plot, owner):
    choose(plot, "color by", "d")
    assert owner.coloring == "diameter (nm)"
    assert texts(plot)[:3] == ["diameter (nm)", "20.6", "848"]  # 2nd and 98th percentile
    low, high = plot.point_position(3), plot.point_position(40)
    assert shows(plot, low, "#482576")
    assert shows(plot, high, "#cde11d")
    assert not shows(plot, low, "#cde11d")


def test_one_odd_value_takes_no_colours_from_the_others(plot):
    rng = np.random.default_rng(0)
    xy, values = rng.normal(size=(200, 2)), np.linspace(10, 20, 200)
    values[7] = 1e6
    plot.set_points(xy, values, np.arange(200), color_label="diameter (nm)")
    assert texts(plot) == ["diameter (nm)", "10.2", "19.9"]


def test_what_is_not_known_is_grey_and_counted(plot):
    values = [1.0, np.nan, 3.0, np.nan]
    plot.set_points(XY, values, IDS, color_label="circularity")
    settle()
    assert texts(plot) == ["circularity", "1.04", "2.96", "unknown 2"]
    assert shows(plot, plot.point_position(7), GREY)
    assert not shows(plot, plot.point_position(3), GREY)
    plot.set_points(XY, np.full(4, np.nan), IDS, color_label="circularity")
    settle()
    assert shows(plot, plot.point_position(3), GREY)


def test_the_same_value_everywhere_is_a_colour_too(plot):
    plot.set_points(XY, np.ones(4), IDS, color_label="confidence")
    settle()
    assert not shows(plot, plot.point_position(3), GREY)


def test_of_many_micrographs_twelve_are_named_in_the_legend(plot):
    legend = [(f"a micrograph with a very long name {i}.tif", "#009e73", 1) for i in range(20)]
    plot.set_points(XY, [0, 1, 2, 3], IDS, legend=legend)
    shown = texts(plot)
    assert len(shown) == 13
    assert shown[0] == "a micrograph w…ong name 0.tif 1"
    assert shown[-1] == "and 8 more"


@pytest.mark.parametrize("width", [420, 1100])
def test_boxes_legend_and_buttons_have_room_beside_each_other(plot, owner, width):
    plot.resize(width, 400)
    settle()
    labels = [label for label in plot.findChildren(QLabel) if label.isVisible()]
    boxes = [box for box in plot.findChildren(QComboBox) if box.isVisible()]
    rects = [w.rect().translated(w.mapTo(plot, QPoint())) for w in (*labels, *boxes)]
    assert all(plot.rect().contains(rect) for rect in rects)
    overlaps = [a.intersects(b) for i, a in enumerate(rects) for b in rects[:i]]
    assert not any(overlaps)


def tip_at(plot, hover, qtbot, particle, words):
    """Move to a point; return the tooltip when it says so."""
    QToolTip.hideText()
    # The tooltip of another plot goes with that plot.
    qtbot.waitUntil(lambda: not QToolTip.isVisible(), timeout=2000)
    hover(plot.viewport(), lambda: plot.point_position(particle), words)
    tips = [w for w in QApplication.topLevelWidgets() if w.inherits("QTipLabel")]
    return next(w for w in tips if w.isVisible() and w.text() == QToolTip.text())


def test_hovering_shows_the_picture_of_the_particle(plot, owner, hover, qtbot, screen):
    plot.set_pictures(lambda particle: np.full((48, 48), 10 * particle, np.uint8))
    box = plot.findChild(QComboBox, "x axis")
    box.setFocus()
    assert "#464646" in screen.colors(tip_at(plot, hover, qtbot, 7, "Particle 7: dimer"))
    shown = screen.colors(tip_at(plot, hover, qtbot, 12, "Particle 12: monomer"))
    assert "#787878" in shown
    assert LEGEND[0][1] in shown  # its frame has the colour of the class
    assert plot.focusWidget() is box
    QToolTip.hideText()


def test_a_particle_without_a_picture_is_told_in_words(plot, owner, hover, qtbot):
    plot.set_pictures(lambda particle: None)
    tip_at(plot, hover, qtbot, 7, "Particle 7: dimer")
    assert QToolTip.text() == "Particle 7: dimer"
    QToolTip.hideText()


def test_words_are_asked_for_one_particle_at_a_time_and_shown_as_they_are(plot, hover, qtbot):
    asked = []

    def describe(particle):
        asked.append(particle)
        return f"<b> & {particle}\nsecond line"

    plot.set_points(XY, [0, 1, 0, -1], IDS, legend=LEGEND, details=describe)
    settle()
    assert asked == []
    plot.set_pictures(lambda particle: np.zeros((8, 8), np.uint8))
    tip_at(plot, hover, qtbot, 7, "&lt;b&gt; &amp; 7<br>second line")
    assert set(asked) == {7}
    QToolTip.hideText()


def test_points_are_drawn_where_they_are_after_a_drag(plot, owner, qtbot):
    """They are kept as a picture, which must move with them."""
    before, viewport = plot.point_position(7), plot.viewport()
    assert shows(plot, before, LEGEND[1][1])
    qtbot.mousePress(viewport, LEFT, pos=before)
    for step in range(1, 6):
        move_with_left_button(viewport, before + QPoint(-12 * step, 5 * step))
    qtbot.mouseRelease(viewport, LEFT, pos=before + QPoint(-60, 25))
    settle()
    after = plot.point_position(7)
    assert (after - before - QPoint(-60, 25)).manhattanLength() <= 4
    assert shows(plot, after, LEGEND[1][1])
    assert not shows(plot, before, LEGEND[1][1])


@pytest.mark.parametrize("seed", range(3))
def test_a_lasso_that_crosses_itself_holds_what_skimage_says(seed):
    rng = np.random.default_rng(seed)
    xy, corners = rng.normal(size=(2000, 2)) * [1, 1000], rng.normal(size=(40, 2)) * [1, 1000]
    corners[5:8, 1] = corners[5, 1]  # a level edge
    points = as_points(xy, np.zeros(2000, int), np.arange(2000), legend=LEGEND)
    assert points.inside(corners).tolist() == np.flatnonzero(points_in_poly(xy, corners)).tolist()

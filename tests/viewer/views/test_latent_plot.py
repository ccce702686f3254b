from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QColor, QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLabel, QPushButton, QToolTip
from settling import settled

from napari_ssrvae.errors import InputError
from napari_ssrvae.viewer.views import LatentPlot

LEGEND = [("monomer", "#0072b2", 2), ("dimer", "#e69f00", 1)]
XY = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, -1.0], [-1.0, 2.0]])
IDS = np.array([3, 7, 12, 40])
LEFT = Qt.MouseButton.LeftButton
TICK = QPoint(0, -14)
"""From the selected point to one of the four ticks of its mark."""


@pytest.fixture
def plot(qtbot, theme):
    widget = LatentPlot()
    qtbot.addWidget(widget)
    widget.resize(400, 360)
    widget.show()
    qtbot.waitExposed(widget)
    widget.set_points(XY, [0, 1, 0, -1], IDS, [False, True, False, False], legend=LEGEND)
    # the axes take their width when they are first painted, which moves the points
    settled(lambda: [widget.point_position(number) for number in IDS])
    return widget


def settle():
    """Let pyqtgraph fit the range and the layouts settle."""
    for _ in range(3):
        QApplication.processEvents()


def turn_wheel(plot, at, steps):
    viewport = plot.viewport()
    event = QWheelEvent(
        QPointF(at),
        QPointF(viewport.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(viewport, event)
    settle()


def move_with_left_button(viewport, position):
    """Drag: QTest.mouseMove carries no pressed button."""
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(position),
        QPointF(viewport.mapToGlobal(position)),
        Qt.MouseButton.NoButton,
        LEFT,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(viewport, event)
    QApplication.processEvents()


def draw_lasso(viewport, corners, modifier):
    """Press, drag from corner to corner, release; pyqtgraph follows 100 times a second."""

    def send(kind, position, button, buttons):
        event = QMouseEvent(
            kind,
            QPointF(position),
            QPointF(viewport.mapToGlobal(position)),
            button,
            buttons,
            modifier,
        )
        QApplication.sendEvent(viewport, event)
        QApplication.processEvents()

    none = Qt.MouseButton.NoButton
    send(QEvent.Type.MouseButtonPress, corners[0], LEFT, LEFT)
    for corner in corners[1:]:
        QTest.qWait(20)
        send(QEvent.Type.MouseMove, corner, none, LEFT)
    send(QEvent.Type.MouseButtonRelease, corners[-1], LEFT, none)
    settle()


def shows(plot, position, color):
    """Whether a colour, up to smoothing and the points' transparency, is within 1 px of a place."""
    image = plot.viewport().grab().toImage()
    places = [position + QPoint(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
    shown = np.array([image.pixelColor(place).getRgb()[:3] for place in places])
    return bool((np.abs(shown - QColor(color).getRgb()[:3]).max(axis=1) <= 40).any())


@pytest.mark.parametrize("particle", IDS.tolist())
def test_a_click_names_the_particle_of_the_point(plot, qtbot, particle):
    with qtbot.waitSignal(plot.point_clicked, timeout=1000) as clicked:
        qtbot.mouseClick(plot.viewport(), LEFT, pos=plot.point_position(particle))
    assert clicked.args == [particle]
    assert type(clicked.args[0]) is int


def test_a_click_finds_the_nearest_point_within_reach_and_nothing_beyond(plot, qtbot):
    heard = []
    plot.point_clicked.connect(heard.append)
    place = plot.point_position(7)
    qtbot.mouseClick(plot.viewport(), LEFT, pos=place + QPoint(7, 0))
    qtbot.mouseClick(plot.viewport(), LEFT, pos=place + QPoint(20, 0))
    assert heard == [7]


def test_only_the_left_button_clicks(plot, qtbot):
    with qtbot.assertNotEmitted(plot.point_clicked):
        qtbot.mouseClick(plot.viewport(), Qt.MouseButton.RightButton, pos=plot.point_position(7))


def test_a_drag_pans_and_does_not_click(plot, qtbot):
    before = plot.point_position(7)
    viewport = plot.viewport()
    with qtbot.assertNotEmitted(plot.point_clicked):
        qtbot.mousePress(viewport, LEFT, pos=before)
        for step in range(1, 6):
            move_with_left_button(viewport, before + QPoint(10 * step, 0))
        qtbot.mouseRelease(viewport, LEFT, pos=before + QPoint(50, 0))
        settle()
    moved = plot.point_position(7) - before
    assert abs(moved.x() - 50) <= 2
    assert moved.y() == pytest.approx(0, abs=2)


@pytest.mark.parametrize("button", [False, True])
def test_a_lasso_names_the_points_in_it(plot, qtbot, button):
    """With Shift held, which adds to the selection, or with the button down."""
    lassoed = []
    plot.points_lassoed.connect(lambda ids, adds: lassoed.append((sorted(ids.tolist()), adds)))
    before = plot.point_position(3)
    if button:
        qtbot.mouseClick(plot.findChild(QPushButton, "lasso"), LEFT)
    around = [plot.point_position(3), plot.point_position(7)]
    low = QPoint(min(p.x() for p in around) - 15, min(p.y() for p in around) - 15)
    high = QPoint(max(p.x() for p in around) + 15, max(p.y() for p in around) + 15)
    corners = [low, QPoint(high.x(), low.y()), high, QPoint(low.x(), high.y()), low]
    modifier = Qt.KeyboardModifier.NoModifier if button else Qt.KeyboardModifier.ShiftModifier
    draw_lasso(plot.viewport(), corners, modifier)
    assert lassoed == [([3, 7], not button)]
    assert plot.point_position(3) == before  # nothing was panned


def test_a_click_with_shift_asks_for_one_more(plot, qtbot):
    clicked = []
    plot.point_clicked.connect(clicked.append)
    with qtbot.waitSignal(plot.point_toggled, timeout=1000) as toggled:
        shift = Qt.KeyboardModifier.ShiftModifier
        qtbot.mouseClick(plot.viewport(), LEFT, shift, pos=plot.point_position(7))
    assert toggled.args == [7]
    assert clicked == []


def test_all_selected_points_are_marked_and_one_is_in_focus(plot):
    plot.select(3, others=[3, 12, 999])
    settle()
    rim = plot.point_position(12) + QPoint(6, 0)
    assert shows(plot, rim, plot.theme().selected)
    assert shows(plot, plot.point_position(3) + TICK, QColor(plot.theme().foreground))
    plot.select(3)
    settle()
    assert not shows(plot, rim, plot.theme().selected)


def test_a_lasso_around_fifty_thousand_points_is_quick(plot):
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(50_000, 2))
    plot.set_points(xy, np.zeros(50_000, int), np.arange(50_000), legend=LEGEND)
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.c_[np.cos(angle), np.sin(angle)]
    inside = plot._points.inside(circle)
    expected = np.flatnonzero(np.hypot(*xy.T) < 1)
    assert len(np.setxor1d(inside, expected)) < 50
    plot.select(int(inside[0]), others=inside)


def test_clicks_follow_zoom_and_show_all_brings_everything_back(plot, qtbot):
    turn_wheel(plot, plot.point_position(3), steps=6)
    inside = plot.viewport().rect()
    assert not inside.contains(plot.point_position(12))
    with qtbot.waitSignal(plot.point_clicked, timeout=1000) as clicked:
        qtbot.mouseClick(plot.viewport(), LEFT, pos=plot.point_position(3))
    assert clicked.args == [3]
    qtbot.mouseClick(plot.findChild(QPushButton), LEFT)
    settle()
    assert all(inside.contains(plot.point_position(particle)) for particle in IDS.tolist())


def test_points_carry_the_colours_of_their_classes(plot):
    expected = {3: "#0072b2", 7: "#e69f00", 12: "#0072b2", 40: "#8c8c8c"}
    for particle, color in expected.items():
        assert shows(plot, plot.point_position(particle), color), particle
    assert not shows(plot, plot.point_position(3), "#e69f00")


def test_colours_can_be_given_for_each_point(plot):
    colors = ["#ff0000", "#00ff00", "#0000ff", "#ffff00"]
    rgb = np.array([QColor(color).getRgb()[:3] for color in colors], dtype=np.uint8)
    plot.set_points(XY, rgb, IDS)
    settle()
    for particle, color in zip(IDS.tolist(), colors, strict=True):
        assert shows(plot, plot.point_position(particle), color), color


def test_hand_labels_have_a_ring_in_the_foreground_colour(plot, theme):
    def ring(particle):
        rim = plot.point_position(particle) + QPoint(5, 0)
        return shows(plot, rim, theme.foreground)

    assert ring(7)
    assert not ring(3)


def test_the_selected_point_is_marked_until_another_is(plot, theme):
    def marked(particle):
        return shows(plot, plot.point_position(particle) + TICK, theme.foreground)

    assert not marked(3)
    plot.select(3)
    settle()
    assert plot.selected() == 3
    assert marked(3)
    plot.select(12)
    settle()
    assert marked(12)
    assert not marked(3)
    plot.select(None)
    settle()
    assert not marked(12)


def test_the_mark_stays_on_its_particle_when_the_points_move(plot, theme):
    plot.select(3)
    plot.set_points(XY[::-1] * 3, [0, 1, 0, 1], IDS, legend=LEGEND)
    settle()
    assert shows(plot, plot.point_position(3) + TICK, theme.foreground)


def test_selecting_a_particle_out_of_sight_brings_it_into_sight(plot):
    turn_wheel(plot, plot.point_position(3), steps=6)
    inside = plot.viewport().rect()
    plot.select(12, reveal=False)
    assert not inside.contains(plot.point_position(12))
    plot.select(12)
    assert inside.contains(plot.point_position(12))


def test_selecting_a_particle_without_a_point_marks_nothing(plot):
    before = plot.viewport().grab().toImage()
    plot.select(999)
    settle()
    assert plot.viewport().grab().toImage() == before


def test_hovering_tells_particle_and_class(plot, hover):
    hover(plot.viewport(), lambda: plot.point_position(7), "Particle 7")
    assert QToolTip.text() == "Particle 7: dimer (labelled by hand)"
    QToolTip.hideText()


def test_zoom_of_the_person_survives_new_points(plot):
    turn_wheel(plot, plot.point_position(3), steps=6)
    before = plot.point_position(3)
    plot.set_points(XY, [1, 1, 1, 1], IDS, [False, True, False, False], legend=LEGEND)
    settle()
    assert (plot.point_position(3) - before).manhattanLength() <= 1


def test_without_points_the_plot_says_what_to_do(qtbot, theme):
    plot = LatentPlot()
    qtbot.addWidget(plot)
    plot.show()
    shown = [label.text() for label in plot.findChildren(QLabel) if label.isVisible()]
    assert shown == ["Train a model to see how the particles arrange themselves"]
    plot.set_points(XY, [0] * 4, IDS, legend=LEGEND)
    plot.set_points(np.empty((0, 2)), [], [], legend=LEGEND)
    shown = [label.text() for label in plot.findChildren(QLabel) if label.isVisible()]
    assert shown == ["Train a model to see how the particles arrange themselves"]
    plot.clear("Find particles first")
    shown = [label.text() for label in plot.findChildren(QLabel) if label.isVisible()]
    assert shown == ["Find particles first"]


def test_the_legend_has_names_counts_and_the_ring(plot):
    shown = [label.text() for label in plot.findChildren(QLabel) if label.isVisible()]
    assert shown == ["monomer 2", "dimer 1", "by hand"]


def test_particles_without_a_finite_position_are_left_out(plot):
    xy = XY.copy()
    xy[1] = np.nan
    plot.set_points(xy, [0, 0, 0, 0], IDS, legend=LEGEND)
    with pytest.raises(InputError, match="Particle 7 has no point"):
        plot.point_position(7)
    assert plot.viewport().rect().contains(plot.point_position(12))


def test_fifty_thousand_points_can_be_set_twice_and_clicked(plot, qtbot):
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(50_000, 2))
    xy[123] = 6.0
    for _ in range(2):
        plot.set_points(xy, rng.integers(0, 2, len(xy)), np.arange(len(xy)), legend=LEGEND)
        settle()
    with qtbot.waitSignal(plot.point_clicked, timeout=1000) as clicked:
        qtbot.mouseClick(plot.viewport(), LEFT, pos=plot.point_position(123))
    assert clicked.args == [123]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"xy": np.zeros((4, 3))}, r"shape \(n, 2\), not \(4, 3\)"),
        ({"ids": IDS[:3]}, "4 positions but 3 ids"),
        ({"colors": [0, 1, 2, 0]}, "do not fit a legend of 2 classes"),
        ({"colors": np.zeros((4, 2))}, r"Colours have shape \(4, 2\)"),
        ({"labelled": [True]}, "4 positions but 1 labelled"),
        ({"details": ["a"]}, "4 positions but 1 details"),
        ({"legend": [("a", "no such colour", 1), ("b", "#ffffff", 1)]}, "is not a colour"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_and_nothing_is_lost(plot, arguments, message):
    good = {"xy": XY, "colors": [0, 1, 0, -1], "ids": IDS, "legend": LEGEND}
    before = plot.point_position(7)
    with pytest.raises(InputError, match=message):
        plot.set_points(**(good | arguments))
    assert plot.point_position(7) == before


def test_it_follows_the_palette_and_a_theme_of_its_own(plot, theme, screen):
    assert {theme.background, theme.foreground} <= screen.colors(plot)
    plot.set_theme("#102030", "#ffee00")
    settle()
    own = screen.colors(plot)
    assert {"#102030", "#ffee00"} <= own
    plot.set_theme(None, None)
    settle()
    assert "#ffee00" not in screen.colors(plot)

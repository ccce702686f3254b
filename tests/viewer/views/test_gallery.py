from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QHelpEvent, QKeySequence, QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QShortcut, QToolTip, QVBoxLayout, QWidget

from napari_ssrvae.errors import InputError
from napari_ssrvae.viewer.views import Gallery, GalleryItems
from napari_ssrvae.viewer.views._gallery_order import Show, Sort, Wish, arrange
from napari_ssrvae.viewer.views.color import SELECTED, SELECTED_ON_LIGHT

LEFT = Qt.MouseButton.LeftButton
NONE, SHIFT, CTRL = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
)
LEGEND = [("monomer", "#0072b2"), ("dimer", "#e69f00")]
N = 40
NAN = np.nan


def items_of(n=N, **changes):
    """Particles 0, 1, 2...: the later, the surer and the larger."""
    rows = np.arange(n)
    values = {
        "hand": np.full(n, -1),
        "predicted": rows % 2,
        "columns": {"confidence": 0.5 + rows / (2 * n), "diameter (nm)": 10.0 + rows},
    }
    return GalleryItems.of(rows[:, None], **(values | changes))


class Window(QWidget):
    """Hears the keys that nobody else wanted."""

    heard = ""

    def keyPressEvent(self, event):  # noqa: N802
        self.heard += event.text()


class Owner:
    """Owns pictures and the selection, as a session does, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.activated: list[int] = []
        self.selections: list[list[int]] = []
        self.bright: dict[int, np.ndarray] = {}
        self.window = Window()
        self.view = Gallery(self.pictures, "particle {}".format, self.window)
        layout = QVBoxLayout(self.window)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self.view.selection_made.connect(self.select)
        self.view.activated_row.connect(self.activated.append)

    def pictures(self, rows):
        self.asked.append(rows.tolist())
        blank = np.full((24, 24), 90, np.uint8)
        return np.stack([self.bright.get(int(row), blank) for row in rows])

    def select(self, rows):
        self.selections.append(rows.tolist())
        self.view.set_selected(rows, int(rows[-1]) if len(rows) else None)

    @property
    def selected(self):
        return sorted(self.selections[-1])

    def show(self, items, **more):
        self.view.set_items(items, legend=LEGEND, ranges=("confidence", "diameter (nm)"), **more)
        QApplication.processEvents()

    def at(self, row):
        return self.view.tile_position(row)

    def click(self, row, modifier=NONE):
        QTest.mouseClick(self.view.viewport(), LEFT, modifier, self.at(row))

    def key(self, key, modifier=NONE):
        QTest.keyClick(self.view.grid, key, modifier)

    def choose(self, combo, text):
        """Choose with the keyboard, as a person may."""
        combo.setFocus()
        target = combo.findText(text)
        assert target >= 0
        while combo.currentIndex() != target:
            down = combo.currentIndex() < target
            QTest.keyClick(combo, Qt.Key.Key_Down if down else Qt.Key.Key_Up)

    def drag(self, start, end, modifier=NONE):
        viewport = self.view.viewport()

        def send(kind, at, button, buttons):
            where = QPointF(viewport.mapToGlobal(at))
            event = QMouseEvent(kind, QPointF(at), where, button, buttons, modifier)
            QApplication.sendEvent(viewport, event)

        send(QEvent.Type.MouseButtonPress, start, LEFT, LEFT)
        for share in (0.3, 0.6, 1.0):
            at = start + (end - start) * share
            send(QEvent.Type.MouseMove, at, Qt.MouseButton.NoButton, LEFT)
        send(QEvent.Type.MouseButtonRelease, end, LEFT, Qt.MouseButton.NoButton)

    def pixel(self, row, dx=0, dy=0):
        image = self.view.viewport().grab().toImage()
        return image.pixelColor(self.at(row) + QPoint(dx, dy))


@pytest.fixture
def owner(qtbot):
    owner = Owner()
    qtbot.addWidget(owner.window)
    owner.window.resize(700, 220)
    with qtbot.waitActive(owner.window):
        owner.window.show()
        owner.window.activateWindow()
    owner.show(items_of())
    return owner


# ------------------------------------------------------------------ selecting


def test_a_click_selects_ctrl_toggles_and_shift_selects_a_range(owner):
    owner.click(3)
    assert owner.selected == [3]
    owner.click(6, CTRL)
    assert owner.selected == [3, 6]
    owner.click(3, CTRL)
    assert owner.selected == [6]
    owner.click(4)
    owner.click(7, SHIFT)
    assert owner.selected == [4, 5, 6, 7]
    owner.click(5, SHIFT)
    assert owner.selected == [4, 5], "a shorter range begins where the longer one did"
    assert owner.selections[-1][-1] == 5, "the tile that was clicked is in focus"


def test_a_drag_selects_what_it_covers_and_says_so_once(owner):
    start, end = owner.at(1), owner.at(3)
    below = owner.at(owner.view.grid._columns + 3)
    owner.drag(start, QPoint(end.x(), below.y()))
    columns = owner.view.grid._columns
    assert owner.selected == [1, 2, 3, columns + 1, columns + 2, columns + 3]
    assert len(owner.selections) == 2  # the press, and the whole drag
    owner.drag(owner.at(6), owner.at(7), CTRL)
    assert {1, 6, 7} <= set(owner.selected)


def test_a_click_beside_the_tiles_selects_nothing(owner):
    owner.show(items_of(3))
    owner.click(1)
    QTest.mouseClick(owner.view.viewport(), LEFT, pos=owner.at(1) + QPoint(0, 90))
    assert owner.selections == [[1], []]


def test_the_arrow_keys_move_and_select(owner):
    columns = owner.view.grid._columns
    owner.click(0)
    for key, row in (
        (Qt.Key.Key_Right, 1),
        (Qt.Key.Key_Down, columns + 1),
        (Qt.Key.Key_Left, columns),
        (Qt.Key.Key_Up, 0),
        (Qt.Key.Key_End, N - 1),
        (Qt.Key.Key_Home, 0),
    ):
        owner.key(key)
        assert owner.selected == [row]
    owner.key(Qt.Key.Key_Right, SHIFT)
    assert owner.selected == [0, 1]
    owner.key(Qt.Key.Key_A, CTRL)
    assert owner.selected == list(range(N))


def test_down_from_above_a_gap_leads_to_the_last_tile_and_pages_keep_the_column(owner):
    columns = owner.view.grid._columns
    owner.show(items_of(columns + 2))
    owner.click(columns - 1)
    owner.key(Qt.Key.Key_Down)
    assert owner.selected == [columns + 1]
    owner.show(items_of(30 * columns))
    owner.click(2)
    owner.key(Qt.Key.Key_PageDown)
    assert owner.selected[0] % columns == 2
    assert owner.selected[0] > columns
    assert owner.view.viewport().rect().contains(owner.at(owner.selected[0]))
    owner.key(Qt.Key.Key_PageUp)
    assert owner.selected == [2]


def test_a_double_click_and_enter_go_to_the_particle(owner):
    owner.click(5)
    QTest.mouseDClick(owner.view.viewport(), LEFT, pos=owner.at(5))
    assert owner.activated == [5]
    owner.click(2)
    owner.key(Qt.Key.Key_Return)
    assert owner.activated == [5, 2]


def test_digits_and_letters_are_left_to_those_who_label_with_them(qtbot, owner):
    """Qt would keep them, to look for an item whose name begins so."""
    pressed = []
    for text in ("1", "0", "N", "A"):
        shortcut = QShortcut(QKeySequence(text), owner.window)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(lambda text=text: pressed.append(text))
    owner.click(1)
    owner.view.grid.setFocus()
    for key in (Qt.Key.Key_1, Qt.Key.Key_0, Qt.Key.Key_N, Qt.Key.Key_A):
        owner.key(key)
    assert pressed == ["1", "0", "N", "A"]
    assert owner.selections == [[1]]


def test_a_key_that_nobody_binds_goes_on_to_the_window(owner):
    owner.click(1)
    owner.key(Qt.Key.Key_L)
    assert owner.window.heard == "l"


def test_it_keeps_no_selection_of_its_own(qtbot, theme):
    view = Gallery(lambda rows: np.zeros((len(rows), 8, 8), np.uint8), str)
    qtbot.addWidget(view)
    view.resize(700, 220)
    view.show()
    view.set_items(items_of(), legend=LEGEND)
    before = view.viewport().grab().toImage()
    with qtbot.waitSignal(view.selection_made):
        QTest.mouseClick(view.viewport(), LEFT, pos=view.tile_position(2))
    assert "selected" not in view.line.text()
    view.grid.set_focus_row(None)
    assert view.viewport().grab().toImage() == before
    view.set_selected([2], 2)
    color = SELECTED if view.theme().background.lightness() < 128 else SELECTED_ON_LIGHT
    corner = view.tile_position(2) - QPoint(33, 0)
    assert view.viewport().grab().toImage().pixelColor(corner).name() == color
    assert view.line.text() == "40 particles · 1 selected"


def test_what_is_selected_elsewhere_scrolls_into_sight_and_what_is_selected_here_does_not(owner):
    owner.view.set_selected([N - 1], N - 1)
    assert owner.view.viewport().rect().contains(owner.at(N - 1))
    at = owner.view.grid.verticalScrollBar().value()
    assert at > 0
    owner.drag(owner.at(N - 2), owner.at(N - 1))
    assert owner.view.grid.verticalScrollBar().value() == at


def test_who_scrolls_on_after_a_click_is_not_taken_back(qtbot, owner):
    interval = QApplication.doubleClickInterval()
    QApplication.setDoubleClickInterval(1)
    try:
        owner.click(0)
        bar = owner.view.grid.verticalScrollBar()
        bar.setValue(bar.maximum())
        qtbot.wait(150)  # Qt scrolls to what was clicked 100 ms after a double click could come
        assert bar.value() == bar.maximum() > 0
    finally:
        QApplication.setDoubleClickInterval(interval)


def test_ctrl_keeps_what_the_filter_hides_and_the_line_says_so(owner):
    owner.click(0)
    owner.choose(owner.view.bar.classes, "dimer")
    owner.click(1, CTRL)
    assert owner.selected == [0, 1]
    assert owner.view.line.text() == "20 of 40 particles · 2 selected (1 not shown)"
    owner.click(3)
    assert owner.selected == [3]


def test_rows_that_are_not_there_are_refused(owner):
    with pytest.raises(InputError, match="40 particles"):
        owner.view.set_selected([N])


# ------------------------------------------------------------------ order and filters


def test_the_least_sure_come_first_and_the_arrow_turns_the_order(owner):
    owner.show(items_of(4, columns={"confidence": [0.9, NAN, 0.6, 0.7]}))
    assert owner.view.shown_rows().tolist() == [2, 3, 0, 1]
    QTest.mouseClick(owner.view.bar.direction, LEFT)
    assert owner.view.shown_rows().tolist() == [0, 3, 2, 1], "what is unknown stays last"
    assert "surest" in owner.view.bar.direction.toolTip()


def test_other_orders():
    items = items_of(
        5,
        hand=[1, -1, 0, -1, 0],
        predicted=[0, 1, 1, -1, 0],
        columns={"confidence": [0.6, 0.7, 0.9, NAN, 0.5], "z1": [3, 1, NAN, 2, 0]},
    )
    nothing = np.zeros(5, bool)

    def order(sort, **wish):
        return arrange(items, Wish(sort, **wish), nothing).tolist()

    assert order(Sort.FOUND) == [0, 1, 2, 3, 4]
    assert order(Sort.DISAGREEMENT) == [2, 0, 4, 1, 3], "the surest contradiction first"
    assert order(Sort.CLASS) == [4, 2, 0, 1, 3], "in a class, the least sure first"
    assert order("z1") == [4, 1, 3, 0, 2]
    assert order("z1", ascending=False) == [0, 3, 1, 4, 2]
    assert order("gone") == [4, 0, 1, 2, 3], "an order that there is no more: the least sure first"


@pytest.mark.parametrize(
    ("wish", "rows"),
    [
        ({"class_position": 1}, [0, 1]),
        ({"class_position": -1}, [3]),
        ({"show": Show.UNLABELLED}, [1, 3]),
        ({"show": Show.LABELLED}, [0, 2, 4]),
        ({"show": Show.DISAGREEING}, [0, 2]),
        ({"show": Show.SELECTED}, [1, 2]),
        ({"micrograph": 1}, [2, 3, 4]),
        ({"ranges": {"confidence": (0.6, 0.8)}}, [0, 1]),
        ({"show": Show.LABELLED, "micrograph": 1, "ranges": {"confidence": (0.6, 1)}}, [2]),
    ],
)
def test_filters(wish, rows):
    items = items_of(
        5,
        hand=[1, -1, 0, -1, 0],
        predicted=[0, 1, 1, -1, 0],
        micrographs=[0, 0, 1, 1, 1],
        columns={"confidence": [0.6, 0.7, 0.9, NAN, 0.5]},
    )
    selected = np.array([0, 1, 1, 0, 0], bool)
    assert arrange(items, Wish(Sort.FOUND, **wish), selected).tolist() == rows


def test_a_filter_that_hides_all_says_what_to_do(owner):
    owner.choose(owner.view.bar.show_only, "labelled by hand")
    assert owner.view.line.text() == "0 of 40 particles"
    assert "hide all 40 particles" in owner.view._message.text()
    QTest.mouseClick(owner.view.show_all, LEFT)
    assert owner.view.line.text() == "40 particles"
    assert owner.view.grid.isVisible()


def test_a_range_of_sizes_is_chosen_in_the_menu(owner):
    slider = owner.view.bar.ranges["diameter (nm)"]
    slider.setValue((20.0, 49.0))
    assert owner.view.shown_rows().tolist() == list(range(10, N))
    assert owner.view.bar.filters.text() == "Filter (1)"
    # Larger particles come: the end that was not moved does not shut them out.
    owner.show(items_of(60))
    assert owner.view.shown_rows().tolist() == list(range(10, 60))
    owner.view.bar.reset.click()
    assert len(owner.view.shown_rows()) == 60
    assert owner.view.bar.filters.text() == "Filter"


def test_a_filter_follows_its_class_when_the_table_changes(owner):
    owner.choose(owner.view.bar.classes, "dimer")
    owner.view.set_items(items_of(predicted=1 - np.arange(N) % 2), legend=LEGEND[::-1])
    assert owner.view.bar.classes.currentText() == "dimer"
    assert owner.view.shown_rows().tolist() == list(range(1, N, 2))


def test_only_the_selected_follow_a_selection_made_elsewhere_but_not_one_made_here(owner):
    owner.choose(owner.view.bar.show_only, "selected only")
    assert "Nothing is selected" in owner.view._message.text()
    owner.view.set_selected([4, 7, 9], 9)
    assert owner.view.shown_rows().tolist() == [4, 7, 9]
    owner.click(7)
    assert owner.selected == [7]
    assert owner.view.shown_rows().tolist() == [4, 7, 9]


# ------------------------------------------------------------------ nothing moves unasked


def test_tiles_stay_until_the_person_sorts_again(qtbot, owner):
    owner.click(5)
    QTest.keyClick(owner.view.grid, Qt.Key.Key_End)
    scrolled = owner.view.grid.verticalScrollBar().value()
    turned = {"confidence": np.linspace(1, 0.5, N), "diameter (nm)": np.arange(N) + 10.0}
    owner.show(items_of(columns=turned))
    assert owner.view.shown_rows().tolist() == list(range(N))
    assert owner.view.grid.verticalScrollBar().value() == scrolled
    assert owner.view.again.isVisible()
    QTest.mouseClick(owner.view.again, LEFT)
    assert owner.view.shown_rows().tolist() == list(range(N))[::-1]
    assert not owner.view.again.isVisible()


def test_what_is_labelled_stays_among_the_unlabelled_until_asked(owner):
    owner.choose(owner.view.bar.show_only, "not labelled")
    hand = np.full(N, -1)
    hand[3] = 1
    owner.show(items_of(hand=hand))
    assert 3 in owner.view.shown_rows()
    assert owner.view.again.isVisible()
    QTest.keyClick(owner.view.grid, Qt.Key.Key_F5)
    assert 3 not in owner.view.shown_rows()


def test_a_label_that_changes_no_order_is_no_reason_to_sort(owner):
    hand = np.full(N, -1)
    hand[3] = 1
    owner.show(items_of(hand=hand))
    assert not owner.view.again.isVisible()


def test_the_first_predictions_sort_what_had_no_order_yet(owner):
    owner.show(items_of(5, columns={}))
    assert owner.view.shown_rows().tolist() == [0, 1, 2, 3, 4]
    owner.show(items_of(5, columns={"confidence": np.linspace(1, 0.5, 5)}))
    assert owner.view.shown_rows().tolist() == [4, 3, 2, 1, 0]


def test_other_particles_are_sorted_at_once(owner):
    owner.show(items_of(7, columns={"confidence": np.linspace(1, 0.5, 7)}))
    assert owner.view.shown_rows().tolist() == [6, 5, 4, 3, 2, 1, 0]


def test_when_some_particles_go_one_stays_where_one_looks(owner):
    owner.click(N - 3)
    bar = owner.view.grid.verticalScrollBar()
    bar.setValue(bar.maximum() - 5)
    looked_at = bar.value()
    places, columns = np.arange(N), items_of().columns

    def without(gone):
        kept = np.setdiff1d(places, gone)
        owner.show(GalleryItems.of(kept[:, None], columns={k: v[kept] for k, v in columns.items()}))
        return kept

    assert without([0])[owner.view.grid.focus_row()] == N - 3, "the same particle, one tile before"
    assert bar.value() == looked_at > 0
    kept = without([0, N - 3])
    assert kept[owner.view.grid.focus_row()] == N - 2, "what has taken its place"
    kept = without([0, N - 3, N - 2, N - 1])
    assert kept[owner.view.grid.focus_row()] == N - 4, "the last one"


# ------------------------------------------------------------------ pictures


def test_only_tiles_in_sight_are_asked_for_and_each_once(owner):
    owner.asked.clear()
    owner.show(items_of(20_000))
    seen = [row for rows in owner.asked for row in rows]
    columns = owner.view.grid._columns
    assert 0 < len(seen) <= 5 * columns
    assert len(set(seen)) == len(seen)
    owner.asked.clear()
    owner.view.grid.verticalScrollBar().setValue(owner.view.grid.verticalScrollBar().maximum())
    QApplication.processEvents()
    owner.view.viewport().grab()
    assert owner.asked[-1][-1] == 19_999
    assert len(owner.asked) == 1
    owner.view.refresh_pictures()
    owner.view.viewport().grab()
    assert owner.asked[-1] == owner.asked[0]


def test_upright_takes_the_angle_of_the_particle_back(owner):
    """A bar to the right of the middle, turned counter-clockwise by 90 degrees, points up."""
    up = np.zeros((24, 24), np.uint8)
    up[2:12, 10:14] = 255
    owner.bright = {0: up, 1: up}
    owner.show(items_of(2, angles=[np.pi / 2, NAN], columns={}))
    owner.view.refresh_pictures()
    assert owner.pixel(0, dx=16).lightness() > 200
    assert owner.pixel(0, dy=-16).lightness() < 50
    assert owner.pixel(1, dy=-16).lightness() > 200, "no angle: as it lies"
    QTest.mouseClick(owner.view.bar.upright, LEFT, pos=QPoint(8, 8))
    assert owner.pixel(0, dy=-16).lightness() > 200


def test_class_and_who_said_so_are_seen(owner):
    owner.show(
        items_of(
            4,
            hand=[-1, -1, 1, 1],
            predicted=[0, -1, 1, 0],
            columns={"confidence": [0.5, NAN, 0.5, 0.5]},
        )
    )
    stripe = 30
    assert owner.pixel(0, -20, stripe).name() == "#0072b2"
    assert owner.pixel(0, 20, stripe).name() != "#0072b2", "the stripe is as long as it is sure"
    assert owner.pixel(1, 0, stripe).name() == "#8c8c8c"
    assert owner.pixel(2, 20, stripe).name() == "#e69f00"
    assert owner.pixel(2, -31, 0).name() == "#e69f00", "by hand: a frame"
    assert owner.pixel(0, -31, 0).name() != "#0072b2"
    assert owner.pixel(3, 26, -26).name() == "#0072b2", "what the model says instead"
    assert owner.pixel(2, 26, -26).name() != "#e69f00"


def test_the_tooltip_describes_the_tile(owner):
    at = owner.at(4)
    event = QHelpEvent(QEvent.Type.ToolTip, at, owner.view.viewport().mapToGlobal(at))
    QApplication.sendEvent(owner.view.viewport(), event)
    assert QToolTip.text() == "particle 4"
    QToolTip.hideText()


def test_ctrl_and_the_wheel_make_tiles_larger(owner):
    before = owner.view.grid._columns
    at = owner.at(0)
    event = QWheelEvent(
        QPointF(at),
        QPointF(owner.view.viewport().mapToGlobal(at)),
        QPoint(),
        QPoint(0, 480),
        Qt.MouseButton.NoButton,
        CTRL,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(owner.view.viewport(), event)
    assert owner.view.grid._columns < before
    assert owner.view.bar.size.value() > 64


def test_a_new_width_keeps_what_is_at_the_top(owner):
    owner.show(items_of(2000))
    owner.view.grid.verticalScrollBar().setValue(3600)
    top = owner.view.grid.indexAt(QPoint(5, 5)).row()
    owner.window.resize(1000, 220)
    QApplication.processEvents()
    assert abs(owner.view.grid.indexAt(QPoint(5, 5)).row() - top) < owner.view.grid._columns


def test_without_particles_it_says_what_to_do(owner):
    owner.view.clear()
    assert owner.view._message.text() == Gallery.EMPTY_TEXT
    assert owner.view._message.isVisible()
    assert not owner.view.show_all.isVisible()
    owner.show(items_of(2))
    assert owner.view.grid.isVisible()


def test_it_fits_a_small_dock(owner):
    assert owner.view.minimumSizeHint().width() <= 700
    assert owner.view.minimumSizeHint().height() <= 220


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="3 particles but 2 values of hand"):
        GalleryItems.of(np.arange(3), hand=[0, 1])
    with pytest.raises(InputError, match="1 values of z1"):
        dataclasses.replace(items_of(3), columns={"z1": np.zeros(1)})

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLabel, QPushButton

from napari_ssrvae.viewer.views.report import (
    CALIBRATION,
    CONFUSION,
    DISAGREEMENTS,
    QUALITY,
    SIZES,
    TRAINING,
    ReportView,
)
from napari_ssrvae.viewer.views.report_disagreements import DisagreementRow
from napari_ssrvae.viewer.views.report_quality import NamedClass
from napari_ssrvae.viewer.views.report_sizes import SizeRow

Key = Qt.Key
DISC, ROD = NamedClass("disc", "#e69f00"), NamedClass("rod <b>", "#56b4e9")
SIZE_ROWS = [
    SizeRow(
        1,
        "disc",
        "#e69f00",
        ["50", "52.3 ± 4.1 nm", "47.0", "52.1", "57.9", "84.7%", "normal, KS 0.05"],
    ),
    SizeRow(
        3,
        "rod",
        "#56b4e9",
        ["9", "80.1 ± 9.0 nm", "70.2", "80.4", "91.3", "15.3%", "either, KS 0.12"],
    ),
]
EDGES, COUNTS = [40.0, 50.0, 60.0, 100.0], {1: [20, 30, 0], 3: [0, 1, 8]}


def row(number: int, *, micrograph: str = "a.tif") -> DisagreementRow:
    return DisagreementRow(
        (1, number), str(number), "disc", "#e69f00", "rod", "#56b4e9", "93%", micrograph
    )


def pictures(count: int) -> np.ndarray:
    return np.full((count, 8, 8), 200, np.uint8)


@pytest.fixture
def view(qtbot) -> ReportView:
    widget = ReportView()
    qtbot.addWidget(widget)
    widget.resize(700, 240)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def heard(signal) -> list:
    said: list = []
    signal.connect(lambda *values: said.append(values))
    return said


def click_cell(table, line: int, column: int, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    place = table.visualItemRect(table.item(line, column)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, modifier, pos=place)


# -- pages ---------------------------------------------------------------------------------
def test_a_page_is_chosen_by_mouse_and_by_keyboard(view):
    turned = heard(view.page_changed)
    place = view.pages.visualItemRect(view.pages.item(1)).center()
    QTest.mouseClick(view.pages.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QTest.keyClick(view.pages, Key.Key_Down)
    assert turned == [(QUALITY,), (CONFUSION,)]
    assert view.page == CONFUSION


def test_before_a_test_its_pages_say_what_to_do(view):
    view.set_tested(False, message="Label two more of rod.")
    view.turn_to(CONFUSION)
    assert view.untested.isVisible()
    assert view.untested.text() == "Label two more of rod."
    assert not view.confusion.isVisible()
    assert view.bar.isVisible()
    view.turn_to(SIZES)
    assert not view.untested.isVisible()
    assert not view.bar.isVisible()
    view.turn_to(DISAGREEMENTS)
    view.set_tested(True, disagreements=7)
    assert view.disagreements.isVisible()
    assert view.pages.item(3).text() == "Disagreements (7)"


def test_it_fits_a_low_dock(view):
    view.set_tested(True)
    for name in (SIZES, QUALITY, CONFUSION, DISAGREEMENTS, CALIBRATION, TRAINING):
        view.turn_to(name)
        hint = view.minimumSizeHint()
        assert (hint.width() <= 700, hint.height() <= 240) == (True, True), name


def test_save_names_the_page(view):
    saved = heard(view.save_clicked)
    view.turn_to(CALIBRATION)
    QTest.mouseClick(view.save, Qt.MouseButton.LeftButton)
    view.set_savable(False)
    QTest.mouseClick(view.save, Qt.MouseButton.LeftButton)
    assert saved == [(CALIBRATION,)]


def test_every_control_explains_itself(view):
    assert all(button.toolTip() for button in view.findChildren(QPushButton))
    assert all(view.pages.item(i).toolTip() for i in range(view.pages.count()))
    for table in (view.sizes.table, view.quality.table, view.disagreements.table):
        headers = [table.horizontalHeaderItem(i) for i in range(table.columnCount())]
        assert all(header.toolTip() for header in headers)


# -- sizes ---------------------------------------------------------------------------------
def test_sizes_are_drawn_and_written(theme, view, screen):
    assert view.sizes.drawn() == {}
    view.sizes.set_measures(["diameter (nm)", "area (nm²)"], "diameter (nm)")
    curve = ([40.0, 50.0, 60.0], [1.0, 25.0, 2.0])
    view.sizes.show_sizes(
        SIZE_ROWS, EDGES, COUNTS, fits={1: curve}, note="3 particles have no class."
    )
    assert view.sizes.drawn_fits() == {1: curve}
    assert view.sizes.drawn() == {1: (EDGES, COUNTS[1]), 3: (EDGES, COUNTS[3])}
    assert view.sizes.table.texts()[0] == ["disc", *SIZE_ROWS[0].numbers]
    assert view.sizes.note.text() == "3 particles have no class."
    QApplication.processEvents()
    assert {"#e69f00", "#56b4e9"} <= screen.colors(view.sizes)


def test_the_table_has_the_room_of_its_columns_and_the_note_all_its_words(view):
    note = "12 particles are left out of lengths and areas, since no pixel size is known. " * 2
    view.resize(860, 240)
    view.sizes.show_sizes(SIZE_ROWS, EDGES, COUNTS, note=note)
    QApplication.processEvents()
    table, label = view.sizes.table, view.sizes.note
    assert table.viewport().width() >= table.horizontalHeader().length()
    assert label.heightForWidth(label.width()) <= label.height()
    assert label.height() > 1.5 * label.fontMetrics().height()
    # What a person has moved stays.
    splitter = view.sizes._split
    splitter.moveSplitter(splitter.width() - 200, 1)
    view.resize(900, 240)
    QApplication.processEvents()
    assert table.width() < 320


def test_a_class_is_hidden_by_its_tick(view):
    view.sizes.show_sizes(SIZE_ROWS, EDGES, COUNTS)
    assert view.sizes.drawn_fits() == {}
    chosen = heard(view.sizes.fit_changed)
    assert view.sizes.which_fit == "better"
    QTest.keyClick(view.sizes.fit, Key.Key_Up)
    assert (view.sizes.which_fit, chosen) == ("", [()])
    hidden = heard(view.sizes.hidden_changed)
    table = view.sizes.table
    place = table.visualItemRect(table.item(1, 0))
    QTest.mouseClick(
        table.viewport(),
        Qt.MouseButton.LeftButton,
        pos=QPoint(place.left() + 10, place.center().y()),
    )
    assert view.sizes.hidden == {3}
    view.sizes.show_sizes([SIZE_ROWS[0], SizeRow(3, "rod", "#56b4e9")], EDGES, {1: COUNTS[1]})
    assert view.sizes.drawn().keys() == {1}
    assert table.texts()[1] == ["rod", *[""] * 7]
    table.setCurrentCell(1, 0)
    QTest.keyClick(table, Key.Key_Space)
    assert view.sizes.hidden == frozenset()
    assert len(hidden) == 2


def test_another_measure_is_asked_for(view):
    view.sizes.set_measures(["diameter (nm)", "area (nm²)"], "diameter (nm)")
    asked = heard(view.sizes.measure_changed)
    QTest.keyClick(view.sizes.measure, Key.Key_Down)
    assert asked == [("area (nm²)",)]


def test_without_particles_the_page_says_what_to_do(view):
    view.sizes.show_sizes(SIZE_ROWS, EDGES, COUNTS)
    view.sizes.clear()
    assert not view.sizes.table.isVisible()
    assert any("Find particles" in x.text() for x in view.sizes.findChildren(QLabel))
    view.sizes.show_sizes(SIZE_ROWS, EDGES, COUNTS)
    assert view.sizes.table.isVisible()


# -- test ----------------------------------------------------------------------------------
def test_the_bar_starts_and_stops_and_says_how_far_it_is(view):
    view.turn_to(QUALITY)
    started, stopped = heard(view.bar.test_clicked), heard(view.bar.stop_clicked)
    view.bar.show_idle("Label more.", possible=False)
    QTest.mouseClick(view.bar.test, Qt.MouseButton.LeftButton)
    assert started == []
    view.bar.show_idle("", possible=True)
    QTest.mouseClick(view.bar.test, Qt.MouseButton.LeftButton)
    assert len(started) == 1
    view.bar.show_progress(0.5, "training 2 of 3")
    assert not view.bar.test.isVisible()
    assert view.bar.progress.value() == 500
    assert view.bar.progress.text() == "training 2 of 3"
    QTest.mouseClick(view.bar.stop, Qt.MouseButton.LeftButton)
    assert len(stopped) == 1
    view.bar.show_idle("Measured with 40 labels; now 52.", possible=True, outdated=True)
    assert view.bar.note.text() == "⚠ Measured with 40 labels; now 52."
    assert not view.bar.stop.isVisible()


def test_quality_is_said_in_words_and_by_class(view):
    view.set_tested(True)
    view.turn_to(QUALITY)
    texts = ["20", "19", "0.95", "0.90", "70 to 97 %", "0.92"]
    view.quality.show_quality(["38 of 40 <right>.", "Label more."], [(DISC, texts)])
    assert "<b>38 of 40 &lt;right&gt;.</b>" in view.quality.words.text()
    assert view.quality.table.texts() == [["disc", *texts]]


def test_a_cell_of_the_confusion_matrix_is_chosen(view):
    view.set_tested(True)
    view.turn_to(CONFUSION)
    chosen = heard(view.confusion.cell_chosen)
    view.confusion.show_matrix([DISC, ROD], [[8, 2], [0, 5]])
    table = view.confusion.table
    assert table.texts() == [["8", "2"], ["0", "5"]]
    assert table.horizontalHeaderItem(1).text() == "rod <b>"
    click_cell(table, 0, 1)
    QTest.keyClick(table, Key.Key_Down)
    QTest.keyClick(table, Key.Key_Return)
    assert chosen == [(0, 1), (1, 1)]


def test_the_diagonal_has_another_colour_than_confusions(theme, view):
    view.confusion.show_matrix([DISC, ROD], [[5, 5], [0, 10]])
    color = [[view.confusion.table.item(i, j).background().color() for j in (0, 1)] for i in (0, 1)]
    assert color[0][0].blue() > color[0][0].red()
    assert color[0][1].red() > color[0][1].blue()
    assert color[1][0].name() == view.theme().background.name()


def test_points_of_the_calibration_bear_their_counts(theme, view, screen):
    view.set_tested(True)
    view.turn_to(CALIBRATION)
    view.calibration.show_bins(
        [0.55, 0.95], [0.5, 0.9], [0.2, 0.7], [0.8, 0.97], [8, 32], words="They can be believed."
    )
    assert view.calibration.drawn() == ([0.55, 0.95], [0.5, 0.9], ["8", "32"])
    assert view.calibration.words.text() == "They can be believed."
    QApplication.processEvents()
    assert "#56b4e9" in screen.colors(view.calibration)


# -- disagreements -------------------------------------------------------------------------
@pytest.fixture
def page(view):
    view.set_tested(True, disagreements=4)
    view.turn_to(DISAGREEMENTS)
    view.disagreements.set_rows([row(n) for n in (5, 2, 9, 4)], pictures(4))
    return view.disagreements


def test_a_row_is_chosen_by_mouse_and_by_keyboard(page):
    chosen = heard(page.chosen)
    click_cell(page.table, 1, 1)
    QTest.keyClick(page.table, Key.Key_Down)
    QTest.keyClick(page.table, Key.Key_Down)
    QTest.keyClick(page.table, Key.Key_Down)  # the last one stays
    assert chosen == [((1, 2),), ((1, 9),), ((1, 4),)]


def test_enter_takes_the_models_class_and_goes_on_to_the_next(page):
    taken, chosen = heard(page.taken), heard(page.chosen)
    click_cell(page.table, 1, 1)
    QTest.keyClick(page.table, Key.Key_Return)
    assert taken == [([(1, 2)],)]
    page.set_rows([row(n) for n in (5, 9, 4)], pictures(3))
    assert chosen[-1] == ((1, 9),)
    QTest.keyClick(page.table, Key.Key_Enter)
    assert taken[-1] == ([(1, 9)],)
    page.set_rows([], pictures(0))
    assert page.caption.text() == page.NONE_TEXT
    assert not page.take.isEnabled()


def test_the_button_takes_all_rows_that_are_chosen(page):
    taken = heard(page.taken)
    assert not page.take.isEnabled()
    click_cell(page.table, 0, 1)
    click_cell(page.table, 2, 1, Qt.KeyboardModifier.ControlModifier)
    QTest.mouseClick(page.take, Qt.MouseButton.LeftButton)
    assert taken == [([(1, 5), (1, 9)],)]


def test_all_rows_that_are_chosen_stay_chosen_when_the_list_is_drawn_anew(page):
    click_cell(page.table, 0, 1)
    click_cell(page.table, 3, 1, Qt.KeyboardModifier.ControlModifier)
    click_cell(page.table, 2, 1, Qt.KeyboardModifier.ControlModifier)
    chosen, taken = heard(page.chosen), heard(page.taken)
    page.set_rows([row(n) for n in (8, 9, 5, 2)], pictures(4))
    assert chosen == []
    assert page.table.currentRow() == 1
    QTest.mouseClick(page.take, Qt.MouseButton.LeftButton)
    assert taken == [([(1, 9), (1, 5)],)]


def test_a_list_that_is_drawn_anew_stays_where_it_was_scrolled_to(page):
    rows = [row(n) for n in range(60)]
    page.set_rows(rows, pictures(60))
    click_cell(page.table, 0, 1)
    page.table.verticalScrollBar().setValue(700)
    page.set_rows(rows[:50], pictures(50))
    assert page.table.verticalScrollBar().value() == 700
    assert page.table.currentRow() == 0


def test_an_empty_list_says_what_its_owner_knows(page):
    page.set_rows([], pictures(0), empty_text=page.NONE_LEFT_TEXT)
    assert page.caption.text() == page.NONE_LEFT_TEXT


def test_rows_that_go_by_themselves_move_no_camera(page):
    click_cell(page.table, 1, 1)
    chosen = heard(page.chosen)
    page.set_rows([row(n) for n in (5, 9, 4)], pictures(3))
    assert chosen == []
    assert not page.take.isEnabled()
    page.set_rows([row(n) for n in (5, 2, 9, 4)], pictures(4))
    assert page.idents() == [(1, 5), (1, 2), (1, 9), (1, 4)]


def test_a_selection_from_elsewhere_is_marked(page):
    chosen = heard(page.chosen)
    page.mark((1, 9))
    assert page.table.currentRow() == 2
    assert page.take.isEnabled()
    page.mark((1, 77))
    assert not page.take.isEnabled()
    assert chosen == []


def test_micrographs_are_named_where_there_are_several(page):
    assert page.table.isColumnHidden(4)
    page.set_rows([row(1), row(1, micrograph="b.tif")], pictures(2))
    assert not page.table.isColumnHidden(4)


def test_what_is_outdated_is_told_by_its_colour(theme, view):
    view.bar.show_idle("Measured with 40 labels.", possible=True)
    before = view.bar.note.styleSheet()
    view.bar.show_idle("Measured with 40 labels; now 41.", possible=True, outdated=True)
    assert view.bar.note.styleSheet() != before

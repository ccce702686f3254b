"""The table of classes and the list of steps, by mouse and by keyboard alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor, QContextMenuEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QColorDialog, QLineEdit, QMenu, QMessageBox

from napari_ssrvae.library.classes import COLOR_NAMES

Key = Qt.Key
Alt, Control = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def labelled(hands: Any, spheres: np.ndarray) -> Any:
    """Found particles, two of them labelled as class 2."""
    hands.viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    hands.session.label(hands.session.active_key, {3: 2, 4: 2})
    hands.settle()
    return hands


def names(hands: Any) -> list[str]:
    table = hands.panel("Classes").table
    return [table.item(row, 2).text() for row in range(table.rowCount())]


def press(hands: Any, key: Any, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
    """Press a key in the table."""
    QTest.keyClick(hands.panel("Classes").table, key, modifier)
    hands.settle()


def open_menu(hands: Any) -> QMenu:
    """Ask for the menu of the current row with the menu key."""
    table = hands.panel("Classes").table
    at = table.rect().center()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, at, table.mapToGlobal(at))
    QApplication.sendEvent(table, event)
    hands.settle()
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def choose(hands: Any, menu: QMenu, text: str) -> None:
    """Click an entry of an open menu or of one of its submenus."""
    action = next(a for a in menu.actions() if a.text().split("\t")[0] == text)
    if action.menu() is None:
        menu.setActiveAction(action)
        QTest.keyClick(menu, Key.Key_Return)
    else:
        menu.setActiveAction(action)
        QTest.keyClick(menu, Key.Key_Right)
    hands.settle()


def test_removing_asks_only_where_labels_would_go(labelled: Any) -> None:
    session, panel = labelled.session, labelled.panel("Classes")
    labelled.click(panel.add)
    labelled.click(panel.remove)  # no label: no question
    assert [c.id for c in session.classes] == [1, 2]
    labelled.choose_class(2)
    press(labelled, Key.Key_Delete)
    (box,) = panel.findChildren(QMessageBox)
    assert "“class 2” and its 2 hand labels" in box.text()
    assert "Undo" in box.informativeText()
    QTest.keyClick(box, Key.Key_Return)  # the safe answer is the one that Enter gives
    labelled.settle()
    assert session.active.hand_labels == {3: 2, 4: 2}
    labelled.click(panel.remove)
    (box,) = panel.findChildren(QMessageBox)
    labelled.click(next(b for b in box.buttons() if b.text() == "Remove"))
    assert session.active.hand_labels == {}
    assert names(labelled) == ["class 1"]
    labelled.click(panel.undo)
    assert session.active.hand_labels == {3: 2, 4: 2}


def test_classes_are_renamed_moved_and_left_out_by_keyboard_alone(labelled: Any) -> None:
    session, table = labelled.session, labelled.panel("Classes").table
    table.setFocus()
    press(labelled, Key.Key_Up)
    press(labelled, Key.Key_Down)
    assert session.current_class == 2
    press(labelled, Key.Key_F2)
    editor = table.findChild(QLineEdit)
    editor.clear()
    QTest.keyClicks(editor, "debr")
    session.label(session.active_key, {9: 1})  # what happens meanwhile leaves the name alone
    labelled.settle()
    QTest.keyClicks(editor, "is")
    QTest.keyClick(editor, Key.Key_Return)
    labelled.settle()
    assert names(labelled) == ["class 1", "debris"]
    assert table.item(0, 3).text() == "1"
    press(labelled, Key.Key_Up, Alt)
    assert names(labelled) == ["debris", "class 1"]
    choose(labelled, open_menu(labelled), "Leave out of figures (debris)")
    assert not session.classes[0].counted
    assert table.item(0, 2).font().strikeOut()
    assert "left out" in table.item(0, 2).toolTip()
    assert session.history.undo_names[0] == "leave out debris in the figures"
    session.history.undo()
    labelled.settle()
    assert not table.item(0, 2).font().strikeOut()


def test_a_class_is_dragged_by_its_grip(labelled: Any) -> None:
    labelled.click(labelled.panel("Classes").add)
    table = labelled.panel("Classes").table
    grips = table.verticalHeader().viewport()
    height = table.rowHeight(0)
    start, end = QPoint(10, height // 2), QPoint(10, 3 * height - 4)
    QTest.mousePress(grips, Qt.MouseButton.LeftButton, pos=start)
    for share in np.linspace(0, 1, 8)[1:]:
        QTest.mouseMove(grips, start + (end - start) * float(share))
    QTest.mouseRelease(grips, Qt.MouseButton.LeftButton, pos=end)
    labelled.settle()
    assert names(labelled) == ["class 2", "class 3", "class 1"]
    assert [table.item(row, 1).text() for row in range(3)] == ["1", "2", "3"]
    labelled.session.history.undo()
    labelled.settle()
    assert names(labelled) == ["class 1", "class 2", "class 3"]


def test_colours_come_by_name_and_any_other_is_possible(labelled: Any) -> None:
    session = labelled.session
    labelled.choose_class(1)
    menu = open_menu(labelled)
    choose(labelled, menu, "Colour")
    colors = QApplication.activePopupWidget()
    listed = [a.text() for a in colors.actions() if a.text()]
    assert listed[:2] == ["orange", "sky blue (class 2)"]
    assert listed[-1] == "Other colour…"
    assert len(listed) == len(COLOR_NAMES) + 1
    choose(labelled, colors, "mint")
    assert COLOR_NAMES[session.classes[0].color] == "mint"
    choose(labelled, open_menu(labelled), "Colour")
    choose(labelled, QApplication.activePopupWidget(), "Other colour…")
    (dialog,) = labelled.dock.window().findChildren(QColorDialog)
    dialog.setCurrentColor(QColor("#123456"))
    QTest.keyClick(dialog, Key.Key_Return)
    labelled.settle()
    assert session.classes[0].color == "#123456"


def test_the_tenth_class_is_labelled_by_key(labelled: Any) -> None:
    session, panel = labelled.session, labelled.panel("Classes")
    for _ in range(9):
        labelled.click(panel.add)
    assert len({c.color for c in session.classes}) == 11
    assert panel.table.item(9, 1).text() == ""
    labelled.dock.window().activateWindow()
    panel.table.setFocus()
    labelled.wait(panel.table.hasFocus)
    labelled.hover(12)
    press(labelled, Key.Key_Up)  # the eleventh was added last
    press(labelled, Key.Key_G)
    assert session.active.hand_labels[12] == 10
    labelled.hover(13)
    labelled.key(Key.Key_G)
    assert session.active.hand_labels[13] == 10


def test_steps_are_taken_back_from_a_list(labelled: Any) -> None:
    session, panel = labelled.session, labelled.panel("Classes")
    key = session.active_key
    for particle in (5, 6, 7):
        session.label(key, {particle: 1})
    labelled.settle()
    assert "label particle 7 as class 1" in panel.undo.toolTip()
    labelled.click(panel.undo.arrow)
    listed = [a.text() for a in panel.undo.steps.actions()]
    assert listed[:3] == [f"label particle {p} as class 1" for p in (7, 6, 5)]
    choose(labelled, panel.undo.steps, "label particle 6 as class 1")
    assert session.active.hand_labels == {3: 2, 4: 2, 5: 1}
    assert session.history.redo_names[:2] == (listed[1], listed[0])
    QTest.keyClick(panel.redo.arrow, Key.Key_Space)
    labelled.settle()
    choose(labelled, panel.redo.steps, "label particle 7 as class 1")
    assert set(session.active.hand_labels) == {3, 4, 5, 6, 7}


def test_undoing_the_pixel_size_reaches_the_layers(labelled: Any) -> None:
    size = labelled.panel("Micrograph").size
    labelled.type_into(size, "2.5 nm")
    image = labelled.workbench.mirror.groups[labelled.session.active_key].image
    assert image.scale[0] == 2.5
    labelled.key(Key.Key_Z, Control)
    np.testing.assert_allclose(image.scale, 1)
    assert str(image.units[0]) == "pixel"
    assert size.text() == "unknown"

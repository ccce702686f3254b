"""What can be done with a class beside naming it: its menu, its colours, its removal."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QColorDialog, QMenu, QMessageBox, QWidget

from napari_ssrvae.library.classes import COLOR_NAMES

if TYPE_CHECKING:
    from napari_ssrvae.viewer.workbench import Workbench

CHIP = 14


def chip(color: str) -> QIcon:
    """Return a small square of a colour."""
    pixmap = QPixmap(CHIP, CHIP)
    pixmap.fill(QColor(color))
    return QIcon(pixmap)


def class_menu(workbench: Workbench, class_id: int, parent: QWidget) -> QMenu:
    """Return the menu of a class; it is deleted when it closes."""
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.setToolTipsVisible(True)
    for text, places in (("Move up\tAlt+Up", -1), ("Move down\tAlt+Down", 1)):
        menu.addAction(text, partial(workbench.move_class, class_id, places))
    classes = workbench.session.classes
    merge = QMenu("Merge into", menu)
    menu.addMenu(merge)
    for other in classes:
        if other.id != class_id:
            merge.addAction(
                chip(other.color),
                other.name.replace("&", "&&"),
                partial(workbench.merge_class, class_id, other.id),
            )
    merge.setEnabled(len(classes) > 1)
    colors = color_menu(workbench, class_id, menu, dialogs_over=parent)
    colors.setTitle("Colour")
    menu.addMenu(colors)
    debris = menu.addAction("Leave out of figures (debris)")
    debris.setCheckable(True)
    debris.setChecked(not next(c.counted for c in classes if c.id == class_id))
    debris.setToolTip(
        "The model goes on learning and showing the class, and tables keep its particles;\n"
        "shares, sizes and the report's numbers are made without them."
    )
    debris.toggled.connect(lambda left_out: workbench.count_class(class_id, not left_out))
    menu.addSeparator()
    remove = menu.addAction("Remove…\tDel", partial(ask_and_remove, workbench, class_id, parent))
    remove.setEnabled(len(classes) > 1)
    return menu


def color_menu(
    workbench: Workbench, class_id: int, parent: QWidget, dialogs_over: QWidget
) -> QMenu:
    """Return the colours that a class may take: the safe ones by name, then any other."""
    menu = QMenu(parent)
    classes = workbench.session.classes
    mine = next(c.color for c in classes if c.id == class_id)
    users = {c.color: c.name for c in classes if c.id != class_id}
    for color, name in COLOR_NAMES.items():
        taken = f" ({users[color]})".replace("&", "&&") if color in users else ""
        action = menu.addAction(
            chip(color), name + taken, partial(workbench.recolor_class, class_id, color)
        )
        if color == mine:
            font = action.font()
            font.setBold(True)
            action.setFont(font)
    menu.addSeparator()
    menu.addAction("Other colour…", partial(ask_color, workbench, class_id, dialogs_over))
    return menu


def ask_color(workbench: Workbench, class_id: int, parent: QWidget) -> None:
    """Let the person choose any colour for a class."""
    old = next((c.color for c in workbench.session.classes if c.id == class_id), "#bbbbbb")
    dialog = QColorDialog(QColor(old), parent)
    dialog.setWindowTitle(f"Colour of {workbench.session.class_name(class_id)}")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.colorSelected.connect(lambda color: workbench.recolor_class(class_id, color.name()))
    dialog.open()


def ask_and_remove(workbench: Workbench, class_id: int, parent: QWidget) -> None:
    """Remove a class; ask first if labels go with it."""
    labels = workbench.session.hand_counts()[class_id]
    if not labels or len(workbench.session.classes) == 1:
        workbench.remove_class(class_id)
        return
    name = workbench.session.class_name(class_id)
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Remove a class")
    box.setTextFormat(Qt.TextFormat.PlainText)
    many = f"{labels:,} hand labels" if labels > 1 else "hand label"
    box.setText(f"Remove “{name}” and its {many}?")
    box.setInformativeText("Undo (Ctrl+Z) brings the class and its labels back.")
    remove = box.addButton("Remove", QMessageBox.ButtonRole.DestructiveRole)
    cancel = box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(cancel)
    box.setEscapeButton(cancel)
    remove.clicked.connect(partial(workbench.remove_class, class_id))
    box.open()

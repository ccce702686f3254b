"""Step 3: the table of classes, and labelling by hand."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QMenu, QPushButton, QTableWidgetItem

from napari_ssrvae.library.classes import ParticleClass
from napari_ssrvae.viewer.key_binding import bind_keys
from napari_ssrvae.viewer.panels.base import Panel, note
from napari_ssrvae.viewer.panels.class_menu import ask_and_remove, chip, class_menu, color_menu
from napari_ssrvae.viewer.panels.class_table import (
    COLOR,
    GRIP,
    HAND,
    KEY,
    MODEL,
    NAME,
    ClassTable,
)
from napari_ssrvae.viewer.panels.history_button import HistoryButton
from napari_ssrvae.viewer.panels.keys import KeysDialog
from napari_ssrvae.viewer.views.color import blend


class ClassesPanel(Panel):
    """Name the classes, choose the current one, and see how many particles each has."""

    title = "3  Classes and hand labels"

    def build(self) -> None:
        """Make the controls."""
        self.table = ClassTable()
        self.table.currentCellChanged.connect(self._choose)
        self.table.cellClicked.connect(self._choose)
        self.table.itemChanged.connect(self._rename)
        self.table.cellDoubleClicked.connect(self._recolor)
        self.table.move_wanted.connect(self._move)
        self.table.remove_wanted.connect(self._remove_row)
        self.table.menu_wanted.connect(self._offer)
        self.table.editing_ended.connect(self.refresh)
        # Arrows choose a class, G labels; Delete and its like are the table's own.
        bind_keys(self.table, self.workbench.picker.press, giving_way=False)
        self.body.addWidget(self.table)
        self.span = note()
        self.body.addWidget(self.span)
        row = QHBoxLayout()
        self.add = self._button("Add", "Add a class", self.workbench.add_class)
        self.remove = self._button(
            "Remove",
            "Remove the current class and its labels; asks first if it has any (Delete)",
            self._remove,
        )
        self.undo = HistoryButton("Undo", "Ctrl+Z", self.workbench.picker.undo)
        self.redo = HistoryButton("Redo", "Ctrl+Shift+Z", self.workbench.picker.redo)
        self.keys = self._button("?", "What the keys and the mouse do (F1)", self._show_keys)
        self.keys.setMaximumWidth(28)
        self.keys.setAccessibleName("Keys and mouse")
        row.setSpacing(4)
        row.addWidget(self.add)
        row.addWidget(self.remove)
        row.addLayout(self.undo.both())
        row.addLayout(self.redo.both())
        row.addWidget(self.keys)
        self.workbench.picker.help_wanted.connect(self._show_keys)
        self.body.addLayout(row)
        self.armed = QCheckBox("A click labels the particle")
        self.armed.setChecked(self.workbench.settings.click_labels)
        self.armed.setToolTip(
            "Off: a click only selects the particle. A drag never labels.\n"
            "With Shift, a click adds a particle to the selection (or takes it out) and a drag is "
            "a lasso; then a class's key labels all that is selected."
        )
        self.armed.toggled.connect(self.workbench.picker.set_armed)
        self.armed.clicked.connect(lambda on: self.workbench.remember("click_labels", on))
        self.eraser = self._button(
            "Eraser", "A click takes the hand label of the particle away", self._erase
        )
        self.eraser.setCheckable(True)
        self.gallery = self._button(
            "Gallery",
            "See all particles as pictures below the micrograph: sort them, select many, press the "
            "key of a class",
            lambda: self.workbench.views_wanted.emit("Gallery"),
        )
        self.body.addWidget(self.armed)
        tools = QHBoxLayout()
        tools.addWidget(self.eraser)
        tools.addWidget(self.gallery)
        self.body.addLayout(tools)
        self.under_mouse = note()
        self.body.addWidget(self.under_mouse)
        self.workbench.picker.hovered.connect(self._show_hovered)
        self._show_hovered(0)

    def _button(self, text: str, tip: str, clicked: object) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(clicked)
        return button

    def _erase(self, on: bool) -> None:
        self.session.set_current_class(0 if on else self.session.classes[0].id)

    def makes_sense(self) -> bool:
        """Say whether there are particles to label, or steps to take back or do again."""
        history = self.session.history
        found = any(state.particle_ids.size for state in self.session.micrographs.values())
        return found or bool(history.undo_names or history.redo_names)

    def refresh(self) -> None:
        """Show classes, counts and what undo would take back."""
        hand, model = self.session.hand_counts(), self.session.predicted_counts()
        if not self.table.editing():  # a name half typed stays
            self.table.blockSignals(True)
            self.table.setRowCount(len(self.session.classes))
            for row, c in enumerate(self.session.classes):
                self._show_class(row, c, str(hand[c.id]), str(model[c.id]) if model else "–")
            self.table.blockSignals(False)
            self.table.fit()
        self._show_span()
        erasing = not self.session.current_class
        self.eraser.setChecked(erasing)
        self.remove.setEnabled(not erasing)
        if erasing:
            self.table.clearSelection()
            self.table.setCurrentCell(-1, -1)
        self._show_hovered(self.workbench.picker.under_mouse)
        self.undo.show_names(self.session.history.undo_names)
        self.redo.show_names(self.session.history.redo_names)

    def _show_class(self, row: int, c: ParticleClass, by_hand: str, by_model: str) -> None:
        self.table.setVerticalHeaderItem(row, QTableWidgetItem(GRIP))
        key = str(row + 1) if row < 9 else ""
        self.table.put(row, COLOR, QTableWidgetItem(chip(c.color), ""), editable=False)
        self.table.put(row, KEY, QTableWidgetItem(key), editable=False)
        self.table.put(row, NAME, QTableWidgetItem(c.name), editable=True)
        self.table.put(row, HAND, QTableWidgetItem(by_hand), editable=False)
        self.table.put(row, MODEL, QTableWidgetItem(by_model), editable=False)
        self.table.item(row, KEY).setToolTip(
            f"{key} labels as {c.name}" if key else f"Choose {c.name} here, then G labels as it"
        )
        if not c.counted:
            self._show_left_out(row, c.name)
        if c.id == self.session.current_class and row != self.table.currentRow():
            self.table.setCurrentCell(row, NAME)

    def _show_left_out(self, row: int, name: str) -> None:
        palette = self.table.palette()
        text, ground = (
            palette.color(role) for role in (QPalette.ColorRole.Text, QPalette.ColorRole.Base)
        )
        grey = blend(text, ground, 0.45)
        for column in (NAME, HAND, MODEL):
            item = self.table.item(row, column)
            font = item.font()
            font.setStrikeOut(column == NAME)
            item.setFont(font)
            item.setForeground(grey)
            item.setToolTip(
                f"{name} is left out of shares, sizes and the report's numbers; the class's menu "
                "counts it again"
            )

    def _show_span(self) -> None:
        """Say that the counts are over all micrographs, where there is more than one."""
        keys = [k for k, s in self.session.micrographs.items() if s.particle_ids.size]
        self.span.setVisible(len(keys) > 1)
        active = self.session.active
        here = len(active.hand_labels) if active is not None else 0
        where = self.workbench.stacks.counted(keys)
        self.span.setText(f"Counted over {where}; {here} by hand in this one.")

    def _class_at(self, row: int) -> int:
        return self.session.classes[row].id

    def _choose(self, row: int, *_: int) -> None:
        if 0 <= row < len(self.session.classes):
            self.session.set_current_class(self._class_at(row))

    def _rename(self, item: QTableWidgetItem) -> None:
        if item.column() == NAME:
            self.workbench.rename_class(self._class_at(item.row()), item.text())

    def _recolor(self, row: int, column: int) -> None:
        if column == COLOR:
            menu = color_menu(self.workbench, self._class_at(row), self, dialogs_over=self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            at = self.table.visualItemRect(self.table.item(row, column)).bottomLeft()
            menu.popup(self.table.viewport().mapToGlobal(at))

    def _move(self, row: int, places: int) -> None:
        self.workbench.move_class(self._class_at(row), places)

    def _offer(self, row: int, at: QPoint) -> None:
        self.menu_of(self._class_at(row)).popup(at)

    def menu_of(self, class_id: int) -> QMenu:
        """Return what can be done with a class beside naming it."""
        return class_menu(self.workbench, class_id, self)

    def _remove(self) -> None:
        ask_and_remove(self.workbench, self.session.current_class, self)

    def _remove_row(self, row: int) -> None:
        ask_and_remove(self.workbench, self._class_at(row), self)

    def _show_keys(self) -> None:
        dialog = self.findChild(KeysDialog) or KeysDialog(self)
        dialog.show()
        dialog.raise_()

    def _show_hovered(self, particle: int) -> None:
        selected = len(self.session.selection or ())
        if particle:
            self.under_mouse.setText(self.workbench.describe(particle))
        elif selected > 1:
            self.under_mouse.setText(
                f"{selected:,} particles are selected: keys 1-9 label them all, 0 clears them, "
                "Escape lets them go. Over another particle, a key means that one."
            )
        else:
            self.under_mouse.setText(
                "Keys 1-9 label the particle under the mouse, G as the class chosen above, 0 "
                "clears it. Shift and drag selects many."
            )

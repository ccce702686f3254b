"""Step 3: the table of classes, and labelling by hand."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QMenu,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
)

from napari_ssrvae.viewer.panels.base import Panel, note
from napari_ssrvae.viewer.panels.keys import KeysDialog

COLUMNS = ("", "key", "class", "by hand", "model")
COLOR, KEY, NAME, HAND, MODEL = range(5)


class ClassesPanel(Panel):
    """Name the classes, choose the current one, and see how many particles each has."""

    title = "3  Classes and hand labels"

    def build(self) -> None:
        """Make the controls."""
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(COLUMNS)
        self.table.setToolTip(
            "Click a row to make its class the current one; double-click a name to change it, "
            "a colour to choose another; right-click to move it or merge it into another class"
        )
        self.table.verticalHeader().hide()
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.currentCellChanged.connect(self._choose)
        self.table.itemChanged.connect(self._rename)
        self.table.cellDoubleClicked.connect(self._recolor)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._offer)
        self.body.addWidget(self.table)
        self.span = note()
        self.body.addWidget(self.span)
        row = QHBoxLayout()
        self.add = self._button("Add", "Add a class", self.workbench.add_class)
        self.remove = self._button(
            "Remove",
            "Remove the current class and its labels (undo brings both back)",
            self._remove,
        )
        self.undo = self._button("Undo", "Ctrl+Z", self.workbench.picker.undo)
        self.redo = self._button("Redo", "Ctrl+Shift+Z", self.workbench.picker.redo)
        self.keys = self._button("?", "What the keys and the mouse do (F1)", self._show_keys)
        self.keys.setMaximumWidth(28)
        for button in (self.add, self.remove, self.undo, self.redo, self.keys):
            row.addWidget(button)
        self.workbench.picker.help_wanted.connect(self._show_keys)
        self.body.addLayout(row)
        self.armed = QCheckBox("A click labels the particle")
        self.armed.setChecked(True)
        self.armed.setToolTip(
            "Off: a click only selects the particle. A drag never labels.\n"
            "With Shift, a click adds a particle to the selection (or takes it out) and a drag is "
            "a lasso; then a class's key labels all that is selected."
        )
        self.armed.toggled.connect(self.workbench.picker.set_armed)
        self.body.addWidget(self.armed)
        self.under_mouse = note()
        self.body.addWidget(self.under_mouse)
        self.workbench.picker.hovered.connect(self._show_hovered)
        self._show_hovered(0)

    def _button(self, text: str, tip: str, clicked: object) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(clicked)
        return button

    def makes_sense(self) -> bool:
        """Say whether there are particles to label."""
        return any(state.particle_ids.size for state in self.session.micrographs.values())

    def refresh(self) -> None:
        """Show classes, counts and what undo would take back."""
        hand, model = self.session.hand_counts(), self.session.predicted_counts()
        self.table.blockSignals(True)
        self.table.setRowCount(len(self.session.classes))
        for row, c in enumerate(self.session.classes):
            chip = QPixmap(14, 14)
            chip.fill(QColor(c.color))
            item = QTableWidgetItem(QIcon(chip), "")
            self._put(row, COLOR, item, editable=False)
            self._put(row, KEY, QTableWidgetItem(str(row + 1) if row < 9 else ""), editable=False)
            self._put(row, NAME, QTableWidgetItem(c.name), editable=True)
            self._put(row, HAND, QTableWidgetItem(str(hand[c.id])), editable=False)
            shown = str(model[c.id]) if model else "–"
            self._put(row, MODEL, QTableWidgetItem(shown), editable=False)
            if c.id == self.session.current_class:
                self.table.selectRow(row)
        self.table.blockSignals(False)
        rows = min(len(self.session.classes), 8)
        height = self.table.verticalHeader().defaultSectionSize() * rows
        self.table.setFixedHeight(height + self.table.horizontalHeader().sizeHint().height() + 4)
        self._show_span()
        self._show_hovered(self.workbench.picker.under_mouse)
        history = self.session.history
        self.undo.setEnabled(history.undo_name is not None)
        self.undo.setToolTip(f"Undo: {history.undo_name or 'nothing to undo'} (Ctrl+Z)")
        self.redo.setEnabled(history.redo_name is not None)
        self.redo.setToolTip(f"Redo: {history.redo_name or 'nothing to redo'} (Ctrl+Shift+Z)")

    def _show_span(self) -> None:
        """Say that the counts are over all micrographs, where there is more than one."""
        keys = [k for k, s in self.session.micrographs.items() if s.particle_ids.size]
        self.span.setVisible(len(keys) > 1)
        active = self.session.active
        here = len(active.hand_labels) if active is not None else 0
        where = self.workbench.stacks.counted(keys)
        self.span.setText(f"Counted over {where}; {here} by hand in this one.")

    def _put(self, row: int, column: int, item: QTableWidgetItem, *, editable: bool) -> None:
        if not editable:
            item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
        if column in (KEY, HAND, MODEL):
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
        self.table.setItem(row, column, item)

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
            old = QColor(self.session.classes[row].color)
            color = QColorDialog.getColor(old, self, "Colour of the class")
            if color.isValid():
                self.session.edit_class(self._class_at(row), color=color.name())

    def _offer(self, at: QPoint) -> None:
        row = self.table.rowAt(at.y())
        if row >= 0:
            self.menu_of(self._class_at(row)).popup(self.table.viewport().mapToGlobal(at))

    def menu_of(self, class_id: int) -> QMenu:
        """Return what can be done with a class beside naming and colouring it."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, places in (("Move up", -1), ("Move down", 1)):
            menu.addAction(text, partial(self.workbench.move_class, class_id, places))
        merge = QMenu("Merge into", menu)
        menu.addMenu(merge)
        for other in self.session.classes:
            if other.id != class_id:
                merge.addAction(other.name, partial(self.workbench.merge_class, class_id, other.id))
        merge.setEnabled(len(self.session.classes) > 1)
        return menu

    def _remove(self) -> None:
        self.workbench.remove_class(self.session.current_class)

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
                f"{selected:,} particles are selected: keys 1-9 label them all, 0 clears them."
            )
        else:
            self.under_mouse.setText(
                "Keys 1-9 label the particle under the mouse, 0 clears it. "
                "Shift and drag selects many."
            )

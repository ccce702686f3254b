"""The table of classes as a widget: its rows are moved by mouse or keys, its menu opens by key."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtGui import QContextMenuEvent, QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

COLUMNS = {
    "": "Colour of the class",
    "key": "The key that labels as this class",
    "class": "What the class is called",
    "hand": "How many particles were labelled by hand",
    "model": "How many particles show the class: by hand or, where there is no label, by the model",
}
COLOR, KEY, NAME, HAND, MODEL = range(5)
GRIP = "≡"
ROW_HEIGHT = 25


class ClassTable(QTableWidget):
    """One row a class. It moves no row itself: it says what is wanted, and the session does it."""

    move_wanted = Signal(int, int)  # row, how many places (below 0 is up)
    remove_wanted = Signal(int)
    menu_wanted = Signal(int, QPoint)  # row, where on the screen
    editing_ended = Signal()

    def __init__(self) -> None:
        super().__init__(0, len(COLUMNS))
        for column, (name, tip) in enumerate(COLUMNS.items()):
            item = QTableWidgetItem(name)
            item.setToolTip(tip)
            self.setHorizontalHeaderItem(column, item)
        self.setAccessibleName("Classes")
        self.setToolTip(
            "Click a row, or go there with Up and Down, to make its class the current one.\n"
            "F2 or a double-click on the name renames it, a double-click on the colour changes "
            "that, Delete removes it.\n"
            f"Alt+Up, Alt+Down, or dragging it by its {GRIP}, moves it and so changes its key.\n"
            "The menu key or a right-click offers the rest."
        )
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        # Typing a key labels; only F2 and a double-click begin to edit.
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked)
        self.setTabKeyNavigation(False)  # Tab goes on through the dock
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setCornerButtonEnabled(False)
        self.setWordWrap(False)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setSectionsClickable(False)
        grips = self.verticalHeader()
        grips.setSectionsMovable(True)
        grips.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        grips.setDefaultSectionSize(ROW_HEIGHT)
        grips.setFixedWidth(20)
        grips.setDefaultAlignment(Qt.AlignmentFlag.AlignCenter)
        grips.setToolTip("Drag a class up or down: the rows give the classes their keys")
        grips.sectionMoved.connect(self._on_dragged)
        self.itemDelegate().closeEditor.connect(
            self.editing_ended, Qt.ConnectionType.QueuedConnection
        )

    def editing(self) -> bool:
        """Say whether a name is being typed."""
        return bool(self.state() == QAbstractItemView.State.EditingState)

    def rename(self, row: int) -> None:
        """Begin to type the name of a row's class."""
        self.setFocus()
        self.editItem(self.item(row, NAME))

    def put(self, row: int, column: int, item: QTableWidgetItem, *, editable: bool) -> None:
        """Put a cell in place."""
        if not editable:
            item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
        if column in (KEY, HAND, MODEL):
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setItem(row, column, item)

    def fit(self, most: int = 8) -> None:
        """Be as high as the rows, up to a number of them."""
        rows = self.verticalHeader().defaultSectionSize() * min(self.rowCount(), most)
        self.setFixedHeight(rows + self.horizontalHeader().sizeHint().height() + 4)

    def _on_dragged(self, row: int, old: int, new: int) -> None:
        grips = self.verticalHeader()
        grips.blockSignals(True)
        grips.moveSection(new, old)  # the session moves the class, and the rows follow
        grips.blockSignals(False)
        self.move_wanted.emit(row, new - old)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Rename, remove and move the current row."""
        row, alt = self.currentRow(), event.modifiers() & Qt.KeyboardModifier.AltModifier
        if row >= 0 and event.key() == Qt.Key.Key_F2:
            self.rename(row)
        elif row >= 0 and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_wanted.emit(row)
        elif row >= 0 and alt and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.move_wanted.emit(row, -1 if event.key() == Qt.Key.Key_Up else 1)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802
        """Open the menu of the row under the mouse, or of the current one if a key asked."""
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            row = self.currentRow()
            at = self.visualItemRect(self.item(row, NAME)).bottomLeft() if row >= 0 else QPoint()
        else:
            row, at = self.rowAt(event.pos().y()), event.pos()
        if row >= 0:
            self.menu_wanted.emit(row, self.viewport().mapToGlobal(at))

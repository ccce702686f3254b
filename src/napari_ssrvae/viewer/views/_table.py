"""A compact table to read from and to choose in, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QKeyEvent, QPainter, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_ssrvae.viewer.views.color import qcolor

ROW_HEIGHT = 22
CHIP = 12
CONFIRMING = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class ReadingTable(QTableWidget):
    """A table whose cells nobody edits.

    Parameters
    ----------
    headers : sequence of (title, tooltip)
        One for each column.
    parent : QWidget, optional
        The parent widget.

    Attributes
    ----------
    moved : Signal(int, int)
        Row and column that an arrow key went to (a click emits Qt's own `cellClicked`).
    confirmed : Signal(int, int)
        Row and column that Enter was pressed on.
    """

    moved = Signal(int, int)
    confirmed = Signal(int, int)

    def __init__(
        self, headers: Sequence[tuple[str, str]] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setIconSize(QSize(CHIP, CHIP))
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)  # Tab goes on to the next control
        self.verticalHeader().hide()
        self.verticalHeader().setMinimumSectionSize(8)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.set_headers(headers)

    def set_headers(self, headers: Sequence[tuple[str, str]]) -> None:
        """Put titles over the columns, with what they mean."""
        self.setColumnCount(len(headers))
        for column, (title, tip) in enumerate(headers):
            item = QTableWidgetItem(title)
            item.setToolTip(tip)
            self.setHorizontalHeaderItem(column, item)

    def put(self, row: int, column: int, text: str, *, number: bool = False) -> QTableWidgetItem:
        """Write a cell and return it; numbers stand to the right."""
        item = QTableWidgetItem(text)
        item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
        if number:
            item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setItem(row, column, item)
        return item

    def put_class(self, row: int, column: int, name: str, color: str) -> QTableWidgetItem:
        """Write the name of a class beside a dot in its colour, and return the cell."""
        item = self.put(row, column, name)
        item.setIcon(chip(qcolor(color)))
        return item

    def texts(self) -> list[list[str]]:
        """Return what the cells say, row by row."""
        cells = [
            [self.item(row, column) for column in range(self.columnCount())]
            for row in range(self.rowCount())
        ]
        return [["" if cell is None else str(cell.text()) for cell in row] for row in cells]

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Move, confirm with Enter; what else is pressed goes on to the window's keys."""
        if event.key() in CONFIRMING:
            if self.currentRow() >= 0:
                self.confirmed.emit(self.currentRow(), self.currentColumn())
            return
        before = (self.currentRow(), self.currentColumn())
        super().keyPressEvent(event)
        after = (self.currentRow(), self.currentColumn())
        if after != before:
            self.moved.emit(*after)


def chip(color: QColor) -> QIcon:
    """Return a dot in a colour."""
    picture = QPixmap(2 * CHIP, 2 * CHIP)
    picture.setDevicePixelRatio(2)  # sharp on fine screens, and no larger beside large pictures
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawEllipse(1, 1, CHIP - 2, CHIP - 2)
    painter.end()
    return QIcon(picture)

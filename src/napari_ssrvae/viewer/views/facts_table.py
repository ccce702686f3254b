"""What is known of a micrograph, as a small table that is folded away until it is wanted."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHeaderView, QToolButton, QVBoxLayout, QWidget

from napari_ssrvae.viewer.views._table import ROW_HEIGHT, ReadingTable


class FactsTable(QWidget):
    """Names and values in two columns, below a title that folds them.

    Parameters
    ----------
    title : str
        Of the fold.
    tip : str
        What is found there.

    Attributes
    ----------
    opened : Signal(bool)
        A person has opened or folded it.
    """

    opened = Signal(bool)

    def __init__(self, title: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fold = QToolButton()
        self.fold.setText(title)
        self.fold.setToolTip(tip)
        self.fold.setAccessibleName(title)
        self.fold.setCheckable(True)
        self.fold.setAutoRaise(True)
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.fold.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.fold.toggled.connect(self._unfold)
        self.fold.clicked.connect(self.opened)
        self.table = ReadingTable((("", ""), ("", "")))
        self.table.setAccessibleName(title)
        self.table.setToolTip(tip)
        self.table.horizontalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.table.setShowGrid(False)
        self.table.setWordWrap(True)  # the rows that matter most, size and scale, are the longest
        self.table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.horizontalHeader().sectionResized.connect(self._fit)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.fold)
        column.addWidget(self.table)
        self._unfold(False)

    def open(self, opened: bool) -> None:
        """Open or fold it."""
        self.fold.setChecked(opened)

    def _unfold(self, opened: bool) -> None:
        self.fold.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self.table.setVisible(opened)
        self._fit()

    def _fit(self, *_: object) -> None:
        """Make the table as high as its rows are at the width that it has."""
        self.table.resizeRowsToContents()
        for row in range(self.table.rowCount()):
            if self.table.rowHeight(row) > ROW_HEIGHT:  # two lines are told from the next row
                self.table.setRowHeight(row, self.table.rowHeight(row) + 6)
        self.table.setFixedHeight(max(self.table.verticalHeader().length(), ROW_HEIGHT) + 4)

    def set_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show these names and values."""
        if [list(fact) for fact in facts] == self.table.texts():
            return
        self.table.setRowCount(len(facts))
        for row, (name, value) in enumerate(facts):
            self.table.put(row, 0, name)
            self.table.put(row, 1, value).setToolTip(value)
        self._fit()

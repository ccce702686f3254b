"""The legend: colour, name, and how many particles carry a class by hand and by prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget
from superqt import QElidingLabel

from napari_ssrvae.viewer.views.color import NO_CLASS, Theme, ThemedWidget, qcolor


@dataclass(frozen=True)
class LegendRow:
    """One line of the legend.

    Attributes
    ----------
    name : str
        Name of the class.
    color : str
        "#rrggbb".
    hand : int or None
        How many particles are labelled by hand; None leaves the cell empty.
    predicted : int or None
        How many particles are predicted to be of this class; None leaves the cell empty.
    """

    name: str
    color: str
    hand: int | None = None
    predicted: int | None = None


class ColorChip(QWidget):
    """A dot in the colour of a class; with a ring, as hand-labelled particles are drawn."""

    def __init__(self, color: str = NO_CLASS, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._color = qcolor(color)
        self._ring: QColor | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def color(self) -> QColor:
        """Return the colour of the dot."""
        return self._color

    def set_color(self, color: str) -> None:
        """Set the colour ("#rrggbb")."""
        self._color = qcolor(color)
        self.update()

    def set_ring(self, color: QColor | None) -> None:
        """Draw a ring of this colour around the dot, or none."""
        self._ring = color
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the size of a dot beside a line of text."""
        return QSize(14, 14)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the dot."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = min(self.width(), self.height())
        dot = QRectF(0, 0, side, side)
        dot.moveCenter(QRectF(self.rect()).center())
        painter.setBrush(self._color)
        if self._ring is not None:
            painter.setPen(QPen(self._ring, 2))
            painter.drawEllipse(dot.adjusted(2, 2, -2, -2))
        else:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawEllipse(dot.adjusted(1.5, 1.5, -1.5, -1.5))
        painter.end()


class ClassLegend(ThemedWidget):
    """Table of the classes with their colours and counts.

    Parameters
    ----------
    overlay : bool
        True for a legend that floats over a picture: it paints a translucent card behind itself
        and lets the mouse through to what lies under it.
    parent : QWidget, optional
        The parent widget.
    """

    def __init__(self, *, overlay: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._overlay = overlay
        self._rows: list[LegendRow] = []
        self._cells: list[tuple[ColorChip, QLabel, QLabel, QLabel]] = []
        if overlay:
            self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setToolTip("Classes: particles labelled by hand, and particles as predicted")
        self._grid = QGridLayout(self)
        margin = 8 if overlay else 0
        self._grid.setContentsMargins(margin, margin, margin, margin)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(1, 1)
        self._headers = tuple(QLabel(text, self) for text in ("hand", "predicted"))
        for column, label in enumerate(self._headers, start=2):
            label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self._grid.addWidget(label, 0, column)
        self._empty = QLabel("Add a class to begin labelling", self)
        self._empty.setWordWrap(not overlay)
        self._grid.addWidget(self._empty, 1, 0, 1, 4)
        for label in (*self._headers, self._empty):
            label.setProperty("second_rank", "true")
        self._follow_theme()
        self.set_rows([])

    def rows(self) -> list[LegendRow]:
        """Return the rows shown."""
        return list(self._rows)

    def set_rows(self, rows: Sequence[LegendRow]) -> None:
        """Show these rows, top to bottom.

        Cells are kept from call to call: this is called on every hand label.
        """
        self._rows = list(rows)
        while len(self._cells) > len(rows):
            for cell in self._cells.pop():
                self._grid.removeWidget(cell)
                cell.hide()
                cell.deleteLater()
        while len(self._cells) < len(rows):
            self._add_row()
        for row, cells in zip(rows, self._cells, strict=True):
            self._fill_row(row, cells)
        self._empty.setVisible(not rows)
        shown = (
            any(row.hand is not None for row in rows),
            any(row.predicted is not None for row in rows),
        )
        for label, visible in zip(self._headers, shown, strict=True):
            label.setVisible(visible)
        if self._overlay:
            self.adjustSize()

    def _add_row(self) -> None:
        chip = ColorChip(parent=self)
        # In a dock the width is given and a long name is cut; a card is as wide as its names.
        name = QLabel(self) if self._overlay else QElidingLabel(self)
        hand, predicted = QLabel(self), QLabel(self)
        line = len(self._cells) + 2
        for column, cell in enumerate((chip, name, hand, predicted)):
            self._grid.addWidget(cell, line, column)
        for number in (hand, predicted):
            number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        name.setTextFormat(Qt.TextFormat.PlainText)
        self._cells.append((chip, name, hand, predicted))

    @staticmethod
    def _fill_row(row: LegendRow, cells: tuple[ColorChip, QLabel, QLabel, QLabel]) -> None:
        chip, name, hand, predicted = cells
        chip.set_color(row.color)
        name.setText(row.name)
        name.setToolTip(row.name)
        hand.setText("" if row.hand is None else f"{row.hand:,}")
        predicted.setText("" if row.predicted is None else f"{row.predicted:,}")
        hand.setToolTip(f"{row.name}: particles labelled by hand")
        predicted.setToolTip(f"{row.name}: particles of this class, as predicted")

    def _apply_theme(self, theme: Theme) -> None:
        self.setStyleSheet(
            f"QLabel {{ color: {theme.foreground.name()}; background: transparent; }}"
            f"QLabel[second_rank='true'] {{ color: {theme.muted.name()}; }}"
        )
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the card behind a floating legend."""
        if not self._overlay:
            return
        theme = self.theme()
        background = QColor(theme.background)
        background.setAlpha(215)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(background)
        painter.setPen(QPen(theme.faint, 1))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.end()

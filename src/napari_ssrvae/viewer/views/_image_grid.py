"""A grid of pictures over two coordinates, walked with the arrow keys."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPoint, QRect, Qt, Signal
from qtpy.QtGui import (
    QFocusEvent,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_ssrvae.viewer.views._pictures import as_qimage, draw_within, theme_of
from napari_ssrvae.viewer.views.color import Theme

DIMMED = 0.3
"""Opacity of cells that no particle is near."""
LARGEST, SMALLEST = 72, 14
STEPS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


class ImageGrid(QWidget):
    """Pictures over (z1, z2): z1 grows to the right, z2 upwards, as in the latent plot.

    Parameters
    ----------
    parent : QWidget, optional
        The parent widget.

    Attributes
    ----------
    cell_chosen : Signal(int, int)
        Row and column of a cell that was clicked, or reached with the arrow keys, or confirmed
        with Enter.
    """

    cell_chosen = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: list[list[QImage]] = []
        self._near = np.ones((0, 0), bool)
        self._tips: Sequence[Sequence[str]] = ()
        self._ends: tuple[tuple[float, float], tuple[float, float] | None] = ((0, 0), None)
        self._chosen: tuple[int, int] | None = None
        self._marked: tuple[int, int] | None = None
        self._tile = LARGEST
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    # ------------------------------------------------------------------ what is shown

    def set_images(
        self,
        images: NDArray[np.uint8],
        near: NDArray[np.bool_],
        tips: Sequence[Sequence[str]],
        z1: tuple[float, float],
        z2: tuple[float, float] | None,
    ) -> None:
        """Show (r, c, h, w) greys; `near` (r, c) says which are not dimmed, `tips` what each is.

        `z1` holds the coordinates of the first and the last column, `z2` those of the lowest and
        the highest row, None where there is one row.
        """
        self._images = [[as_qimage(image) for image in row] for row in images]
        self._near, self._tips, self._ends = near, tips, (z1, z2)
        self._chosen = self._marked = None
        self._fix_size()

    def shape(self) -> tuple[int, int]:
        """Return how many rows and columns there are."""
        return len(self._images), len(self._images[0]) if self._images else 0

    def chosen(self) -> tuple[int, int] | None:
        """Return the cell that was chosen."""
        return self._chosen

    def marked(self) -> tuple[int, int] | None:
        """Return the cell of the particle that is selected."""
        return self._marked

    def choose(self, cell: tuple[int, int] | None) -> None:
        """Frame a cell without a word."""
        self._chosen = cell
        self.update()

    def mark(self, cell: tuple[int, int] | None) -> None:
        """Show in which cell the selected particle lies."""
        self._marked = cell
        self.update()

    def fit(self, width: int, height: int) -> None:
        """Take as much of this room as the tiles can use."""
        rows, columns = self.shape()
        if not rows:
            return
        room = (width - self._left()) // columns, (height - self._line()) // rows
        self._tile = max(SMALLEST, min(LARGEST, *room))
        self._fix_size()

    def cell_rect(self, row: int, column: int) -> QRect:
        """Return where a cell is drawn."""
        side = self._tile
        return QRect(self._left() + column * side, row * side, side - 1, side - 1)

    def cell_at(self, place: QPoint) -> tuple[int, int] | None:
        """Return the cell at a place, None beside them."""
        rows, columns = self.shape()
        row, column = place.y() // self._tile, (place.x() - self._left()) // self._tile
        return (row, column) if 0 <= row < rows and 0 <= column < columns else None

    def _left(self) -> int:
        return int(self.fontMetrics().horizontalAdvance("−0.00")) + 4 if self._ends[1] else 2

    def _line(self) -> int:
        return int(self.fontMetrics().height()) + 2

    def _fix_size(self) -> None:
        rows, columns = self.shape()
        self.setFixedSize(self._left() + columns * self._tile, rows * self._tile + self._line())
        self.update()

    # ------------------------------------------------------------------ events

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Choose the cell that is clicked."""
        cell = self.cell_at(event.position().toPoint())
        if cell is not None and event.button() == Qt.MouseButton.LeftButton:
            self._tell(cell)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Walk with the arrow keys; Enter and Space choose again."""
        rows, columns = self.shape()
        step = STEPS.get(Qt.Key(event.key()))
        here = self._chosen or (rows // 2, columns // 2)
        if rows and step is not None:
            moved = np.clip(np.add(here, step), 0, (rows - 1, columns - 1))
            self._tell((int(moved[0]), int(moved[1])))
        elif rows and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._tell(here)
        else:
            super().keyPressEvent(event)

    def _tell(self, cell: tuple[int, int]) -> None:
        self.choose(cell)
        self.cell_chosen.emit(*cell)

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Show that keys come here."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Show that keys go elsewhere."""
        super().focusOutEvent(event)
        self.update()

    def event(self, event: QEvent) -> bool:
        """Say what lies under the mouse."""
        if isinstance(event, QHelpEvent):
            cell = self.cell_at(event.pos())
            text = self._tips[cell[0]][cell[1]] if cell else self.toolTip()
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return bool(super().event(event))

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the pictures, the ends of the axes and the frames."""
        painter, theme = QPainter(self), theme_of(self)
        for i, row in enumerate(self._images):
            for j, image in enumerate(row):
                painter.setOpacity(1.0 if self._near[i, j] else DIMMED)
                draw_within(painter, self.cell_rect(i, j), image)
        painter.setOpacity(1.0)
        if self._images:
            self._paint_axes(painter, theme)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self._chosen is not None:
            painter.setPen(QPen(theme.foreground, 3 if self.hasFocus() else 2))
            painter.drawRect(self.cell_rect(*self._chosen))
        if self._marked is not None:
            box = self.cell_rect(*self._marked)
            painter.setPen(QPen(theme.selected, 2))
            painter.drawRect(box.adjusted(3, 3, -3, -3))
        painter.end()

    def _paint_axes(self, painter: QPainter, theme: Theme) -> None:
        rows, columns = self.shape()
        (first, last), vertical = self._ends
        line, left, side = self._line(), self._left(), self._tile
        flags, right = Qt.AlignmentFlag, Qt.AlignmentFlag.AlignRight
        painter.setPen(theme.muted)
        foot = QRect(left, rows * side, columns * side, line)
        painter.drawText(foot, flags.AlignLeft | flags.AlignVCenter, f"{first:.2f}")
        painter.drawText(foot, flags.AlignCenter, "z1 →")
        painter.drawText(foot, right | flags.AlignVCenter, f"{last:.2f}")
        if vertical is not None:
            low, high = vertical
            edge = QRect(0, 0, left - 4, rows * side)
            painter.drawText(edge, right | flags.AlignTop, f"{high:.2f}")
            painter.drawText(edge, right | flags.AlignVCenter, "z2 ↑")
            painter.drawText(edge, right | flags.AlignBottom, f"{low:.2f}")

"""A plot area in which a drag pans, or draws a lasso."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, Qt, Signal
from qtpy.QtGui import QColor, QPainterPath
from qtpy.QtWidgets import QGraphicsPathItem

from napari_ssrvae.viewer.views._pyqtgraph import pg

FEWEST_CORNERS = 3


class LassoBox(pg.ViewBox):
    """A view box whose drag draws a lasso while `lassoing`, or while Shift is held.

    Attributes
    ----------
    drawn : Signal(object, bool)
        The lasso, (m, 2) in the units of the data, and whether Shift was held: what it holds is
        added to what was selected before.
    lassoing : bool
        A plain drag draws too.
    """

    drawn = Signal(object, bool)

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.lassoing = False
        self._corners: list[QPointF] | None = None
        self._adds = False
        self._path = QGraphicsPathItem()
        self._path.setZValue(1e6)
        self._path.hide()
        self.addItem(self._path, ignoreBounds=True)

    def set_lassoing(self, on: bool) -> None:
        """Let a plain drag draw, or pan."""
        self.lassoing = on

    def set_color(self, color: QColor) -> None:
        """Draw the lasso in this colour."""
        self._path.setPen(pg.mkPen(color, width=2, cosmetic=True))

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:  # noqa: N802
        """Draw where that was begun; else pan, as pyqtgraph does."""
        if ev.isStart() and axis is None:
            shift = bool(ev.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            begins = ev.button() == Qt.MouseButton.LeftButton and (self.lassoing or shift)
            self._adds = shift
            self._corners = [self.mapToView(ev.buttonDownPos())] if begins else None
        if self._corners is None:
            super().mouseDragEvent(ev, axis)
            return
        ev.accept()
        self._corners.append(self.mapToView(ev.pos()))
        self._draw(self._corners)
        if ev.isFinish():
            corners, self._corners = self._corners, None
            self._path.hide()
            if len(corners) >= FEWEST_CORNERS:
                self.drawn.emit(_as_array(corners), self._adds)

    def _draw(self, corners: list[QPointF]) -> None:
        path = QPainterPath(corners[0])
        for corner in corners[1:]:
            path.lineTo(corner)
        path.closeSubpath()
        self._path.setPath(path)
        self._path.show()


def _as_array(corners: list[QPointF]) -> NDArray[np.float64]:
    return np.array([(corner.x(), corner.y()) for corner in corners])

"""Lines and a word over a canvas: what the mouse means, what is selected, the lasso.

Drawn by Qt over the picture, and not as layers: a line is drawn within a millisecond, is as wide on
the screen at every zoom, and is in nobody's way in the list of layers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from qtpy.QtGui import (
    QColor,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPolygonF,
    QTransform,
)
from qtpy.QtWidgets import QWidget

HALO = QColor(0, 0, 0, 150)
PAPER = QColor(20, 24, 28, 225)
PADDING = 5.0
GAP = 8.0


class Ring(NamedTuple):
    """A line, (m, 2) in world units (down, right), and its colour "#rrggbb"."""

    path: NDArray[np.float64]
    color: str


class CanvasMarks(QWidget):
    """A sheet of glass over a canvas; the mouse goes through it.

    Parameters
    ----------
    canvas : QWidget
        What it lies on, and whose size it has.
    """

    WIDTH = 2.0

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._rings: list[tuple[QPainterPath, QColor]] = []
        self._word, self._at = "", QPointF()
        self._center, self._zoom, self._signs = (0.0, 0.0), 1.0, (1, 1)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        canvas.installEventFilter(self)
        self.setGeometry(canvas.rect())
        self.lower()  # under the legend
        self.show()

    # -- what is shown -----------------------------------------------------------------------
    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self._rings and not self._word

    def word(self) -> str:
        """Return the text that is shown."""
        return self._word

    def set_rings(self, rings: Iterable[Ring]) -> None:
        """Show these lines in the place of the last ones."""
        before, self._rings = self._rings, []
        for path, color in rings:
            line = QPainterPath()
            line.addPolygon(QPolygonF([QPointF(x, y) for y, x in path.tolist()]))
            self._rings.append((line, QColor(color)))
        if before or self._rings:
            self.update()

    def set_word(self, text: str, down: float = 0.0, right: float = 0.0) -> None:
        """Show a line of text below and right of a place in world units; "" takes it away."""
        if text or self._word:
            self._word, self._at = text, QPointF(right, down)
            self.update()

    def look(self, center: tuple[float, float], zoom: float, signs: tuple[int, int]) -> None:
        """Follow the camera.

        Parameters
        ----------
        center : (float, float)
            What lies in the middle of the canvas, in world units (down, right).
        zoom : float
            Screen px a world unit.
        signs : (int, int)
            -1 where the axis points up, or left.
        """
        self._center, self._zoom, self._signs = center, zoom, signs
        if not self.empty:
            self.update()

    # -- drawing -----------------------------------------------------------------------------
    def to_screen(self) -> QTransform:
        """Return the map from world units (right, down) to px of the canvas."""
        (down, right), (way_down, way_right) = self._center, self._signs
        return (
            QTransform()
            .translate(self.width() / 2, self.height() / 2)
            .scale(self._zoom * way_right, self._zoom * way_down)
            .translate(-right, -down)
        )

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw lines with a dark halo, so that they are seen on bright particles, and the word."""
        if self.empty:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setTransform(self.to_screen())
        for width, halo in ((self.WIDTH + 2, True), (self.WIDTH, False)):
            for path, color in self._rings:
                pen = QPen(HALO if halo else color, width)
                pen.setCosmetic(True)
                painter.setPen(pen)
                painter.drawPath(path)
        if self._word:
            self._draw_word(painter)
        painter.end()

    def _draw_word(self, painter: QPainter) -> None:
        place = painter.transform().map(self._at) + QPointF(GAP, GAP)
        painter.resetTransform()
        metrics = QFontMetricsF(self.font())
        box = QRectF(
            place.x(),
            place.y(),
            metrics.horizontalAdvance(self._word) + 2 * PADDING,
            metrics.height() + 2 * PADDING,
        )
        box.moveRight(min(box.right(), self.width() - PADDING))
        box.moveBottom(min(box.bottom(), self.height() - PADDING))
        box.moveTopLeft(QPointF(max(box.x(), PADDING), max(box.y(), PADDING)))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(PAPER)
        painter.drawRoundedRect(box, 3, 3)
        painter.setPen(QColor("white"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self._word)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Keep the size of the canvas."""
        if watched is self._canvas and event.type() == QEvent.Type.Resize:
            self.setGeometry(self._canvas.rect())
        return False

    def shutdown(self) -> None:
        """Leave the canvas."""
        self._canvas.removeEventFilter(self)
        self.hide()
        # Still the canvas's child: it goes with the canvas if no event loop runs any more.
        self.deleteLater()

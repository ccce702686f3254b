"""A line that a person draws over a canvas: by a drag, by two clicks, or with the arrow keys."""

from __future__ import annotations

import math

import numpy as np
from qtpy.QtCore import QEvent, QPointF, Qt, Signal
from qtpy.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

from napari_ssrvae.viewer.views.marks import HALO, CanvasMarks, Ring

DRAG = 5.0
"""A mouse that moved further than this between press and release has dragged (px)."""
CAP = 7.0
STEPS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}
SETTING = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)


class LineTool(CanvasMarks):
    """A sheet of glass over a canvas that takes the left button of the mouse and the keys.

    The wheel and the other buttons go through it, so that the canvas is zoomed as always, and no
    tool of a layer below hears of the line.

    Attributes
    ----------
    drawn : Signal(object, object)
        Both ends in world units (down, right).
    cancelled : Signal()
        Escape was pressed.
    """

    drawn = Signal(object, object)
    cancelled = Signal()

    def __init__(self, canvas: QWidget, color: str) -> None:
        super().__init__(canvas)
        self._color = color
        self._start: QPointF | None = None  # in world units, as the camera may move meanwhile
        self._pressed: QPointF | None = None
        self._at = QPointF(self.width() / 2, self.height() / 2)
        self._by_keys = False
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, False)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Line along the scale bar")
        self.raise_()
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    # -- the line ----------------------------------------------------------------------------
    def _world(self, at: QPointF) -> QPointF:
        back, _ = self.to_screen().inverted()
        return back.map(at)

    def show_line(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Show a line between two places in world units (down, right)."""
        self.set_rings([Ring(np.array([start, end], dtype=float), self._color)])

    def _follow(self) -> None:
        if self._start is not None:
            end = self._world(self._at)
            self.show_line((self._start.y(), self._start.x()), (end.y(), end.x()))
        self.update()

    def _finish(self) -> None:
        start, self._start, end = self._start, None, self._world(self._at)
        if start is not None:
            self.drawn.emit((start.y(), start.x()), (end.y(), end.x()))

    # -- mouse -------------------------------------------------------------------------------
    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Begin a line, or set its other end."""
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._by_keys = False
        self._at = QPointF(event.position())
        if self._start is not None:
            self._finish()
            return
        self._pressed = self._at
        self._start = self._world(self._at)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Draw the line to where the mouse is."""
        if event.buttons() & ~Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self._by_keys = False
        self._at = QPointF(event.position())
        self._follow()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """End a line that was dragged; after a mere click the other end is still to come."""
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        pressed, self._pressed = self._pressed, None
        self._at = QPointF(event.position())
        if pressed is not None and _distance(pressed, self._at) > DRAG:
            self._finish()

    # -- keys --------------------------------------------------------------------------------
    def event(self, event: QEvent) -> bool:
        """Keep keys of napari's shortcuts (Enter, Space, the arrows) for the line."""
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Move the cross with the arrows (Shift: far), set an end with Enter, leave with Escape."""
        key = event.key()
        if key == Qt.Key.Key_Escape:
            self.cancelled.emit()
        elif key in STEPS:
            far = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            down, right = STEPS[key]
            self._at = QPointF(
                min(max(self._at.x() + far * right, 0), self.width() - 1),
                min(max(self._at.y() + far * down, 0), self.height() - 1),
            )
            self._by_keys = True
            self._follow()
        elif key in SETTING:
            if self._start is None:
                self._by_keys = True
                self._start = self._world(self._at)
                self._follow()
            elif _distance(self.to_screen().map(self._start), self._at) > 1:
                self._finish()
        else:
            event.ignore()

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Hide the cross of the keyboard while keys go elsewhere."""
        self._by_keys = False
        self.update()
        super().focusOutEvent(event)

    # -- drawing -----------------------------------------------------------------------------
    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the line, with caps across its ends, and the cross of the keyboard."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for width, halo in ((self.WIDTH + 2, True), (self.WIDTH, False)):
            for path, color in self._rings:
                painter.setPen(QPen(HALO if halo else color, width))
                a, b = (
                    self.to_screen().map(QPointF(path.elementAt(i).x, path.elementAt(i).y))
                    for i in (0, path.elementCount() - 1)
                )
                along = _distance(a, b) or 1.0
                across = QPointF(-(b.y() - a.y()), b.x() - a.x()) * (CAP / along)
                for end in (a, b):
                    painter.drawLine(end - across, end + across)
            if self._by_keys:
                painter.setPen(QPen(HALO if halo else QColor("white"), width))
                for arm in (QPointF(12, 0), QPointF(0, 12)):
                    painter.drawLine(self._at - arm, self._at + arm)
        painter.end()


def _distance(a: QPointF, b: QPointF) -> float:
    return math.hypot(b.x() - a.x(), b.y() - a.y())

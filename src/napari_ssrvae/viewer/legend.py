"""The legend in the corner of the canvas.

napari has no public place for a widget on its canvas; the canvas is the one OpenGL widget in the
middle of the main window.
"""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject
from qtpy.QtGui import QResizeEvent
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_ssrvae.library.session import Session
from napari_ssrvae.viewer.views import ClassLegend, LegendRow

MARGIN = 10


def canvas_of(window: QWidget) -> QWidget | None:
    """Return the canvas in a napari main window, or None if there is none (yet)."""
    if not isinstance(window, QMainWindow) or window.centralWidget() is None:
        return None
    return window.centralWidget().findChild(QOpenGLWidget)


class CanvasLegend(ClassLegend):
    """Class colours and counts over the lower left corner of the canvas; lets the mouse through."""

    def __init__(self, canvas: QWidget, session: Session) -> None:
        super().__init__(overlay=True, parent=canvas)
        self._canvas = canvas
        self.session = session
        canvas.installEventFilter(self)
        self.hide()

    def refresh(self) -> None:
        """Show the classes and counts once there are predictions."""
        counts, hand = self.session.predicted_counts(), self.session.hand_counts()
        if counts:
            self.set_rows(
                [
                    LegendRow(
                        c.name if c.counted else f"{c.name} (left out)",
                        c.color,
                        hand[c.id],
                        counts[c.id],
                    )
                    for c in self.session.classes
                ]
            )
        self.setVisible(bool(counts))

    def event(self, event: QEvent) -> bool:
        """Take the size that the rows need once Qt has laid them out."""
        done = bool(super().event(event))
        if event.type() == QEvent.Type.LayoutRequest:
            self.adjustSize()
        return done

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Grow out of the corner."""
        super().resizeEvent(event)
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Stay in the corner when the canvas changes its size."""
        if watched is self._canvas and event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _place(self) -> None:
        self.move(MARGIN, self._canvas.height() - self.height() - MARGIN)

    def shutdown(self) -> None:
        """Leave the canvas."""
        self._canvas.removeEventFilter(self)
        self.hide()
        # Still the canvas's child: it goes with the canvas if no event loop runs any more.
        self.deleteLater()

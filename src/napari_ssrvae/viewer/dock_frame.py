"""The frame that napari puts around a dock widget, and what its cross does.

napari destroys a plugin's widget when its cross is clicked, without asking, and with it all that a
person has made. The cross beside ours hides it, as the eye next to it does; *Plugins* brings it
back as it was. Everything that touches napari's private frame is here.
"""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QDockWidget, QWidget


class DockWidget(QWidget):
    """A widget that ends what it has begun, once, when napari takes it out of its dock."""

    _over = _had_parent = False

    def event(self, event: QEvent) -> bool:
        """Shut down when the widget loses its parent: napari calls no `closeEvent`."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._had_parent = True
            elif self._had_parent:
                self.shutdown()
        return bool(super().event(event))

    def shutdown(self) -> None:
        """End everything of ours; calling it again does nothing."""
        if not self._over:
            self._over = True
            self._end()

    def _end(self) -> None:
        """Disconnect from all that stays; called once."""
        raise NotImplementedError


def frame_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that a widget is in, or None."""
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent


def hide_on_close(widget: QWidget, closed: Callable[[], None] | None = None) -> None:
    """Let the cross of a widget's dock hide it, and then call a function.

    Where napari's frame is another one by then, its cross does what it does.
    """
    frame = frame_of(widget)
    if frame is None or not hasattr(frame, "destroyOnClose"):
        return

    def hide() -> None:
        frame.close()  # napari's frames hide when they close
        if closed is not None:
            closed()

    frame.destroyOnClose = hide

"""The frame that napari puts around a dock widget, and what its cross does.

napari destroys a plugin's widget when its cross is clicked, without asking, and with it all that a
person has made. The cross beside ours hides it, as the eye next to it does; *Plugins* brings it
back as it was. Everything that touches napari's private frame is here.
"""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QDockWidget, QWidget


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

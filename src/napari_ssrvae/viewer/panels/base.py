"""What all panels share: a numbered title, a body, and a short word of help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from napari_ssrvae.viewer.workbench import Workbench


class Panel(QFrame):
    """One step of the work. It shows the session through `refresh` and holds none of it."""

    title = ""

    def __init__(self, workbench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.workbench = workbench
        self.session = workbench.session
        self.setObjectName(type(self).__name__)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(0, 2, 0, 6)
        self.body.setSpacing(4)
        self.heading = QLabel(f"<b>{self.title}</b>")
        self.body.addWidget(self.heading)
        self.build()
        self._wheel = WheelGuard(self)

    def build(self) -> None:
        """Make the controls; called once."""
        raise NotImplementedError

    def makes_sense(self) -> bool:
        """Say whether the panel has anything to offer yet."""
        return True

    def refresh(self) -> None:
        """Show the session as it stands."""
        raise NotImplementedError


class WheelGuard(QObject):
    """Lets the wheel scroll the dock, and change a number or a choice only where one works.

    Else whoever scrolls past "Method" changes it, and the particles are found anew.
    """

    def __init__(self, panel: QWidget) -> None:
        super().__init__(panel)
        for control in (*panel.findChildren(QComboBox), *panel.findChildren(QAbstractSpinBox)):
            control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # the wheel gives no focus
            control.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Hand the wheel over a control without the focus on to the dock."""
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return False


def note(text: str = "") -> QLabel:
    """Return a label for a sentence: wraps, can be copied, never widens the dock."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label

"""How long the scale bar is in the picture, how long it says it is, and what follows of it."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_ssrvae.errors import InputError

ASK = (
    "Draw a line along the scale bar: drag from one end to the other, or click both ends. It snaps "
    "to the bar. The wheel zooms, Escape leaves."
)


class BarForm(QFrame):
    """Asks for a line, then for the length that is written at the bar.

    Parameters
    ----------
    read : callable
        Typed text → nm, or None; an `InputError` for what is no length.
    write : callable
        nm → text.
    believable : callable
        nm per pixel → whether that can be true.

    Attributes
    ----------
    confirmed : Signal(float, str)
        nm per pixel, and the length as it was typed.
    cancelled : Signal()
        Escape or Cancel.
    """

    confirmed = Signal(float, str)
    cancelled = Signal()

    def __init__(
        self,
        read: Callable[[str], float | None],
        write: Callable[[float], str],
        believable: Callable[[float], bool],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._read, self._write, self._believable = read, write, believable
        self._pixels: float | None = None
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.say = QLabel()
        self.say.setWordWrap(True)
        self.length = QLineEdit()
        self.length.setAccessibleName("Length of the scale bar")
        self.length.setToolTip("The length that is written at the bar, such as 500 nm or 1 µm")
        self.length.setPlaceholderText("500 nm, 1 µm …")
        self.length.textChanged.connect(self._show)
        self.length.returnPressed.connect(self._confirm)
        self.use = QPushButton()
        self.use.clicked.connect(self._confirm)
        self.leave = QPushButton("Cancel")
        self.leave.setToolTip("Leave the pixel size as it is (Escape)")
        self.leave.clicked.connect(self.cancelled)
        self._named = QLabel("Length written at it")
        row = QHBoxLayout()
        row.addWidget(self._named)
        row.addWidget(self.length, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.use, 1)
        buttons.addWidget(self.leave)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.addWidget(self.say)
        column.addLayout(row)
        column.addLayout(buttons)
        self.ask()

    def ask(self, first: str = "") -> None:
        """Ask for a line, with something to know before it."""
        self._pixels = None
        self.say.setText(f"{first} {ASK}".strip())
        self._show()

    def measured(self, pixels: float, snapped: bool) -> None:
        """Show how long the line is, and ask for the length of the bar."""
        self._pixels = pixels
        how = "The bar is" if snapped else "No bar was found there; your line is"
        self.say.setText(f"{how} <b>{pixels:.4g} px</b> long. Draw again to correct it.")
        self._show()
        self.length.setFocus(Qt.FocusReason.OtherFocusReason)
        self.length.selectAll()

    def pixel_size(self) -> float | None:
        """Return the nm per pixel that follow; None while something is missing, or untrue."""
        try:
            length = self._read(self.length.text())
        except InputError:
            return None
        if length is None or not self._pixels:
            return None
        size = length / self._pixels
        return size if self._believable(size) else None

    def _show(self) -> None:
        size = self.pixel_size()
        drawn = self._pixels is not None
        for widget in (self._named, self.length, self.use):
            widget.setVisible(drawn)
        self.use.setEnabled(size is not None)
        self.use.setText("Set the pixel size" if size is None else f"Set {self._write(size)}/px")
        tip = "Use this pixel size for the micrograph (Enter)"
        if size is None:
            tip = "Type the length that is written at the bar, with its unit: 500 nm, 1 µm"
        self.use.setToolTip(tip)

    def _confirm(self) -> None:
        size = self.pixel_size()
        if size is not None:
            self.confirmed.emit(size, self.length.text().strip())
            return
        try:
            length = self._read(self.length.text())
            wrong = "Type the length that is written at the bar, such as 500 nm or 1 µm."
            if length is not None:
                wrong = f"Pixels cannot be as large as a bar of {self._write(length)} says. {wrong}"
        except InputError as error:
            wrong = str(error)
        self.say.setText(wrong)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Leave with Escape."""
        if event.key() == Qt.Key.Key_Escape:
            self.cancelled.emit()
            return
        super().keyPressEvent(event)

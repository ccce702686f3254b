"""A length that a person types, in the unit that they think in."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QLineEdit, QWidget

from napari_ssrvae.errors import InputError


class LengthEdit(QLineEdit):
    """A field for a length; what is no length is refused, and the last one comes back.

    Parameters
    ----------
    read : callable
        Typed text → nm, or None for an unknown length; an `InputError` for what is none.
    write : callable
        nm → text.
    per : str
        What is written behind the length.

    Attributes
    ----------
    entered : Signal(object)
        nm (float) or None, once a person has typed another length.
    refused : Signal(str)
        Why what was typed is none.
    """

    entered = Signal(object)
    refused = Signal(str)

    def __init__(
        self,
        read: Callable[[str], float | None],
        write: Callable[[float], str],
        per: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._read, self._write = read, write
        self._per, self._shown = per, ""
        self._length: float | None = None
        self.editingFinished.connect(self._take)

    def length(self) -> float | None:
        """Return the length that is shown, in nm."""
        return self._length

    def show_length(self, nanometres: float | None) -> None:
        """Show a length, unless the person is typing one."""
        same = nanometres == self._length
        self._length = nanometres
        self._shown = "unknown" if nanometres is None else self._write(nanometres) + self._per
        if not (same and self.isModified() and self.hasFocus()):
            self._show()

    def _show(self) -> None:
        self.setText(self._shown)
        self.setCursorPosition(0)

    def _take(self) -> None:
        if not self.isModified() or self.text() == self._shown:
            return
        try:
            length = self._read(self.text())
        except InputError as error:
            self._show()
            self.refused.emit(str(error))
            return
        before = self._length
        self.show_length(length)
        self._show()
        if length != before:
            self.entered.emit(length)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Take back what was typed with Escape; Enter is heard here only."""
        if event.key() == Qt.Key.Key_Escape and self.isModified():
            self._show()
            return
        super().keyPressEvent(event)

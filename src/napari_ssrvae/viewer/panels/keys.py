"""What the keys and the mouse do, from the same table that binds them."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from napari_ssrvae.viewer.picking import GESTURES, SHORTCUTS


class KeysDialog(QDialog):
    """A list that stays open beside the work until it is closed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys and mouse")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setModal(False)
        self.list = QLabel(as_html())
        self.list.setTextFormat(Qt.TextFormat.RichText)
        self.list.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.list)
        layout.addWidget(buttons)


def as_html() -> str:
    """Return the table, keys that differ in a number only as one line."""
    rows = [(gesture.what, gesture.does) for gesture in GESTURES]
    numbered = [s for s in SHORTCUTS if s.argument]
    if numbered:
        first = numbered[0]
        does = first.does.replace(f"row {first.argument}", "row 1 to 9 of the table")
        rows.append((f"{first.keys} – {numbered[-1].keys}", does))
    rows += [(readable(s.keys), s.does) for s in SHORTCUTS if not s.argument]
    cells = "".join(
        f"<tr><td style='padding-right:16px'><b>{escape(keys)}</b></td><td>{escape(does)}</td></tr>"
        for keys, does in rows
    )
    return f"<table cellspacing='4'>{cells}</table>"


def readable(keys: str) -> str:
    """Return a key as it is printed on the keyboard."""
    named = {"Control-Z": "Ctrl+Z", "Control-Shift-Z": "Ctrl+Shift+Z"}
    return named.get(keys, keys)

"""Undo and redo as buttons with a list of the steps beside: one takes back several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QHBoxLayout, QMenu, QPushButton

LISTED = 15


class HistoryButton(QPushButton):
    """Goes one step; the narrow button beside it lists the last steps to go to.

    napari's style draws a push button, but no tool button with a menu: hence two.

    Parameters
    ----------
    text : str
        "Undo" or "Redo".
    keys : str
        The same by keyboard, for the tooltip.
    go : callable
        Called with the number of steps.
    """

    def __init__(self, text: str, keys: str, go: Callable[[int], None]) -> None:
        super().__init__(text)
        self._keys, self._go = keys, go
        self._names: tuple[str, ...] = ()
        self.clicked.connect(lambda: self._go(1))
        self.arrow = QPushButton("▾")
        self.arrow.setFixedWidth(18)
        self.arrow.setAccessibleName(f"{text} several steps")
        self.arrow.setToolTip(f"{text} several steps: choose the last of them from a list")
        self.arrow.clicked.connect(self._open)
        self.steps = QMenu(self.arrow)
        self.steps.setToolTipsVisible(True)
        self.show_names(())

    def both(self) -> QHBoxLayout:
        """Return the two buttons side by side."""
        row = QHBoxLayout()
        row.setSpacing(1)
        row.addWidget(self, 1)
        row.addWidget(self.arrow)
        return row

    def show_names(self, names: Sequence[str]) -> None:
        """Take the names of the steps, the next one first."""
        self._names = tuple(names[:LISTED])
        self.setEnabled(bool(names))
        self.arrow.setEnabled(bool(names))
        what = self._names[0] if names else f"nothing to {self.text().lower()}"
        self.setToolTip(f"{self.text()}: {what} ({self._keys})")

    def _open(self) -> None:
        self.steps.clear()
        for count, name in enumerate(self._names, 1):
            action = self.steps.addAction(name.replace("&", "&&"), partial(self._go, count))
            several = f"the last {count} steps" if count > 1 else "this step"
            action.setToolTip(f"{self.text()} {several}")
        self.steps.popup(self.arrow.mapToGlobal(QPoint(0, self.arrow.height())))

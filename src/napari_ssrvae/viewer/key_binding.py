"""The keys of the canvas in other widgets: Qt shortcuts from the same table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import QComboBox, QShortcut, QWidget

from napari_ssrvae.viewer.picking import SHORTCUTS, Shortcut


def bind_keys(
    widget: QWidget,
    press: Callable[[Shortcut], None],
    *,
    children: bool = False,
    giving_way: bool | None = None,
) -> None:
    """Let the canvas's keys work while a widget has the focus.

    Parameters
    ----------
    widget : QWidget
        Where they work.
    press : callable
        Called with the shortcut.
    children : bool
        Whether they work in what the widget holds, too.
    giving_way : bool, optional
        Only the keys that give way to others' (Delete, Escape), or only those that do not: for
        widgets that have their own use of such keys. None: all.
    """
    context = Qt.ShortcutContext
    for shortcut in SHORTCUTS:
        if giving_way not in (None, shortcut.gives_way):
            continue
        keys = QKeySequence(shortcut.keys.replace("Control", "Ctrl").replace("-", "+"))
        binding = QShortcut(keys, widget)
        binding.setContext(
            context.WidgetWithChildrenShortcut if children else context.WidgetShortcut
        )
        binding.activated.connect(partial(press, shortcut))


class TypingFirst(QObject):
    """Lets a list of choices have the letters and digits that are typed while it has the focus.

    The views' shortcuts would reach through it, even while it is open: "m" for "mean intensity"
    would merge particles.
    """

    def guard(self, combo: QComboBox) -> None:
        """Watch a box and the list that it opens."""
        combo.installEventFilter(self)
        combo.view().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Take a plain key before any shortcut does."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            none, shift = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
            held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
            removes = event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
            types = bool(event.text()) and event.text().isprintable()
            if held in (none, shift) and (types or removes):
                event.accept()
                return True
        return bool(super().eventFilter(watched, event))

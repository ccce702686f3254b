"""The keys of the canvas in other widgets: Qt shortcuts from the same table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut, QWidget

from napari_ssrvae.viewer.picking import SHORTCUTS, Shortcut


def bind_keys(
    widget: QWidget,
    press: Callable[[Shortcut], None],
    *,
    children: bool = False,
    own: bool = False,
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
    own : bool
        Leave out the keys that give way to others (Delete, say): the widget has its own use.
    """
    context = Qt.ShortcutContext
    for shortcut in SHORTCUTS:
        if own and shortcut.gives_way:
            continue
        keys = QKeySequence(shortcut.keys.replace("Control", "Ctrl").replace("-", "+"))
        binding = QShortcut(keys, widget)
        binding.setContext(
            context.WidgetWithChildrenShortcut if children else context.WidgetShortcut
        )
        binding.activated.connect(partial(press, shortcut))

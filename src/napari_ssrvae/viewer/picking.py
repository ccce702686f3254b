"""Hover, click and hotkeys on the canvas, whichever layer is active."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_ssrvae.library.session import Selection, Session
from napari_ssrvae.viewer.layers import LayerMirror

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

# A mouse that moved further than this between press and release dragged (pixels of the screen).
DRAG_DISTANCE = 4.0
_NAVIGATING = {"pan_zoom", "transform"}


@dataclass(frozen=True)
class Shortcut:
    """One key of the workbench: the same table binds it and explains it."""

    keys: str
    does: str
    method: str
    argument: int | None = None


SHORTCUTS = (
    *(
        Shortcut(str(k), f"label the particle under the mouse as class {k}", "press_class", k)
        for k in range(1, 10)
    ),
    Shortcut("0", "clear the label of the particle under the mouse", "press_class", 0),
    Shortcut("Control-Z", "undo", "undo"),
    Shortcut("Control-Shift-Z", "redo", "redo"),
)


class Picker(QObject):
    """Turns the mouse and the keyboard over the canvas into edits of the session.

    While armed it binds its keys on the active layer *instance*, since that keymap comes before
    the viewer's (a Labels layer owns 1-7 and Ctrl+Z), and again when the active layer changes.
    """

    hovered = Signal(int)

    def __init__(
        self, viewer: ViewerModel, session: Session, mirror: LayerMirror, parent: QObject
    ) -> None:
        super().__init__(parent)
        self.viewer, self.session, self.mirror = viewer, session, mirror
        self.armed = False
        self.under_mouse = 0
        self._bound: Layer | None = None
        self._saved: dict[Any, Any] = {}
        self._keys = {s.keys: self._handler(s) for s in SHORTCUTS}
        viewer.mouse_move_callbacks.append(self._on_move)
        viewer.mouse_drag_callbacks.append(self._on_press)
        viewer.layers.selection.events.active.connect(self._bind_active)
        for keys, handler in self._keys.items():
            viewer.bind_key(keys, handler, overwrite=True)
        self._bind_active()

    def set_armed(self, armed: bool) -> None:
        """Let clicks label particles, or only select them."""
        self.armed = armed

    # -- keys ------------------------------------------------------------------------------
    def _handler(self, shortcut: Shortcut) -> Callable[[Any], None]:
        method = getattr(self, shortcut.method)

        def run(_: Any) -> None:
            method() if shortcut.argument is None else method(shortcut.argument)

        return run

    def _bind_active(self, event: Any = None) -> None:
        layer = self.viewer.layers.selection.active
        if layer is self._bound:
            return
        self._unbind()
        if layer is not None:
            self._bound = layer
            self._saved = dict(layer.keymap)
            for keys, handler in self._keys.items():
                layer.bind_key(keys, handler, overwrite=True)

    def _unbind(self) -> None:
        if self._bound is not None:
            for keys in self._keys:
                self._bound.bind_key(keys, None)
            self._bound.keymap.update(self._saved)
        self._bound, self._saved = None, {}

    def press_class(self, class_id: int) -> None:
        """Make a class the current one and give it to the particle under the mouse; 0 clears."""
        if class_id and class_id not in {c.id for c in self.session.classes}:
            return
        if class_id:
            self.session.set_current_class(class_id)
        if self.under_mouse and self.session.active_key is not None:
            self.session.label(self.session.active_key, {self.under_mouse: class_id})

    def undo(self) -> None:
        """Take the last step back."""
        self.mirror.flush()
        self.session.history.undo()

    def redo(self) -> None:
        """Do the last undone step again."""
        self.session.history.redo()

    # -- mouse -----------------------------------------------------------------------------
    def _particle_at(self, position: Any) -> int:
        key = self.session.active_key
        index = self.mirror.index(key)
        if index is None or key is None:
            return 0
        image = self.mirror.groups[key].image
        y, x = image.world_to_data(position)[-2:]
        return index.at(y, x)

    def _on_move(self, _: Any, event: Any) -> None:
        self._hover(self._particle_at(event.position))

    def _hover(self, particle: int) -> None:
        if particle != self.under_mouse:
            self.under_mouse = particle
            self.mirror.hover(particle)
            self.hovered.emit(particle)

    def _on_press(self, _: Any, event: Any) -> Generator[None, None, None]:
        """Label on a click; a drag pans and never labels."""
        if event.button != 1 or event.modifiers or self._active_layer_draws():
            return
        start = np.asarray(event.pos, dtype=float)
        furthest = 0.0
        yield
        while event.type == "mouse_move":
            furthest = max(furthest, float(np.linalg.norm(np.asarray(event.pos) - start)))
            yield
        if furthest <= DRAG_DISTANCE:
            self._click(self._particle_at(event.position))

    def _click(self, particle: int) -> None:
        key = self.session.active_key
        if key is None:
            return
        if not particle:
            self.session.select(None)
            return
        if self.armed:
            self.session.label(key, {particle: self.session.current_class})
        self.session.select(Selection(key, particle))

    def _active_layer_draws(self) -> bool:
        """Say whether the active layer's own tool (paint, fill, add) owns the mouse."""
        layer = self.viewer.layers.selection.active
        return layer is not None and str(getattr(layer, "mode", "pan_zoom")) not in _NAVIGATING

    def shutdown(self) -> None:
        """Take every callback and key binding off again."""
        self._unbind()
        for keys in self._keys:
            self.viewer.bind_key(keys, None)
        for callbacks, ours in (
            (self.viewer.mouse_move_callbacks, self._on_move),
            (self.viewer.mouse_drag_callbacks, self._on_press),
        ):
            if ours in callbacks:
                callbacks.remove(ours)
        self.viewer.layers.selection.events.active.disconnect(self._bind_active)
        self._keys.clear()

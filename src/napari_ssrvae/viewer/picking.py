"""Hover, click and hotkeys on the canvas, whichever layer is active."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points, Shapes
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_ssrvae.library.selection import Place, Selection
from napari_ssrvae.library.session import Session
from napari_ssrvae.viewer.layers import LayerMirror
from napari_ssrvae.viewer.placement import obstacle

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

# A mouse that moved further than this between press and release dragged (pixels of the screen).
DRAG_DISTANCE = 4.0
# Corners of a lasso are so far apart, at least.
CORNER_DISTANCE = 5.0
_NAVIGATING = {"pan_zoom", "transform"}


@dataclass(frozen=True)
class Shortcut:
    """One key of the workbench: the same table binds it and explains it."""

    keys: str
    does: str
    method: str
    argument: int | None = None
    gives_way: bool = False  # to a layer that owns this key while its own tool is active


SHORTCUTS = (
    *(
        Shortcut(
            str(k),
            f"label the particle under the mouse, or all selected, as the class in row {k}",
            "press_class",
            k,
        )
        for k in range(1, 10)
    ),
    Shortcut(
        "0", "clear the label of the particle under the mouse, or of all selected", "press_class", 0
    ),
    # napari's own keys for layers are L, Space, Enter; G is free in every kind of layer.
    Shortcut(
        "G",
        "label it as the class chosen in the table, which may be the tenth or a later one",
        "press_current",
    ),
    Shortcut("N", "go to the next particle that is worth a label", "ask_next"),
    Shortcut(
        "A",
        "give it the class that the model takes it for, and go on; or do so for all selected",
        "ask_accept",
    ),
    Shortcut("M", "merge the selected particles into one", "ask_merge", gives_way=True),
    Shortcut(
        "S",
        "split the particle under the mouse, or all selected, at its necks",
        "ask_split",
        gives_way=True,
    ),
    Shortcut(
        "Delete",
        "delete the particle under the mouse, or all selected",
        "ask_delete",
        gives_way=True,
    ),
    Shortcut("Backspace", "the same as Delete", "ask_delete", gives_way=True),
    Shortcut("Escape", "select nothing", "select_none", gives_way=True),
    Shortcut("Control-Z", "undo", "undo"),
    Shortcut("Control-Shift-Z", "redo", "redo"),
    Shortcut("F1", "show this list", "ask_help"),  # napari cannot bind "?"
)


@dataclass(frozen=True)
class Gesture:
    """Something that the mouse does on the canvas and in the latent plot."""

    what: str
    does: str


GESTURES = (
    Gesture(
        "Click", "label the particle with the current class (where labelling is on), select it"
    ),
    Gesture("Drag", "move the image; never labels"),
    Gesture("Shift + click", "add the particle to the selection, or take it out"),
    Gesture("Shift + drag", "draw a lasso: select all particles in it"),
    Gesture("Ctrl + drag", "draw a line: cut the particles that it crosses (⌘ on a Mac)"),
)


class Picker(QObject):
    """Turns the mouse and the keyboard over the canvas into edits of the session.

    While armed it binds its keys on the active layer *instance*, since that keymap comes before
    the viewer's (a Labels layer owns 1-7 and Ctrl+Z), and again when the active layer changes.
    """

    hovered = Signal(int)
    next_wanted = Signal()
    accept_wanted = Signal()
    help_wanted = Signal()
    elsewhere = Signal(int)  # key of another micrograph, which undo or redo has changed
    merge_wanted = Signal(object)  # Selection or None
    split_wanted = Signal(object)  # Selection or None
    delete_wanted = Signal(object)  # Selection or None
    cut_wanted = Signal(object)  # (m, 2) float64, pixels (y, x)

    def __init__(
        self, viewer: ViewerModel, session: Session, mirror: LayerMirror, parent: QObject
    ) -> None:
        super().__init__(parent)
        self.viewer, self.session, self.mirror = viewer, session, mirror
        self.armed = False
        self.under_mouse = 0
        self._meant: Selection | None = None
        self._labelled: Selection | None = None  # what a click has labelled, and thereby selected
        self._bound: Layer | None = None
        self._saved: dict[Any, Any] = {}
        self._at: Any = None  # where the mouse was last, in the world
        session.particles_edited.connect(self._hover_again)
        self._keys = {s.keys: self._handler(s) for s in SHORTCUTS}
        session.active_changed.connect(self._look_again)
        self._awake = False
        self.wake()

    def wake(self) -> None:
        """Listen to the mouse and the keyboard."""
        if self._awake:
            return
        self._awake = True
        self.viewer.mouse_move_callbacks.append(self._on_move)
        self.viewer.mouse_drag_callbacks.append(self._on_press)
        self.viewer.layers.selection.events.active.connect(self._bind_active)
        for keys, handler in self._keys.items():
            self.viewer.bind_key(keys, handler, overwrite=True)
        self._bind_active()

    def sleep(self) -> None:
        """Listen no more: every callback and key binding is taken off."""
        if not self._awake:
            return
        self._awake = False
        self.forget_mouse()
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

    def set_armed(self, armed: bool) -> None:
        """Let clicks label particles, or only select them."""
        self.armed = armed

    # -- keys ------------------------------------------------------------------------------
    def _handler(self, shortcut: Shortcut) -> Callable[[Any], None]:
        return lambda _: self.press(shortcut)

    def press_elsewhere(self, shortcut: Shortcut) -> None:
        """Do what a key is for, in another view: no particle of the canvas is meant there."""
        self.mean_selection()
        self.press(shortcut)

    def mean_selection(self) -> None:
        """Let the next key mean what is selected, and not what is under the mouse.

        Until the mouse moves to a particle: the camera has moved under it, or it is elsewhere.
        """
        self.forget_mouse()
        self._meant = self.session.selection

    def forget_mouse(self) -> None:
        """Mean no particle under the mouse until it moves: the camera has moved under it."""
        self._hover(0)

    def press(self, shortcut: Shortcut) -> None:
        """Do what a key is for."""
        method = getattr(self, shortcut.method)
        method() if shortcut.argument is None else method(shortcut.argument)

    def _bind_active(self, event: Any = None) -> None:
        layer = self.viewer.layers.selection.active
        if layer is self._bound:
            return
        self._unbind()
        if layer is not None:
            self._bound = layer
            self._saved = dict(layer.keymap)
            layer.events.mode.connect(self._bind_keys)
            self._bind_keys()

    def _bind_keys(self, event: Any = None) -> None:
        """Bind on the active layer; of some keys the viewer's binding is enough.

        Points and shapes have their own objects to delete, and who paints with napari's brush gets
        a new label with M, as always.
        """
        layer = self._bound
        own = isinstance(layer, Points | Shapes) or self._active_layer_draws()
        for shortcut in SHORTCUTS:
            if shortcut.gives_way and own:
                layer.bind_key(shortcut.keys, None)  # type: ignore[union-attr]
            else:
                layer.bind_key(shortcut.keys, self._keys[shortcut.keys], overwrite=True)  # type: ignore[union-attr]

    def _unbind(self) -> None:
        if self._bound is not None:
            self._bound.events.mode.disconnect(self._bind_keys)
            for keys in self._keys:
                self._bound.bind_key(keys, None)
            self._bound.keymap.update(self._saved)
        self._bound, self._saved = None, {}

    def press_class(self, row: int) -> None:
        """Make the class of a row the current one and give it to what is meant; 0 clears."""
        if row > len(self.session.classes):
            return
        class_id = self.session.classes[row - 1].id if row else 0
        if class_id:
            self.session.set_current_class(class_id)
        self._give(class_id)

    def press_current(self) -> None:
        """Give the current class to what is meant: see `press_class`."""
        self._give(self.session.current_class)

    def _give(self, class_id: int) -> None:
        if (meant := self.meant()) is not None:
            self.session.label_selected(class_id, meant)

    def meant(self) -> Selection | None:
        """Return what a key means: the particle under the mouse, or all that is selected.

        The selection, if the particle under the mouse is part of it, or there is none; but not the
        one that was clicked last, when the mouse has left it.
        """
        key, selection = self.session.active_key, self.session.selection
        place = Place(key, self.under_mouse) if key is not None and self.under_mouse else None
        if place is not None and (selection is None or place not in selection):
            return Selection.one(*place)
        if place is not None or (selection and (len(selection) > 1 or selection is self._meant)):
            return selection
        return None

    def select_none(self) -> None:
        """Select nothing."""
        self.session.select(None)

    def ask_merge(self) -> None:
        """Ask for one particle in place of those selected; of one selected and that hovered."""
        key, selection = self.session.active_key, self.session.selection
        if key is not None and self.under_mouse and selection is not None and len(selection) == 1:
            selection = selection.extended(Selection.one(key, self.under_mouse))
        self.merge_wanted.emit(selection)

    def ask_split(self) -> None:
        """Ask for what is meant to be taken apart."""
        self.split_wanted.emit(self.meant())

    def ask_delete(self) -> None:
        """Ask for what is meant to be taken out."""
        self.delete_wanted.emit(self.meant())

    def ask_next(self) -> None:
        """Ask for the next particle that is worth a label."""
        self.next_wanted.emit()

    def ask_accept(self) -> None:
        """Agree with the model about the particle that is looked at."""
        self.accept_wanted.emit()

    def ask_help(self) -> None:
        """Ask what the keys do."""
        self.help_wanted.emit()

    def undo(self, steps: int = 1) -> None:
        """Take the last step, or several, back, and look at where it was."""
        self.mirror.flush()
        self._looking(self.session.history.undo, steps)

    def redo(self, steps: int = 1) -> None:
        """Do the last undone step, or several, again, and look at where it was."""
        self.mirror.flush()
        self._looking(self.session.history.redo, steps)

    def _looking(self, act: Callable[[], Any], times: int) -> None:
        """Do something, and go to the micrograph that it changed if that is another one."""
        changed: set[int] = set()

        def remember(key: int, *_: object) -> None:
            changed.add(key)

        signals = (self.session.hand_labels_changed, self.session.particles_changed)
        for signal in signals:
            signal.connect(remember)
        try:
            for _ in range(times):
                act()
        finally:
            for signal in signals:
                signal.disconnect(remember)
        if len(changed) == 1 and self.session.active_key not in changed:
            self.elsewhere.emit(changed.pop())

    # -- mouse -----------------------------------------------------------------------------
    def _particle_at(self, position: Any) -> int:
        key = self.session.active_key
        index = self.mirror.index(key)
        if index is None or key is None or obstacle(self.viewer.dims) is not None:
            return 0
        return index.at(*self._in_image(position))

    def _in_image(self, position: Any) -> tuple[float, float]:
        """Return where a place of the world lies in the active micrograph, in pixels (y, x)."""
        group = self.mirror.groups.get(self.session.active_key or -1)
        y, x = (position if group is None else group.image.world_to_data(position))[-2:]
        return float(y), float(x)

    def _on_move(self, _: Any, event: Any) -> None:
        self._at = event.position
        self._hover(self._particle_at(event.position))

    def _look_again(self) -> None:
        """Mean what lies under the mouse now that another micrograph, or slice, is there."""
        self._at = self.viewer.cursor.position
        self._hover(0)
        self._hover(self._particle_at(self._at))

    def _hover_again(self, *_: object) -> None:
        """Find out what lies under the mouse now that particles have changed."""
        if self.under_mouse:
            self.under_mouse = self._particle_at(self._at)
            self.hovered.emit(self.under_mouse)  # it may look otherwise, too

    def _hover(self, particle: int) -> None:
        if particle != self.under_mouse:
            self.under_mouse = particle
            self.hovered.emit(particle)

    def _on_press(self, _: Any, event: Any) -> Generator[None, None, None]:
        """Label on a click; a drag pans and never labels. With Shift, select instead."""
        if event.button != 1 or self._active_layer_draws():
            return
        if len(event.modifiers) == 1 and "Shift" in event.modifiers:
            yield from self._select_more(event)
        elif len(event.modifiers) == 1 and "Control" in event.modifiers:
            yield from self._cut(event)
        elif not event.modifiers:
            start = np.asarray(event.pos, dtype=float)
            furthest = 0.0
            yield
            while event.type == "mouse_move":
                furthest = max(furthest, float(np.linalg.norm(np.asarray(event.pos) - start)))
                yield
            if furthest <= DRAG_DISTANCE:
                self._click(self._particle_at(event.position))

    def _select_more(self, event: Any) -> Generator[None, None, None]:
        """Add a particle to the selection, or take it out; a drag is a lasso around more."""
        path = yield from self._drawn(event, closed=True)
        key = self.session.active_key
        if key is None:
            return
        if path is not None:
            self._lasso(key, path)
        elif particle := self._particle_at(event.position):
            self._let_go_of_labelled()
            self.session.toggle(Place(key, particle))

    def _cut(self, event: Any) -> Generator[None, None, None]:
        """Cut the particles that a line crosses."""
        path = yield from self._drawn(event, closed=False)
        if path is not None and self.mirror.index(self.session.active_key) is not None:
            self.cut_wanted.emit(path)

    def _drawn(
        self, event: Any, *, closed: bool
    ) -> Generator[None, None, NDArray[np.float64] | None]:
        """Follow a drag and show its path; return that in pixels (y, x), None of a mere click."""
        camera = self.viewer.scene.camera
        start = last = np.asarray(event.pos, dtype=float)
        path = [self._in_image(event.position)]
        furthest, panned = 0.0, camera.mouse_pan
        camera.mouse_pan = False
        try:
            yield
            while event.type == "mouse_move":
                at = np.asarray(event.pos, dtype=float)
                furthest = max(furthest, float(np.linalg.norm(at - start)))
                if np.linalg.norm(at - last) >= CORNER_DISTANCE:
                    last = at
                    path.append(self._in_image(event.position))
                    self.mirror.outlines.lasso(np.array(path), closed=closed)
                yield
        finally:
            camera.mouse_pan = panned
            self.mirror.outlines.lasso(None)
        path.append(self._in_image(event.position))
        return np.array(path) if furthest > DRAG_DISTANCE else None

    def _lasso(self, key: int, path: NDArray[np.float64]) -> None:
        index = self.mirror.index(key)
        inside = [] if index is None else index.inside(path)
        found = Selection.of((key, particle) for particle in inside)
        if found is not None:
            self._let_go_of_labelled()
            self.session.select_also(found)
            self.mean_selection()

    def _let_go_of_labelled(self) -> None:
        """Begin a selection anew where a click has labelled: it is no part of what is selected."""
        if self._labelled is not None and self.session.selection is self._labelled:
            self.session.select(None)

    def _click(self, particle: int) -> None:
        key = self.session.active_key
        if key is None:
            return
        if not particle:
            self.session.select(None)
            return
        selection = Selection.one(key, particle)
        if self.armed:
            self.session.label(key, {particle: self.session.current_class})
            self._labelled = selection
        self.session.select(selection)

    def _active_layer_draws(self) -> bool:
        """Say whether the active layer's own tool (paint, fill, add) owns the mouse."""
        layer = self.viewer.layers.selection.active
        return layer is not None and str(getattr(layer, "mode", "pan_zoom")) not in _NAVIGATING

    def shutdown(self) -> None:
        """Listen no more, and disconnect from the session."""
        self.sleep()
        self.session.particles_edited.disconnect(self._hover_again)
        self.session.active_changed.disconnect(self._look_again)
        self._keys.clear()

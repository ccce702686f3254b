"""Stacks of images, such as time series: the slice on the screen is the micrograph in work.

Each slice that something is done with is a micrograph of the session, with its own particles and
labels; all slices of a stack share its image layer and one group of our layers. A slice that was
only looked at leaves the session when the next one comes, so that stepping through a long series
costs no memory. The slider follows the session (a click in a plot leads to another slice), and the
session follows the slider.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QObject, Signal

from napari_ssrvae.imaging.micrograph import Micrograph
from napari_ssrvae.imaging.slices import Index, SliceReader
from napari_ssrvae.library.session import MicrographState, Session
from napari_ssrvae.viewer.layers import LayerMirror
from napari_ssrvae.viewer.placement import obstacle

if TYPE_CHECKING:
    from napari.components import ViewerModel


@dataclass(eq=False)
class Stack:
    """A stack of the viewer, and which of its slices are micrographs of the session.

    Attributes
    ----------
    layer : Image
        The whole stack.
    reader : SliceReader
        Reads its slices.
    keys : dict
        Slice → key of its micrograph.
    """

    layer: Image
    reader: SliceReader
    keys: dict[Index, int] = field(default_factory=dict)

    def index_of(self, key: int) -> Index:
        """Return which slice a micrograph is."""
        return next(index for index, other in self.keys.items() if other == key)


def is_stack(layer: Image) -> bool:
    """Say whether an image layer holds more than one image."""
    return bool(layer.ndim > 2 and sum(n > 1 for n in layer.data.shape[: layer.ndim]) > 2)


class Stacks(QObject):
    """Keeps the slider and the active micrograph at the same slice.

    Parameters
    ----------
    viewer : ViewerModel
        Whose slider is followed.
    session : Session
        Gets the slices.
    mirror : LayerMirror
        Shows them.
    parent : QObject
        Owner.
    """

    refused = Signal(str)
    stepped = Signal(int)  # key of the slice that came onto the screen

    def __init__(
        self, viewer: ViewerModel, session: Session, mirror: LayerMirror, parent: QObject
    ) -> None:
        super().__init__(parent)
        self.viewer, self.session, self.mirror = viewer, session, mirror
        self._stacks: list[Stack] = []
        self._by_key: dict[int, Stack] = {}
        self._kept: set[int] = set()
        self._steady = False
        dims = viewer.dims.events
        dims.current_step.connect(self._follow_slider)
        dims.ndisplay.connect(self._on_other_view)
        dims.order.connect(self._on_other_view)
        # After the mirror's own slot, which needs the layers of both slices.
        session.active_changed.connect(self._follow_session)
        session.particles_changed.connect(self.keep)

    # -- which there are -------------------------------------------------------------------
    def of(self, key: int | None) -> Stack | None:
        """Return the stack that a micrograph is a slice of, None if of none."""
        return None if key is None else self._by_key.get(key)

    def of_layer(self, layer: Any) -> Stack | None:
        """Return the stack that a layer shows, None if it shows none."""
        return next((stack for stack in self._stacks if stack.layer is layer), None)

    def alike(self, key: int) -> tuple[int, ...]:
        """Return the keys of all slices of the same stack; of one only where it is no stack."""
        stack = self.of(key)
        return (key,) if stack is None else tuple(stack.keys.values())

    def counted(self, keys: Collection[int]) -> str:
        """Return how many micrographs these are, in words: slices, where they all are."""
        if keys and all(key in self._by_key for key in keys):
            return f"{len(keys)} slices"
        mixed = any(key in self._by_key for key in keys)
        return f"{len(keys)} micrographs" + (" and slices" if mixed else "")

    def states(self, stack: Stack) -> dict[Index, MicrographState]:
        """Return what is known of the slices that are in the session."""
        return {index: self.session.micrographs[key] for index, key in stack.keys.items()}

    def named(self, name: str, shape: tuple[int, ...]) -> int | None:
        """Return the micrograph of a slice by its name, taken in if need be; None if none fits."""
        for stack in self._stacks:
            index = stack.reader.index_named(name)
            if index is not None and stack.reader.shape == tuple(shape):
                return self.key_at(stack, index)
        return None

    # -- taking in and letting go ----------------------------------------------------------
    def take(self, layer: Image, reader: SliceReader) -> int:
        """Take a stack in; the slice that the slider is at becomes the active micrograph."""
        stack = Stack(layer, reader)
        self._stacks.append(stack)
        key = self._add(stack, self.on_screen(stack))
        if self.session.active_key == key:
            self.session.active_changed.emit()
        else:
            self.session.activate(key)
        if (sentence := obstacle(self.viewer.dims)) is not None:
            self.refused.emit(sentence)
        return key

    def key_at(self, stack: Stack, index: Index, micrograph: Micrograph | None = None) -> int:
        """Return the micrograph of a slice, made if need be; ready to be worked on.

        Parameters
        ----------
        stack : Stack
            The stack.
        index : tuple of int
            The slice.
        micrograph : Micrograph, optional
            The slice where it was read already.
        """
        key = stack.keys.get(index)
        if key is None:
            key = self._add(stack, index, micrograph)
        self.keep(key)
        return key

    def keep(self, key: int) -> None:
        """Let a slice stay in the session when the slider moves on."""
        if key in self._by_key:
            self._kept.add(key)

    def _add(self, stack: Stack, index: Index, micrograph: Micrograph | None = None) -> int:
        micrograph = micrograph or stack.reader.read(index)
        if stack.keys:  # it may have been corrected since the stack was opened
            sibling = self.session.micrographs[next(iter(stack.keys.values()))].micrograph
            micrograph = replace(micrograph, pixel_size=sibling.pixel_size)
        key = self.session.add_micrograph(micrograph, activate=False)
        stack.keys[index], self._by_key[key] = key, stack
        self.mirror.attach(key, stack.layer)
        return key

    def reread(self) -> None:
        """Read the slices to come with as many rows as those have that are there."""
        for stack in self._stacks:
            for key in stack.keys.values():
                rows = self.session.micrographs[key].micrograph.shape[0]
                if rows != stack.reader.shape[0]:
                    stack.reader = replace(stack.reader, rows=rows)
                break

    def _drop(self, stack: Stack, key: int) -> None:
        del stack.keys[stack.index_of(key)]
        self._forget(key)

    def _forget(self, key: int) -> None:
        del self._by_key[key]
        self._kept.discard(key)
        self.mirror.detach(key)
        self.session.remove_micrograph(key)

    def remove(self, stack: Stack) -> None:
        """Let a stack go with all its slices."""
        self._stacks.remove(stack)
        # The active one last: another micrograph becomes active then, and none of these.
        keys = sorted(stack.keys.values(), key=lambda key: key == self.session.active_key)
        stack.keys.clear()
        for key in keys:
            self._forget(key)

    # -- slider and session ----------------------------------------------------------------
    def on_screen(self, stack: Stack) -> Index:
        """Return the slice that the slider is at."""
        lead = len(stack.reader.leading)
        at = stack.layer.world_to_data(self.viewer.dims.point)[-stack.layer.ndim :][:lead]
        last = np.array(stack.reader.leading) - 1
        return tuple(int(i) for i in np.clip(np.rint(at), 0, last))

    def go_to(self, key: int) -> None:
        """Move the slider to a slice."""
        stack = self.of(key)
        dims = self.viewer.dims
        if stack is None or stack.layer not in self.viewer.layers:
            return
        index = stack.index_of(key)
        if self.on_screen(stack) == index:
            return
        first = dims.ndim - stack.layer.ndim
        world = stack.layer.data_to_world((*index, 0, 0))
        with self.steady():
            dims.set_point(
                range(first, first + len(index)), [float(v) for v in world[: len(index)]]
            )

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Do not follow the slider meanwhile."""
        before, self._steady = self._steady, True
        try:
            yield
        finally:
            self._steady = before

    def _follow_slider(self, event: Any = None) -> None:
        stack = self.of(self.session.active_key)
        if self._steady or stack is None or stack.layer not in self.viewer.layers:
            return
        if obstacle(self.viewer.dims) is not None:
            return
        index = self.on_screen(stack)
        key = stack.keys.get(index)
        self.session.activate(self._add(stack, index) if key is None else key)

    def _follow_session(self) -> None:
        key = self.session.active_key
        stack = self.of(key)
        if stack is None or key is None:
            return
        self.go_to(key)
        for passed in set(stack.keys.values()) - self._kept - {key}:
            self._drop(stack, passed)
        self.stepped.emit(key)

    def _on_other_view(self, event: Any = None) -> None:
        sentence = obstacle(self.viewer.dims)
        if sentence is None:
            self._follow_slider()
        elif self.session.active is not None:
            self.refused.emit(sentence)

    # -- labels made elsewhere -------------------------------------------------------------
    def slices_of(self, stack: Stack, layer: Labels) -> Iterable[Index] | None:
        """Return for which slices a Labels layer has particles: None where it does not fit."""
        shape = tuple(layer.data.shape)
        if shape == stack.reader.shape:
            return (self.on_screen(stack),)
        if shape == (*stack.reader.leading, *stack.reader.shape):
            return stack.reader.indices()
        return None

    def shutdown(self) -> None:
        """Disconnect from the viewer and the session."""
        dims = self.viewer.dims.events
        dims.current_step.disconnect(self._follow_slider)
        dims.ndisplay.disconnect(self._on_other_view)
        dims.order.disconnect(self._on_other_view)
        self.session.active_changed.disconnect(self._follow_session)
        self.session.particles_changed.disconnect(self.keep)

"""Particles that a person paints, erases and fills with napari's own tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QApplication

from napari_ssrvae.library.changes import Changes, compare_labels
from napari_ssrvae.library.editing import number_pieces

if TYPE_CHECKING:
    from napari_ssrvae.library.changes import Box
    from napari_ssrvae.library.micrograph_state import LabelImage
    from napari_ssrvae.viewer.layers import LayerMirror

PAUSE_MS = 400
FEW_PIXELS = 200_000
"""Up to so many changed pixels are drawn anew by themselves, more with their whole layer."""
_DRAWING = {"paint", "fill", "polygon"}


class Painting(QObject):
    """Turns strokes into corrections of the session, once they pause, and corrections into pixels.

    Parameters
    ----------
    mirror : LayerMirror
        Whose particles layers are painted into.
    """

    def __init__(self, mirror: LayerMirror) -> None:
        super().__init__(mirror)
        self.mirror, self.session, self.viewer = mirror, mirror.session, mirror.viewer
        # Strokes arrive many a second; the session follows when they pause.
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._on_pause)
        self._painted: set[int] = set()
        self.session.selection_changed.connect(self.choose_label)
        self.viewer.layers.selection.events.active.connect(self.choose_label)

    def watch(self, layer: Labels) -> None:
        """Take what is painted into a particles layer from now on."""
        layer.events.paint.connect(self._on_painted)

    def forget(self, layer: Labels) -> None:
        """Take it no longer."""
        layer.events.paint.disconnect(self._on_painted)

    def _on_painted(self, event: Any) -> None:
        key = self.mirror.key_of(event.source)
        if key is not None and not self.mirror.mirroring:
            self._painted.add(key)
            self._pause.start()

    def _on_pause(self) -> None:
        if QApplication.mouseButtons():  # the next stroke has begun: take both when it ends
            self._pause.start()
        else:
            self._take()

    def flush(self) -> None:
        """Take strokes that wait for their pause now, before anything else is done."""
        if self._pause.isActive():
            self._pause.stop()
            self._take()

    def _take(self) -> None:
        painted, self._painted = self._painted, set()
        for key in sorted(painted):
            group, state = self.mirror.groups.get(key), self.session.micrographs.get(key)
            if group is None or group.particles is None or state is None or group.shown != key:
                continue
            if state.labels is None:
                self.mirror.refuse_stroke(group)
                continue
            after = np.asarray(group.particles.data, dtype=np.int32)
            changes = compare_labels(state.labels, after)
            if changes is not None:
                self._correct(key, group.particles, number_pieces(state.labels, after, changes))
                with self.mirror.quietly():
                    self.follow(group.particles, state.labels, changes)  # crumbs are gone

    def _correct(self, key: int, layer: Labels, labels: LabelImage) -> None:
        correction = self.session.edit_particles(key, labels, "paint particles")
        if correction is None:
            return
        # What was painted last may have got another id: the next stroke goes on with that one.
        new = correction.changes.added
        if new and layer.selected_label not in new and layer.mode in _DRAWING:
            layer.selected_label = max(new)
        if (note := correction.note(self.session.class_name)) is not None:
            self.mirror.message.emit(note)

    def follow(self, layer: Labels, labels: LabelImage, changes: Changes) -> None:
        """Show in a particles layer what changed."""
        data, part = layer.data, labels[changes.box]
        if isinstance(data, np.ndarray) and part.max(initial=0) <= np.iinfo(data.dtype).max:
            write_part(layer, changes.box, part)
        else:
            layer.data = labels.copy()

    def choose_label(self, *_: object) -> None:
        """Paint on with the selected particle's id, or draw a new particle where none is selected.

        Only while the particles of the active micrograph are the active layer.
        """
        key, active = self.session.active_key, self.viewer.layers.selection.active
        group, state = self.mirror.groups.get(key or -1), self.session.active
        layer = None if group is None else group.particles
        if state is None or layer is None or layer != active:  # plugins see layers through proxies
            return
        selection = self.session.selection
        if selection is not None and selection.focus.key == key:
            wanted = selection.focus.particle
        else:
            wanted = int(state.particle_ids.max(initial=0)) + 1
        if wanted <= np.iinfo(layer.data.dtype).max:
            layer.selected_label = wanted

    def shutdown(self) -> None:
        """Stop waiting, and disconnect."""
        self._pause.stop()
        self.session.selection_changed.disconnect(self.choose_label)
        self.viewer.layers.selection.events.active.disconnect(self.choose_label)


def write_part(layer: Labels, box: Box, part: NDArray[Any]) -> None:
    """Write a part of a label image, (h, w), into a layer; only what changes is drawn anew."""
    rows, columns = np.nonzero(layer.data[box] != part)
    pixels = np.stack([rows + box[0].start, columns + box[1].start])
    write_pixels(layer, pixels, part[rows, columns])


def write_pixels(layer: Labels, pixels: NDArray[np.intp], values: NDArray[Any]) -> None:
    """Write values (n,) into a layer at pixels, (2, n) rows and columns.

    napari draws only what is around them anew: its contours over a whole image of 2048 x 2048
    take a third of a second.
    """
    if layer.visible and 0 < len(values) <= FEW_PIXELS:
        layer.data_setitem(tuple(pixels), values.astype(layer.data.dtype))
    elif len(values):  # a hidden layer draws all of itself when it is shown
        layer.data[tuple(pixels)] = values
        layer.refresh(extent=False)

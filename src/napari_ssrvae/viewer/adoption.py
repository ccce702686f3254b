"""Image layers become micrographs of the session, whoever opened them.

A file that napari's own reader opened is read again for its pixel size and info bar; a layer made
in code gives its scale and units. A stack comes in slice by slice (`stacks`). Images that cannot
be micrographs are refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ssrvae.errors import ParticleError, ReadError
from napari_ssrvae.imaging import Micrograph, SliceReader, as_micrograph, read_micrograph
from napari_ssrvae.imaging.units import length_in_nm
from napari_ssrvae.library.session import Session
from napari_ssrvae.viewer.contributions import layer_metadata
from napari_ssrvae.viewer.layers import LayerMirror
from napari_ssrvae.viewer.stacks import Stacks, is_stack
from napari_ssrvae.viewer.world_units import set_units, true_units

if TYPE_CHECKING:
    from napari.components import ViewerModel

OUR_READER = "napari-ssrvae"
# Share of the canvas that a micrograph fills, as in napari.
FILLED = 0.95


class Adoption(QObject):
    """Follows the layer list: new images come in, removed ones leave without taking work along."""

    adopted = Signal(int)  # key
    refused = Signal(str)
    labels_layers_changed = Signal()

    def __init__(
        self,
        viewer: ViewerModel,
        session: Session,
        mirror: LayerMirror,
        stacks: Stacks,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self.viewer, self.session, self.mirror, self.stacks = viewer, session, mirror, stacks
        # Labels layers of ours that show no particles of the session.
        self.spared: tuple[Callable[[Labels], bool], ...] = ()
        # The layer list is in the middle of its own bookkeeping while `inserted` fires.
        self._waiting: list[Image] = []
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._adopt_waiting)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)

    def adopt_open_layers(self) -> None:
        """Take in every image that is open already; the active one ends up as the active one."""
        active = self.viewer.layers.selection.active
        for layer in list(self.viewer.layers):
            if isinstance(layer, Image) and not self.mirror.is_ours(layer):
                self.adopt(layer)
        key = self.mirror.key_of(active)
        if key is not None:
            self.session.activate(key)

    def adopt(self, layer: Image) -> int | None:
        """Make a micrograph of an image layer; return its key, or None if it was refused."""
        if (key := self.mirror.key_of(layer)) is not None:
            return key
        try:
            if is_stack(layer):
                return self._adopt_stack(layer)
            micrograph = micrograph_of(layer)
        except ParticleError as error:
            self.refused.emit(f"{layer.name}: {error}")
            return None
        show_as(layer, micrograph)
        layer.metadata.update(layer_metadata(micrograph))
        self.viewer.canvas.overlays.scale_bar.visible = True
        self.look_at(layer)
        key = self.session.add_micrograph(micrograph, activate=False)
        self.mirror.attach(key, layer)
        if self.session.active_key == key:
            self.session.active_changed.emit()
        else:
            self.session.activate(key)
        self.adopted.emit(key)
        return key

    def _adopt_stack(self, layer: Image) -> int:
        reader = reader_of(layer)
        if reader.pixel_size is not None:
            show_pixel_size(layer, reader.pixel_size)
        self.viewer.canvas.overlays.scale_bar.visible = True
        self.look_at(layer)
        return self.stacks.take(layer, reader)

    def look_at(self, layer: Image) -> None:
        """Fit one micrograph to the canvas; the others are hidden behind it."""
        if layer.ndim == self.viewer.dims.ndim:
            self.viewer.reset_view(layers=[layer])
            return
        # napari 0.9 fails on a layer with fewer dimensions than a stack beside it.
        corners = layer.extent.world[:, -2:]
        camera = self.viewer.scene.camera
        camera.center = (0.0, *corners.mean(axis=0).tolist())
        sides = np.maximum(corners[1] - corners[0], 1e-9)
        camera.zoom = FILLED * float(np.min(np.asarray(self.viewer.canvas.size) / sides))

    def keep_looking(self, layer: Image, before: np.ndarray) -> None:
        """Let the camera show the part of an image that it showed before its scale was changed.

        Parameters
        ----------
        layer : Image
            With its scale of now.
        before : (d,) float
            Its scale before.
        """
        ratio = float(layer.scale[-1] / before[-1])
        displayed, origin = self.viewer.dims.displayed[-2:], np.asarray(layer.translate[-2:])
        if displayed != tuple(sorted(displayed)):  # the axes are swapped on the screen
            origin = origin[::-1]
        camera = self.viewer.scene.camera
        *depth, y, x = camera.center
        at = origin + ratio * (np.array((y, x), dtype=float) - origin)
        camera.center = (*depth, *at.tolist())
        camera.zoom /= ratio

    def labels_layers(self) -> list[Labels]:
        """Return the Labels layers that were made elsewhere."""
        return [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, Labels)
            and not self.mirror.is_ours(layer)
            and not any(ours(layer) for ours in self.spared)
        ]

    def laid_upon(self, image: Image) -> list[Labels]:
        """Return Labels layers from elsewhere that lie upon an image as particles do."""
        return [
            layer
            for layer in self.labels_layers()
            if tuple(layer.data.shape) == tuple(image.data.shape[:2])
            and np.array_equal(layer.scale, image.scale[-2:])
            and np.array_equal(layer.translate, image.translate[-2:])
        ]

    def _on_inserted(self, event: Any) -> None:
        layer = event.value
        if isinstance(layer, Image) and not self.mirror.is_ours(layer):
            self._waiting.append(layer)
            self._soon.start()
        elif isinstance(layer, Labels):
            self.labels_layers_changed.emit()

    def _adopt_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for layer in waiting:
            if layer in self.viewer.layers:
                self.adopt(layer)

    def _on_removed(self, event: Any) -> None:
        layer = event.value
        if isinstance(layer, Labels):
            self.labels_layers_changed.emit()
        key = next((k for k, g in self.mirror.groups.items() if g.image is layer), None)
        if key is None:
            return
        states = [self.session.micrographs[k] for k in self.stacks.alike(key)]
        by_hand = sum(len(state.hand_labels) for state in states)
        if by_hand or any(state.corrected for state in states):
            stack = self.stacks.of(key)
            kept = f"{by_hand} hand labels are" if by_hand else "corrected particles are"
            name = states[0].micrograph.name if stack is None else stack.reader.name
            self.refused.emit(
                f"The image of {name} was removed; its {kept} kept: choose it "
                "in the Micrograph list to show it again."
            )
        elif (stack := self.stacks.of(key)) is not None:
            self.stacks.remove(stack)
        else:
            self.mirror.detach(key)
            self.session.remove_micrograph(key)

    def show_again(self, key: int) -> None:
        """Bring back the image and our layers of a micrograph that the person deleted."""
        group = self.mirror.groups[key]
        if group.image not in self.viewer.layers:
            with self.stacks.steady():  # its slider comes back at its first slice
                self.viewer.add_layer(group.image)
                self.viewer.layers.move(len(self.viewer.layers) - 1, 0)
        self.mirror.restore(key)

    def shutdown(self) -> None:
        """Disconnect from the layer list."""
        self._soon.stop()
        self._waiting.clear()
        self.viewer.layers.events.inserted.disconnect(self._on_inserted)
        self.viewer.layers.events.removed.disconnect(self._on_removed)


def micrograph_of(layer: Image) -> Micrograph:
    """Return the micrograph that an image layer shows.

    Raises
    ------
    InputError
        The layer holds no single 2-D image.
    """
    data = layer.data[0] if layer.multiscale else layer.data
    data = np.asarray(data)
    path = layer.source.path
    ours = layer.source.reader_plugin == OUR_READER
    if path and not ours and (read := _read_again(Path(path), data)) is not None:
        return read
    known = {}
    if ours:  # what the reader has put there
        known = {name: value for name, value in layer.metadata.items() if name != "pixel_size_nm"}
    if data.ndim > 2 and not layer.rgb and data.ndim - sum(s == 1 for s in data.shape) == 2:
        data = data.squeeze()
    micrograph = as_micrograph(data, name=layer.name, pixel_size=layer_pixel_size(layer))
    return replace(micrograph, path=Path(path) if path else None, metadata=known)


def reader_of(layer: Image) -> SliceReader:
    """Return what reads the slices of a stack, with what its file says of the pixel size.

    Raises
    ------
    InputError
        The layer holds nothing that could be micrographs.
    """
    from napari_ssrvae.imaging.reading import read_facts

    data = layer.data[0] if layer.multiscale else layer.data
    path = layer.source.path
    facts = read_facts(path) if path else None
    metadata = {}
    if facts is not None:
        metadata = {
            "format": facts.format,
            "instrument": facts.instrument,
            "file_pixel_size": facts.pixel_size,
            "pixel_size_from": facts.pixel_size_from,
            "acquisition": dict(facts.acquisition),
            "fields": dict(facts.fields),
        }
    return SliceReader(
        data,
        name=layer.name,
        pixel_size=(facts.pixel_size if facts else None) or layer_pixel_size(layer),
        rows=facts.image_rows if facts else None,
        path=Path(path) if path else None,
        colour=bool(layer.rgb),
        warnings=facts.warnings if facts else (),
        metadata=metadata,
    )


def _read_again(path: Path, shown: np.ndarray) -> Micrograph | None:
    """Read the file of a layer for what napari's reader leaves out, if it is the same picture."""
    try:
        micrograph = read_micrograph(path)
    except ReadError:
        return None
    bar = int(micrograph.metadata.get("info_bar_rows", 0))
    height, width = micrograph.image.shape
    if shown.shape[:2] in ((height, width), (height + bar, width)):
        return micrograph
    return None


def layer_pixel_size(layer: Image) -> float | None:
    """Return the pixel size in nm that a layer's scale and units say, or None."""
    unit, scale = str(true_units(layer)[-1]), float(layer.scale[-1])
    if unit in ("pixel", "px", "dimensionless", ""):
        known = layer.metadata.get("pixel_size_nm")  # of an earlier dock
        return known if known == scale else None
    try:
        return length_in_nm(scale, unit)
    except ParticleError:
        return None


def show_as(layer: Image, micrograph: Micrograph) -> None:
    """Show a micrograph in its layer: without the info bar, in nm where the size is known."""
    show_picture(layer, micrograph.image)
    if micrograph.pixel_size is not None:
        show_pixel_size(layer, micrograph.pixel_size)


def show_picture(layer: Image, image: np.ndarray) -> None:
    """Show so many rows of a picture in its layer; one in colour stays so, but for new rows."""
    if layer.multiscale or layer.data.ndim > 2 + bool(layer.rgb):
        return
    have, rows = layer.data.shape[0], image.shape[0]
    if not layer.rgb:
        if layer.data.shape != image.shape:
            layer.data = image
    elif have > rows:
        layer.data = layer.data[:rows]
    elif have < rows:
        foot = np.repeat(image[have:, :, None], layer.data.shape[2], axis=2)
        foot = foot.astype(layer.data.dtype)
        if foot.shape[2] == 4:
            foot[..., 3] = layer.data[..., 3].max()
        layer.data = np.concatenate([layer.data, foot])


def show_pixel_size(layer: Image, size: float | None) -> None:
    """Show an image at its pixel size (nm), in pixels where that is None."""
    layer.scale = (*layer.scale[:-2], size or 1.0, size or 1.0)
    set_units(layer, "nm" if size else "pixel")

"""All layers of the viewer in units of one kind, though the pixel size of some is not known.

napari puts no unit on its scale bar, and warns, when one layer is in nm and another in pixels. The
micrograph in work is shown in its own unit; layers that say otherwise, most of them hidden, are put
in that unit meanwhile. Their scale stays, so nothing moves, and what they truly say is remembered
here: no pixel is taken for 1 nm.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Labels
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QObject, QTimer

from napari_ssrvae.viewer.placement import place

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_ssrvae.library.session import Session
    from napari_ssrvae.viewer.layers import LayerMirror

WARNING = "Inconsistent units"
"""How napari begins when layers are in different kinds of units."""

_TRUE: WeakKeyDictionary[Layer, tuple[Any, ...]] = WeakKeyDictionary()
"""Layers that are in another unit than their own for now, and their own."""


def true_units(layer: Layer) -> tuple[Any, ...]:
    """Return the units that a layer has by itself."""
    return _TRUE.get(layer, tuple(layer.units))


def set_units(layer: Layer, unit: str) -> None:
    """Give the last two axes of a layer a unit of its own."""
    _TRUE.pop(layer, None)
    layer.units = (*layer.units[:-2], unit, unit)


class WorldUnits(QObject):
    """Keeps all layers in the kind of unit (length or pixels) of the micrograph in work.

    Parameters
    ----------
    viewer : ViewerModel
        Its layers.
    session : Session
        Says which micrograph is in work.
    mirror : LayerMirror
        Knows its image layer.
    """

    def __init__(self, viewer: ViewerModel, session: Session, mirror: LayerMirror) -> None:
        super().__init__(mirror)
        self.viewer, self.session, self.mirror = viewer, session, mirror
        self._told: int | None = None  # how many notifications there were before an insertion
        viewer.layers.events.inserting.connect(self._on_inserting)
        viewer.layers.events.inserted.connect(self._on_inserted)
        session.active_changed.connect(self.align)
        session.micrographs_changed.connect(self.align)
        self.align()

    def _leader(self, besides: Layer | None = None) -> Image | None:
        """Return the image whose units count: that in work, else the first that is open."""
        group = self.mirror.groups.get(self.session.active_key or -1)
        if group is not None and group.image in self.viewer.layers:
            return group.image
        images = (x for x in self.viewer.layers if isinstance(x, Image) and x is not besides)
        return next(images, None)

    def align(self) -> None:
        """Put every layer into the kind of unit of the micrograph in work."""
        leader = self._leader()
        if leader is None:
            return
        restore(leader)
        for layer in list(self.viewer.layers):
            if layer is not leader and not self.mirror.is_ours(layer):  # ours go with their image
                _follow(layer, leader)

    # -- a new layer -------------------------------------------------------------------------
    def _on_inserting(self, event: Any) -> None:
        """Hold notifications back: napari draws a new layer before any plugin hears of it."""
        self._hold()
        QTimer.singleShot(0, self._let_notify)  # where the layer could not be inserted

    def _hold(self) -> None:
        if self._told is None:
            self._told = len(notification_manager.records)
            notification_manager.notification_ready.block()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Let units of layers be changed one by one, and put them all into one kind after that."""
        self._hold()
        try:
            yield
        finally:
            self.align()
            self._let_notify()

    def _let_notify(self) -> None:
        """Show what was held back, but for the warning whose cause is gone."""
        if self._told is None:
            return
        told, self._told = self._told, None
        notification_manager.notification_ready.unblock()
        for notification in notification_manager.records[told:]:
            if not notification.message.startswith(WARNING):
                notification_manager.notification_ready(notification)

    def _on_inserted(self, event: Any) -> None:
        layer = event.value
        leader = self._leader(besides=layer)
        if leader is not None and layer is not leader:
            if isinstance(layer, Labels) and lies_unplaced(layer, leader):
                place(layer, leader)
            _follow(layer, leader)
        self._let_notify()

    def shutdown(self) -> None:
        """Disconnect; no layer says nm from now on whose pixel size is not known.

        Where the sizes of some are known and of others not, all are in pixels, as napari wants
        them to be alike; the metadata of each layer still has its pixel size.
        """
        self._let_notify()
        self.viewer.layers.events.inserting.disconnect(self._on_inserting)
        self.viewer.layers.events.inserted.disconnect(self._on_inserted)
        self.session.active_changed.disconnect(self.align)
        self.session.micrographs_changed.disconnect(self.align)
        pixels = {layer for layer in self.viewer.layers if _in_pixels(true_units(layer))}
        for layer in list(self.viewer.layers):
            if not pixels:
                restore(layer)
            elif not _in_pixels(tuple(layer.units)):
                layer.units = (*layer.units[:-2], "pixel", "pixel")
            _TRUE.pop(layer, None)


def _in_pixels(units: tuple[Any, ...]) -> bool:
    return str(units[-1]) == "pixel"


def lies_unplaced(layer: Labels, image: Image) -> bool:
    """Say whether a label image of the same size, from another plugin, says not where it lies."""
    plain = str(layer.units[-1]) == "pixel" and np.array_equal(layer.scale, np.ones(layer.ndim))
    plain = plain and not np.any(layer.translate)
    return plain and layer.ndim == 2 and tuple(layer.data.shape) == tuple(image.data.shape[:2])


def restore(layer: Layer) -> None:
    """Give a layer its own units back."""
    if (units := _TRUE.pop(layer, None)) is not None:
        layer.units = units


def _follow(layer: Layer, image: Layer) -> None:
    """Put a layer into the units of an image where they are of another kind."""
    if layer.ndim < 2:
        return
    wanted, own = image.units[-2:], true_units(layer)
    if _alike(own[-2:], wanted):
        restore(layer)
    elif not _alike(layer.units[-2:], wanted):
        units = (*layer.units[:-2], *wanted)
        layer.units = units
        _TRUE[layer] = own


def _alike(some: Any, others: Any) -> bool:
    return all(a.dimensionality == b.dimensionality for a, b in zip(some, others, strict=True))

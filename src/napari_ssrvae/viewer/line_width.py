"""Outlines of particles that are still seen when the micrograph is zoomed out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_ssrvae.viewer.layers import LayerGroup, LayerMirror

THIN, WIDE, WIDEST = OURS = (1, 2, 3)


class LineWidth(QObject):
    """Makes outlines wider where a pixel of the micrograph is less than one of the screen.

    napari draws every second or third pixel then, so that thin outlines would have gaps. Drawing
    contours anew takes a moment: it is done only when another width is due, not as the camera
    moves. A contour that a person has chosen is left alone.

    Parameters
    ----------
    viewer : ViewerModel
        Whose camera is followed.
    mirror : LayerMirror
        Whose particles are outlined.
    """

    def __init__(self, viewer: ViewerModel, mirror: LayerMirror) -> None:
        super().__init__(mirror)
        self.viewer, self.mirror = viewer, mirror
        viewer.scene.camera.events.zoom.connect(self.follow)
        mirror.session.active_changed.connect(self.follow)

    def due(self, group: LayerGroup) -> int:
        """Return the width for a group of layers, px of its micrograph."""
        pixel = float(np.max(np.abs(group.image.scale[-2:])))
        seen = self.viewer.scene.camera.zoom * pixel
        return THIN if seen >= 1 else WIDE if seen >= 1 / 2 else WIDEST

    def follow(self, *_: object) -> None:
        """Draw the outlines of the active micrograph as wide as is due, if they are not."""
        group = self.mirror.groups.get(self.mirror.session.active_key or -1)
        layer = None if group is None else group.particles
        if group is None or layer is None or layer.contour not in OURS:
            return
        if (due := self.due(group)) != layer.contour:
            layer.contour = due

    def shutdown(self) -> None:
        """Disconnect."""
        self.viewer.scene.camera.events.zoom.disconnect(self.follow)
        self.mirror.session.active_changed.disconnect(self.follow)

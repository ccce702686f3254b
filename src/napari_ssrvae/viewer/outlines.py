"""The outlines of the hovered and the selected particles, and the lasso while it is drawn.

One Shapes layer shows few outlines, which are drawn within a frame of the screen; a selection of
many particles is a Labels layer, since thousands of polygons would take seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer, Shapes
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer

from napari_ssrvae.viewer.geometry import look_up
from napari_ssrvae.viewer.placement import keeping_active_layer, place
from napari_ssrvae.viewer.views.color import SELECTED as SELECTED_COLOR

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_ssrvae.library.session import Session
    from napari_ssrvae.viewer.layers import LayerMirror

HOVER_COLOR = "#ffffff"
ZOOMED_MS = 60
FEW = 3  # selected particles that are outlined one by one


class Outlines(QObject):
    """Draws around what the mouse means and what is selected.

    Parameters
    ----------
    viewer : ViewerModel
        Gets two layers, each when it is first needed.
    session : Session
        Whose selection is shown.
    mirror : LayerMirror
        Knows where the particles of the active micrograph lie.
    """

    def __init__(self, viewer: ViewerModel, session: Session, mirror: LayerMirror) -> None:
        super().__init__(mirror)
        self.viewer, self.session, self.mirror = viewer, session, mirror
        self.shapes: Shapes | None = None
        self.many: Labels | None = None
        self._hovered = 0
        self._lasso: NDArray[np.float64] | None = None
        # Lines are as wide as they are on the screen: they are drawn anew once a zoom has ended.
        self._zoomed = QTimer(self, singleShot=True, interval=ZOOMED_MS)
        self._zoomed.timeout.connect(self._draw_few)
        viewer.scene.camera.events.zoom.connect(self._on_zoom)
        session.selection_changed.connect(self.redraw)
        viewer.layers.events.removed.connect(self._on_layer_removed)

    def is_ours(self, layer: Layer) -> bool:
        """Say whether this made a layer."""
        return layer is not None and (layer is self.shapes or layer is self.many)

    def hover(self, particle: int) -> None:
        """Outline the particle under the mouse (0: none)."""
        if particle != self._hovered:
            self._hovered = particle
            self._draw_few()

    def lasso(self, path: NDArray[np.float64] | None, *, closed: bool = True) -> None:
        """Show a lasso, (m, 2) in pixels (y, x) of the active micrograph; None takes it away.

        One that is not `closed` is a line to cut along.
        """
        self._lasso = path
        if path is not None and closed:
            self._lasso = np.concatenate([path, path[:1]])
        self._draw_few()

    def redraw(self) -> None:
        """Show what is hovered and selected in the micrograph that is active now."""
        self._draw_few()
        self._draw_many()

    def _selected(self) -> frozenset[int]:
        selection = self.session.selection
        return selection.of_micrograph(self.session.active_key) if selection else frozenset()

    # -- few ---------------------------------------------------------------------------------
    def _draw_few(self) -> None:
        rings = self._rings()
        if not rings:
            if self.shapes is not None and len(self.shapes.data):
                self.shapes.data = []
            return
        layer = self._shapes_layer()
        layer.data = []
        width = 3.0 / max(self.viewer.scene.camera.zoom * float(np.mean(layer.scale)), 1e-6)
        layer.add(
            [ring for ring, _ in rings],
            shape_type="path",  # a polygon's inside would be triangulated at every move
            edge_color=[color for _, color in rings],
            face_color="transparent",
            edge_width=width,
        )
        layer.selected_data = set()

    def _rings(self) -> list[tuple[NDArray[np.float64], str]]:
        index = self.mirror.index(self.session.active_key)
        if index is None:
            return []
        selected = self._selected()
        wanted = [(self._hovered, HOVER_COLOR)]
        if len(selected) <= FEW:
            wanted += [(particle, SELECTED_COLOR) for particle in sorted(selected)]
        rings = [
            (outline, color)
            for particle, color in wanted
            if (outline := index.outline(particle)) is not None
        ]
        if self._lasso is not None and len(self._lasso) > 1:
            rings.append((self._lasso, SELECTED_COLOR))
        return rings

    def _shapes_layer(self) -> Shapes:
        image = self._image()
        if self.shapes is None:
            self.shapes = Shapes(name="outline (hover, selection)", ndim=2)
            place(self.shapes, image)
            with keeping_active_layer(self.viewer):
                self.viewer.add_layer(self.shapes)
            self.shapes.editable = False
        place(self.shapes, image)
        return self.shapes

    # -- many --------------------------------------------------------------------------------
    def _draw_many(self) -> None:
        selected = self._selected()
        index = self.mirror.index(self.session.active_key)
        if index is None or len(selected) <= FEW:
            if self.many is not None:
                self.many.visible = False
            return
        shown = look_up(index.labels, sorted(selected), np.ones(len(selected)))
        if self.many is None:
            colors = {None: "transparent", 0: "transparent", 1: SELECTED_COLOR}
            self.many = Labels(
                shown, name="selected particles", colormap=DirectLabelColormap(color_dict=colors)
            )
            self.many.contour = 3
            self.many.selected_label = 0
            place(self.many, self._image())
            with keeping_active_layer(self.viewer):
                self.viewer.add_layer(self.many)
            self.many.editable = False
        else:
            self.many.data = shown
            place(self.many, self._image())
        self.many.visible = True

    def _image(self) -> Image:
        return self.mirror.groups[self.session.active_key].image  # type: ignore[index]

    def _on_zoom(self, event: Any = None) -> None:
        if self.shapes is not None and len(self.shapes.data):
            self._zoomed.start()

    # -- life --------------------------------------------------------------------------------
    def _on_layer_removed(self, event: Any) -> None:
        if event.value is self.shapes:
            self.shapes = None
        elif event.value is self.many:
            self.many = None

    def shutdown(self) -> None:
        """Take the layers away and disconnect."""
        self._zoomed.stop()
        self.viewer.scene.camera.events.zoom.disconnect(self._on_zoom)
        for layer in (self.shapes, self.many):
            if layer is not None and layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        self.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self.session.selection_changed.disconnect(self.redraw)

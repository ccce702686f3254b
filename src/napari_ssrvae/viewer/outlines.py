"""The outlines of the hovered and the selected particles, and the lasso while it is drawn.

Few outlines are lines over the canvas, which are drawn at once; a selection of many particles is a
Labels layer, since thousands of lines would take seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QWidget

from napari_ssrvae.viewer.geometry import rims
from napari_ssrvae.viewer.placement import keeping_active_layer, obstacle, place
from napari_ssrvae.viewer.views.color import SELECTED as SELECTED_COLOR
from napari_ssrvae.viewer.views.marks import CanvasMarks, Ring

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_ssrvae.library.selection import Place
    from napari_ssrvae.library.session import Session
    from napari_ssrvae.viewer.layers import LayerMirror

HOVER_COLOR = "#ffffff"
FEW = 60  # selected particles that are outlined one by one
RIM = 3  # pixels of the micrograph that are coloured around each of more


class Outlines(QObject):
    """Draws around what the mouse means and what is selected.

    Parameters
    ----------
    viewer : ViewerModel
        Gets a layer for the selection of many, when it is first needed.
    session : Session
        Whose selection is shown.
    mirror : LayerMirror
        Knows where the particles of the active micrograph lie.
    """

    def __init__(self, viewer: ViewerModel, session: Session, mirror: LayerMirror) -> None:
        super().__init__(mirror)
        self.viewer, self.session, self.mirror = viewer, session, mirror
        self.marks: CanvasMarks | None = None
        self.canvas: QWidget | None = None
        self._sheets: list[CanvasMarks] = []  # others that follow the camera
        self.many: Labels | None = None
        self._hovered, self._word = 0, ""
        self._said: tuple[Place | None, str] = (None, "")
        self._lasso: NDArray[np.float64] | None = None
        self._camera_events = (
            viewer.scene.camera.events.center,
            viewer.scene.camera.events.zoom,
            viewer.scene.camera.events.orientation,
            viewer.dims.events.ndisplay,
            viewer.dims.events.order,
            viewer.dims.events.ndim,
            viewer.canvas.grid.events.enabled,
        )
        for event in self._camera_events:
            event.connect(self._look)
        session.selection_changed.connect(self.redraw)
        viewer.layers.events.removed.connect(self._on_layer_removed)

    def draw_on(self, canvas: QWidget) -> None:
        """Draw on a canvas from now on; without one (no window), nothing is drawn."""
        self.canvas = canvas
        self.marks = CanvasMarks(canvas)
        self._look()
        self._draw_few()

    def follow_with(self, sheet: CanvasMarks) -> None:
        """Let another sheet over the canvas follow the camera."""
        self._sheets.append(sheet)
        self._look()

    def follow_no_more(self, sheet: CanvasMarks) -> None:
        """Let a sheet go that was followed with."""
        self._sheets.remove(sheet)

    def is_ours(self, layer: Layer) -> bool:
        """Say whether this made a layer."""
        return layer is not None and layer is self.many

    def hover(self, particle: int, word: str = "") -> None:
        """Outline the particle under the mouse (0: none), with a word beside it."""
        if (particle, word) != (self._hovered, self._word):
            self._hovered, self._word = particle, word
            self._draw_few()

    def say(self, place: Place | None, word: str) -> None:
        """Put a word beside a particle while no other one is hovered; None takes it away."""
        if (place, word) != self._said:
            self._said = (place, word)
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
    def _look(self, event: Any = None) -> None:
        """Follow the camera; in 3-D and in a grid the lines have no place, and are not shown."""
        if self.marks is None:
            return
        viewer, camera = self.viewer, self.viewer.scene.camera
        seen = obstacle(viewer.dims) is None and not viewer.canvas.grid.enabled
        self.marks.setVisible(seen)
        down, right = (str(axis) for axis in camera.orientation2d)
        signs = (1 if down == "down" else -1, 1 if right == "right" else -1)
        for sheet in (self.marks, *self._sheets):
            sheet.look((camera.center[-2], camera.center[-1]), camera.zoom, signs)

    def _draw_few(self) -> None:
        if self.marks is None:
            return
        index = self.mirror.index(self.session.active_key)
        rings = self._rings()
        self.marks.set_rings([Ring(self.in_world(path), color) for path, color in rings])
        place, said = self._said
        particle, word = self._hovered, self._word
        if not particle and place is not None and place.key == self.session.active_key:
            particle, word = place.particle, said
        box = None if index is None else index.box(particle)
        if box is None or not word:
            self.marks.set_word("")
        else:
            corner = self.in_world(np.array([[box[0].stop, box[1].stop]], dtype=float))
            self.marks.set_word(word, *corner[0].tolist())

    def in_world(self, path: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where pixels (m, 2) of the active micrograph lie in the world (down, right)."""
        image = self._image()
        # The map is affine: three points give it whole.
        lead = (0.0,) * (image.ndim - 2)
        origin, down, right = (
            np.asarray(image.data_to_world((*lead, *at)))[-2:] for at in ((0, 0), (1, 0), (0, 1))
        )
        world: NDArray[np.float64] = origin + path @ np.stack([down - origin, right - origin])
        transposed = tuple(self.viewer.dims.displayed) != tuple(sorted(self.viewer.dims.displayed))
        return world[:, ::-1] if transposed else world

    def _rings(self) -> list[Ring]:
        index = self.mirror.index(self.session.active_key)
        if index is None:
            return []
        selected = self._selected()
        wanted = [(self._hovered, HOVER_COLOR)]
        if len(selected) <= FEW:
            wanted += [(particle, SELECTED_COLOR) for particle in sorted(selected)]
        rings = [
            Ring(outline, color)
            for particle, color in wanted
            if (outline := index.outline(particle)) is not None
        ]
        if self._lasso is not None and len(self._lasso) > 1:
            rings.append(Ring(self._lasso, SELECTED_COLOR))
        return rings

    # -- many --------------------------------------------------------------------------------
    def _draw_many(self) -> None:
        selected = self._selected()
        index = self.mirror.index(self.session.active_key)
        if index is None or len(selected) <= FEW:
            if self.many is not None:
                self.many.visible = False
            return
        shown = rims(index.labels, sorted(selected), RIM)
        if self.many is None:
            colors = {None: "transparent", 0: "transparent", 1: SELECTED_COLOR}
            self.many = Labels(
                shown, name="selected particles", colormap=DirectLabelColormap(color_dict=colors)
            )
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

    # -- life --------------------------------------------------------------------------------
    def _on_layer_removed(self, event: Any) -> None:
        if event.value is self.many:
            self.many = None

    def shutdown(self) -> None:
        """Take lines and layer away, and disconnect."""
        for event in self._camera_events:
            event.disconnect(self._look)
        if self.marks is not None:
            self.marks.shutdown()
            self.marks = None
        if self.many is not None and self.many in self.viewer.layers:
            self.viewer.layers.remove(self.many)
        self.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self.session.selection_changed.disconnect(self.redraw)

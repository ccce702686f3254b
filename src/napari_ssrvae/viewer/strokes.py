"""Strokes of particle and background: painted, learnt at once, and turned into particles."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QApplication

from napari_ssrvae.viewer import finding_steps as steps
from napari_ssrvae.viewer.overlay import Overlay
from napari_ssrvae.viewer.placement import place

if TYPE_CHECKING:
    from napari_ssrvae.imaging import PixelClassifier
    from napari_ssrvae.viewer.workbench import Workbench

KIND = "strokes"
PAUSE_MS = 200
NOTHING, BACKGROUND, PARTICLE = 0, 1, 2
BRUSH_PX = 6
# Okabe and Ito's: told apart by colour-blind eyes, and both by grey micrographs.
COLORS: dict[int | None, str] = {BACKGROUND: "#56b4e9", PARTICLE: "#e69f00"}
RESULT_COLOR = "#35e0ff"


class Strokes(QObject):
    """What was painted on each micrograph, the classifier that learns it, and what that finds.

    Parameters
    ----------
    workbench : Workbench
        Its session, layers and jobs.
    """

    changed = Signal()

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench, self.session = workbench, workbench.session
        self.viewer = workbench.viewer
        self.layer: Labels | None = None
        self.result = Overlay(self.viewer, "found from strokes", RESULT_COLOR, opacity=0.9)
        self.classifier: PixelClassifier | None = None
        self.found: NDArray[np.int32] | None = None
        self.taken: NDArray[np.int32] | None = None  # what of it became particles last
        self.on = False
        self._loaded: PixelClassifier | None = None
        self._painted: dict[int, NDArray[np.uint8]] = {}
        self._examples: dict[int, Any] = {}
        # key, its image, features and groundwork: what no stroke changes
        self._known: tuple[int, Any, Any, Any] | None = None
        self._shown: int | None = None
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._on_pause)
        self.session.active_changed.connect(self._on_active)
        self.viewer.layers.events.removed.connect(self._on_removed)

    # -- painting --------------------------------------------------------------------------
    def start(self) -> None:
        """Lay the strokes over the active micrograph, with the brush in hand.

        Where there is none, as soon as there is one.
        """
        self.on = True
        if self.session.active is None:
            self.workbench.refuse(
                "There is no micrograph to paint on: drop one onto the window first."
            )
            return
        self._show_active()
        self.take_brush(PARTICLE)
        if self._loaded is not None or self._painted:
            self.learn()

    def stop(self) -> None:
        """Put brush and strokes away; what was painted is there when painting goes on."""
        self.on = False
        self._put_away()

    def _put_away(self) -> None:
        self._known = None
        self._pause.stop()
        self.workbench.jobs.cancel(KIND)
        self.found = None
        if self.layer is not None and self.layer in self.viewer.layers:
            self.viewer.layers.remove(self.layer)
        self.result.hide()
        self.changed.emit()

    def take_brush(self, value: int) -> None:
        """Paint particle (2) or background (1) from now on, or erase (0)."""
        if self.layer is None:
            return
        self.viewer.layers.selection.active = self.layer
        if value == NOTHING:
            self.layer.mode = "erase"
        else:
            self.layer.selected_label = value
            self.layer.mode = "paint"
        self.changed.emit()

    def put_brush_down(self) -> None:
        """Work on the micrograph again: a click means a particle. The strokes stay."""
        key = self.session.active_key
        if self.layer is not None:
            self.layer.mode = "pan_zoom"
        image = None if key is None else self.workbench.mirror.groups[key].image
        if image in self.viewer.layers:
            self.viewer.layers.selection.active = image
        self.changed.emit()

    def set_brush(self, pixels: int) -> None:
        """Set the width of the brush, px of the micrograph."""
        if self.layer is not None:
            self.layer.brush_size = pixels

    def in_hand(self) -> int | None:
        """Return what the brush paints; None where no brush is in hand."""
        layer = self.layer
        if layer is None or self.viewer.layers.selection.active != layer:
            return None
        if layer.mode == "erase":
            return NOTHING
        return int(layer.selected_label) if layer.mode == "paint" else None

    def clear(self) -> None:
        """Take the strokes on the active micrograph away, and what was learnt from a file."""
        key = self.session.active_key
        if key is None:
            return
        self._painted.pop(key, None)
        self._examples.pop(key, None)
        self._loaded = None
        self.classifier = self.found = None
        self.workbench.jobs.cancel(KIND)
        if self.layer is not None:
            self.layer.data = np.zeros_like(self.layer.data)
        self._show_result(None)
        if self._painted:
            self.learn()
        self.changed.emit()

    def counts(self) -> tuple[int, int]:
        """Return on how many micrographs something was painted, and how many pixels here."""
        here = self._painted.get(self.session.active_key or -1)
        painted = sum(bool(strokes.any()) for strokes in self._painted.values())
        return painted, 0 if here is None else int(np.count_nonzero(here))

    # -- layers ----------------------------------------------------------------------------
    def is_ours(self, layer: Any) -> bool:
        """Say whether this layer holds strokes or what they find."""
        return self.result.is_ours(layer) or (layer is not None and layer is self.layer)

    def _on_active(self) -> None:
        self.found = None
        if not self.on:
            return
        if self.session.active is None:
            self._put_away()  # until there is another micrograph: the method is still the same
            return
        if self.session.active_key not in self.workbench.mirror.groups:
            return  # it has no layer yet: the session says so again when it has
        began = self.layer is None
        self._keep()
        self._show_active()
        if began:
            self.take_brush(PARTICLE)
        self.learn()

    def _show_active(self) -> None:
        """Show the strokes of the active micrograph, in a layer of their own."""
        key, state = self.session.active_key, self.session.active
        assert key is not None
        assert state is not None
        data = self._painted.get(key)
        data = np.zeros(state.micrograph.shape, np.uint8) if data is None else data.copy()
        self._shown = key
        image = self.workbench.mirror.groups[key].image
        if self.layer is not None and self.layer in self.viewer.layers:
            self.layer.data = data
            place(self.layer, image)
            self._raise()
        else:
            colors: dict[int | None, str] = {None: "transparent", 0: "transparent", **COLORS}
            self.layer = Labels(
                data, name="strokes", colormap=DirectLabelColormap(color_dict=colors), opacity=0.8
            )
            self.layer.brush_size = BRUSH_PX
            self.layer.events.paint.connect(self._on_painted)
            self.layer.events.mode.connect(self._on_tool)
            self.layer.events.selected_label.connect(self._on_tool)
            place(self.layer, image)
            self.viewer.add_layer(self.layer)
        self._show_result(None)

    def _raise(self) -> None:
        """Bring the strokes above a micrograph that was opened after them."""
        layers = self.viewer.layers
        if layers[-1] is not self.layer:
            layers.move(layers.index(self.layer), len(layers))

    def _show_result(self, outlines: NDArray[np.bool_] | None) -> None:
        """Show what the strokes find, below them; None takes it away."""
        if outlines is None:
            self.result.hide()
        else:
            image = self.workbench.mirror.groups[self._shown or 0].image
            self.result.show(outlines, image, below=self.layer)

    def _on_removed(self, event: Any) -> None:
        if event.value is self.layer:
            self._keep()  # what was painted stays, whoever took the layer away
            self.layer = None
            self.changed.emit()

    def _on_tool(self, *_: object) -> None:
        layer = self.layer
        if layer is not None and layer.selected_label > PARTICLE:
            layer.selected_label = PARTICLE  # there are two kinds
        self.changed.emit()

    # -- learning --------------------------------------------------------------------------
    def _on_painted(self, *_: object) -> None:
        self._pause.start()

    def _on_pause(self) -> None:
        if QApplication.mouseButtons():  # the next stroke has begun: learn both when it ends
            self._pause.start()
        else:
            self.learn()

    def _keep(self) -> None:
        """Take what is in the layer as what was painted on the micrograph that it lies on."""
        if self.layer is None or self._shown is None:
            return
        now = np.minimum(np.asarray(self.layer.data), PARTICLE).astype(np.uint8)
        before = self._painted.get(self._shown)
        if before is None or not np.array_equal(before, now):
            self._painted[self._shown] = now
            self._examples.pop(self._shown, None)

    def learn(self) -> None:
        """Learn what is painted, and find the active micrograph's particles, in the background."""
        key, state = self.session.active_key, self.session.active
        if key is None or state is None or not self.on:
            return
        self._keep()
        here = self._painted.get(key)
        if here is None:
            here = np.zeros(state.micrograph.shape, np.uint8)
        others = [
            steps.Painted(k, self.session.micrographs[k].micrograph, strokes, None, known)
            for k, strokes in self._painted.items()
            if k != key and k in self.session.micrographs and strokes.any()
            for known in (self._examples.get(k),)
        ]
        kinds = set(np.unique(here)).union(*(np.unique(p.strokes) for p in others))
        if self._loaded is None and not {BACKGROUND, PARTICLE} <= kinds:
            self.workbench.jobs.cancel(KIND)
            self.found = None
            self._show_result(None)
            self.changed.emit()
            return
        image, known = state.micrograph.image, (None, None)
        if self._known is not None and self._known[0] == key and self._known[1] is image:
            known = self._known[2:]
        active = steps.Painted(
            key, state.micrograph, here, known[0], self._examples.get(key), known[1]
        )
        self.workbench.jobs.start(
            KIND,
            steps.learn_strokes,
            active,
            others,
            self._loaded,
            self.workbench.settings.segmentation,
            title="Learning the strokes",
            on_yield=partial(self._on_learnt, key, image),
            on_done=partial(self._on_learnt, key, image),
        )
        self.changed.emit()

    def _on_learnt(self, key: int, image: Any, learnt: steps.Learnt | None) -> None:
        if learnt is None or key != self.session.active_key or not self.on:
            return
        self.classifier = learnt.classifier
        self._known = (key, image, learnt.features, learnt.groundwork)
        self._examples.update(learnt.examples)
        if not learnt.quick:
            self.found = learnt.labels
        elif self.result.visible:
            return  # outlines of particles stay until there are new ones
        self._show_result(learnt.outlines)
        self.changed.emit()

    def use(self) -> None:
        """Make what the strokes found the particles of the micrograph, as a step of the history."""
        key = self.session.active_key
        if key is None or self.found is None:
            self.workbench.refuse("Paint a stroke on particles and one on background first.")
            return
        self.workbench.mirror.flush()
        count = int(self.found.max(initial=0))
        lost = self.session.set_particles(key, self.found, name=f"{count} particles from strokes")
        self.taken = self.found
        self._show_result(None)  # ours shows the same
        self.put_brush_down()
        if lost:
            self.workbench.refuse(
                f"{lost} hand label{'s' if lost > 1 else ''} had no matching particle any more; "
                "undo brings them back."
            )

    # -- files -----------------------------------------------------------------------------
    def save(self, path: str) -> None:
        """Write the classifier."""
        if self.classifier is None:
            self.workbench.refuse(
                "There is nothing to save yet: paint particle and background first."
            )
            return
        self.workbench.jobs.start(
            "save strokes",
            steps.save_classifier,
            self.classifier,
            Path(path),
            title="Saving the pixel classifier",
            on_done=lambda saved: self.workbench.tell(
                f"The pixel classifier was saved in {saved}."
            ),
        )

    def load(self, path: str) -> None:
        """Read a classifier, and find the active micrograph's particles with it."""
        self.workbench.jobs.start(
            "load strokes",
            steps.load_classifier,
            Path(path),
            title="Loading a pixel classifier",
            on_done=self._on_loaded,
        )

    def _on_loaded(self, classifier: PixelClassifier) -> None:
        self._loaded = self.classifier = classifier
        self._examples.clear()  # they may have been seen at another magnification
        self.workbench.tell(
            "The pixel classifier is ready; more strokes are added to what it knows."
        )
        self.learn()

    def shutdown(self) -> None:
        """Stop waiting, and disconnect."""
        self._pause.stop()
        self.session.active_changed.disconnect(self._on_active)
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        self.result.shutdown()

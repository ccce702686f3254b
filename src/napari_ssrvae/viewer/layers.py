"""The napari layers that mirror the session.

Each micrograph has its image layer (the person's), a particles layer (outlines of all particles;
ours, or a Labels layer that the person picked), a hand-label layer (rings, values = class numbers)
and an overlay of the predicted classes. Lines over the canvas outline the hovered and the selected
particles. The session is the truth: a layer that the person deletes comes back when it is needed
again, and a stroke painted into the hand labels becomes one step of the session's history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ssrvae.library.session import MicrographState, Session
from napari_ssrvae.viewer.geometry import ParticleIndex, look_up
from napari_ssrvae.viewer.outlines import Outlines
from napari_ssrvae.viewer.placement import PLACEMENT, keeping_active_layer, place

if TYPE_CHECKING:
    from napari.components import ViewerModel

CONFIDENCE_STEPS = 10
# Up to so many particles are drawn anew one by one, more by drawing the layer.
FEW = 50
PARTICLE_COLOR = "#35e0ff"


@dataclass
class LayerGroup:
    """The layers of one micrograph; None where there is none (yet, or any more)."""

    image: Image
    particles: Labels | None = None
    own_particles: bool = True
    hand: Labels | None = None
    overlay: Labels | None = None
    index: ParticleIndex | None = None

    def ours(self) -> list[Layer]:
        """Return the layers that we made."""
        made = [self.overlay, self.particles if self.own_particles else None, self.hand]
        return [layer for layer in made if layer is not None]


class LayerMirror(QObject):
    """Keeps the layers and the session equal; holds no state that a person made."""

    message = Signal(str)

    def __init__(self, viewer: ViewerModel, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.session = session
        self.groups: dict[int, LayerGroup] = {}
        self.overlay_mode = "class"
        self.outlines = Outlines(viewer, session, self)
        self._mirroring = False
        # Strokes into the particles arrive many a second; the session follows when they pause.
        self._edited = QTimer(self, singleShot=True, interval=400)
        self._edited.timeout.connect(self._take_edited_particles)
        self._edited_keys: set[int] = set()
        session.particles_changed.connect(self._on_particles)
        session.hand_labels_changed.connect(self._on_hand_labels)
        session.predictions_changed.connect(self._on_predictions)
        session.classes_changed.connect(self._on_classes)
        session.active_changed.connect(self._on_active)
        viewer.layers.events.removed.connect(self._on_layer_removed)

    # -- the micrograph's image ------------------------------------------------------------
    def attach(self, key: int, image: Image) -> None:
        """Mirror a micrograph of the session around its image layer."""
        self.groups[key] = LayerGroup(image)
        for name in PLACEMENT:
            if (emitter := getattr(image.events, name, None)) is not None:
                emitter.connect(self._on_placement)

    def key_of(self, layer: Layer | None) -> int | None:
        """Return the micrograph that a layer belongs to."""
        for key, group in self.groups.items():
            if layer is not None and (
                layer in (group.image, group.particles) or layer in group.ours()
            ):
                return key
        return None

    def is_ours(self, layer: Layer) -> bool:
        """Say whether we made this layer."""
        return self.outlines.is_ours(layer) or any(
            layer in group.ours() for group in self.groups.values()
        )

    def index(self, key: int | None) -> ParticleIndex | None:
        """Return where the particles of a micrograph lie."""
        group = self.groups.get(key) if key is not None else None
        return None if group is None else group.index

    def use_labels_layer(self, key: int, layer: Labels) -> None:
        """Take a Labels layer that was made elsewhere as the particles of a micrograph."""
        data = np.asarray(layer.data[0] if layer.multiscale else layer.data)
        group = self.groups[key]
        if group.particles is layer:
            return
        self.session.set_particles(key, data, name=f"use {layer.name} as particles")
        old = group.particles if group.own_particles else None
        group.particles, group.own_particles = layer, False
        layer.events.paint.connect(self._on_particles_painted)
        if old is not None:
            self._remove(old)

    # -- session → layers ------------------------------------------------------------------
    def _on_particles(self, key: int) -> None:
        state, group = self.session.micrographs[key], self.groups.get(key)
        if group is None:
            return
        if state.labels is None:
            group.index = None
            for layer in group.ours():
                self._remove(layer)
            return
        group.index = ParticleIndex(state.labels)
        with self._quietly():
            if group.particles is None:
                group.own_particles = True
                group.particles = self._add_labels(
                    group,
                    state.labels.copy(),
                    "particles",
                    opacity=0.9,
                    contour=1,
                    colormap=DirectLabelColormap(
                        color_dict={None: PARTICLE_COLOR, 0: "transparent"}
                    ),
                )
                group.particles.events.paint.connect(self._on_particles_painted)
            elif not np.array_equal(group.particles.data, state.labels):
                group.particles.data = state.labels.copy()
        self._show_hand_labels(key)
        # Empty until there are predictions: making a layer takes napari a fifth of a second, which
        # nobody notices here, and everybody would at the end of the training.
        self.show_overlay(key)

    def _on_hand_labels(self, key: int, changed: frozenset[int]) -> None:
        group, state = self.groups.get(key), self.session.micrographs[key]
        if group is None or state.labels is None:
            return
        if group.hand is None or group.index is None or len(changed) > FEW:
            self._show_hand_labels(key)
            if state.predictions is not None:
                self.show_overlay(key)
            return
        with self._quietly():
            by_hand = {particle: state.hand_labels.get(particle, 0) for particle in changed}
            self._show_few(group.hand, group.index, by_hand)
            if state.predictions is not None and group.overlay is not None:
                shown = dict(zip(*map(np.ndarray.tolist, self._overlay_values(state)), strict=True))
                few = {particle: int(shown.get(particle, 0)) for particle in changed}
                self._show_few(group.overlay, group.index, few)

    def _show_hand_labels(self, key: int) -> None:
        group, state = self.groups[key], self.session.micrographs[key]
        if state.labels is None:
            return
        ids, values = list(state.hand_labels), list(state.hand_labels.values())
        with self._quietly():
            if group.hand is None:
                data = look_up(state.labels, ids, values)
                group.hand = self._add_labels(
                    group, data, "hand labels", contour=3, colormap=self._class_colormap()
                )
                group.hand.events.paint.connect(self._on_hand_painted)
            else:
                self._show_values(group.hand, state.labels, ids, values)

    def _on_predictions(self, key: int) -> None:
        if key in self.groups:
            self.show_overlay(key)

    def show_overlay(self, key: int) -> None:
        """Colour the particles of a micrograph by what the session says of them now."""
        group, state = self.groups[key], self.session.micrographs[key]
        if state.labels is None:
            return
        ids, values = self._overlay_values(state)
        with self._quietly():
            if group.overlay is None:
                # Under the outlines, so that the rings of the hand labels stay visible on it.
                group.overlay = self._add_labels(
                    group,
                    look_up(state.labels, ids, values),
                    "predicted classes",
                    opacity=0.45,
                    colormap=self._overlay_colormap(),
                    lowest=True,
                )
            else:
                self._show_values(group.overlay, state.labels, ids, values)

    def _overlay_values(self, state: MicrographState) -> tuple[Any, Any]:
        """Return particle ids and what the overlay shows of them: class, or confidence step."""
        if state.predictions is None:
            return (), ()
        ids = state.predictions.particle_ids
        if self.overlay_mode == "confidence":
            steps = np.ceil(state.predictions.confidence * CONFIDENCE_STEPS)
            return ids, np.clip(steps, 1, CONFIDENCE_STEPS)
        hand = state.hand_labels  # named last, so they win
        return (
            np.append(ids, np.fromiter(hand, np.int64)),
            np.append(state.predictions.class_ids, np.fromiter(hand.values(), np.int64)),
        )

    @staticmethod
    def _show_values(layer: Labels, labels: Any, ids: Any, values: Any) -> None:
        """Write new values into a layer: in place, which is half the time of setting its data."""
        if layer.data.shape == labels.shape and layer.data.dtype == np.uint8:
            look_up(labels, ids, values, out=layer.data)
            layer.refresh(extent=False)
        else:
            layer.data = look_up(labels, ids, values)

    def set_overlay_mode(self, mode: str) -> None:
        """Show the predicted class (``"class"``) or how sure the model is (``"confidence"``)."""
        if mode == self.overlay_mode:
            return
        self.overlay_mode = mode
        for key, group in self.groups.items():
            if group.overlay is not None:
                self.show_overlay(key)
                group.overlay.colormap = self._overlay_colormap()

    def _on_classes(self) -> None:
        for key, group in self.groups.items():
            if group.hand is not None:
                group.hand.colormap = self._class_colormap()
            if group.overlay is not None:
                group.overlay.colormap = self._overlay_colormap()
                self.show_overlay(key)

    def _class_colormap(self) -> DirectLabelColormap:
        colors: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
        colors.update({c.id: c.color for c in self.session.classes})
        return DirectLabelColormap(color_dict=colors)

    def _overlay_colormap(self) -> DirectLabelColormap:
        if self.overlay_mode == "class":
            return self._class_colormap()
        return DirectLabelColormap(color_dict=confidence_colors())

    def _on_active(self) -> None:
        """Show the active micrograph's layers and hide the others', which lie at the same place."""
        for key, group in self.groups.items():
            active = key == self.session.active_key
            for layer in (group.image, *group.ours()):
                if layer in self.viewer.layers:
                    layer.visible = active
        self.outlines.redraw()

    # -- layers → session ------------------------------------------------------------------
    def _on_hand_painted(self, event: Any) -> None:
        """Turn a stroke into one edit of the session, then show whole particles again."""
        if self._mirroring:
            return
        key = self.key_of(event.source)
        if key is None:
            return
        state, painted_data = self.session.micrographs[key], np.asarray(event.source.data)
        if state.labels is None:
            return
        hand = state.hand_labels
        changed = painted_data != look_up(state.labels, list(hand), list(hand.values()))
        values, particles = painted_data[changed], state.labels[changed]
        known = {0, *(c.id for c in self.session.classes)}
        changes = {}
        for particle in np.unique(particles[particles > 0]).tolist():
            painted, pixels = np.unique(values[particles == particle], return_counts=True)
            changes[particle] = int(painted[np.argmax(pixels)])
        unknown = sorted(set(changes.values()) - known)
        if unknown:
            self.message.emit(
                f"There is no class {unknown[0]}: add it to the table of classes, then paint again."
            )
        elif not changes and changed.any():
            self.message.emit("That stroke touched no particle, so it labelled nothing.")
        self.session.label(key, {p: c for p, c in changes.items() if c in known})
        self._show_hand_labels(key)

    def _on_particles_painted(self, event: Any) -> None:
        key = self.key_of(event.source)
        if key is not None and not self._mirroring:
            self._edited_keys.add(key)
            self._edited.start()

    def _take_edited_particles(self) -> None:
        for key in sorted(self._edited_keys):
            layer = self.groups[key].particles if key in self.groups else None
            if layer is not None and key in self.session.micrographs:
                self.session.set_particles(key, np.asarray(layer.data), name="edit particles")
        self._edited_keys.clear()

    def flush(self) -> None:
        """Take strokes that wait for their pause now, before a job copies the session."""
        if self._edited.isActive():
            self._edited.stop()
            self._take_edited_particles()

    # -- layers ----------------------------------------------------------------------------
    def _add_labels(
        self,
        group: LayerGroup,
        data: Any,
        what: str,
        *,
        colormap: DirectLabelColormap,
        opacity: float = 1.0,
        contour: int = 0,
        lowest: bool = False,
    ) -> Labels:
        layer = Labels(
            data,
            name=f"{group.image.name} {what}",
            opacity=opacity,
            colormap=colormap,
            visible=group is self.groups.get(self.session.active_key or -1),
        )
        layer.contour = contour
        layer.selected_label = 0
        place(layer, group.image)
        layers = self.viewer.layers
        above_image = lowest and group.image in layers
        with keeping_active_layer(self.viewer):
            layers.insert(layers.index(group.image) + 1 if above_image else len(layers), layer)
        return layer

    def _on_placement(self, event: Any) -> None:
        for group in self.groups.values():
            if group.image is event.source:
                for layer in group.ours():
                    place(layer, group.image)
        self.outlines.redraw()

    @staticmethod
    def _show_few(layer: Labels, index: ParticleIndex, values: Mapping[int, int]) -> None:
        """Write the values of a few particles; napari draws only what is around them anew."""
        places, numbers = [], []
        for particle, value in values.items():
            if (pixels := index.pixels(particle)) is not None:
                places.append(pixels)
                numbers.append(np.full(pixels.shape[1], value, np.uint8))
        if places:
            layer.data_setitem(tuple(np.concatenate(places, axis=1)), np.concatenate(numbers))

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        before, self._mirroring = self._mirroring, True
        try:
            yield
        finally:
            self._mirroring = before

    def _remove(self, layer: Layer) -> None:
        if layer in self.viewer.layers:
            self.viewer.layers.remove(layer)
        self._forget(layer)

    def _forget(self, layer: Layer) -> None:
        for group in self.groups.values():
            for role in ("particles", "hand", "overlay"):
                if getattr(group, role) is layer:
                    setattr(group, role, None)
                    self._disconnect(layer)

    def _disconnect(self, layer: Layer) -> None:
        if isinstance(layer, Labels):
            layer.events.paint.disconnect(self._on_hand_painted)
            layer.events.paint.disconnect(self._on_particles_painted)

    def _on_layer_removed(self, event: Any) -> None:
        self._forget(event.value)

    def restore(self, key: int) -> None:
        """Bring back the layers of a micrograph that the person deleted."""
        state = self.session.micrographs[key]
        if state.labels is not None:
            self._on_particles(key)

    def detach(self, key: int) -> None:
        """Let go of a micrograph: its layers of ours go with it."""
        group = self.groups.pop(key)
        for layer in group.ours():
            self._disconnect(layer)
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def shutdown(self) -> None:
        """Disconnect from everything; hand labels and predictions stay on the screen."""
        self._edited.stop()
        self.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        for group in self.groups.values():
            for name in PLACEMENT:
                if (emitter := getattr(group.image.events, name, None)) is not None:
                    emitter.disconnect(self._on_placement)
            for layer in (group.particles, group.hand):
                if layer is not None:
                    self._disconnect(layer)
        self.outlines.shutdown()
        self.groups.clear()


def confidence_colors() -> dict[int | None, Any]:
    """Return the colours of the confidence steps, dark (unsure) to bright (sure)."""
    from napari.utils.colormaps import ensure_colormap

    viridis = ensure_colormap("viridis").map(np.linspace(0, 1, CONFIDENCE_STEPS))
    colors: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    colors.update({i + 1: viridis[i] for i in range(CONFIDENCE_STEPS)})
    return colors

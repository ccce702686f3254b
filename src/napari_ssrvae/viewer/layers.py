"""The napari layers that mirror the session.

Each micrograph has its image layer (the person's), a particles layer (outlines of all particles),
a hand-label layer (rings, values = class numbers) and an overlay of the predicted classes. Of a
Labels layer that the person picked as particles, ours is a copy: a correction must not change the
person's own array, nor the file behind it. Lines over the canvas outline the hovered and the
selected particles. The session is the truth: a layer that the person deletes comes back when it is
needed again, and a stroke painted into the hand labels becomes one step of the session's history.

The slices of a stack share one image layer and one group of layers, which holds the data of the
slice that is shown: a thousand slices cost as many layers as one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_ssrvae.errors import InputError
from napari_ssrvae.library.changes import Changes
from napari_ssrvae.library.session import MicrographState, Session
from napari_ssrvae.viewer.contours import draw_contours_quickly
from napari_ssrvae.viewer.geometry import ParticleIndex, look_up
from napari_ssrvae.viewer.line_width import LineWidth
from napari_ssrvae.viewer.outlines import Outlines
from napari_ssrvae.viewer.painting import Painting, write_part, write_pixels
from napari_ssrvae.viewer.placement import PLACEMENT, keeping_active_layer, place

if TYPE_CHECKING:
    from napari.components import ViewerModel

CONFIDENCE_STEPS = 10
# Up to so many particles are drawn anew one by one, more by drawing the layer.
FEW = 50
PARTICLE_COLOR = "#35e0ff"


@dataclass
class LayerGroup:
    """The layers of one micrograph, or of all slices of a stack.

    None where there is none (yet, or any more); `shown` is the micrograph whose data they hold.
    """

    image: Image
    shown: int
    particles: Labels | None = None
    hand: Labels | None = None
    overlay: Labels | None = None
    index: ParticleIndex | None = None

    @property
    def is_stack(self) -> bool:
        """Whether other slices may come into these layers."""
        return bool(self.image.ndim > 2)

    def ours(self) -> list[Layer]:
        """Return the layers that we made."""
        return [x for x in (self.overlay, self.particles, self.hand) if x is not None]


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
        self.lines = LineWidth(viewer, self)
        self.mirroring = False
        self.painting = Painting(self)
        session.particles_edited.connect(self._on_particles_edited)
        session.hand_labels_changed.connect(self._on_hand_labels)
        session.predictions_changed.connect(self._on_predictions)
        session.classes_changed.connect(self._on_classes)
        session.active_changed.connect(self._on_active)
        viewer.layers.events.removed.connect(self._on_layer_removed)

    # -- the micrograph's image ------------------------------------------------------------
    def attach(self, key: int, image: Image) -> None:
        """Mirror a micrograph of the session around its image layer.

        Another slice of a stack that is there already shares its layers, and waits to be shown.
        """
        if (group := next((g for g in self.all_groups() if g.image is image), None)) is not None:
            self.groups[key] = group
            return
        self.groups[key] = LayerGroup(image, key)
        for name in PLACEMENT:
            if (emitter := getattr(image.events, name, None)) is not None:
                emitter.connect(self._on_placement)

    def all_groups(self) -> list[LayerGroup]:
        """Return each group once, however many slices share it."""
        return list({id(group): group for group in self.groups.values()}.values())

    def _showing(self, key: int) -> LayerGroup | None:
        """Return the layers that hold a micrograph's data now; none do for a hidden slice."""
        group = self.groups.get(key)
        return group if group is not None and group.shown == key else None

    def key_of(self, layer: Layer | None) -> int | None:
        """Return the micrograph that a layer shows."""
        for group in self.all_groups():
            if layer is not None and layer in (group.image, *group.ours()):
                return group.shown
        return None

    def is_ours(self, layer: Layer) -> bool:
        """Say whether we made this layer."""
        return self.outlines.is_ours(layer) or any(
            layer in group.ours() for group in self.all_groups()
        )

    def index(self, key: int | None) -> ParticleIndex | None:
        """Return where the particles of a micrograph lie; None for a slice that is not shown."""
        group = self._showing(key) if key is not None else None
        return None if group is None else group.index

    def use_labels_layer(self, key: int, layer: Labels) -> bool:
        """Take a Labels layer that was made elsewhere as the particles of a micrograph."""
        data = np.asarray(layer.data[0] if layer.multiscale else layer.data)
        refuse_empty(layer.name, data)
        self.session.set_particles(key, data, name=f"use {layer.name} as particles")
        layer.visible = False  # ours shows the same
        ours = self.groups[key].particles
        if ours is not None and self.viewer.layers.selection.active == layer:
            self.viewer.layers.selection.active = ours  # who was painting goes on in ours
        return True

    # -- session → layers ------------------------------------------------------------------
    def _on_particles_edited(self, key: int, changes: Changes) -> None:
        state, group = self.session.micrographs[key], self._showing(key)
        if group is None:
            return
        if changes.whole or state.labels is None or None in (group.index, group.hand):
            self.show_particles(key)
            return
        group.index = group.index.updated(state.labels, changes)  # type: ignore[union-attr]
        if group.particles is None:
            self.show_particles(key)
            return
        hand = state.hand_labels
        part = look_up(state.labels[changes.region], list(hand), list(hand.values()))
        with self.quietly():
            self.painting.follow(group.particles, state.labels, changes)
            write_part(group.hand, changes.region, part)
        self.outlines.redraw()  # the classes follow with the session's predictions

    def show_particles(self, key: int) -> None:
        """Draw the particles of a micrograph anew."""
        state, group = self.session.micrographs[key], self._showing(key)
        if group is None:
            return
        if state.labels is None:
            self._take_data_away(group)
            return
        group.index = ParticleIndex(state.labels)
        with self.quietly():
            if group.particles is None:
                group.particles = self._add_labels(
                    group,
                    state.labels.copy(),
                    "particles",
                    opacity=0.9,
                    contour=self.lines.due(group),
                    colormap=DirectLabelColormap(
                        color_dict={None: PARTICLE_COLOR, 0: "transparent"}
                    ),
                )
                self.painting.watch(group.particles)
            elif not np.array_equal(group.particles.data, state.labels):
                self._show_labels(group.particles, state.labels)
        self._show_hand_labels(key)
        # Empty until there are predictions: making a layer takes napari a fifth of a second, which
        # nobody notices here, and everybody would at the end of the training.
        self.show_overlay(key)

    def _take_data_away(self, group: LayerGroup) -> None:
        """Show no particles; a stack keeps its layers, which the next slice needs again."""
        group.index = None
        for layer in group.ours():
            if not group.is_stack:
                self._remove(layer)
            elif layer.data.any():
                layer.data.fill(0)
                layer.refresh(extent=False)

    def _on_hand_labels(self, key: int, changed: frozenset[int]) -> None:
        group, state = self._showing(key), self.session.micrographs[key]
        if group is None or state.labels is None:
            return
        if group.hand is None or group.index is None or len(changed) > FEW:
            self._show_hand_labels(key)
            if state.predictions is not None:
                self.show_overlay(key)
            return
        shown = [(group.hand, {p: state.hand_labels.get(p, 0) for p in changed})]
        if state.predictions is not None and group.overlay is not None:
            ids, values = self._overlay_values(state, changed)
            classes = dict(zip(ids.tolist(), values.tolist(), strict=True))
            shown.append((group.overlay, {p: int(classes.get(p, 0)) for p in changed}))
        with self.quietly():
            self._show_few(group.index, changed, shown)

    def _show_hand_labels(self, key: int) -> None:
        group, state = self.groups[key], self.session.micrographs[key]
        if state.labels is None:
            return
        ids, values = list(state.hand_labels), list(state.hand_labels.values())
        with self.quietly():
            if group.hand is None:
                data = look_up(state.labels, ids, values)
                group.hand = self._add_labels(
                    group, data, "hand labels", contour=3, colormap=self._class_colormap()
                )
                group.hand.events.paint.connect(self._on_hand_painted)
            else:
                self._show_values(group.hand, state.labels, ids, values)

    def _on_predictions(self, key: int) -> None:
        self.show_overlay(key)

    def show_overlay(self, key: int) -> None:
        """Colour the particles of a micrograph by what the session says of them now."""
        group, state = self._showing(key), self.session.micrographs[key]
        if group is None or state.labels is None:
            return
        ids, values = self._overlay_values(state)
        with self.quietly():
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

    def _overlay_values(
        self, state: MicrographState, among: Collection[int] | None = None
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return particle ids and what the overlay shows of them: class, or confidence step.

        Of all particles, or only of those `among` some: what the person said comes last and wins.
        """
        if state.predictions is None:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        said, hand = state.predictions, state.hand_labels
        if among is not None:
            said = said.subset(np.isin(said.particle_ids, list(among)))
            hand = {particle: hand[particle] for particle in among if particle in hand}
        if self.overlay_mode == "confidence":
            steps = np.ceil(said.confidence * CONFIDENCE_STEPS)
            return said.particle_ids, np.clip(steps, 1, CONFIDENCE_STEPS)
        return (
            np.append(said.particle_ids, np.fromiter(hand, np.int64)),
            np.append(said.class_ids, np.fromiter(hand.values(), np.int64)),
        )

    @staticmethod
    def _show_labels(layer: Labels, labels: Any) -> None:
        """Write other particles into a layer: in place, which takes a third of the time."""
        if layer.data.shape == labels.shape and layer.data.dtype == labels.dtype:
            np.copyto(layer.data, labels)
            layer.refresh(extent=False)
        else:
            layer.data = labels.copy()

    @staticmethod
    def _show_values(layer: Labels, labels: Any, ids: Any, values: Any) -> None:
        """Write new values into a layer: in place, which is half the time of setting its data."""
        if layer.data.shape != labels.shape or layer.data.dtype != np.uint8:
            layer.data = look_up(labels, ids, values)
        elif len(ids) or layer.data.any():  # many slices have no label: then there is no change
            look_up(labels, ids, values, out=layer.data)
            layer.refresh(extent=False)

    def set_overlay_mode(self, mode: str) -> None:
        """Show the predicted class (``"class"``) or how sure the model is (``"confidence"``)."""
        if mode == self.overlay_mode:
            return
        self.overlay_mode = mode
        for group in self.all_groups():
            if group.overlay is not None:
                self.show_overlay(group.shown)
                group.overlay.colormap = self._overlay_colormap()

    def _on_classes(self) -> None:
        for group in self.all_groups():
            if group.hand is not None:
                group.hand.colormap = self._class_colormap()
            if group.overlay is not None:
                group.overlay.colormap = self._overlay_colormap()
                self.show_overlay(group.shown)

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
        key = self.session.active_key
        active = None if key is None else self.groups.get(key)
        stepped = False
        if active is not None and key is not None and active.shown != key:
            stepped = bool(active.image.visible)
            self._show_slice(active, key)
        if not stepped:  # from slice to slice, a layer that the person has hidden stays hidden
            for group in self.all_groups():
                for layer in (group.image, *group.ours()):
                    if layer in self.viewer.layers:
                        layer.visible = group is active
        self.outlines.redraw()

    def _show_slice(self, group: LayerGroup, key: int) -> None:
        """Put the data of another slice into the layers of its stack."""
        self.flush()  # what was painted belongs to the slice that leaves
        group.shown = key
        self.show_particles(key)

    # -- layers → session ------------------------------------------------------------------
    def _on_hand_painted(self, event: Any) -> None:
        """Turn a stroke into one edit of the session, then show whole particles again."""
        if self.mirroring:
            return
        key = self.key_of(event.source)
        if key is None:
            return
        state, painted_data = self.session.micrographs[key], np.asarray(event.source.data)
        if state.labels is None:
            self.refuse_stroke(self.groups[key])
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

    def refuse_stroke(self, group: LayerGroup) -> None:
        """Wipe out what was painted where there are no particles, and say why."""
        self._take_data_away(group)
        self.message.emit("This slice has no particles yet: find them first.")

    def flush(self) -> None:
        """Take strokes that wait for their pause now, before a job copies the session."""
        self.painting.flush()

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
            visible=False,  # napari draws it anew for each of the following
        )
        draw_contours_quickly(layer)
        layer.contour = contour
        layer.selected_label = 0
        place(layer, group.image)
        layers = self.viewer.layers
        above_image = lowest and group.image in layers
        with keeping_active_layer(self.viewer):
            layers.insert(layers.index(group.image) + 1 if above_image else len(layers), layer)
        layer.visible = group is self.groups.get(self.session.active_key or -1)
        return layer

    def _on_placement(self, event: Any) -> None:
        for group in self.all_groups():
            if group.image is event.source:
                for layer in group.ours():
                    place(layer, group.image)
        self.outlines.redraw()

    @staticmethod
    def _show_few(
        index: ParticleIndex,
        particles: Collection[int],
        shown: Iterable[tuple[Labels, Mapping[int, int]]],
    ) -> None:
        """Write what layers show of a few particles; napari draws only what is around them anew."""
        pixels = {p: found for p in particles if (found := index.pixels(p)) is not None}
        if not pixels:
            return
        places = np.concatenate(list(pixels.values()), axis=1)
        for layer, values in shown:
            parts = [np.full(found.shape[1], values[p], np.uint8) for p, found in pixels.items()]
            write_pixels(layer, places, np.concatenate(parts))

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Take what is written into layers meanwhile for no stroke of a person."""
        before, self.mirroring = self.mirroring, True
        try:
            yield
        finally:
            self.mirroring = before

    def _remove(self, layer: Layer) -> None:
        if layer in self.viewer.layers:
            self.viewer.layers.remove(layer)
        self._forget(layer)

    def _forget(self, layer: Layer) -> None:
        for group in self.all_groups():
            for role in ("particles", "hand", "overlay"):
                if getattr(group, role) is layer:
                    setattr(group, role, None)
                    self._disconnect(layer)

    def _disconnect(self, layer: Layer) -> None:
        if isinstance(layer, Labels):
            layer.events.paint.disconnect(self._on_hand_painted)
            self.painting.forget(layer)

    def _on_layer_removed(self, event: Any) -> None:
        self._forget(event.value)

    def restore(self, key: int) -> None:
        """Bring back the layers of a micrograph that the person deleted."""
        state = self.session.micrographs[key]
        if state.labels is not None:
            self.show_particles(key)

    def detach(self, key: int) -> None:
        """Let go of a micrograph: its layers of ours go with it, unless other slices use them."""
        group = self.groups.pop(key)
        if any(group is other for other in self.groups.values()):
            return
        self._let_go(group.image)
        for layer in group.ours():
            self._disconnect(layer)
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def _let_go(self, image: Image) -> None:
        for name in PLACEMENT:
            if (emitter := getattr(image.events, name, None)) is not None:
                emitter.disconnect(self._on_placement)

    def shutdown(self) -> None:
        """Disconnect from everything; hand labels and predictions stay on the screen."""
        self.painting.shutdown()
        self.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        for group in self.all_groups():
            self._let_go(group.image)
            for layer in (group.particles, group.hand):
                if layer is not None:
                    self._disconnect(layer)
        self.lines.shutdown()
        self.outlines.shutdown()
        self.groups.clear()


def refuse_empty(name: str, labels: NDArray[Any]) -> None:
    """Raise an `InputError` for a Labels layer without particles: it would take all away."""
    if not labels.any():
        raise InputError(
            f"The Labels layer {name} is empty, so the particles stay as they are: choose another "
            "one, or wait until it is filled."
        )


def confidence_colors() -> dict[int | None, Any]:
    """Return the colours of the confidence steps, dark (unsure) to bright (sure)."""
    from napari.utils.colormaps import ensure_colormap

    viridis = ensure_colormap("viridis").map(np.linspace(0, 1, CONFIDENCE_STEPS))
    colors: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    colors.update({i + 1: viridis[i] for i in range(CONFIDENCE_STEPS)})
    return colors

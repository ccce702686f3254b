"""What the buttons do: each step of the work, in the background where it is slow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ssrvae.errors import ParticleError
from napari_ssrvae.imaging import SegmentationSettings
from napari_ssrvae.library.correction import still_true
from napari_ssrvae.library.selection import Selection
from napari_ssrvae.library.session import Session
from napari_ssrvae.viewer import steps
from napari_ssrvae.viewer.adoption import (
    Adoption,
    layer_pixel_size,
    show_picture,
    show_pixel_size,
)
from napari_ssrvae.viewer.bar_measuring import BarMeasuring
from napari_ssrvae.viewer.catalogue import ParticleCatalogue
from napari_ssrvae.viewer.classifying import Classifying
from napari_ssrvae.viewer.contributions import layer_metadata
from napari_ssrvae.viewer.correcting import Correcting
from napari_ssrvae.viewer.file_images import FileImages
from napari_ssrvae.viewer.files import Files
from napari_ssrvae.viewer.filtering import Filtering
from napari_ssrvae.viewer.finding import Finding
from napari_ssrvae.viewer.info_bars import InfoBars
from napari_ssrvae.viewer.jobs import Jobs
from napari_ssrvae.viewer.layers import LayerMirror
from napari_ssrvae.viewer.picking import Picker
from napari_ssrvae.viewer.placement import place
from napari_ssrvae.viewer.retraining import Retraining
from napari_ssrvae.viewer.stack_work import StackWork
from napari_ssrvae.viewer.stacks import Stacks
from napari_ssrvae.viewer.strokes import Strokes
from napari_ssrvae.viewer.suggesting import Suggesting
from napari_ssrvae.viewer.testing import Testing
from napari_ssrvae.viewer.world_units import WorldUnits

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_ssrvae.imaging import PatchSettings
    from napari_ssrvae.library.workflow import Workflow


# Share of the canvas that a particle takes when it is looked at closely.
PARTICLE_SHARE = 0.2
# How long after the overlay the views open by themselves.
VIEWS_MS = 100


@dataclass
class Settings:
    """What a person may change for good in napari's plugin settings."""

    segmentation: SegmentationSettings = field(default_factory=SegmentationSettings)
    patch_size: int = 48
    common_scale: bool = True
    fine_patches: bool = False
    max_seconds: float | None = None
    retrain: bool = True
    click_labels: bool = True
    overlay: str = "class"
    export_format: str = "library"
    facts_open: bool = False
    bar_length: str = ""

    @property
    def patches(self) -> PatchSettings:
        """How particles are cut out where no model says it."""
        from napari_ssrvae.imaging import PatchSettings  # slow to load, and the dock opens without

        return PatchSettings(self.patch_size, common_scale=self.common_scale)


class Workbench(QObject):
    """The session, its layers, its mouse and its jobs, behind the dock's buttons.

    Every method that a button calls ends in a changed session, a running job, or one sentence in
    `message`; none raises for something that the person did.
    """

    message = Signal(str, bool)  # sentence, is it an error
    training_started = Signal()
    epoch = Signal(object)
    views_wanted = Signal(str)  # title of the view to be shown, "" where any will do
    class_images_changed = Signal()
    armed_changed = Signal()
    settings_changed = Signal(str)  # which field of `settings` a person changed

    def __init__(self, viewer: ViewerModel, session: Session, settings: Settings) -> None:
        super().__init__()
        self.viewer, self.session, self.settings = viewer, session, settings
        self.armed = False
        self.class_images: dict[int, Any] = {}
        self.jobs = Jobs(self)
        self.mirror = LayerMirror(viewer, session, self)
        self.stacks = Stacks(viewer, session, self.mirror, self)
        self.picker = Picker(viewer, session, self.mirror, self)
        self.adoption = Adoption(viewer, session, self.mirror, self.stacks, self)
        self.catalogue = ParticleCatalogue(self)
        self.correcting, self.classifying = Correcting(self), Classifying(self)
        self.suggesting, self.retraining = Suggesting(self), Retraining(self)
        self.stack_work = StackWork(self)
        self.picker.hovered.connect(self._on_hovered)
        self.suggesting.changed.connect(self._say_why)
        self.catalogue.changed.connect(self._describe_again)
        self.picker.set_armed(settings.click_labels)
        self.mirror.set_overlay_mode(settings.overlay)
        self.testing, self.files = Testing(self), Files(self)
        self.units = WorldUnits(viewer, session, self.mirror)
        self.info_bars, self.measuring = InfoBars(self), BarMeasuring(self)
        self.file_images = FileImages(self)
        self.finding, self.strokes, self.filtering = Finding(self), Strokes(self), Filtering(self)
        self.adoption.spared = (
            self.finding.first.is_ours,
            self.strokes.is_ours,
            self.filtering.overlay.is_ours,
        )
        self.picker.next_wanted.connect(self.suggesting.go_on)
        self.picker.accept_wanted.connect(self.suggesting.accept)
        self.picker.elsewhere.connect(self.activate)
        self.jobs.failed.connect(self._on_failed)
        self.mirror.message.connect(self.refuse)
        self.adoption.refused.connect(self.refuse)
        self.stacks.refused.connect(self.refuse)
        session.micrographs_changed.connect(self._show_micrographs)
        self.adoption.adopted.connect(self._on_adopted)
        self.adoption.adopt_open_layers()

    def remember(self, name: str, value: Any) -> None:
        """Change a field of the settings for this time and the next."""
        if getattr(self.settings, name) != value:
            setattr(self.settings, name, value)
            self.settings_changed.emit(name)

    # -- telling ---------------------------------------------------------------------------
    def tell(self, sentence: str) -> None:
        """Say what was done."""
        self.message.emit(sentence, False)

    def refuse(self, sentence: str) -> None:
        """Say what is wrong, or missing, and what to do."""
        self.message.emit(sentence, True)

    def _on_failed(self, _kind: str, sentence: str) -> None:
        self.refuse(sentence)

    def _attempt(self, action: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Do something that may refuse; its one sentence goes to the person."""
        try:
            return action(*args, **kwargs)
        except ParticleError as error:
            self.refuse(str(error))
            return None

    def _say_why(self) -> None:
        """Say beside the particle in question why it is worth a label."""
        current = self.suggesting.current
        place = None if current is None else current.place
        self.mirror.outlines.say(place, f"{self.suggesting.reason} (A accepts)")

    def _describe_again(self) -> None:
        self._on_hovered(self.picker.under_mouse)

    def _on_hovered(self, particle: int) -> None:
        self.mirror.outlines.hover(particle, self.describe(particle) if particle else "")

    # -- micrographs -----------------------------------------------------------------------
    def open_sample(self) -> None:
        """Open the simulated micrograph."""
        from napari_ssrvae.viewer.contributions import simulated_sample

        for data, options, kind in simulated_sample():
            if kind == "image":
                self.viewer.add_image(data, **options)

    def activate(self, key: int) -> None:
        """Work on a micrograph, with its layers brought back if they were deleted."""
        image, before = self.mirror.groups[key].image, self.session.active_key
        other_slice = before in self.stacks.alike(key) and before != key
        stays = other_slice and image in self.viewer.layers
        self.adoption.show_again(key)
        self.session.activate(key)
        self.stacks.go_to(key)
        if not stays:  # from slice to slice, the person keeps looking at the same place
            self.adoption.look_at(image)
            self.picker.forget_mouse()

    def set_pixel_size(self, value: float | None, source: str = "") -> None:
        """Correct the pixel size (nm) of the active micrograph, or of its whole stack.

        `source` says where a person has it from, such as the scale bar.
        """
        key, state = self.session.active_key, self.session.active
        if key is not None and state is not None:
            if source or value != state.micrograph.pixel_size:
                self.stacks.keep(key)  # undo must find it again
            alike = partial(self.stacks.alike, key)
            self._attempt(self.session.set_pixel_size, key, value, source=source, alike=alike)

    def _show_micrographs(self) -> None:
        """Show every micrograph at its size and pixel size, which undo may have changed."""
        self.stacks.reread()
        with self.units.changing():
            for group in self.mirror.all_groups():
                state = self.session.micrographs.get(group.shown)
                if state is None:
                    continue
                micrograph, image = state.micrograph, group.image
                show_picture(image, micrograph.image)
                if micrograph.pixel_size != layer_pixel_size(image):
                    active = group.shown == self.session.active_key
                    self._show_scale(image, micrograph.pixel_size, looked_at=active)
                image.metadata.update(layer_metadata(micrograph))

    def _show_scale(self, image: Image, size: float | None, *, looked_at: bool) -> None:
        """Show an image, and what lies upon it, at another pixel size (nm)."""
        upon, before = self.adoption.laid_upon(image), np.array(image.scale)
        show_pixel_size(image, size)
        for layer in upon:
            place(layer, image)
        if looked_at:
            self.adoption.keep_looking(image, before)

    def _on_adopted(self, key: int) -> None:
        self.info_bars.look_for(key)
        if self.armed and self.session.workflow is not None:
            self.classifying.find_too(key)

    # -- particles -------------------------------------------------------------------------
    def find_particles(self, settings: SegmentationSettings) -> None:
        """Segment the active micrograph."""
        self.finding.find(settings)

    def corrected_meanwhile(self, key: int, before: Any, found: Any) -> bool:
        """Say whether particles that were looked for would replace what was corrected meanwhile."""
        self.mirror.flush()
        state = self.session.micrographs.get(key)
        if state is not None and state.micrograph.shape != found.shape:
            self.refuse(
                f"The info bar of {state.micrograph.name} was changed while particles were looked "
                "for: find them again."
            )
            return True
        if state is not None and state.made_by_hand_since(before):
            self.refuse(
                f"The particles of {state.micrograph.name} were corrected while others were "
                "looked for: yours stay as they are. Find particles replaces them."
            )
            return True
        return state is None

    def use_labels_layer(self, name: str) -> None:
        """Take a Labels layer that was made elsewhere as the particles."""
        key = self.session.active_key
        layer = next((x for x in self.adoption.labels_layers() if x.name == name), None)
        if key is None or not isinstance(layer, Labels):
            self.refuse(f"There is no Labels layer {name!r} any more: choose another one.")
            return
        stack = self.stacks.of(key)
        if stack is not None:
            self._attempt(self.stack_work.use_labels_layer, stack, layer)
        elif self._attempt(self.mirror.use_labels_layer, key, layer):
            self.tell(f"The particles of {name} were taken; that layer is hidden and stays as is.")

    def describe(self, particle: int) -> str:
        """Return a line on one particle of the active micrograph."""
        state = self.session.active
        index = self.mirror.index(self.session.active_key)
        if state is None or index is None or (box := index.box(particle)) is None:
            return ""
        size = state.micrograph.pixel_size
        area = float((index.labels[box] == particle).sum())
        diameter = 2 * np.sqrt(area / np.pi)
        parts = [f"particle {particle}"]
        if particle in state.hand_labels:
            parts.append(f"{self.session.class_name(state.hand_labels[particle])} (by hand)")
        elif state.predictions is not None:
            row = np.flatnonzero(state.predictions.particle_ids == particle)
            if row.size:
                name = self.session.class_name(int(state.predictions.class_ids[row[0]]))
                parts.append(f"{name} ({state.predictions.confidence[row[0]]:.0%})")
        parts.append(f"⌀ {diameter * size:.0f} nm" if size else f"⌀ {diameter:.0f} px")
        return " · ".join(parts)

    # -- classes ---------------------------------------------------------------------------
    def add_class(self) -> None:
        """Add a class."""
        self._attempt(self.session.add_class)

    def rename_class(self, class_id: int, name: str) -> None:
        """Rename a class; a name that is refused is shown as it was."""
        self._attempt(self.session.edit_class, class_id, name=name)
        self.session.classes_changed.emit()

    def recolor_class(self, class_id: int, color: str) -> None:
        """Give a class another colour ("#rrggbb")."""
        self._attempt(self.session.edit_class, class_id, color=color)

    def count_class(self, class_id: int, counted: bool) -> None:
        """Count a class in shares, sizes and reports, or leave it out (debris)."""
        self._attempt(self.session.edit_class, class_id, counted=counted)

    def remove_class(self, class_id: int, *_: object) -> None:
        """Remove a class."""
        self._attempt(self.session.remove_class, class_id)

    def merge_class(self, class_id: int, into: int) -> None:
        """Make one class of two."""
        self._attempt(self.session.merge_class, class_id, into)

    def move_class(self, class_id: int, places: int) -> None:
        """Move a class up (below 0) or down in the table."""
        self._attempt(self.session.move_class, class_id, places)

    # -- training --------------------------------------------------------------------------
    def frozen_micrographs(self) -> list[steps.FrozenMicrograph]:
        """Return what a job may know of all that have particles, the active one first.

        Without a model, the first one sets the scale.
        """
        active, states = self.session.active_key, self.session.micrographs
        return [
            steps.FrozenMicrograph.of(key, states[key])
            for key in sorted(states, key=lambda k: k != active)
            if states[key].particle_ids.size
        ]

    def train(self, *_: object, resume: bool = False) -> None:
        """Train on all micrographs of the session; the active one sets the scale.

        Parameters
        ----------
        resume : bool
            Go on from the model that there is, with its scale.
        """
        from napari_ssrvae.viewer.guide import missing_for_training

        self.mirror.flush()
        if (missing := missing_for_training(self.session)) is not None:
            self.refuse(missing)
            return
        frozen = self.frozen_micrographs()
        recipe = self.session.micrographs[frozen[0].key].recipe
        before = self.session.workflow if resume else None
        self.training_started.emit()
        self.jobs.start(
            "train",
            steps.train,
            frozen,
            self.session.classes,
            recipe if isinstance(recipe, SegmentationSettings) else self.settings.segmentation,
            self.settings.patches,
            self.settings.fine_patches,
            self.settings.max_seconds,
            before,
            title=None,
            on_yield=self._on_epoch,
            on_done=partial(self._on_trained, frozen, before),
            on_error=partial(self.retraining.give_up, resume),
            stoppable=True,
        )

    def stop_training(self) -> None:
        """Stop soon and keep the best model so far."""
        self.jobs.ask_to_stop("train")

    def _on_epoch(self, state: Any) -> None:
        if state is not None:
            self.epoch.emit(state)

    def _on_trained(
        self,
        trained_on: list[steps.FrozenMicrograph],
        before: Workflow | None,
        trained: steps.Trained,
    ) -> None:
        if before is not None and self.session.workflow is not before:
            return  # another model was opened meanwhile
        self.class_images = dict(trained.class_images)
        said, labelled = {}, []
        for frozen in trained_on:
            state = self.session.micrographs.get(frozen.key)
            if state is None or state.labels is None:
                continue
            true = still_true(trained.predictions[frozen.key], frozen.labels, state.labels)
            if not len(true) and state.predictions is None:
                continue  # they were found anew meanwhile
            said[frozen.key] = true
            if state.hand_labels != frozen.hand_labels:
                labelled.append(frozen.key)
        self.classifying.put_workflow(trained.workflow, said)
        for key in said:
            self.correcting.classify_missing(key)
        for key in labelled:
            self.retraining.remember(key)
        self.retraining.learned({frozen.key: frozen.hand_labels for frozen in trained_on})
        self.class_images_changed.emit()
        if trained.note is not None:
            self.refuse(trained.note)
        if before is None:
            self.suggesting.prepare()
            # The overlay first: opening the views takes a moment of its own.
            QTimer.singleShot(VIEWS_MS, partial(self.views_wanted.emit, ""))

    # -- new micrographs -------------------------------------------------------------------
    def set_armed(self, armed: bool) -> None:
        """Classify every image that is opened from now on, or stop doing so."""
        self.armed = armed
        self.armed_changed.emit()

    # -- selection -------------------------------------------------------------------------
    def select(
        self, key: int, particle: int, *, center: bool, zoom: bool = False, among: bool = False
    ) -> None:
        """Select a particle in all views; optionally move the camera to it, and near it.

        With `among`, the others that are selected with it stay so.
        """
        if key not in self.session.micrographs:
            return
        if key != self.session.active_key:
            self.activate(key)
        index = self.mirror.index(key)
        middle = None if index is None else index.center(particle)
        if center and middle is not None:
            world = self.mirror.groups[key].image.data_to_world(middle)
            camera, dims = self.viewer.scene.camera, self.viewer.dims
            turned = dims.displayed[-2:] != tuple(sorted(dims.displayed[-2:]))
            y, x = (float(v) for v in (world[:-3:-1] if turned else world[-2:]))
            camera.center = (0.0, y, x)
            if zoom and index is not None:
                camera.zoom = max(camera.zoom, self._zoom_on(key, index.box(particle)))
        before, chosen = self.session.selection, Selection.one(key, particle)
        if among and before is not None and chosen.focus in before:
            chosen = before.extended(chosen)
        self.session.select(chosen)
        if center:
            self.picker.mean_selection()

    def _zoom_on(self, key: int, box: Any) -> float:
        """Return the zoom at which a particle takes a share of the canvas."""
        pixel = float(np.max(np.abs(self.mirror.groups[key].image.scale[-2:])))
        side = pixel * float(max(s.stop - s.start for s in box))
        return PARTICLE_SHARE * float(min(self.viewer.canvas.size)) / side

    def shutdown(self) -> None:
        """Leave nothing running and nothing connected."""
        self.measuring.shutdown()
        self.jobs.shutdown()
        self.catalogue.shutdown()
        self.correcting.shutdown()
        self.suggesting.shutdown()
        self.retraining.shutdown()
        self.stack_work.shutdown()
        self.testing.shutdown()
        self.finding.shutdown()
        self.strokes.shutdown()
        self.filtering.shutdown()
        self.picker.shutdown()
        self.session.micrographs_changed.disconnect(self._show_micrographs)
        self.units.shutdown()
        self.adoption.shutdown()
        self.stacks.shutdown()
        self.mirror.shutdown()

"""The one evented object that holds what a person made; every view is a view of it.

It is touched on the main thread only: background jobs get frozen copies of what they need and
hand their results back to a slot on the main thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.micrograph import MIN_SIDE, Micrograph
from napari_ssrvae.library.changes import Changes, carry_hand_labels, ids_of_all
from napari_ssrvae.library.classes import ParticleClass, label_step_name, next_class
from napari_ssrvae.library.correction import Correction
from napari_ssrvae.library.framing import change_rows, with_rows
from napari_ssrvae.library.history import History, Step
from napari_ssrvae.library.micrograph_state import LabelImage, MicrographState, shown_classes
from napari_ssrvae.library.selection import Place, Selection

if TYPE_CHECKING:
    from napari_ssrvae.library.predictions import Predictions
    from napari_ssrvae.library.workflow import Workflow

__all__ = ["LabelImage", "MicrographState", "Session", "carry_hand_labels", "shown_classes"]


class Session:
    """Classes, micrographs, hand labels, selection and the trained workflow, with undo.

    Signals carry the key of the micrograph that changed. A view connects to them and reads the
    session's attributes; it never changes those in place.
    """

    micrographs_changed = Signal()
    active_changed = Signal()
    particles_changed = Signal(int)
    particles_edited = Signal(int, object)  # key, Changes; before each particles_changed
    hand_labels_changed = Signal(int, object)  # key, frozenset of particle ids
    classes_changed = Signal()
    current_class_changed = Signal()
    selection_changed = Signal()
    predictions_changed = Signal(int)
    workflow_changed = Signal()

    def __init__(self, classes: Iterable[ParticleClass] | None = None) -> None:
        self.history = History()
        self.micrographs: dict[int, MicrographState] = {}
        self.classes: tuple[ParticleClass, ...] = tuple(classes or ())
        if not self.classes:
            self.classes = (next_class(()),)
            self.classes += (next_class(self.classes),)
        self.active_key: int | None = None
        self.current_class: int = self.classes[0].id
        self.selection: Selection | None = None
        self.workflow: Workflow | None = None
        self._keys = count(1)
        self._gone: dict[int, int] = {}  # class that was removed → what it was merged into, or 0

    # -- micrographs -----------------------------------------------------------------------
    @property
    def active(self) -> MicrographState | None:
        """The micrograph that the person works on, or None."""
        return None if self.active_key is None else self.micrographs[self.active_key]

    def add_micrograph(self, micrograph: Micrograph, *, activate: bool = True) -> int:
        """Take a micrograph in and return its key; not a step of the history."""
        key = next(self._keys)
        self.micrographs[key] = MicrographState(micrograph, become=self._gone)
        self.micrographs_changed.emit()
        if activate or self.active_key is None:
            self.activate(key)
        return key

    def remove_micrograph(self, key: int) -> None:
        """Let a micrograph go, with everything that belongs to it.

        Steps of the history that name it stay harmless: they look it up and find nothing.
        """
        self.micrographs.pop(key)
        was_active = self.active_key == key
        if was_active:  # before anybody is told of anything: the active one always exists
            self.active_key = next(reversed(self.micrographs), None)
        self._deselect_micrograph(key)
        if was_active:
            self.active_changed.emit()
        self.micrographs_changed.emit()

    def activate(self, key: int) -> None:
        """Make a micrograph the one that the person works on."""
        if key not in self.micrographs:
            raise InputError("That micrograph is no longer in the session: choose another one.")
        if key != self.active_key:
            self.active_key = key
            self.active_changed.emit()

    def set_pixel_size(
        self,
        key: int,
        pixel_size: float | None,
        *,
        source: str = "",
        alike: Callable[[], Iterable[int]] = tuple,
    ) -> None:
        """Correct the pixel size (nm) of a micrograph, and of all that have the same by nature.

        Parameters
        ----------
        key : int
            The micrograph.
        pixel_size : float or None
            nm per pixel.
        source : str
            Where a person has it from: "the scale bar", ....
        alike : callable
            Gives the keys of the other slices of its stack, as they are when it is asked.
        """
        state = self.micrographs[key]
        if pixel_size is not None and not (np.isfinite(pixel_size) and pixel_size > 0):
            raise InputError(f"A pixel size of {pixel_size} nm is not possible: give one above 0.")
        before = state.micrograph.pixel_size
        said = state.micrograph.metadata.get("pixel_size_by", "")

        def put(value: float | None, by: str) -> None:
            for one in {key, *alike()} & self.micrographs.keys():
                old = self.micrographs[one].micrograph
                metadata = {**old.metadata, "pixel_size_by": by}
                new = replace(old, pixel_size=value, metadata=metadata)
                self.micrographs[one].micrograph = new
            self.micrographs_changed.emit()

        if before != pixel_size or (source and source != said):
            what = "pixel size" if pixel_size is None else f"pixel size {pixel_size:.4g} nm"
            self.history.do(Step(what, lambda: put(pixel_size, source), lambda: put(before, said)))

    def set_rows(
        self,
        key: int,
        rows: int,
        whole: Callable[[int], NDArray[Any]],
        *,
        alike: Callable[[], Iterable[int]] = tuple,
    ) -> int:
        """Cut the foot of a micrograph off, or bring it back, as one undoable step.

        Particles, hand labels and what a model said of them stay; a particle that loses pixels
        waits to be classified again.

        Parameters
        ----------
        key : int
            The micrograph.
        rows : int
            Rows of the picture that stay, from the top.
        whole : callable
            Gives the whole picture of a micrograph, (H, W) with its info bar, by its key.
        alike : callable
            Gives the keys of the other slices of its stack, as they are when it is asked.

        Returns
        -------
        int
            How many particles lay in what was cut off.
        """
        before = self.micrographs[key].micrograph.shape[0]
        height = whole(key).shape[0]
        if not MIN_SIDE <= rows <= height:
            raise InputError(
                f"Of {height} rows, {height - rows} cannot be cut off: leave at least {MIN_SIDE}."
            )
        keys = {key, *alike()} & self.micrographs.keys()
        old = {one: copy(self.micrographs[one]) for one in keys}
        new = {one: with_rows(state, whole(one), rows) for one, state in old.items()}

        def put(states: Mapping[int, MicrographState], rows: int) -> None:
            told: dict[int, Changes | None] = {}
            for one in {key, *alike()} & self.micrographs.keys():
                now = self.micrographs[one]
                then = states.get(one) or with_rows(now, whole(one), rows)
                told[one] = change_rows(now, replace(then, said=self._if_of_model(then.said)))
            self.micrographs_changed.emit()
            for one, changes in told.items():
                if changes is not None:
                    self._tell_particles(one, changes)

        if rows != before:
            gone = height - rows
            name = f"cut {gone} rows off" if gone else "keep the whole picture"
            self.history.do(Step(name, lambda: put(new, rows), lambda: put(old, before)))
        return sum(old[one].particle_ids.size - new[one].particle_ids.size for one in keys)

    # -- particles -------------------------------------------------------------------------
    def set_particles(
        self, key: int, labels: LabelImage, *, recipe: object | None = None, name: str | None = None
    ) -> int:
        """Put a new label image in place as one undoable step; return how many labels were lost.

        Hand labels move to the new particle that covers most of the old one, so that finding
        particles again with another threshold loses none of them. Predictions of the old
        particles go, since their ids mean nothing any more; undo brings them back, unless another
        model came since.
        """
        state = self.micrographs[key]
        if labels.shape != state.micrograph.image.shape:
            raise InputError(
                f"The label image is {labels.shape[0]} x {labels.shape[1]} but the micrograph "
                f"{state.micrograph.image.shape[0]} x {state.micrograph.image.shape[1]}: "
                "choose a label image of the same micrograph."
            )
        labels = np.array(labels, dtype=np.int32)  # a copy: napari paints into its layers in place
        carried = carry_hand_labels(state.labels, labels, state.hand_labels)
        before = (state.labels, state.particle_ids, state.hand_labels, state.recipe)
        after = (labels, ids_of_all(labels), carried, recipe)
        said, corrected = state.said, (state.corrected, state.filtered)
        changes = Changes.everything(before[1].tolist(), after[1].tolist(), labels.shape)

        def put(values: tuple, said: Predictions | None, corrected: tuple[bool, bool]) -> None:  # type: ignore[type-arg]
            if (state := self.micrographs.get(key)) is None:
                return
            state.labels, state.particle_ids, state.hand_labels, state.recipe = values
            state.said = self._if_of_model(said)
            state.corrected, state.filtered = corrected
            self._tell_particles(key, changes if values is after else changes.reverted)

        self.history.do(
            Step(
                name or f"find {after[1].size} particles",
                lambda: put(after, None, (False, False)),
                lambda: put(before, said, corrected),
            )
        )
        return len(before[2]) - len(carried)

    def edit_particles(
        self, key: int, labels: LabelImage, name: str, *, by_filter: bool = False
    ) -> Correction | None:
        """Put a corrected label image in place, as one undoable step.

        Only particles whose pixels changed are concerned: their hand labels follow
        (`follow_hand_labels`) and their predictions go, until they are classified again.

        Parameters
        ----------
        key : int
            The micrograph; it has particles.
        labels : (H, W) int array
            The corrected label image, of the same shape. It is not kept.
        name : str
            Name of the step.
        by_filter : bool
            Whether a filter made it, and no hand.

        Returns
        -------
        Correction or None
            None where nothing changed, which is no step.
        """
        return self.edit_all({key: labels}, name, by_filter=by_filter).get(key)

    def edit_all(
        self, corrected: Mapping[int, LabelImage], name: str, *, by_filter: bool = False
    ) -> dict[int, Correction]:
        """Correct particles of several micrographs as one step; see `edit_particles`.

        Returns
        -------
        dict of int to Correction
            Of the micrographs that changed.
        """
        found = {
            key: Correction.of(self.micrographs[key], labels, by_filter=by_filter)
            for key, labels in corrected.items()
        }
        made = {key: correction for key, correction in found.items() if correction is not None}

        def put(forward: bool) -> None:
            for key, correction in made.items():
                if (state := self.micrographs.get(key)) is not None:
                    self._tell_particles(key, correction.put(state, forward))

        if made:
            self.history.do(Step(name, lambda: put(True), lambda: put(False)))
        return made

    def _tell_particles(self, key: int, changes: Changes) -> None:
        if self.selection is not None:
            gone = changes.before if changes.whole else changes.removed
            self.select(self.selection.without(key, gone))
        self.particles_edited.emit(key, changes)
        self.particles_changed.emit(key)
        self.predictions_changed.emit(key)

    # -- hand labels -----------------------------------------------------------------------
    def label(self, key: int, changes: Mapping[int, int], *, name: str | None = None) -> None:
        """Give particles a class (0 clears it) as one undoable step.

        Parameters
        ----------
        key : int
            The micrograph.
        changes : mapping of int to int
            Particle id → class id, or 0.
        name : str, optional
            Name of the step; made from the change if not given.
        """
        self.label_all({key: changes}, name=name)

    def label_all(
        self, changes: Mapping[int, Mapping[int, int]], *, name: str | None = None
    ) -> None:
        """Give particles of several micrographs a class, as one undoable step.

        Parameters
        ----------
        changes : mapping of int to mapping of int to int
            Micrograph key → particle id → class id, or 0.
        name : str, optional
            Name of the step; made from the change if not given.
        """
        for key, wanted in changes.items():
            self._check_labels(self.micrographs[key], wanted)
        before, after = {}, {}
        for key, wanted in changes.items():
            hand = self.micrographs[key].hand_labels
            new = {p: c for p, c in wanted.items() if c != hand.get(p, 0)}
            if new:
                before[key], after[key] = {p: hand.get(p, 0) for p in new}, new
        if not after:
            return

        def put(labels: Mapping[int, Mapping[int, int]]) -> None:
            for key, of_one in labels.items():
                self._put_labels(key, of_one)

        step_name = name or label_step_name([*after.values()], self.classes)
        self.history.do(Step(step_name, lambda: put(after), lambda: put(before)))

    def label_selected(self, class_id: int, selection: Selection | None = None) -> None:
        """Give what is selected, or these particles, a class (0 clears it) as one undoable step."""
        if (chosen := selection or self.selection) is not None:
            members = chosen.members.items()
            self.label_all({key: dict.fromkeys(ids, class_id) for key, ids in members})

    def _check_labels(self, state: MicrographState, changes: Mapping[int, int]) -> None:
        known = {c.id for c in self.classes} | {0}
        if strange := set(changes.values()) - known:
            raise InputError(f"There is no class {min(strange)}: add it to the table first.")
        if absent := set(changes).difference(state.particle_ids.tolist()):
            raise InputError(f"There is no particle {min(absent)} in {state.micrograph.name}.")

    def _put_labels(self, key: int, changes: Mapping[int, int]) -> None:
        if (state := self.micrographs.get(key)) is None:
            return
        hand = dict(state.hand_labels)
        for particle, class_id in changes.items():
            if class_id:
                hand[particle] = class_id
            else:
                hand.pop(particle, None)
        state.hand_labels = hand
        self.hand_labels_changed.emit(key, frozenset(changes))

    # -- classes ---------------------------------------------------------------------------
    def class_name(self, class_id: int) -> str:
        """Return the name of a class; 0 is "no class"."""
        return next((c.name for c in self.classes if c.id == class_id), "no class")

    def set_current_class(self, class_id: int) -> None:
        """Choose the class that a click gives; 0 takes labels away."""
        if class_id and class_id not in {c.id for c in self.classes}:
            raise InputError(f"There is no class {class_id}: add it to the table first.")
        if class_id != self.current_class:
            self.current_class = class_id
            self.current_class_changed.emit()

    def add_class(self, name: str | None = None) -> ParticleClass:
        """Add a class with the next free number and colour, as one undoable step."""
        new = next_class(self.classes, name, self.numbers_in_use())
        self._change_classes((*self.classes, new), f"add {new.name}")
        self.set_current_class(new.id)
        return new

    def numbers_in_use(self) -> set[int]:
        """Return the class numbers that a model may mean, also those the table has no more.

        A model, or a training that still runs, would take a new class of such a number for the old.
        """
        known = set() if self.workflow is None else set(self.workflow.model.classes_.tolist())
        return known.union(self._gone, (c.id for c in self.classes))

    def edit_class(
        self,
        class_id: int,
        *,
        name: str | None = None,
        color: str | None = None,
        counted: bool | None = None,
    ) -> None:
        """Rename, recolour or (not) count a class, as one undoable step; names stay unique."""
        old = next(c for c in self.classes if c.id == class_id)
        new = replace(
            old,
            name=(name or old.name).strip(),
            color=color or old.color,
            counted=old.counted if counted is None else counted,
        )
        if any(c.name == new.name for c in self.classes if c.id != class_id):
            raise InputError(f"There is already a class {new.name!r}: choose another name.")
        if new != old:
            classes = tuple(new if c.id == class_id else c for c in self.classes)
            what = f"rename {old.name} to {new.name}" if name else f"recolour {old.name}"
            if new.counted != old.counted:
                what = f"{'count' if new.counted else 'leave out'} {old.name} in the figures"
            self._change_classes(classes, what)

    def remove_class(self, class_id: int) -> None:
        """Remove a class and the hand labels that name it, as one undoable step."""
        if len(self.classes) == 1:
            raise InputError("The last class cannot be removed: rename it instead.")
        gone = next(c for c in self.classes if c.id == class_id)
        left = tuple(c for c in self.classes if c.id != class_id)
        self._change_classes(left, f"remove {gone.name}", {class_id: 0})

    def merge_class(self, class_id: int, into: int) -> None:
        """Make one class of two, as one undoable step: labels and predictions of it follow.

        A model that knows both goes on to tell them apart until it is trained again.
        """
        if class_id == into:
            raise InputError("A class cannot be merged with itself: choose another one.")
        gone, kept = (next(c for c in self.classes if c.id == i) for i in (class_id, into))
        left = tuple(c for c in self.classes if c.id != class_id)
        self._change_classes(left, f"merge {gone.name} into {kept.name}", {class_id: into})

    def move_class(self, class_id: int, places: int) -> None:
        """Move a class up (below 0) or down in the table, as one undoable step."""
        order = list(self.classes)
        old = next(i for i, c in enumerate(order) if c.id == class_id)
        moved = order.pop(old)
        order.insert(max(0, old + places), moved)
        if tuple(order) != self.classes:
            self._change_classes(tuple(order), f"move {moved.name}")

    def set_classes(
        self, classes: Iterable[ParticleClass], renumbered: Mapping[int, int] | None = None
    ) -> None:
        """Put another table of classes in place (of a loaded library, say), as one step.

        Hand labels of a class that is `renumbered` (old number → new one, 0 for none) follow.
        """
        self._change_classes(tuple(classes), "change the classes", renumbered)

    def _change_classes(
        self,
        after: tuple[ParticleClass, ...],
        name: str,
        renumbered: Mapping[int, int] | None = None,
    ) -> None:
        """Put a table of classes in place; labels of one class become those of another, or none."""
        before = self.classes
        renumbered = {old: new for old, new in (renumbered or {}).items() if old != new}
        labels = {
            key: {p: c for p, c in state.hand_labels.items() if c in renumbered}
            for key, state in self.micrographs.items()
        }
        ids = {c.id for c in after}
        gone = {old: renumbered.get(new, new) for old, new in self._gone.items()} | renumbered
        gone_before, gone_after = self._gone, {o: n for o, n in gone.items() if o not in ids}
        if gone_after == gone_before:
            gone_after = gone_before

        def put(classes: tuple[ParticleClass, ...], forward: bool) -> None:
            self.classes, self._gone = classes, gone_after if forward else gone_before
            read = {key: state.predictions for key, state in self.micrographs.items()}
            for state in self.micrographs.values():
                state.become = self._gone
            for key, old in labels.items():
                if old:
                    new = {p: renumbered[c] for p, c in old.items()}
                    self._put_labels(key, new if forward else old)
            if self.current_class and self.current_class not in {c.id for c in classes}:
                self.current_class = renumbered.get(self.current_class, 0) or classes[0].id
                self.current_class_changed.emit()
            self.classes_changed.emit()
            for key, seen in read.items():
                if self.micrographs[key].predictions is not seen:
                    self.predictions_changed.emit(key)

        self.history.do(Step(name, lambda: put(after, True), lambda: put(before, False)))

    def hand_counts(self) -> Counter[int]:
        """Return how many particles a person labelled, by class id, over all micrographs."""
        return Counter(c for s in self.micrographs.values() for c in s.hand_labels.values())

    def predicted_counts(self) -> Counter[int]:
        """Return how many particles show each class: the hand label where there is one."""
        totals: Counter[int] = Counter()
        for state in self.micrographs.values():
            totals.update(shown_classes(state).values())
        return totals

    # -- what the model says ---------------------------------------------------------------
    def set_predictions(self, key: int, predictions: Predictions | None) -> None:
        """Put predictions in place; they are derived, so this is no step of the history.

        They are kept as they were said; `MicrographState.predictions` reads them with the classes
        of the table. What another model than the session's said is dropped.
        """
        said = self._if_of_model(predictions)
        if said is predictions:
            self.micrographs[key].said = said
            self.predictions_changed.emit(key)

    def _if_of_model(self, said: Predictions | None) -> Predictions | None:
        """Return predictions of the model that there is, None for others'; any without a model."""
        known = said is None or self.workflow is None or said.is_of(self.workflow.model)
        return said if known else None

    def add_predictions(self, key: int, predictions: Predictions) -> None:
        """Put predictions of some particles beside those of the others; no step either.

        Where the others are of another model, nothing is added.
        """
        before = self.micrographs[key].said
        if before is None:
            self.set_predictions(key, predictions)
        elif before.agrees_with(predictions):
            self.set_predictions(key, before.updated(predictions))

    def set_workflow(
        self, workflow: Workflow | None, said: Mapping[int, Predictions] | None = None
    ) -> None:
        """Put a trained workflow in place (or take it away); what another model said goes.

        Parameters
        ----------
        workflow : Workflow or None
            With its model.
        said : mapping of int to Predictions, optional
            Micrograph key → what the new model says of it.
        """
        self.workflow = workflow
        before = {key: state.said for key, state in self.micrographs.items()}
        for key, state in self.micrographs.items():
            state.said = self._if_of_model((said or {}).get(key, state.said))
        self.workflow_changed.emit()
        for key, old in before.items():
            if self.micrographs[key].said is not old:
                self.predictions_changed.emit(key)

    # -- selection -------------------------------------------------------------------------
    def select(self, selection: Selection | None) -> None:
        """Select particles in all views, or none; not a step of the history."""
        if selection != self.selection:
            self.selection = selection
            self.selection_changed.emit()

    def toggle(self, place: Place) -> None:
        """Add a particle to the selection, or take it out."""
        before = self.selection
        self.select(before.toggled(place) if before else Selection.one(*place))

    def select_also(self, more: Selection) -> None:
        """Add particles to the selection."""
        self.select(self.selection.extended(more) if self.selection else more)

    def _deselect_micrograph(self, key: int) -> None:
        if self.selection is not None:
            self.select(self.selection.without_micrograph(key))

"""What to label next: from one particle that is worth a label to the next."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_ssrvae.library.changes import Changes
from napari_ssrvae.library.selection import Place, Selection
from napari_ssrvae.library.suggestions import Suggestion, suggestion_of
from napari_ssrvae.viewer import steps

if TYPE_CHECKING:
    from napari_ssrvae.viewer.workbench import Workbench

KIND = "suggest"


class Suggesting(QObject):
    """Leads a person through the particles that the trained model would learn most from.

    Suggestions are derived from the model: a new one makes them anew (but for the one that the
    person looks at), and those that a person has labelled in the meantime are passed over.

    Parameters
    ----------
    workbench : Workbench
        Its session, jobs and camera.
    """

    changed = Signal()

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench, self.session = workbench, workbench.session
        self.current: Suggestion | None = None
        self.reason = ""
        self._waiting: deque[Suggestion] = deque()
        self._made_with: object = None
        self._wanted = False
        self._signals = (
            (self.session.workflow_changed, self._forget),
            (self.session.hand_labels_changed, self._check),
            (self.session.particles_edited, self._on_edited),
            (self.session.micrographs_changed, self._check),
            (self.session.classes_changed, self._check),
            (self.session.predictions_changed, self._on_predictions),
            (self.session.selection_changed, self._check),
        )
        for signal, slot in self._signals:
            signal.connect(slot)

    @property
    def possible(self) -> bool:
        """Whether there is a model, and a particle that it has classified."""
        return self.session.workflow is not None and any(
            state.predictions is not None and len(state.predictions)
            for state in self.session.micrographs.values()
        )

    def prepare(self) -> None:
        """Make suggestions in the background, so that the first one is there when it is wanted."""
        if not self.possible or self.workbench.jobs.running(KIND):
            return
        frozen = [
            steps.FrozenMicrograph.of(key, state)
            for key, state in self.session.micrographs.items()
            if state.predictions is not None and state.labels is not None
        ]
        workflow = self.session.workflow
        self.workbench.jobs.start(
            KIND,
            steps.suggest,
            workflow,
            frozen,
            # Ahead of time it is nobody's business: a bar of napari's costs a tenth of a second.
            title="Looking for particles worth a label" if self._wanted else None,
            on_done=lambda found: self._on_found(workflow, found),
            on_error=self._on_error,
        )

    def go_on(self) -> None:
        """Go to the next particle that is worth a label."""
        while self._waiting:
            suggestion = self._waiting.popleft()
            if self._is_open(suggestion):
                self._show(suggestion)
                return
        if self.workbench.jobs.running(KIND):
            self._wanted = True
        elif self.possible:
            self._wanted = True
            self.prepare()
        else:
            self.workbench.refuse("Train a model first: it says what is worth a label.")

    def accept(self) -> None:
        """Give the particle the class that the model takes it for, and go on.

        Where several are selected, all of them get it and stay selected: they are what is meant.
        """
        suggestion, chosen = self.current, self.session.selection
        if suggestion is None and chosen is not None and len(chosen) > 1:
            self._accept_all(chosen)
            return
        if suggestion is not None:
            key, particle = suggestion.place
            self.session.label(
                key,
                {particle: suggestion.class_id},
                name=f"accept {self.session.class_name(suggestion.class_id)} "
                f"for particle {particle}",
            )
        self.go_on()

    def _accept_all(self, chosen: Selection) -> None:
        """Give each selected particle the class that the model takes it for, as one step."""
        wanted = {key: self._said(key, ids) for key, ids in chosen.members.items()}
        count = sum(len(of_one) for of_one in wanted.values())
        if count:
            name = f"accept the model's classes for {count:,} particle{'s' if count > 1 else ''}"
            self.session.label_all(wanted, name=name)
        if count < len(chosen):
            missing = "all" if not count else f"{len(chosen) - count:,}"
            say = self.workbench.tell if count else self.workbench.refuse
            say(
                f"Of {len(chosen):,} selected particles, {missing} got no label: the model has "
                "not classified them. Train, or classify their micrograph."
            )

    def _said(self, key: int, ids: frozenset[int]) -> dict[int, int]:
        """Return the classes that the model takes some particles for, where it knows them."""
        predictions = self.session.micrographs[key].predictions
        if predictions is None:
            return {}
        known = {c.id for c in self.session.classes}
        said = zip(predictions.particle_ids.tolist(), predictions.class_ids.tolist(), strict=True)
        return {particle: c for particle, c in said if particle in ids and c in known}

    # -- what happens meanwhile --------------------------------------------------------------
    def _show(self, suggestion: Suggestion) -> None:
        self.workbench.select(*suggestion.place, center=True, zoom=True)
        self._set_current(suggestion)

    def _on_found(self, workflow: object, found: list[Suggestion]) -> None:
        if workflow is not self.session.workflow:
            return
        self._waiting = deque(found)
        if self._wanted:
            self._wanted = False
            if any(self._is_open(suggestion) for suggestion in found):
                self.go_on()
            else:
                self._set_current(None)
                self.workbench.tell(self._why_none())

    def _why_none(self) -> str:
        """Say why no particle is worth a label."""
        for state in self.session.micrographs.values():
            said = state.predictions
            if said is not None and len(said.model_classes) < 2:
                return "The classes of the model are one by now: train again to be led further."
        return "Every classified particle has a label."

    def _on_error(self, _error: Exception) -> None:
        self._wanted = False

    def _is_open(self, suggestion: Suggestion) -> bool:
        """Say whether a suggestion still makes sense: of a particle that has no label."""
        state = self.session.micrographs.get(suggestion.place.key)
        return (
            state is not None
            and state.predictions is not None
            and suggestion.place.particle in state.predictions.particle_ids
            and suggestion.place.particle not in state.hand_labels
            and any(c.id == suggestion.class_id for c in self.session.classes)
        )

    def _check(self, *_: object) -> None:
        """Let go of the particle in question once it is answered, gone, or not looked at."""
        current = self.current
        if current is None:
            return
        chosen = self.session.selection
        looked_at = chosen is not None and len(chosen) == 1 and chosen.focus == current.place
        if not (looked_at and self._is_open(current)):
            self._set_current(None)

    def _on_predictions(self, key: int) -> None:
        """Say of the particle in question what a new model says."""
        if self.current is not None and self.current.place.key == key:
            state = self.session.micrographs.get(key)
            renewed = None
            if state is not None and state.predictions is not None:
                renewed = suggestion_of(self.current.place, state.predictions)
            self._set_current(renewed)
            self._check()

    def _on_edited(self, key: int, changes: Changes) -> None:
        """Pass over what was corrected; the others are as much worth a label as before."""
        if changes.whole:
            self._forget()
            return
        gone = {Place(key, particle) for particle in changes.ids}
        self._waiting = deque(s for s in self._waiting if s.place not in gone)
        self._check()

    def _forget(self, *_: object) -> None:
        self.workbench.jobs.cancel(KIND)
        self._waiting.clear()
        self._wanted = False
        self._check()

    def _set_current(self, suggestion: Suggestion | None) -> None:
        self.current, self.reason = suggestion, ""
        if suggestion is not None:
            self.reason = suggestion.reason({c.id: c.name for c in self.session.classes})
        self.changed.emit()

    def shutdown(self) -> None:
        """Disconnect from the session."""
        for signal, slot in self._signals:
            signal.disconnect(slot)

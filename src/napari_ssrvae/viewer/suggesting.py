"""What to label next: from one particle that is worth a label to the next."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_ssrvae.library.selection import Place
from napari_ssrvae.viewer import steps

if TYPE_CHECKING:
    from napari_ssrvae.library.suggestions import Suggestion
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
        self.session.workflow_changed.connect(self._forget)
        self.session.hand_labels_changed.connect(self._on_labels)
        self.session.particles_changed.connect(self._on_particles)

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
            title="Looking for particles worth a label",
            on_done=lambda found: self._on_found(workflow, found),
        )

    def go_on(self) -> None:
        """Go to the next particle that is worth a label."""
        while self._waiting:
            suggestion = self._waiting.popleft()
            if self._is_open(suggestion.place):
                self._show(suggestion)
                return
        if self.workbench.jobs.running(KIND):
            self._wanted = True
        elif self.possible:
            self._wanted = True
            self.prepare()
        else:
            self.workbench.message.emit("Train a model first: it says what is worth a label.", True)

    def accept(self) -> None:
        """Give the particle the class that the model takes it for, and go on."""
        suggestion = self.current
        if suggestion is None or all(c.id != suggestion.class_id for c in self.session.classes):
            self.go_on()
            return
        key, particle = suggestion.place
        name = self.session.class_name(suggestion.class_id)
        self.session.label(
            key, {particle: suggestion.class_id}, name=f"accept {name} for particle {particle}"
        )
        self.go_on()

    # -- what happens meanwhile --------------------------------------------------------------
    def _show(self, suggestion: Suggestion) -> None:
        self.current = suggestion
        self.reason = suggestion.reason({c.id: c.name for c in self.session.classes})
        self.workbench.picker.forget_mouse()
        self.workbench.select(*suggestion.place, center=True, zoom=True)
        self.changed.emit()

    def _on_found(self, workflow: object, found: list[Suggestion]) -> None:
        if workflow is not self.session.workflow:
            return
        self._waiting = deque(found)
        if self._wanted:
            self._wanted = False
            if any(self._is_open(suggestion.place) for suggestion in found):
                self.go_on()
            else:
                self._set_current(None)
                self.workbench.message.emit("Every classified particle has a label.", False)

    def _is_open(self, place: Place) -> bool:
        state = self.session.micrographs.get(place.key)
        return (
            state is not None
            and state.predictions is not None
            and place.particle not in state.hand_labels
        )

    def _on_labels(self, key: int, changed: frozenset[int]) -> None:
        current = self.current
        if current is not None and current.place.key == key and current.place.particle in changed:
            self._set_current(None)

    def _on_particles(self, key: int) -> None:
        self._waiting = deque(s for s in self._waiting if s.place.key != key)
        if self.current is not None and self.current.place.key == key:
            self._set_current(None)

    def _forget(self) -> None:
        self.workbench.jobs.cancel(KIND)
        self._waiting.clear()
        if self.session.workflow is None:
            self._wanted = False
            self._set_current(None)

    def _set_current(self, suggestion: Suggestion | None) -> None:
        self.current, self.reason = suggestion, ""
        self.changed.emit()

    def shutdown(self) -> None:
        """Disconnect from the session."""
        self.session.workflow_changed.disconnect(self._forget)
        self.session.hand_labels_changed.disconnect(self._on_labels)
        self.session.particles_changed.disconnect(self._on_particles)

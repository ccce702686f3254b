"""Particles are classified with the model in use: some, all that wait, or those yet to be found."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_ssrvae.library.correction import still_true
from napari_ssrvae.viewer import steps

if TYPE_CHECKING:
    from napari_ssrvae.library.workflow import Workflow
    from napari_ssrvae.viewer.workbench import Workbench


class Classifying(QObject):
    """Starts the jobs that classify, and takes in what still holds when they end.

    Parameters
    ----------
    workbench : Workbench
        Whose session is classified.
    """

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench, self.session = workbench, workbench.session

    def put_workflow(self, workflow: Workflow, said: dict[int, Any] | None = None) -> None:
        """Work with another model; what an older one had classified, it classifies again.

        Parameters
        ----------
        workflow : Workflow
            With the model.
        said : dict of int to Predictions, optional
            Micrograph key → what it says of it.
        """
        states = self.session.micrographs
        classified = [key for key, state in states.items() if state.predictions is not None]
        self.session.set_workflow(workflow, said)
        for key in classified:
            if states[key].predictions is None:
                self.again(key)

    def again(self, key: int) -> None:
        """Classify a micrograph of which another model than the present one spoke."""
        state, workflow = self.session.micrographs.get(key), self.session.workflow
        if state is None or workflow is None or not state.particle_ids.size:
            return
        frozen = steps.FrozenMicrograph.of(key, state)
        self.workbench.jobs.start(
            f"classify again {key}",
            steps.classify,
            workflow,
            [frozen],
            title=f"Classifying {state.micrograph.name} with the new model",
            on_done=partial(self._on_classified, workflow, {key: frozen.labels}),
        )

    def active(self, *_: object, kind: str = "classify") -> None:
        """Classify the particles of the active micrograph; the newest job of a kind counts."""
        self.workbench.mirror.flush()
        key, state, workflow = self.session.active_key, self.session.active, self.session.workflow
        if key is None or state is None:
            self.workbench.refuse("There is no micrograph: drop one onto the window first.")
            return
        if workflow is None:
            self.workbench.refuse("There is no model yet: train one, or open one that was saved.")
            return
        if state.labels is None:
            self.workbench.refuse(f"Find the particles of {state.micrograph.name} first.")
        else:
            frozen = steps.FrozenMicrograph.of(key, state)
            self.workbench.jobs.start(
                kind,
                steps.classify,
                workflow,
                [frozen],
                title=f"Classifying {state.micrograph.name}",
                on_done=partial(self._on_classified, workflow, {key: frozen.labels}),
            )

    def _on_classified(
        self, workflow: Workflow, made_for: dict[int, Any], predictions: dict[int, Any]
    ) -> None:
        for key, predicted in predictions.items():
            state = self.session.micrographs.get(key)
            if self.session.workflow is not workflow:  # another one came meanwhile
                if state is not None and state.predictions is None:
                    self.again(key)
            elif state is not None and state.labels is not None:
                said = still_true(predicted, made_for[key], state.labels)
                self.session.set_predictions(key, said)
                self.workbench.correcting.classify_missing(key)
                if (note := workflow.scale_note(state.micrograph)) is not None:
                    self.workbench.refuse(note)

    def all(self) -> None:
        """Classify all particles that the trained model has not classified yet."""
        self.workbench.mirror.flush()
        workflow = self.session.workflow
        frozen = [
            steps.FrozenMicrograph.of(key, state)
            for key, state in self.session.micrographs.items()
            if state.particle_ids.size and state.predictions is None
        ]
        if workflow is not None and frozen:
            self.workbench.jobs.start(
                "classify",
                steps.classify,
                workflow,
                frozen,
                title=f"Classifying {len(frozen)} micrographs",
                on_done=partial(self._on_classified, workflow, {m.key: m.labels for m in frozen}),
            )

    def find_too(self, key: int, *, kind: str | None = None) -> None:
        """Treat a micrograph as the model's workflow does; the newest job of a kind counts."""
        state, workflow = self.session.micrographs[key], self.session.workflow
        if workflow is None:
            return
        self.workbench.stacks.keep(key)
        self.workbench.jobs.start(
            kind or f"live {key}",
            steps.find_and_classify,
            workflow,
            key,
            state.micrograph,
            title=f"Classifying {state.micrograph.name}",
            on_done=partial(self._on_live, key, workflow, state.labels),
        )

    def _on_live(self, key: int, workflow: Workflow, before: Any, result: tuple[Any, Any]) -> None:
        labels, predictions = result
        if self.workbench.corrected_meanwhile(key, before, labels):
            return
        if self.session.workflow is not workflow:  # another one came meanwhile
            self.find_too(key)
            return
        micrograph = self.session.micrographs[key].micrograph
        if not labels.any():
            self.workbench.refuse(f"No particles were found in {micrograph.name} with this recipe.")
        self.session.set_particles(key, labels, recipe=workflow.segmentation)
        self.session.set_predictions(key, predictions)
        if (note := workflow.scale_note(micrograph)) is not None:
            self.workbench.refuse(note)

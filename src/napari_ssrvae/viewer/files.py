"""Files of the session: the library is exported and opened again, and so is the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_ssrvae.errors import ParticleError
from napari_ssrvae.library.classes import joined_classes
from napari_ssrvae.viewer import steps
from napari_ssrvae.viewer.restoring import restore_library

if TYPE_CHECKING:
    from napari_ssrvae.library.workflow import Workflow
    from napari_ssrvae.viewer.workbench import Workbench


class Files(QObject):
    """Writes and reads in the background; what is refused is said in the dock.

    Parameters
    ----------
    workbench : Workbench
        Whose session is written and read.
    """

    exported = Signal(str, int)  # where, how many particles

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench, self.session = workbench, workbench.session

    def export(self, path: str, form: str) -> None:
        """Write the classified particles of all micrographs."""
        self.workbench.mirror.flush()
        frozen = [
            steps.FrozenMicrograph.of(key, state)
            for key, state in self.session.micrographs.items()
            if state.predictions is not None
        ]
        if not path.strip():
            self.workbench.refuse("Type where to write the library first.")
            return
        if self.session.workflow is None:
            self.workbench.refuse(
                "These classes came with a library and there is no model here: train, or open the "
                "model that made them, then export."
            )
            return
        self.workbench.jobs.start(
            "export",
            steps.export,
            frozen,
            self.session.workflow,
            self.session.classes,
            Path(path).expanduser(),
            form,
            title="Exporting the particle library",
            on_done=lambda result: self.exported.emit(str(result[0]), result[1]),
        )

    def save_model(self, path: str) -> None:
        """Save the trained model with all that a new micrograph needs."""
        self.workbench.jobs.start(
            "save",
            steps.save_workflow,
            self._workflow_as_named(),
            Path(path),
            title="Saving the model",
            on_done=lambda saved: self.workbench.tell(f"The model was saved in {saved}."),
        )

    def _workflow_as_named(self) -> Workflow | None:
        """Return the model with its classes as the table has them by now: name, colour, debris."""
        workflow = self.session.workflow
        if workflow is None:
            return None
        now = {c.id: c for c in self.session.classes}
        classes = tuple(now.get(c.id, c) for c in workflow.classes)
        unique = len({c.name for c in classes}) == len(classes)
        return replace(workflow, classes=classes) if unique else workflow

    def open_model(self, path: str) -> None:
        """Open a saved model and arm it."""
        self.workbench.jobs.start(
            "open workflow",
            steps.open_workflow,
            Path(path),
            title="Opening a model",
            on_done=self._on_model,
        )

    def _on_model(self, opened: tuple[Any, Any]) -> None:
        workflow, images = opened
        self.workbench.jobs.cancel("train")  # of a model that is no longer wanted
        self.workbench.class_images = dict(images)
        kept = self._take_classes_of(workflow)
        self.workbench.classifying.put_workflow(workflow)
        self.workbench.set_armed(True)
        self.workbench.class_images_changed.emit()
        self.workbench.tell(f"The model is ready: every image that you open is classified.{kept}")

    def _take_classes_of(self, workflow: Workflow) -> str:
        """Take the model's table of classes; hand labels stay with the names that they had.

        Returns
        -------
        str
            A sentence on labelled classes that the model does not know, or nothing.
        """
        counts = self.session.hand_counts()
        labelled = [c for c in self.session.classes if counts[c.id]]
        known = {c.name for c in workflow.classes}
        classes, numbers = joined_classes(
            workflow.classes, labelled, workflow.model.classes_.tolist()
        )
        self.session.set_classes(classes, numbers)
        own = ", ".join(c.name for c in labelled if c.name not in known)
        return f" It does not know {own}, which you labelled: those labels stay." if own else ""

    def open_library(self, path: str) -> None:
        """Open a saved particle library into the session."""
        self.workbench.jobs.start(
            "open library",
            steps.open_library,
            Path(path),
            title="Opening a particle library",
            on_done=self._on_library,
        )

    def _on_library(self, library: Any) -> None:
        try:
            sentence = restore_library(library, self.workbench)
        except ParticleError as error:
            self.workbench.refuse(str(error))
            return
        if sentence:
            self.workbench.tell(sentence)
            self.workbench.views_wanted.emit("")

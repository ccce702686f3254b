"""The model learns from new labels by itself, while the person goes on labelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from napari_ssrvae.viewer.workbench import Workbench

PAUSE_MS = 1500
"""How long after the last label the training goes on."""


class Retraining(QObject):
    """Goes on with the training after new labels, once they pause.

    One training runs at a time; labels that come meanwhile are learnt in the next. It is switched
    off by the workbench's setting `retrain`, and does nothing before there is a model.

    Parameters
    ----------
    workbench : Workbench
        Whose session is watched.
    """

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench, self.session = workbench, workbench.session
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._go_on)
        self.session.hand_labels_changed.connect(self._on_labels)

    def set_on(self, on: bool) -> None:
        """Learn from new labels by itself, or only when asked."""
        self.workbench.settings.retrain = on
        if not on:
            self._pause.stop()

    def _on_labels(self, key: int, _changed: frozenset[int]) -> None:
        state = self.session.micrographs.get(key)
        classified = state is not None and state.predictions is not None
        if self.workbench.settings.retrain and self.session.workflow is not None and classified:
            self._pause.start()

    def _go_on(self) -> None:
        if self.workbench.jobs.running("train"):
            self._pause.start()
        elif self._can_go_on():
            self.workbench.train(resume=True)

    def _can_go_on(self) -> bool:
        """Say whether there is a model of classes that all exist: one cannot be unlearnt."""
        workflow, known = self.session.workflow, {c.id for c in self.session.classes}
        return workflow is not None and known.issuperset(workflow.model.classes_.tolist())

    def shutdown(self) -> None:
        """Stop waiting, and disconnect from the session."""
        self._pause.stop()
        self.session.hand_labels_changed.disconnect(self._on_labels)

"""The model learns from new labels by itself, while the person goes on labelling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

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

    changed = Signal()  # switched on or off

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench, self.session = workbench, workbench.session
        self._learned: dict[int, dict[int, int]] = {}
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._go_on)
        self.session.hand_labels_changed.connect(self._on_labels)
        self.session.workflow_changed.connect(self._forget)

    def set_on(self, on: bool) -> None:
        """Learn from new labels by itself, or only when asked."""
        self.workbench.settings.retrain = on
        if not on:
            self._pause.stop()
        self.changed.emit()

    def remember(self, key: int) -> None:
        """Learn the labels of a micrograph that the last training did not know, after a pause."""
        self._on_labels(key, frozenset())

    def give_up(self, resumed: bool, _error: Exception) -> None:
        """Learn no more by itself after a failure, or the next label would bring it again."""
        if resumed:
            self.set_on(False)

    def obstacle(self) -> str | None:
        """Return why the training cannot go on from the model, None where it can."""
        workflow = self.session.workflow
        if workflow is None:
            return None
        model = set(workflow.model.classes_.tolist())
        if not model.issubset(c.id for c in self.session.classes):
            return "A class that the model knows is gone: train again to learn without it."
        if not model.issubset(self.session.hand_counts()):
            return (
                "The model knows classes that have no label here, and would forget them: label "
                "some of each, or train again on these labels alone."
            )
        return None

    def _on_labels(self, key: int, _changed: frozenset[int]) -> None:
        state = self.session.micrographs.get(key)
        classified = state is not None and state.predictions is not None
        if self.workbench.settings.retrain and self.session.workflow is not None and classified:
            self._pause.start()

    def learned(self, labels: Mapping[int, Mapping[int, int]]) -> None:
        """Know which labels the model has learned: micrograph key → particle id → class id."""
        self._learned = {key: dict(of_one) for key, of_one in labels.items()}

    def _forget(self) -> None:
        self._learned = {}

    def _nothing_new(self) -> bool:
        """Say whether the labels are those that the model has learned: of a step taken back."""
        micrographs = self.session.micrographs
        return all(
            key in micrographs and micrographs[key].hand_labels == of_one
            for key, of_one in self._learned.items()
        ) and all(key in self._learned for key, state in micrographs.items() if state.hand_labels)

    def _go_on(self) -> None:
        if self._nothing_new():
            return
        if self.workbench.jobs.running("train") or self.workbench.testing.running:
            self._pause.start()  # one training after the other
        elif self.session.workflow is not None and self.obstacle() is None:
            self.workbench.train(resume=True)

    def shutdown(self) -> None:
        """Stop waiting, and disconnect from the session."""
        self._pause.stop()
        self.session.hand_labels_changed.disconnect(self._on_labels)
        self.session.workflow_changed.disconnect(self._forget)

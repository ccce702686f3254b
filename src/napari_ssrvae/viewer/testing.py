"""The test on held-back labels: runs it, keeps its result, and knows when that is outdated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_ssrvae.library.changes import Changes, ids_in
from napari_ssrvae.library.label_test import missing_for_test
from napari_ssrvae.library.selection import Place
from napari_ssrvae.viewer import steps

if TYPE_CHECKING:
    from napari_ssrvae.learning.evaluation import QualityProgress
    from napari_ssrvae.library.label_test import Disagreement, LabelTest
    from napari_ssrvae.library.session import LabelImage
    from napari_ssrvae.library.workflow import Workflow
    from napari_ssrvae.viewer.workbench import Workbench

KIND = "test"


class Testing(QObject):
    """Owns the last test. It is derived from labels and model, and so no step of the history.

    A result stays after labels, model or some particles have changed, and `outdated` then says so.
    A test is stopped where the particles themselves change while it runs.

    Parameters
    ----------
    workbench : Workbench
        Its session and jobs.

    Attributes
    ----------
    result : LabelTest or None
        Of the last test that ended.
    progress : QualityProgress or None
        Of the test that runs.
    changed : Signal()
        A test or a training began or ended, or what is outdated may have changed.
    progressed : Signal()
        `progress` is of another epoch.
    """

    changed = Signal()
    progressed = Signal()

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench, self.session = workbench, workbench.session
        self.result: LabelTest | None = None
        self.progress: QualityProgress | None = None
        self._particles: dict[int, LabelImage] = {}  # the label images of the result
        self._gone: dict[int, frozenset[int] | None] = {}  # its ids that mean others; None: all
        self._workflow: Workflow | None = None
        self._running_on: list[steps.FrozenMicrograph] = []
        self._at_work = (False, False)
        self._signals = (
            (self.session.particles_edited, self._on_edited),
            (self.session.particles_changed, self._check),
            (self.session.micrographs_changed, self._check),
            (self.session.hand_labels_changed, self._on_change),
            (self.session.workflow_changed, self._on_change),
            (self.session.classes_changed, self._on_change),
        )
        for signal, slot in self._signals:
            signal.connect(slot)
        workbench.jobs.changed.connect(self._on_jobs)

    # -- what there is -----------------------------------------------------------------------
    @property
    def running(self) -> bool:
        """Whether a test is at work."""
        return self.workbench.jobs.running(KIND)

    def missing(self) -> str:
        """Return why no test can begin now, empty where one can."""
        if self.workbench.jobs.running("train"):
            return "A training is at work: test the labels once it has ended."
        names = {c.id: c.name for c in self.session.classes}
        return missing_for_test(self.session.hand_counts(), names)

    def outdated(self) -> str:
        """Return in a sentence what has changed since the last test, empty where nothing has."""
        if self.result is None:
            return ""
        there = self.session.micrographs
        if any(key not in there or gone != frozenset() for key, gone in self._gone.items()):
            return (
                f"Measured with {self.result.n_labels} labels, and particles have changed since: "
                "test again."
            )
        hand = {key: state.hand_labels for key, state in self.session.micrographs.items()}
        if sentence := self.result.changed_since(hand):
            return sentence
        if self._workflow is not None and self.session.workflow is not self._workflow:
            return "The model has changed since this was measured: test again."
        return ""

    def places(self, places: Iterable[Place]) -> list[Place]:
        """Return those that are still the particles that were tested."""
        return [place for place in places if self._is_there(place)]

    def open_disagreements(self) -> list[Disagreement]:
        """Return where label and model differ and the label is still the one that was tested."""
        if self.result is None:
            return []
        return [
            found
            for found in self.result.disagreements()
            if self._is_there(found.place)
            and self.session.micrographs[found.place.key].hand_labels.get(found.place.particle)
            == found.label
        ]

    # -- what a person does ------------------------------------------------------------------
    def start(self) -> None:
        """Test the labels of all micrographs, in the background."""
        self.workbench.mirror.flush()
        if missing := self.missing():
            self.workbench.refuse(missing)
            return
        # As in a training: without a model, the active micrograph sets the scale.
        micrographs, workflow = self.workbench.frozen_micrographs(), self.session.workflow
        self.progress = None
        self.workbench.jobs.start(
            KIND,
            steps.hold_labels_back,
            micrographs,
            self.workbench.settings.patches,
            self.workbench.settings.fine_patches,
            self.workbench.settings.max_seconds,
            workflow,
            title=None,
            on_yield=self._on_progress,
            on_done=partial(self._on_done, micrographs, workflow),
        )
        self._running_on = micrographs  # now: the end of an earlier test has emptied it

    def stop(self) -> None:
        """End the test without a result; the last one stays."""
        self.workbench.jobs.cancel(KIND)

    def take_model_class(self, found: Iterable[Disagreement]) -> None:
        """Give particles the class that the test says, as one undoable step."""
        known = {c.id for c in self.session.classes}
        changes: dict[int, dict[int, int]] = {}
        for one in found:
            if one.predicted in known and self._is_there(one.place):
                changes.setdefault(one.place.key, {})[one.place.particle] = one.predicted
        count = sum(len(of_one) for of_one in changes.values())
        if not count:
            self.workbench.refuse(
                "That class is no longer in the table: add it again, or test again."
            )
            return
        one_particle = next(iter(next(iter(changes.values()))))
        what = f"particle {one_particle}" if count == 1 else f"{count:,} particles"
        self.session.label_all(changes, name=f"take the model's class for {what}")

    # -- what happens meanwhile --------------------------------------------------------------
    def _on_progress(self, progress: QualityProgress | None) -> None:
        if progress is not None:
            self.progress = progress
            self.progressed.emit()

    def _on_done(
        self,
        micrographs: list[steps.FrozenMicrograph],
        workflow: Workflow | None,
        result: LabelTest,
    ) -> None:
        self.result, self._workflow = result, workflow
        self._particles = {m.key: m.labels for m in micrographs}
        self._gone = {m.key: frozenset() for m in micrographs}

    def _on_edited(self, key: int, changes: Changes) -> None:
        """Find which of the tested particles are no longer what they were."""
        tested, now = self._particles.get(key), self.session.micrographs[key].labels
        if tested is None:
            return
        if now is tested:
            self._gone[key] = frozenset()
        elif now is None or changes.whole or self._gone[key] is None:
            self._gone[key] = None
        else:  # pixels, not the changes: undo brings particles back, in another array
            differ = tested != now
            self._gone[key] = ids_in(np.union1d(tested[differ], now[differ]))

    def _on_jobs(self) -> None:
        """Say so if the test or a training began or ended; other jobs come with every click."""
        at_work = (self.running, self.workbench.jobs.running("train"))
        if at_work != self._at_work:
            self._at_work = at_work
            if not self.running:
                self._running_on = []  # images, which nobody needs any more
            self.changed.emit()

    def _check(self, *_: object) -> None:
        """Give a test up whose particles are no longer there."""
        if self.running and not _same(self._running_on, self._labels_now()):
            self.stop()
            self.workbench.refuse(
                "The particles have changed, so the test on held-back labels was stopped: start it "
                "again."
            )
        self.changed.emit()

    def _on_change(self, *_: object) -> None:
        self.changed.emit()

    def _labels_now(self) -> dict[int, LabelImage | None]:
        return {key: state.labels for key, state in self.session.micrographs.items()}

    def _is_there(self, place: Place) -> bool:
        """Say whether a particle is still the one that was tested."""
        gone = self._gone.get(place.key)
        return (
            place.key in self.session.micrographs
            and gone is not None
            and (place.particle not in gone)
        )

    def shutdown(self) -> None:
        """Disconnect from the session and the jobs."""
        for signal, slot in self._signals:
            signal.disconnect(slot)
        self.workbench.jobs.changed.disconnect(self._on_jobs)


def _same(
    micrographs: Iterable[steps.FrozenMicrograph], now: Mapping[int, LabelImage | None]
) -> bool:
    return all(now.get(m.key) is m.labels for m in micrographs)

"""The catalogue of all particles, with their pictures, kept in step with the session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ssrvae.library.catalogue import Catalogue, catalogue_of
from napari_ssrvae.library.changes import Changes
from napari_ssrvae.viewer import steps

if TYPE_CHECKING:
    from napari_ssrvae.imaging import PatchSettings
    from napari_ssrvae.library.micrograph_state import LabelImage, MicrographState
    from napari_ssrvae.viewer.workbench import Workbench

KIND = "pictures"


class ParticleCatalogue(QObject):
    """Owns what is derived of the session for all views: its catalogue, and pictures of particles.

    Pictures and measures are made in the background when a view first wants them.

    Parameters
    ----------
    workbench : Workbench
        Whose session is shown.
    """

    changed = Signal()
    pictures_changed = Signal()

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench, self.session = workbench, workbench.session
        self._pictures: dict[int, steps.CutOut] = {}
        self._failed: dict[int, LabelImage] = {}  # what could not be cut out
        self._current: Catalogue | None = None
        # Many signals follow one action (labels, predictions, classes): one is passed on.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.changed)
        self._signals = (
            self.session.micrographs_changed,
            self.session.particles_changed,
            self.session.hand_labels_changed,
            self.session.predictions_changed,
            self.session.classes_changed,
        )
        for signal in self._signals:
            signal.connect(self._forget)
        self.session.particles_edited.connect(self._on_edited)

    def _on_edited(self, key: int, changes: Changes) -> None:
        """Keep the pictures of particles that a correction left as they were."""
        pictures, state = self._pictures.pop(key, None), self.session.micrographs[key]
        if pictures is not None and not changes.whole:
            now = steps.FrozenMicrograph.of(key, state)
            self._pictures[key] = pictures.without(changes.before, now)

    def _forget(self, *_: object) -> None:
        self._current = None
        self._soon.start()

    def current(self) -> Catalogue:
        """Return all particles of the session as it stands."""
        if self._current is None:
            self._drop_old_pictures()
            measures = {key: pictures.measures for key, pictures in self._pictures.items()}
            self._current = catalogue_of(self.session, measures)
        return self._current

    # -- pictures --------------------------------------------------------------------------
    def patches(self, rows: ArrayLike) -> NDArray[np.uint8]:
        """Return grey pictures of particles, black where they are not cut out yet.

        Parameters
        ----------
        rows : (m,) int
            Rows of `current`.

        Returns
        -------
        (m, s, s) uint8
        """
        chosen = np.asarray(rows, dtype=np.int64).reshape(-1)
        catalogue = self.current()
        size = next((p.patches.shape[-1] for p in self._pictures.values()), 1)
        patches = np.zeros((len(chosen), size, size), np.uint8)
        keys, particles = catalogue.keys[chosen], catalogue.particles[chosen]
        for key in np.unique(keys).tolist():
            if (pictures := self._pictures.get(key)) is not None:
                ids = pictures.measures["label"].to_numpy()
                mine = np.flatnonzero((keys == key) & np.isin(particles, ids))
                patches[mine] = pictures.patches[np.searchsorted(ids, particles[mine])]
        return patches

    def want_pictures(self) -> None:
        """Cut out and measure what is missing, in the background; `pictures_changed` follows."""
        self._drop_old_pictures()
        missing = [
            (steps.FrozenMicrograph.of(key, state), self._pictures.get(key))
            for key, state in self.session.micrographs.items()
            if not self._has_all(key, state) and self._failed.get(key) is not state.labels
        ]
        if missing and not self.workbench.jobs.running(KIND):
            self.workbench.jobs.start(
                KIND,
                steps.cut_out,
                missing,
                self._alike(),
                title=None,
                on_yield=self._on_pictures,
                on_done=lambda _: self.want_pictures(),
                on_error=lambda _: self._on_failed([m for m, _ in missing]),
            )

    def _on_failed(self, asked: Sequence[steps.FrozenMicrograph]) -> None:
        """Go on with the others: what failed once fails until its particles are others."""
        for m in asked:  # one after the other: the first without pictures is the one
            state = self.session.micrographs.get(m.key)
            if state is None or state.labels is not m.labels or not self._has_all(m.key, state):
                self._failed[m.key] = m.labels
                break
        self.want_pictures()

    def _has_all(self, key: int, state: MicrographState) -> bool:
        pictures = self._pictures.get(key)
        known = () if pictures is None else pictures.measures["label"].to_numpy()
        return np.array_equal(state.particle_ids, known)

    def _alike(self) -> tuple[PatchSettings, float | None]:
        """Return how to cut out: as the model does, else as the others were, else as it comes."""
        workflow = self.session.workflow
        if workflow is not None:
            return workflow.patches, workflow.pixel_size
        first = next(iter(self._pictures.values()), None)
        return first.alike if first else (self.workbench.settings.patches, None)

    def _on_pictures(self, made: steps.CutOut | None) -> None:
        if made is None:
            return
        state = self.session.micrographs.get(made.micrograph.key)
        if state is None or state.labels is not made.micrograph.labels:
            return
        first = next(iter(self._pictures.values()), made)
        if first.patches.shape[1:] != made.patches.shape[1:]:
            self._pictures.clear()  # of a model with patches of another size
        self._pictures[made.micrograph.key] = made
        self._forget()
        self.pictures_changed.emit()

    def _drop_old_pictures(self) -> None:
        """Drop pictures of other particles, and those at another scale than the model's."""
        workflow = self.session.workflow
        for key, pictures in list(self._pictures.items()):
            state = self.session.micrographs.get(key)
            alike = workflow is None or pictures.alike == (workflow.patches, workflow.pixel_size)
            if not alike or state is None or state.labels is not pictures.micrograph.labels:
                del self._pictures[key]

    def shutdown(self) -> None:
        """Disconnect from the session."""
        self._soon.stop()
        for signal in self._signals:
            signal.disconnect(self._forget)
        self.session.particles_edited.disconnect(self._on_edited)

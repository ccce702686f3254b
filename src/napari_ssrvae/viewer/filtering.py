"""Filters of particles: what would go is shown and counted while a person moves a slider."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ssrvae.imaging import ParticleFilter
from napari_ssrvae.library.editing import delete_particles
from napari_ssrvae.viewer import finding_steps as steps
from napari_ssrvae.viewer.overlay import Overlay

if TYPE_CHECKING:
    from napari_ssrvae.viewer.workbench import Workbench

KIND = "filter"
PAUSE_MS = 120
GONE_COLOR = "#d55e00"


class Filtering(QObject):
    """Says which particles of the active micrograph a filter would take away, and does it.

    Parameters
    ----------
    workbench : Workbench
        Its session, layers and jobs.
    """

    changed = Signal()

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench, self.session = workbench, workbench.session
        self.viewer = workbench.viewer
        self.wanted = ParticleFilter()
        self.seen: steps.Filtered | None = None
        self.overlay = Overlay(self.viewer, "filtered out", GONE_COLOR, opacity=0.5)
        self.on = False
        self._soon = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._soon.timeout.connect(self.look)
        self.session.particles_changed.connect(self._on_particles)
        self.session.active_changed.connect(self._on_active)
        self.session.micrographs_changed.connect(self._on_particles)

    def start(self) -> None:
        """Measure the particles, so that the sliders know their range."""
        self.on = True
        self._forget_another()
        self.look()

    def stop(self) -> None:
        """Show no more what would go."""
        self.on = False
        self._soon.stop()
        self.workbench.jobs.cancel(KIND)
        self._show(None)

    def want(self, wanted: ParticleFilter) -> None:
        """Filter by these limits from now on."""
        if wanted != self.wanted:
            self.wanted = wanted
            if self.on:
                self._soon.start()

    def look(self) -> None:
        """Find out what would go, in the background."""
        state = self.session.active
        if state is None or state.labels is None or not state.particle_ids.size or not self.on:
            self.seen = None
            self._show(None)
            self.changed.emit()
            return
        size = state.micrograph.pixel_size
        known = self.seen is not None and self.seen.of is state.labels
        nm = self.seen is not None and "area_nm2" in self.seen.table
        same = known and self._size == size and nm == (size is not None)
        table = self.seen.table if self.seen is not None and same else None
        self._size = size
        self.workbench.jobs.start(
            KIND,
            steps.filter_particles,
            state.labels,
            size,
            self.wanted,
            table,
            title=None,
            on_done=partial(self._on_seen, self.session.active_key),
        )

    _size: float | None = None
    _seen_in: int | None = None

    def _on_seen(self, key: int | None, seen: steps.Filtered) -> None:
        state = self.session.active
        if state is None or key != self.session.active_key or seen.of is not state.labels:
            return
        self.seen, self._seen_in = seen, key
        self._show(seen)
        self.changed.emit()

    def _on_active(self) -> None:
        self._forget_another()
        self._on_particles()

    def _forget_another(self) -> None:
        """Say nothing of a micrograph that was before; the active one is still to be measured."""
        if self.seen is not None and self._seen_in != self.session.active_key:
            self.seen = None
            self._show(None)
            self.changed.emit()

    def _on_particles(self, *_: object) -> None:
        if self.on:
            self._soon.start()

    def labels_that_go(self) -> int:
        """Return how many hand labels would go with the particles."""
        state = self.session.active
        if state is None or self.seen is None:
            return 0
        return len(set(state.hand_labels).intersection(self.seen.gone.tolist()))

    def apply(self) -> None:
        """Take away what the filter does not keep, as one step that undo takes back."""
        key, state = self.session.active_key, self.session.active
        if key is None or state is None:
            return
        self.workbench.mirror.flush()
        seen = self.seen
        if seen is None or state.labels is None or seen.of is not state.labels:
            self.look()  # they changed a moment ago: show first what would go now
            return
        if not seen.gone.size:
            self.workbench.tell("These limits keep every particle.")
            return
        kept = seen.total - seen.gone.size
        labels = delete_particles(state.labels, seen.gone.tolist())
        lost = self.labels_that_go()
        name = f"keep {kept} of {seen.total} particles"
        self.session.edit_particles(key, labels, name, by_filter=True)
        if lost:
            text = (
                "hand label went with its particle" if lost == 1 else "hand labels went with them"
            )
            back = "it" if lost == 1 else "them"
            self.workbench.refuse(f"{lost} {text}: undo brings {back} back.")

    def _show(self, seen: steps.Filtered | None) -> None:
        if seen is None or not seen.gone.size:
            self.overlay.hide()
            return
        lut = np.zeros(int(seen.of.max(initial=0)) + 1, bool)
        lut[seen.gone] = True
        key = self.session.active_key or 0
        self.overlay.show(lut[seen.of], self.workbench.mirror.groups[key].image)

    def shutdown(self) -> None:
        """Stop waiting, and disconnect."""
        self._soon.stop()
        self.session.particles_changed.disconnect(self._on_particles)
        self.session.active_changed.disconnect(self._on_active)
        self.session.micrographs_changed.disconnect(self._on_particles)
        self.overlay.shutdown()

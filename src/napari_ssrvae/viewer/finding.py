"""Finding the particles of the active micrograph: a first answer at once, then the answer."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.viewer import steps
from napari_ssrvae.viewer.overlay import Overlay

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_ssrvae.imaging import SegmentationSettings
    from napari_ssrvae.viewer.workbench import Workbench

KIND = "find"
FIRST_COLOR = "#35e0ff"


class Finding:
    """Looks for particles in the background, and shows what is seen first until all are found.

    Parameters
    ----------
    workbench : Workbench
        Its session, layers and jobs.
    """

    def __init__(self, workbench: Workbench) -> None:
        self.workbench, self.session = workbench, workbench.session
        self.first = Overlay(workbench.viewer, "particles, first look", FIRST_COLOR, opacity=0.9)
        self._dimmed: tuple[Labels, float] | None = None  # the old outlines, how opaque they were
        self._left_out: dict[int, tuple[Any, int]] = {}
        self.session.active_changed.connect(self._on_active)
        workbench.jobs.changed.connect(self._on_jobs)

    @property
    def busy(self) -> bool:
        """Whether particles are being looked for."""
        return self.workbench.jobs.running(KIND)

    def find(self, settings: SegmentationSettings) -> None:
        """Segment the active micrograph; what is on the screen comes first."""
        key, state = self.session.active_key, self.session.active
        if key is None or state is None:
            self.workbench.refuse("There is no micrograph: drop one onto the window first.")
            return
        self.workbench.mirror.flush()
        self.workbench.stacks.keep(key)
        self.workbench.jobs.start(
            KIND,
            steps.find,
            state.micrograph,
            settings,
            self._seen(key, state.micrograph.shape),
            title=f"Finding particles in {state.micrograph.name}",
            on_yield=partial(self._on_first, key),
            on_done=partial(self._on_found, key, settings, state.labels),
            on_error=self._on_error,
        )

    def stop(self) -> None:
        """Look no further; the particles stay as they were."""
        self.workbench.jobs.cancel(KIND)
        self._hide_first()

    def left_out(self, key: int | None) -> int:
        """Return how many particles on the border were left out, if these were found so."""
        state = None if key is None else self.session.micrographs.get(key)
        labels, count = self._left_out.get(key or 0, (None, 0))
        return count if state is not None and labels is not None and labels() is state.labels else 0

    def _seen(self, key: int, shape: tuple[int, int]) -> tuple[slice, slice]:
        """Return the part of the micrograph that is on the screen."""
        low, high = np.asarray(self.workbench.mirror.groups[key].image.corner_pixels)[:, -2:]
        rows, columns = (
            slice(max(int(a), 0), min(int(b) + 1, n))
            for a, b, n in zip(low, high, shape, strict=True)
        )
        return rows, columns

    def _on_first(self, key: int, outlines: NDArray[np.bool_] | None) -> None:
        state = self.session.active
        if outlines is None or state is None or key != self.session.active_key:
            return
        if outlines.shape == state.micrograph.shape:
            self._dim(self.workbench.mirror.groups[key].particles)
            self.first.show(outlines, self.workbench.mirror.groups[key].image)

    def _dim(self, old: Labels | None) -> None:
        """Let the old outlines go from sight: the first look has their colour."""
        if old is not None and self._dimmed is None:
            self._dimmed = old, old.opacity
            old.opacity = 0

    def _hide_first(self) -> None:
        self.first.hide()
        if self._dimmed is not None:
            old, opacity = self._dimmed
            self._dimmed = None
            old.opacity = opacity

    def _on_found(
        self, key: int, settings: SegmentationSettings, before: Any, found: steps.Found
    ) -> None:
        self._hide_first()
        if self.workbench.corrected_meanwhile(key, before, found.labels):
            return
        lost = self.session.set_particles(key, found.labels, recipe=settings)
        labels = self.session.micrographs[key].labels
        assert labels is not None
        self._left_out[key] = weakref.ref(labels), found.left_out
        if lost:
            self.workbench.refuse(
                f"{lost} hand label{'s' if lost > 1 else ''} had no matching particle any more; "
                "undo brings them back."
            )

    def _on_error(self, _: Exception) -> None:
        self._hide_first()

    def _on_jobs(self) -> None:
        if not self.busy:  # it may have been cancelled in napari's own list of tasks
            self._hide_first()

    def _on_active(self, *_: object) -> None:
        self._hide_first()  # what it shows lies on another micrograph

    def shutdown(self) -> None:
        """Disconnect."""
        self._hide_first()
        self.session.active_changed.disconnect(self._on_active)
        self.workbench.jobs.changed.disconnect(self._on_jobs)
        self.first.shutdown()

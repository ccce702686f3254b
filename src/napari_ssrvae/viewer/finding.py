"""Finding the particles of the active micrograph: a first answer at once, then the answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.viewer import steps
from napari_ssrvae.viewer.overlay import Overlay

if TYPE_CHECKING:
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
        self.session.active_changed.connect(self._on_active)

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
        self.first.hide()

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
            self.first.show(outlines, self.workbench.mirror.groups[key].image)

    def _on_found(self, key: int, settings: SegmentationSettings, before: Any, labels: Any) -> None:
        self.first.hide()
        if self.workbench.corrected_meanwhile(key, before, labels):
            return
        lost = self.session.set_particles(key, labels, recipe=settings)
        if lost:
            self.workbench.refuse(
                f"{lost} hand label{'s' if lost > 1 else ''} had no matching particle any more; "
                "undo brings them back."
            )

    def _on_error(self, _: Exception) -> None:
        self.first.hide()

    def _on_active(self, *_: object) -> None:
        self.first.hide()  # what it shows lies on another micrograph

    def shutdown(self) -> None:
        """Disconnect."""
        self.session.active_changed.disconnect(self._on_active)
        self.first.shutdown()

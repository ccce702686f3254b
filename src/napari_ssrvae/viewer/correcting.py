"""Correcting particles with keys, buttons and the mouse; what changed is classified again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject

from napari_ssrvae.errors import ParticleError
from napari_ssrvae.library.changes import Changes
from napari_ssrvae.library.correction import Correction, still_true
from napari_ssrvae.library.editing import (
    delete_particles,
    merge_particles,
    split_along,
    split_particle,
)
from napari_ssrvae.library.selection import Place, Selection
from napari_ssrvae.viewer import steps

if TYPE_CHECKING:
    from napari_ssrvae.library.micrograph_state import LabelImage
    from napari_ssrvae.viewer.workbench import Workbench

KIND = "split"


class Correcting(QObject):
    """Merges, splits, cuts and deletes what is meant, in one undoable step each.

    After any correction, those particles of which the model has said nothing yet are classified
    in the background, and no others.

    Parameters
    ----------
    workbench : Workbench
        Its session, picker and jobs.
    """

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench, self.session = workbench, workbench.session
        picker = workbench.picker
        picker.merge_wanted.connect(self.merge)
        picker.split_wanted.connect(self.split)
        picker.delete_wanted.connect(self.delete)
        picker.cut_wanted.connect(self.cut)
        self.session.particles_edited.connect(self._on_edited)

    # -- what a person does ------------------------------------------------------------------
    def merge(self, meant: Selection | None) -> None:
        """Make one particle of those that are meant, in the active micrograph."""
        key, ids = self.session.active_key, self._ids(meant)
        if len(ids) < 2:
            self.workbench.refuse(
                "Select two or more particles to merge them: Shift + click adds one."
            )
        elif key is not None:
            self._edit({key: partial(merge_particles, ids=ids)}, f"merge {len(ids)} particles")

    def split(self, meant: Selection | None) -> None:
        """Take apart what is meant, in the active micrograph, at its necks."""
        key, ids = self.session.active_key, self._ids(meant)
        if not ids or key is None:
            self.workbench.refuse("Point at the particle to split, or select it.")
        elif len(ids) == 1:
            (particle,) = ids
            name = f"split particle {particle}"
            self._edit({key: partial(split_particle, particle=particle)}, name)
        else:
            self.workbench.mirror.flush()
            frozen = steps.FrozenMicrograph.of(key, self.session.micrographs[key])
            self.workbench.jobs.start(
                KIND,
                steps.split,
                frozen.labels,
                ids,
                title=f"Splitting {len(ids)} particles",
                on_done=partial(self._on_split, frozen),
            )

    def delete(self, meant: Selection | None) -> None:
        """Take out what is meant, in all micrographs."""
        if meant is None:
            self.workbench.refuse("Point at the particle to delete, or select it.")
            return
        members = meant.members
        count = len(meant)
        name = f"delete particle {meant.focus.particle}" if count == 1 else f"delete {count:,}"
        self._edit(
            {key: partial(delete_particles, ids=ids) for key, ids in members.items()},
            name if count == 1 else f"{name} particles",
        )

    def cut(self, path: NDArray[np.float64]) -> None:
        """Cut what a line crosses, (m, 2) in pixels (y, x) of the active micrograph."""
        key = self.session.active_key
        if key is not None:
            self._edit({key: partial(split_along, path=path)}, "cut particles")

    # -- how ---------------------------------------------------------------------------------
    def _ids(self, meant: Selection | None) -> frozenset[int]:
        """Return what is meant in the active micrograph."""
        return meant.of_micrograph(self.session.active_key) if meant is not None else frozenset()

    def _edit(self, edits: Mapping[int, Callable[[LabelImage], LabelImage]], name: str) -> None:
        """Do something to label images that may refuse; select what comes of it."""
        self.workbench.mirror.flush()
        try:
            after = {}
            for key, edit in edits.items():
                labels = self.session.micrographs[key].labels
                if labels is not None:
                    after[key] = edit(labels)
            self._show(self.session.edit_all(after, name))
        except ParticleError as error:
            self.workbench.refuse(str(error))

    def _show(self, made: Mapping[int, Correction]) -> None:
        places = [Place(key, p) for key, c in made.items() for p in sorted(c.changes.after)]
        if places:
            self.session.select(Selection.of(places))
        notes = [n for c in made.values() if (n := c.note(self.session.class_name)) is not None]
        if notes:
            self.workbench.refuse(" ".join(notes))

    def _on_split(
        self, frozen: steps.FrozenMicrograph, result: tuple[LabelImage, list[int]]
    ) -> None:
        state = self.session.micrographs.get(frozen.key)
        if state is None:
            return
        if state.labels is not frozen.labels:
            self.workbench.refuse(
                "Particles were changed while these were split: split them again."
            )
            return
        labels, whole = result
        made = self.session.edit_particles(frozen.key, labels, "split particles")
        if made is None:
            self.workbench.refuse(
                "None of these has a neck: draw a line through one with Ctrl + drag."
            )
            return
        self._show({frozen.key: made})
        if whole and not made.lost:
            number = "one" if len(whole) == 1 else f"{len(whole)}"
            self.workbench.tell(f"All but {number} were split: those have no neck.")

    # -- what follows ------------------------------------------------------------------------
    def _on_edited(self, key: int, changes: Changes) -> None:
        if not changes.whole:
            self.classify_missing(key)

    def classify_missing(self, key: int) -> None:
        """Classify the particles of a classified micrograph of which nothing is said yet."""
        state, workflow = self.session.micrographs.get(key), self.session.workflow
        if state is None or workflow is None or state.predictions is None or state.labels is None:
            return
        missing = np.setdiff1d(state.particle_ids, state.predictions.particle_ids)
        kind = f"classify corrected {key}"
        if not missing.size:
            self.workbench.jobs.cancel(kind)
            return
        frozen = steps.FrozenMicrograph.of(key, state)
        self.workbench.jobs.start(
            kind,
            steps.classify_some,
            workflow,
            frozen,
            missing,
            title=f"Classifying {missing.size} corrected particles",
            on_done=partial(self._on_classified, workflow, frozen),
        )

    def _on_classified(self, workflow: Any, frozen: steps.FrozenMicrograph, said: Any) -> None:
        state = self.session.micrographs.get(frozen.key)
        if state is None or state.labels is None or state.predictions is None:
            return
        if self.session.workflow is workflow:
            self.session.add_predictions(frozen.key, still_true(said, frozen.labels, state.labels))

    def shutdown(self) -> None:
        """Disconnect from the session."""
        self.session.particles_edited.disconnect(self._on_edited)

"""One correction of particles by hand: what it does to a micrograph, and how it is taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_ssrvae.errors import InputError
from napari_ssrvae.library.changes import Changes, compare_labels, fitted, follow_hand_labels
from napari_ssrvae.library.micrograph_state import LabelImage, MicrographState

if TYPE_CHECKING:
    from napari_ssrvae.library.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Correction:
    """A change of some particles that leaves all others as they are.

    Attributes
    ----------
    changes : Changes
        Which particles are concerned.
    lost : mapping of int to int
        Particles that were not deleted, but whose hand label (a class id) no particle has any more.
    """

    changes: Changes
    lost: Mapping[int, int]
    _pixels: tuple[LabelImage, LabelImage]  # within the changed box, before and after
    _hand_labels: tuple[dict[int, int], dict[int, int]]
    _corrected: tuple[tuple[bool, bool], tuple[bool, bool]]  # corrected at all, only by filters
    _said: Predictions | None

    @classmethod
    def of(
        cls, state: MicrographState, labels: LabelImage, *, by_filter: bool = False
    ) -> Correction | None:
        """Compare a corrected label image with the micrograph's; None where nothing changed.

        Parameters
        ----------
        state : MicrographState
            Has particles; it is not changed.
        labels : (H, W) int array
            The corrected label image. It is not kept: only what changed is, since a label image
            takes 64 MB at 4096 x 4096.
        by_filter : bool
            Whether a filter made it, and no hand.

        Raises
        ------
        InputError
            There are no particles yet, or the label image has another shape.
        """
        if state.labels is None or labels.shape != state.labels.shape:
            raise InputError("Only particles that were found can be corrected: find them first.")
        changes = compare_labels(state.labels, labels)
        if changes is None:
            return None
        only_filtered = by_filter and (state.filtered or not state.corrected)
        hand, lost = follow_hand_labels(state.labels, labels, changes, state.hand_labels)
        return cls(
            changes,
            lost,
            (state.labels[changes.box].copy(), np.array(labels[changes.box], dtype=np.int32)),
            (state.hand_labels, hand),
            ((state.corrected, state.filtered), (True, only_filtered)),
            state.said,
        )

    def note(self, name_of: Callable[[int], str]) -> str | None:
        """Say which hand labels hold no more; None where all do.

        Parameters
        ----------
        name_of : callable
            Class id → its name.
        """
        if not self.lost:
            return None
        names = ", ".join(sorted({name_of(c) for c in self.lost.values()}))
        if len(self.lost) == 1:
            return (
                f"The label of particle {min(self.lost)} ({names}) does not hold for what became "
                "of it: label that anew. Undo brings it back."
            )
        return (
            f"{len(self.lost)} hand labels ({names}) do not hold for what became of their "
            "particles: label those anew. Undo brings them back."
        )

    def put(self, state: MicrographState, forward: bool) -> Changes:
        """Do it, or take it back; return what that changed.

        The micrograph's arrays are replaced. What another model than the one that speaks now said
        before is not brought back.
        """
        changes = self.changes if forward else self.changes.reverted
        assert state.labels is not None
        labels = state.labels.copy()
        labels[changes.box] = self._pixels[forward]
        state.labels = labels
        stay = np.setdiff1d(state.particle_ids, sorted(changes.removed))
        state.particle_ids = np.union1d(stay, sorted(changes.added)).astype(np.int64)
        state.hand_labels = self._hand_labels[forward]
        state.corrected, state.filtered = self._corrected[forward]
        if state.said is not None:
            state.said = state.said.without(changes.before)
            if not forward:
                state.said = self._as_before(state.said, changes)
        return changes

    def _as_before(self, now: Predictions, changes: Changes) -> Predictions:
        """Return predictions with what was said of the particles that are back."""
        said = self._said
        if said is None or not said.agrees_with(now):
            return now
        back = said.subset(np.isin(said.particle_ids, sorted(changes.after)))
        both = now.updated(back)
        # The very object, where nothing else was classified since: views need not look again.
        return said if np.array_equal(both.particle_ids, said.particle_ids) else both


def still_true(said: Predictions, of: LabelImage, now: LabelImage) -> Predictions:
    """Return predictions of those particles that are what they were.

    Parameters
    ----------
    said : Predictions
        What a model said.
    of, now : (H, W) int32 array
        The label image that it saw, and the one that there is now; the same particles, where an
        info bar was cut off or came back meanwhile.
    """
    if of.shape != now.shape:
        rows = max(of.shape[0], now.shape[0])
        of, now = fitted(of, rows), fitted(now, rows)
    if of is now or (changes := compare_labels(of, now)) is None:
        return said
    return said.without(changes.ids)

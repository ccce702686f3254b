"""A micrograph with more or fewer rows at its foot, where an info bar may be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.library.changes import Changes, fitted
from napari_ssrvae.library.correction import still_true
from napari_ssrvae.library.micrograph_state import MicrographState


def with_rows(state: MicrographState, whole: NDArray[Any], rows: int) -> MicrographState:
    """Return a micrograph cut to its first rows, with what is known of its particles.

    Parameters
    ----------
    state : MicrographState
        As it is; it is not changed.
    whole : (H, W) array
        The whole picture.
    rows : int
        How many stay.
    """
    metadata = {**state.micrograph.metadata, "info_bar_rows": whole.shape[0] - rows}
    new = replace(
        state,
        micrograph=replace(state.micrograph, image=whole[:rows], metadata=metadata),
        foot=whole[rows:] if rows < whole.shape[0] else None,
        _read=None,
    )
    if state.labels is None:
        return new
    new.labels = fitted(state.labels, rows)
    lost = np.unique(state.labels[rows:])
    lost = lost[lost > 0]
    if lost.size:
        ids = np.unique(new.labels)
        new.particle_ids = ids[ids > 0].astype(np.int64)
        left = set(new.particle_ids.tolist())
        new.hand_labels = {p: c for p, c in state.hand_labels.items() if p in left}
        if state.said is not None:
            new.said = state.said.without(lost.tolist())
    return new


def change_rows(state: MicrographState, to: MicrographState) -> Changes | None:
    """Let a micrograph be as another state of it; return what that is for its particles.

    What a model has said meanwhile of particles that stay as they are stays too.

    Parameters
    ----------
    state : MicrographState
        Is changed.
    to : MicrographState
        Picture and particles to have; what a model said of them, in `said`.

    Returns
    -------
    Changes or None
        None where there are no particles.
    """
    # The pixel size is corrected by steps of its own, also in slices that came since.
    now = state.micrograph
    metadata = {**now.metadata, "info_bar_rows": to.micrograph.metadata.get("info_bar_rows", 0)}
    state.micrograph = replace(now, image=to.micrograph.image, metadata=metadata)
    state.foot = to.foot
    if state.labels is None or to.labels is None:
        return None
    said, back = state.said, to.said
    if said is None:
        said = back
    else:
        said = still_true(said, state.labels, to.labels)
        if back is not None and back.agrees_with(said):
            new = ~np.isin(back.particle_ids, said.particle_ids)
            said = said.updated(back.subset(new))
    before = state.particle_ids.tolist()
    state.labels, state.particle_ids = to.labels, to.particle_ids
    state.hand_labels, state.said = to.hand_labels, said
    return Changes.everything(before, state.particle_ids.tolist(), state.labels.shape)

"""What changed between two label images of a micrograph, and what hand labels make of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

LabelImage = NDArray[np.int32]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice]

_FEW = 4  # ids up to which one sweep each is quicker than one sweep for all


@dataclass(frozen=True)
class Changes:
    """What differs between two label images of a micrograph.

    Attributes
    ----------
    box : (slice, slice)
        Where pixels changed.
    region : (slice, slice)
        Holds `box` and every pixel, before and after, of the particles concerned.
    removed, added, altered : frozenset of int
        Ids that are gone, new, or have other pixels than before.
    whole : bool
        Nothing is as it was: the particles were found again, or come from elsewhere.
    """

    box: Box
    region: Box
    removed: frozenset[int]
    added: frozenset[int]
    altered: frozenset[int]
    whole: bool = False

    @cached_property
    def ids(self) -> frozenset[int]:
        """All ids concerned."""
        return self.removed | self.added | self.altered

    @cached_property
    def before(self) -> frozenset[int]:
        """The ids concerned that were there before."""
        return self.removed | self.altered

    @cached_property
    def after(self) -> frozenset[int]:
        """The ids concerned that are there now."""
        return self.added | self.altered

    @property
    def reverted(self) -> Changes:
        """The changes the other way round."""
        return Changes(
            self.box, self.region, self.added, self.removed, self.altered, whole=self.whole
        )

    @classmethod
    def everything(
        cls, before: Iterable[int], after: Iterable[int], shape: tuple[int, ...]
    ) -> Changes:
        """All particles gave way to others; equal ids mean nothing."""
        old, new = frozenset(before), frozenset(after)
        box = (slice(0, shape[0]), slice(0, shape[1]))
        return cls(box, box, old - new, new - old, old & new, whole=True)


def compare_labels(old: LabelImage, new: LabelImage) -> Changes | None:
    """Find which particles differ between two label images; None where none does.

    Parameters
    ----------
    old, new : (H, W) int32 array
        Label images of one micrograph.
    """
    changed = old != new
    if (box := bounds(changed)) is None:
        return None
    there = changed[box]
    touched = np.union1d(old[box][there], new[box][there])
    touched = touched[touched > 0]
    still = is_any(new, touched)
    region = _hull(box, bounds(still) or box)
    # A particle that is in pixels that did not change was there before and is there now.
    kept = np.unique(new[region][still[region] & ~changed[region]])
    was = np.union1d(np.unique(old[box][there]), kept)
    now = np.union1d(np.unique(new[box][there]), kept)
    before, after = ids_in(was), ids_in(now)
    return Changes(box, region, before - after, after - before, before & after)


def carry_hand_labels(
    old: LabelImage | None, new: LabelImage, hand_labels: Mapping[int, int]
) -> dict[int, int]:
    """Move hand labels from one label image of a micrograph to another.

    A label goes to the new particle that covers most of the old one, if that is more than half of
    it; where two labels meet in one new particle, the one that covers more of it wins.

    Parameters
    ----------
    old, new : (H, W) int32 array
        Label images; `old` None where there were none.
    hand_labels : mapping of int to int
        Old particle id → class id.

    Returns
    -------
    dict of int to int
        New particle id → class id.
    """
    if old is None or not hand_labels:
        return {}
    labelled = np.isin(old, list(hand_labels))
    pairs, overlap = np.unique(np.stack([old[labelled], new[labelled]]), axis=1, return_counts=True)
    area = dict(zip(*np.unique(old[labelled], return_counts=True), strict=True))
    carried: dict[int, tuple[int, int]] = {}
    for (before, after), pixels in zip(pairs.T.tolist(), overlap.tolist(), strict=True):
        enough = after > 0 and pixels > 0.5 * area[before]
        if enough and pixels > carried.get(after, (0, 0))[0]:
            carried[after] = (pixels, hand_labels[before])
    return {particle: class_id for particle, (_, class_id) in carried.items()}


def follow_hand_labels(
    old: LabelImage, new: LabelImage, changes: Changes, hand_labels: Mapping[int, int]
) -> tuple[dict[int, int], dict[int, int]]:
    """Move hand labels along with a correction.

    A particle that is redrawn keeps its label. One that is made of several keeps theirs if they
    agree, or if only one has any. The parts of one that was cut have none: half of a dimer is no
    dimer.

    Parameters
    ----------
    old, new : (H, W) int32 array
        Label images.
    changes : Changes
        What `compare_labels` found.
    hand_labels : mapping of int to int
        Particle id → class id, before.

    Returns
    -------
    hand_labels : dict of int to int
        After.
    lost : dict of int to int
        Particles that were not deleted, but whose label no particle has any more.
    """
    after = {p: c for p, c in hand_labels.items() if p not in changes.before}
    concerned = {p: c for p, c in hand_labels.items() if p in changes.before}
    if not concerned:
        return after, {}
    sources, parts = _descent(old[changes.region], new[changes.region], changes)
    for particle in changes.after:
        whole = [p for p in sources.get(particle, ()) if len(parts.get(p, ())) < 2]
        given = {concerned[p] for p in whole if p in concerned}
        if len(given) == 1:
            after[particle] = given.pop()
    lost = {}
    for particle, class_id in concerned.items():
        heirs = parts.get(particle, set()) | {p for p, s in sources.items() if particle in s}
        if heirs and not any(after.get(p) == class_id for p in heirs):
            lost[particle] = class_id
    return after, lost


def _descent(
    old: LabelImage, new: LabelImage, changes: Changes
) -> tuple[dict[int, set[int]], dict[int, set[int]]]:
    """Return new id → the old particles that went into it, and old id → the new ones cut of it."""
    both = np.isin(old, list(changes.before)) & (new > 0)
    pairs, overlap = np.unique(np.stack([old[both], new[both]]), axis=1, return_counts=True)
    area_before = dict(zip(*np.unique(old, return_counts=True), strict=True))
    area_after = dict(zip(*np.unique(new, return_counts=True), strict=True))
    sources: dict[int, set[int]] = {}
    parts: dict[int, set[int]] = {}
    for (before, after), pixels in zip(pairs.T.tolist(), overlap.tolist(), strict=True):
        if after == before or pixels > 0.5 * area_before[before]:
            sources.setdefault(after, set()).add(before)
        if pixels > 0.5 * area_after[after]:
            parts.setdefault(before, set()).add(after)
    return sources, parts


def fitted(labels: LabelImage, rows: int) -> LabelImage:
    """Return a label image with so many rows: cut, or with nothing in those that are new."""
    if labels.shape[0] >= rows:
        return labels[:rows].copy()
    return np.pad(labels, ((0, rows - labels.shape[0]), (0, 0)))


# -- pixels ----------------------------------------------------------------------------------
def ids_in(values: NDArray[np.int32]) -> frozenset[int]:
    """Return the ids among these values."""
    return frozenset(values[values > 0].tolist())


def is_any(labels: LabelImage, ids: ArrayLike) -> Mask:
    """Say where one of these ids is."""
    ids = np.asarray(ids, dtype=labels.dtype).ravel()
    if len(ids) > _FEW:
        return np.isin(labels, ids)
    found = np.zeros(labels.shape, dtype=bool)
    for particle in ids:
        found |= labels == particle
    return found


def bounds(mask: Mask) -> Box | None:
    """Return the bounding box of what is True, None where nothing is."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    band = slice(int(rows[0]), int(rows[-1]) + 1)
    columns = np.flatnonzero(mask[band].any(axis=0))
    return band, slice(int(columns[0]), int(columns[-1]) + 1)


def _hull(a: Box, b: Box) -> Box:
    rows, columns = (
        slice(min(s.start, t.start), max(s.stop, t.stop)) for s, t in zip(a, b, strict=True)
    )
    return rows, columns


def ids_of_all(labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the ids of all particles of a label image, ascending.

    Marks of all ids take a fifth of the time of `np.unique`, where ids are not far apart.
    """
    top = int(labels.max(initial=0))
    if top > labels.size:
        ids = np.unique(labels)
        return np.asarray(ids[ids > 0], dtype=np.int64)
    there = np.zeros(top + 1, dtype=bool)
    there[labels[labels > 0]] = True
    return np.flatnonzero(there)

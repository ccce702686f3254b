"""`Catalogue`: all particles of a session as columns, from which every view draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.library.selection import Place, Selection
from napari_ssrvae.library.session import MicrographState, Session

if TYPE_CHECKING:
    import pandas as pd

Ids = NDArray[np.int64]
Values = NDArray[np.float64]

MEASURES = (
    ("max_feret", "largest Feret", "length"),
    ("feret_min", "smallest Feret", "length"),
    ("major_axis", "major axis", "length"),
    ("minor_axis", "minor axis", "length"),
    ("perimeter", "perimeter", "length"),
    ("area", "area", "area"),
    ("aspect_ratio", "aspect ratio", ""),
    ("circularity", "circularity", ""),
    ("solidity", "solidity", ""),
    ("mean_intensity", "mean intensity", ""),
)
"""Columns of `measure_shapes`, what they are called here, and what they measure."""

SIZE = ("equivalent_diameter", "diameter", "length")


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The n particles of a session's micrographs, one row each, by micrograph and id.

    Attributes
    ----------
    keys, particles : (n,) int64
        Where each is: key of its micrograph in the session, id in that label image.
    hand, predicted : (n,) int64
        Its class by hand and by the model, 0 where there is none.
    confidence : (n,) float64
        Probability of the predicted class, NaN where there is none.
    angle : (n,) float64
        Rotation in radians, counter-clockwise as seen on the screen; NaN where unclassified.
    z : (n, d) float64
        Latent coordinates without pose; NaN where unclassified.
    sizes, shapes : mapping of str to (n,) float64
        Measures by a name with its unit; NaN where a particle is not measured. A length is in nm
        where the pixel size of any micrograph is known, and NaN in those where it is not: a pixel
        of one micrograph is not that of another. Without any, lengths are in px.
    micrograph_names : mapping of int to str
        The micrographs, by key.
    """

    keys: Ids
    particles: Ids
    hand: Ids
    predicted: Ids
    confidence: Values
    angle: Values
    z: Values
    sizes: Mapping[str, Values]
    shapes: Mapping[str, Values]
    micrograph_names: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.particles)

    @cached_property
    def shown(self) -> Ids:
        """(n,) class on the screen: by hand if labelled, else predicted; 0 where there is none."""
        return np.where(self.hand > 0, self.hand, self.predicted)

    @cached_property
    def columns(self) -> Mapping[str, Values]:
        """Everything that is a number, by a readable name with its unit."""
        latent = {f"z{i + 1}": self.z[:, i] for i in range(self.z.shape[1])}
        if self.z.shape[1]:
            latent |= {"angle (°)": np.degrees(self.angle), "confidence": self.confidence}
        return {**latent, **self.sizes, **self.shapes}

    @cached_property
    def _starts(self) -> dict[int, tuple[int, int]]:
        """First row, and the row after the last, of each micrograph."""
        keys, starts, counts = np.unique(self.keys, return_index=True, return_counts=True)
        return {
            key: (start, start + count)
            for key, start, count in zip(
                keys.tolist(), starts.tolist(), counts.tolist(), strict=True
            )
        }

    def place(self, row: int) -> Place:
        """Return where the particle of a row is."""
        return Place(int(self.keys[row]), int(self.particles[row]))

    def where(self, row: int) -> str:
        """Say which particle a row is, and of which micrograph where there are several."""
        place, names = self.place(row), self.micrograph_names
        return f"Particle {place.particle}" + (f" of {names[place.key]}" if len(names) > 1 else "")

    def row(self, place: Place) -> int | None:
        """Return the row of a particle, None where it is not in the catalogue."""
        start, stop = self._starts.get(place.key, (0, 0))
        row = start + int(np.searchsorted(self.particles[start:stop], place.particle))
        return row if row < stop and self.particles[row] == place.particle else None

    def rows_of(self, key: int, particles: ArrayLike) -> Ids:
        """Return the rows of some particles of a micrograph; those not there are left out."""
        start, stop = self._starts.get(key, (0, 0))
        found = np.isin(self.particles[start:stop], np.asarray(particles, dtype=np.int64))
        return np.asarray(start + np.flatnonzero(found), dtype=np.int64)

    def rows(self, selection: Selection | None) -> Ids:
        """Return the rows of what is selected, ascending."""
        if selection is None:
            return np.empty(0, np.int64)
        parts = [
            self.rows_of(k, np.fromiter(ids, np.int64)) for k, ids in selection.members.items()
        ]
        return np.sort(np.concatenate(parts))

    def selection(self, rows: ArrayLike) -> Selection | None:
        """Return these rows as a selection, the last one in focus; None where there are none."""
        chosen = np.asarray(rows, dtype=np.int64).reshape(-1)
        if not chosen.size:
            return None
        keys, particles = self.keys[chosen], self.particles[chosen]
        members = {int(k): frozenset(particles[keys == k].tolist()) for k in np.unique(keys)}
        return Selection(members, self.place(int(chosen[-1])))


def catalogue_of(session: Session, measures: Mapping[int, pd.DataFrame]) -> Catalogue:
    """Put all particles of a session into one catalogue.

    Parameters
    ----------
    session : Session
        Its micrographs, labels and predictions.
    measures : mapping of int to DataFrame
        Micrograph key → what `measure_shapes` says of its particles, by ascending id; those without
        a row get NaN.
    """
    states = {key: s for key, s in session.micrographs.items() if s.particle_ids.size}
    dims = [s.predictions.z.shape[1] for s in states.values() if s.predictions is not None]
    parts = [_predicted(state, max(dims, default=0)) for state in states.values()]
    measured = [_measured(state, measures.get(key)) for key, state in states.items()]
    in_nm = not states or any(s.micrograph.pixel_size is not None for s in states.values())
    return Catalogue(
        keys=_joined([np.full(s.particle_ids.size, key) for key, s in states.items()]),
        particles=_joined([s.particle_ids for s in states.values()]),
        hand=_joined([_by_hand(s) for s in states.values()]),
        predicted=_joined([class_ids for class_ids, _ in parts]),
        confidence=_stacked([rest[:, 0] for _, rest in parts]),
        angle=_stacked([rest[:, 1] for _, rest in parts]),
        z=_stacked([rest[:, 2:] for _, rest in parts], (0, max(dims, default=0))),
        sizes=_in_units((SIZE,), measured, [*states.values()], in_nm),
        shapes=_in_units(MEASURES, measured, [*states.values()], in_nm),
        micrograph_names={key: s.micrograph.name for key, s in states.items()},
    )


def positions(values: Ids, ids: Sequence[int]) -> Ids:
    """Return where each value is in a list of ids, -1 where it is not there; none is below 0."""
    # Ids are small: a table from id to position serves all particles at once.
    table = np.full(max(int(values.max(initial=0)), *ids, 0) + 1, -1)
    table[np.asarray(ids, dtype=np.int64)] = np.arange(len(ids))
    return np.asarray(table[values], dtype=np.int64)


def _joined(parts: list[Ids]) -> Ids:
    return np.concatenate(parts).astype(np.int64) if parts else np.empty(0, np.int64)


def _stacked(parts: list[Values], empty: tuple[int, ...] = (0,)) -> Values:
    return np.concatenate(parts) if parts else np.empty(empty)


def _by_hand(state: MicrographState) -> Ids:
    hand = np.zeros(state.particle_ids.size, np.int64)
    if state.hand_labels:
        at = np.searchsorted(state.particle_ids, np.fromiter(state.hand_labels, np.int64))
        hand[at] = np.fromiter(state.hand_labels.values(), np.int64)
    return hand


def _predicted(state: MicrographState, dims: int) -> tuple[Ids, Values]:
    """Return (n,) predicted classes and (n, 2 + dims): confidence, angle, z."""
    n, predictions = state.particle_ids.size, state.predictions
    classes, rest = np.zeros(n, np.int64), np.full((n, 2 + dims), np.nan)
    if predictions is not None and len(predictions):
        at = np.searchsorted(state.particle_ids, predictions.particle_ids)
        classes[at] = predictions.class_ids
        rest[at, 0], rest[at, 1] = predictions.confidence, predictions.angle
        rest[at, 2 : 2 + predictions.z.shape[1]] = predictions.z
    return classes, rest


def _measured(state: MicrographState, table: pd.DataFrame | None) -> dict[str, Values]:
    """Return the measures (px) in the order of the particles, NaN where there are none."""
    names = [SIZE[0], *(name for name, _, _ in MEASURES)]
    measures = {name: np.full(state.particle_ids.size, np.nan) for name in names}
    if table is not None and len(table):
        # By hand, since pandas takes a millisecond a micrograph, and a film has a thousand.
        known = table["label"].to_numpy()
        at = np.searchsorted(known, state.particle_ids).clip(0, len(known) - 1)
        there = known[at] == state.particle_ids
        for name, values in measures.items():
            values[there] = table[name].to_numpy()[at[there]]
    return measures


def _in_units(
    wanted: tuple[tuple[str, str, str], ...],
    measured: list[dict[str, Values]],
    states: list[MicrographState],
    in_nm: bool,
) -> dict[str, Values]:
    columns = {}
    for name, called, what in wanted:
        power = {"length": 1, "area": 2}.get(what, 0)
        unit = {1: " (nm)", 2: " (nm²)"} if in_nm else {1: " (px)", 2: " (px²)"}
        parts = [
            measures[name] * (_pixel_size(state) ** power if in_nm else 1.0)
            for measures, state in zip(measured, states, strict=True)
        ]
        columns[called + unit.get(power, "")] = _stacked(parts)
    return columns


def _pixel_size(state: MicrographState) -> float:
    """Return the nm per pixel, NaN where they are not known (whose 0th power is 1)."""
    size = state.micrograph.pixel_size
    return float("nan") if size is None else size

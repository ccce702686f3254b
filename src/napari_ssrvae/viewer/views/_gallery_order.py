"""Which particles the gallery shows, and in which order: arrays in, rows out; no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.errors import InputError

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]
Values = NDArray[np.float64]

CONFIDENCE = "confidence"


class Show(StrEnum):
    """Which particles are shown, by what is known of their labels."""

    ALL = "all"
    UNLABELLED = "not labelled"
    LABELLED = "labelled by hand"
    DISAGREEING = "model disagrees"
    SELECTED = "selected"


class Sort(StrEnum):
    """Orders besides those by a column of numbers."""

    CLASS = "class"
    DISAGREEMENT = "disagreement first"
    FOUND = "as found"


@dataclass(frozen=True, eq=False)
class GalleryItems:
    """What the gallery knows of n particles.

    Attributes
    ----------
    places : (n, k) int
        Numbers that tell the particles apart. While they stay the same, no tile moves by itself.
    hand, predicted : (n,) int
        Class by hand and by the model, as positions in the legend; -1 where there is none.
    angles : (n,) float
        Rotation in radians, counter-clockwise as seen on the screen; NaN where it is unknown.
    columns : mapping of str to (n,) float
        What can be sorted by, by readable names; NaN where it is unknown. The order "confidence"
        is offered whether there is such a column or not.
    micrographs : (n,) int
        Position of the particle's micrograph in a list of names.

    Raises
    ------
    InputError
        If the arrays do not fit each other.
    """

    places: Rows
    hand: Rows
    predicted: Rows
    angles: Values
    micrographs: Rows
    columns: Mapping[str, Values] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.places)
        arrays: dict[str, Any] = {
            f.name: getattr(self, f.name) for f in fields(self) if f.name != "columns"
        }
        for name, values in {**arrays, **self.columns}.items():
            if len(values) != n:
                raise InputError(
                    f"The gallery got {n} particles but {len(values)} values of {name}: "
                    "give one value a particle."
                )

    @classmethod
    def of(
        cls,
        places: ArrayLike,
        *,
        hand: ArrayLike | None = None,
        predicted: ArrayLike | None = None,
        angles: ArrayLike | None = None,
        micrographs: ArrayLike | None = None,
        columns: Mapping[str, ArrayLike] | None = None,
    ) -> GalleryItems:
        """Make items of anything that numpy understands; what is left out is unknown.

        Parameters
        ----------
        places, hand, predicted, angles, micrographs, columns
            As the attributes.
        """
        where = np.asarray(places, dtype=np.int64)
        n = len(where)

        def whole(values: ArrayLike | None, unknown: int) -> Rows:
            return np.full(n, unknown) if values is None else np.asarray(values, dtype=np.int64)

        return cls(
            where,
            whole(hand, -1),
            whole(predicted, -1),
            np.full(n, np.nan) if angles is None else np.asarray(angles, dtype=np.float64),
            whole(micrographs, 0),
            {name: np.asarray(v, dtype=np.float64) for name, v in (columns or {}).items()},
        )

    def __len__(self) -> int:
        return len(self.places)

    @property
    def by_hand(self) -> Flags:
        """(n,) True where a person gave the class."""
        return self.hand >= 0

    @property
    def shown(self) -> Rows:
        """(n,) class by hand, else by the model, else -1."""
        return np.where(self.by_hand, self.hand, self.predicted)

    @property
    def disagrees(self) -> Flags:
        """(n,) True where hand label and model say different classes."""
        return np.asarray(self.by_hand & (self.predicted >= 0) & (self.hand != self.predicted))

    def column(self, name: str) -> Values:
        """Return a column, NaN throughout where there is none of this name."""
        return self.columns.get(name, np.full(len(self), np.nan))

    def is_known(self, name: str) -> bool:
        """Say whether any particle has a value to be sorted by."""
        return name in {*Sort} or bool(np.isfinite(self.column(name)).any())

    def same_particles(self, other: GalleryItems) -> bool:
        """Say whether the rows of the other are the same particles."""
        return np.array_equal(self.places, other.places)


@dataclass(frozen=True)
class Wish:
    """What a person wants to see.

    Attributes
    ----------
    sort : str
        A name of `GalleryItems.columns`, or a `Sort`.
    ascending : bool
        Smallest first; particles whose value is unknown are last in both directions.
    class_position : int or None
        Only this class (position in the legend, -1: no class); None for all.
    show : Show
        Only these.
    micrograph : int or None
        Only particles of this one; None for all.
    ranges : mapping of str to (float, float)
        Only particles whose column is within, both ends included; unknown values are outside.
    """

    sort: str = CONFIDENCE
    ascending: bool = True
    class_position: int | None = None
    show: Show = Show.ALL
    micrograph: int | None = None
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def arrange(items: GalleryItems, wish: Wish, selected: Flags) -> Rows:
    """Return the rows to show, in their order.

    Parameters
    ----------
    items : GalleryItems
        n particles.
    wish : Wish
        Order and filters.
    selected : (n,) bool
        What is selected.

    Returns
    -------
    (m,) int64
        Among equals the least sure comes first, then the one found first.
    """
    key = _key(items, wish.sort)
    # NaN is last in a sort, whichever sign it has.
    order = np.lexsort((items.column(CONFIDENCE), key if wish.ascending else -key))
    return np.asarray(order[_kept(items, wish, selected)[order]], dtype=np.int64)


def _key(items: GalleryItems, sort: str) -> Values:
    if sort == Sort.CLASS:
        return np.where(items.shown >= 0, items.shown, np.nan)
    if sort == Sort.FOUND:
        return np.arange(len(items), dtype=np.float64)
    sure = items.column(CONFIDENCE)
    if sort == Sort.DISAGREEMENT:
        # Where the model is sure that a label is wrong, it is most worth a look.
        return np.where(items.disagrees, -1 - np.nan_to_num(sure), sure)
    return items.column(sort)


def _kept(items: GalleryItems, wish: Wish, selected: Flags) -> Flags:
    kept = {
        Show.ALL: np.ones(len(items), bool),
        Show.UNLABELLED: ~items.by_hand,
        Show.LABELLED: items.by_hand,
        Show.DISAGREEING: items.disagrees,
        Show.SELECTED: selected,
    }[wish.show].copy()
    if wish.class_position is not None:
        kept &= items.shown == wish.class_position
    if wish.micrograph is not None:
        kept &= items.micrographs == wish.micrograph
    for name, (low, high) in wish.ranges.items():
        values = items.column(name)
        kept &= (values >= low) & (values <= high)
    return kept

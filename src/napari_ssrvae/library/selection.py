"""Which particles all views show as selected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from napari_ssrvae.errors import InputError


class Place(NamedTuple):
    """Where a particle is: the key of its micrograph in the session, and its id there."""

    key: int
    particle: int


@dataclass(frozen=True)
class Selection:
    """Some particles, of one or several micrographs; never none.

    Attributes
    ----------
    members : mapping of int to frozenset of int
        Micrograph key → particle ids.
    focus : Place
        The one that was chosen last: it is described and centred, and stands for the others where
        there is room for one.
    """

    members: Mapping[int, frozenset[int]]
    focus: Place

    def __post_init__(self) -> None:
        if self.focus not in self:
            raise InputError("The focus of a selection must be one of its particles.")

    @classmethod
    def one(cls, key: int, particle: int) -> Selection:
        """Select a single particle."""
        return cls({key: frozenset([particle])}, Place(key, particle))

    @classmethod
    def of(cls, places: Iterable[tuple[int, int]]) -> Selection | None:
        """Select all these, the last one in focus; None where there are none."""
        members: dict[int, set[int]] = {}
        last = None
        for key, particle in places:
            members.setdefault(key, set()).add(particle)
            last = Place(key, particle)
        if last is None:
            return None
        return cls({key: frozenset(ids) for key, ids in members.items()}, last)

    def __contains__(self, place: object) -> bool:
        if not isinstance(place, tuple) or len(place) != 2:
            return False
        key, particle = place
        return particle in self.members.get(key, frozenset())

    def __len__(self) -> int:
        return sum(len(ids) for ids in self.members.values())

    def __iter__(self) -> Iterator[Place]:
        """Places in the order of micrographs and ids."""
        for key, ids in self.members.items():
            for particle in sorted(ids):
                yield Place(key, particle)

    def of_micrograph(self, key: int | None) -> frozenset[int]:
        """Return the ids that are selected in one micrograph."""
        return self.members.get(key, frozenset()) if key is not None else frozenset()

    def toggled(self, place: Place) -> Selection | None:
        """Return this with one particle more, or without it if it was there; None if it was all."""
        if place not in self:
            ids = self.of_micrograph(place.key) | {place.particle}
            return Selection({**self.members, place.key: ids}, place)
        return Selection.of(sorted((p for p in self if p != place), key=lambda p: p == self.focus))

    def extended(self, other: Selection) -> Selection:
        """Return the particles of both, with the other's focus."""
        keys = dict.fromkeys([*self.members, *other.members])
        members = {k: self.of_micrograph(k) | other.of_micrograph(k) for k in keys}
        return Selection(members, other.focus)

    def without_micrograph(self, key: int) -> Selection | None:
        """Return what is left when a micrograph, or its particles, go."""
        return self.without(key, self.of_micrograph(key))

    def without(self, key: int, ids: Iterable[int]) -> Selection | None:
        """Return what is left when some particles of a micrograph go."""
        stays = self.of_micrograph(key).difference(ids)
        if stays == self.of_micrograph(key):
            return self
        left = {k: stays if k == key else own for k, own in self.members.items()}
        left = {k: own for k, own in left.items() if own}
        if not left:
            return None
        if self.focus.particle in left.get(self.focus.key, ()):
            return Selection(left, self.focus)
        other = key if key in left else next(reversed(left))
        return Selection(left, Place(other, max(left[other])))

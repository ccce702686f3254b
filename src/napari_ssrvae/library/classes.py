"""The classes that a person names, and the colours that tell them apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from napari_ssrvae.errors import InputError

# Seven colours of Okabe & Ito (2008), "Color Universal Design", with the grey and the wine of Paul
# Tol (2021), "Colour Schemes", SRON/EPS/TN/09-002: distinguishable with every common colour-vision
# deficiency. Black is left out (invisible on a micrograph's background) and the order puts the
# colours that stand out most on grey first. The nine after them are Tol's too, each the one that
# was furthest (CIEDE2000, the least over normal sight, protan-, deuter- and tritanopia) from all
# before it.
COLOR_NAMES = {
    "#e69f00": "orange",
    "#56b4e9": "sky blue",
    "#009e73": "bluish green",
    "#cc79a7": "reddish purple",
    "#f0e442": "yellow",
    "#d55e00": "vermilion",
    "#0072b2": "blue",
    "#bbbbbb": "grey",
    "#882255": "wine",
    "#99ddff": "light cyan",
    "#666633": "dark olive",
    "#aa3377": "plum",
    "#ee6677": "rose",
    "#aa4499": "purple",
    "#6699cc": "steel blue",
    "#cc3311": "red",
    "#225555": "dark teal",
    "#44bb99": "mint",
}
"""Colour → what it is called, so that people who cannot see it can choose it."""

PALETTE = tuple(COLOR_NAMES)

NO_CLASS = "#8c8c8c"
"""Colour of what has no class in figures; that of the views, which know no library."""

_HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class ParticleClass:
    """One class of particles.

    Attributes
    ----------
    id : int
        The class number, at least 1: the value of the class in the hand-label layer and in `y`.
        0 means "no class" everywhere.
    name : str
        What a person calls it.
    color : str
        ``"#rrggbb"``.
    counted : bool
        False for debris and the like: the model learns and predicts the class, tables keep its
        particles, but shares, sizes and the other numbers of a report leave them out.
    """

    id: int
    name: str
    color: str
    counted: bool = True

    def __post_init__(self) -> None:
        if self.id < 1:
            raise InputError(f"The class number {self.id} is not allowed: classes count from 1.")
        if not self.name.strip():
            raise InputError("A class needs a name: type at least one letter.")
        if not _HEX.fullmatch(self.color):
            raise InputError(f"{self.color!r} is no colour: write it as #rrggbb.")

    def to_dict(self) -> dict[str, Any]:
        """Return the class as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ParticleClass:
        """Rebuild a class from `to_dict`."""
        try:
            return cls(
                int(values["id"]),
                str(values["name"]),
                str(values["color"]),
                bool(values.get("counted", True)),  # older files know no others
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"A class needs an id, a name and a colour; {dict(values)!r} is not one."
            ) from error


def default_color(index: int) -> str:
    """Return the colour of the class at place `index` (0-based); after eighteen they repeat."""
    return PALETTE[index % len(PALETTE)]


def next_class(
    classes: Sequence[ParticleClass], name: str | None = None, taken: Collection[int] = ()
) -> ParticleClass:
    """Return a new class with the smallest free number and a colour that is not yet in use.

    Numbers in `taken` are not free: a model may know a class by them that the table has no more.
    """
    used = {c.id for c in classes} | set(taken)
    number = next(i for i in range(1, len(used) + 2) if i not in used)
    colors = {c.color for c in classes}
    color = next((c for c in PALETTE if c not in colors), default_color(number - 1))
    return ParticleClass(number, name or f"class {number}", color)


def joined_classes(
    first: Iterable[ParticleClass], second: Iterable[ParticleClass], taken: Collection[int] = ()
) -> tuple[tuple[ParticleClass, ...], dict[int, int]]:
    """Make one table of two, in which classes are the same when their names are.

    Those that only `second` has follow, with a free number and colour where theirs is in use.

    Parameters
    ----------
    first, second : iterable of ParticleClass
        The tables.
    taken : collection of int
        Numbers that are not free either.

    Returns
    -------
    classes : tuple of ParticleClass
        All of them.
    numbers : dict of int to int
        Number of each class of `second` → its number among all.
    """
    classes = list(first)
    by_name = {c.name: c for c in classes}
    numbers: dict[int, int] = {}
    for old in second:
        if old.name not in by_name:
            free = next_class(classes, taken=taken)
            new = replace(
                old,
                id=free.id if old.id in {c.id for c in classes}.union(taken) else old.id,
                color=free.color if old.color in {c.color for c in classes} else old.color,
            )
            classes.append(new)
            by_name[new.name] = new
        numbers[old.id] = by_name[old.name].id
    return tuple(classes), numbers


def label_step_name(changes: Sequence[Mapping[int, int]], classes: Sequence[ParticleClass]) -> str:
    """Name what a person labelled, for undo.

    Parameters
    ----------
    changes : sequence of mapping of int to int
        Of each micrograph: particle id → class id, 0 where the label was taken away. Not empty.
    classes : sequence of ParticleClass
        The table.
    """
    given = {c for of_one in changes for c in of_one.values()}
    count = sum(len(of_one) for of_one in changes)
    what = f"particle {next(iter(changes[0]))}" if count == 1 else f"{count:,} particles"
    if not any(given):
        return f"clear the label{'s' if count > 1 else ''} of {what}"
    names = {c.id: c.name for c in classes}
    as_what = names.get(given.pop(), "no class") if len(given) == 1 else "several classes"
    return f"label {what} as {as_what}"

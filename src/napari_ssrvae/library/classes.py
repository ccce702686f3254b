"""The classes that a person names, and the colours that tell them apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
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

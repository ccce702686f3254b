"""The classes that a person names, and the colours that tell them apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from napari_ssrvae.errors import InputError

# Okabe & Ito (2008), "Color Universal Design": distinguishable with every common colour-vision
# deficiency. Black is left out (invisible on a micrograph's background) and the order puts the
# colours that stand out most on grey first.
PALETTE = (
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#cc79a7",
    "#f0e442",
    "#d55e00",
    "#0072b2",
    "#bbbbbb",
    "#882255",
)
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
    """

    id: int
    name: str
    color: str

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
            return cls(int(values["id"]), str(values["name"]), str(values["color"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"A class needs an id, a name and a colour; {dict(values)!r} is not one."
            ) from error


def default_color(index: int) -> str:
    """Return the colour of the class at place `index` (0-based); the palette repeats after nine."""
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

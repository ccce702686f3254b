"""Names of measures that end with a unit, as "diameter (nm)" does: a choice is of the measure."""

from __future__ import annotations

import re
from collections.abc import Iterable

_UNIT = re.compile(r"^(.*) \((.*)\)$")


def unit_of(name: str) -> str:
    """Return the unit that a name ends with, empty where it has none."""
    found = _UNIT.match(name)
    return found[2] if found else ""


def called_now(measure: str, names: Iterable[str]) -> str | None:
    """Return that of some names which is the same measure, whatever its unit is now.

    A pixel size that comes or goes gives lengths and areas other names; what a person chose stays.

    Parameters
    ----------
    measure : str
        As it was called when it was chosen.
    names : iterable of str
        As they are called now.

    Returns
    -------
    str or None
        None where there is no such measure (now).
    """
    offered = list(names)
    if measure in offered:
        return measure
    wanted = _UNIT.sub(r"\1", measure)
    return next((name for name in offered if _UNIT.sub(r"\1", name) == wanted), None)

"""How a measure is spread over the particles of each class: the numbers of a size distribution."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.errors import InputError
from napari_ssrvae.library.classes import NO_CLASS, ParticleClass

MOST_BINS = 60
ALL, REST = "all particles", "no class"
"""What the particles without a class are called: where none has one, and beside classes."""

STATISTICS = ("n", "fraction", "mean", "std", "median", "d10", "d50", "d90")


@dataclass(frozen=True)
class Group:
    """Particles that a report tells of as one: those of a class, or those without one.

    Attributes
    ----------
    id : int
        Number of the class, 0 for none.
    name, color : str
        What it is called, and "#rrggbb".
    """

    id: int
    name: str
    color: str


@dataclass(frozen=True, eq=False)
class Histogram:
    """How many particles of each class lie between the same edges.

    Attributes
    ----------
    edges : (b + 1,) float64
        Ascending; a bin holds its lower edge, the last one its upper edge too. Empty without
        values.
    counts : mapping of int to (b,) int64
        Class id → particles in each bin.
    """

    edges: NDArray[np.float64]
    counts: Mapping[int, NDArray[np.int64]]

    def table(self, names: Mapping[int, str]) -> pd.DataFrame:
        """One row a bin: `from`, `to`, and the number of particles of each class by its name."""
        columns = {"from": self.edges[:-1], "to": self.edges[1:]}
        return pd.DataFrame(columns | {names[c]: n for c, n in self.counts.items()})


def groups_to_count(
    classes: Sequence[ParticleClass], class_ids: ArrayLike, hidden: Collection[int] = ()
) -> tuple[Group, ...]:
    """Return the groups that statistics are made of: counted classes, then what has no class.

    Sizes need no classes: where no particle has one, all particles are the only group.

    Parameters
    ----------
    classes : sequence of ParticleClass
        All that there are.
    class_ids : (n,) int
        Class of each particle, 0 for none.
    hidden : collection of int
        Groups that a person has hidden.
    """
    of_class = np.asarray(class_ids, np.int64)
    if not (of_class > 0).any():
        groups = [Group(0, ALL, NO_CLASS)]
    else:
        groups = [Group(c.id, c.name, c.color) for c in classes if c.counted]
        if (of_class == 0).any():
            taken = {c.name for c in classes}  # names are columns of a table: never one twice
            name = next(n for n in (REST, f"{REST} yet", f"({REST})") if n not in taken)
            groups.append(Group(0, name, NO_CLASS))
    return tuple(group for group in groups if group.id not in hidden)


def class_statistics(
    values: ArrayLike, class_ids: ArrayLike, classes: Sequence[int]
) -> pd.DataFrame:
    """Describe a measure class by class.

    Parameters
    ----------
    values : (n,) float
        One a particle; those that are not finite are left out.
    class_ids : (n,) int
        Class of each particle.
    classes : sequence of int
        Which classes, in the order of the rows.

    Returns
    -------
    pandas.DataFrame
        One row a class: `class`, `n`, `fraction` (of the particles of all these classes), `mean`,
        `std` (of a sample, with n - 1; NaN for one particle), `median`, and `d10`, `d50`, `d90`:
        10, 50 and 90 % of the particles (by number) are below, so `d50` is the median. NaN where a
        class has no particle.

    Raises
    ------
    InputError
        The two arrays differ in length.
    """
    measured, of_class = _checked(values, class_ids)
    rows = []
    for class_id in classes:
        mine = measured[of_class == class_id]
        row = dict.fromkeys(STATISTICS, float("nan"))
        if mine.size:
            low, middle, high = np.percentile(mine, (10, 50, 90)).tolist()
            row |= {"mean": float(mine.mean()), "median": middle}
            row |= {"d10": low, "d50": middle, "d90": high}
        if mine.size > 1:
            row["std"] = float(mine.std(ddof=1))
        rows.append({"class": int(class_id), **row, "n": int(mine.size)})
    table = pd.DataFrame(rows, columns=["class", *STATISTICS])
    table["fraction"] = table["n"] / max(int(table["n"].sum()), 1)
    return table


def class_histogram(values: ArrayLike, class_ids: ArrayLike, classes: Sequence[int]) -> Histogram:
    """Count particles of each class in bins that all classes share.

    Parameters
    ----------
    values, class_ids, classes
        As in `class_statistics`; the bins span the particles of these classes alone.

    Raises
    ------
    InputError
        The two arrays differ in length.
    """
    measured, of_class = _checked(values, class_ids)
    counted = measured[np.isin(of_class, list(classes))]
    if not counted.size:
        return Histogram(np.empty(0), {c: np.empty(0, np.int64) for c in classes})
    edges = _edges(counted)
    counts = {c: np.histogram(measured[of_class == c], edges)[0] for c in classes}
    return Histogram(edges, {c: n.astype(np.int64) for c, n in counts.items()})


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bins after Freedman and Diaconis or Sturges, whichever are finer; never too many."""
    edges = np.histogram_bin_edges(values, bins="auto")
    if len(edges) - 1 > MOST_BINS:  # one far outlier would make thousands
        edges = np.histogram_bin_edges(values, bins=MOST_BINS)
    return np.asarray(edges, np.float64)


def _checked(
    values: ArrayLike, class_ids: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    measured, of_class = np.asarray(values, np.float64), np.asarray(class_ids, np.int64)
    if measured.ndim != 1 or measured.shape != of_class.shape:
        raise InputError("Statistics by class need one value and one class for each particle.")
    known = np.isfinite(measured)
    return measured[known], of_class[known]


def plus_minus(mean: float, std: float) -> str:
    """Write "52.3 ± 4.1": the spread with two significant digits, the mean as far.

    Without a spread (one particle) only the mean, with three significant digits; "–" without one.
    """
    if not np.isfinite(mean):
        return "–"
    if not np.isfinite(std):
        return rounded(mean, 3)
    if std == 0:
        return f"{rounded(mean, 3)} ± 0"
    digits = max(0, 1 - int(np.floor(np.log10(std))))
    return f"{mean:.{digits}f} ± {std:.{digits}f}"


def rounded(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, without an exponent; "–" for NaN."""
    if not np.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    return f"{value:.{max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))}f}"


def unit_note(micrographs: Sequence[tuple[str, float | None, int]]) -> str:
    """Return a sentence where sizes cannot be given in nm, empty where they can.

    Parameters
    ----------
    micrographs : sequence of (str, float or None, int)
        Name of each micrograph, its nm per pixel (None where unknown), and how many particles it
        has.
    """
    unknown = [(name or "a micrograph", n) for name, size, n in micrographs if size is None]
    if not unknown:
        return ""
    if len(unknown) == len(micrographs):
        whose = "" if len(unknown) == 1 else " of any micrograph"
        return f"Sizes are in px: the pixel size{whose} is not known. Type it in to have nm."
    parts = [f"{n:,} of {name}" for name, n in unknown[:3]]
    if len(unknown) > 3:
        parts.append(f"{sum(n for _, n in unknown[3:]):,} of {len(unknown) - 3} others")
    total = sum(n for _, n in unknown)
    what = "particle is" if total == 1 else "particles are"
    return (
        f"{total:,} {what} left out of lengths and areas, since the pixel size is not known: "
        f"{', '.join(parts)}. Type it in to have them in nm."
    )

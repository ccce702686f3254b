"""What of a catalogue a scatter plot can show: its axes, and what its colours mean; no Qt."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.library.catalogue import Catalogue, Ids, Values, positions
from napari_ssrvae.library.classes import PALETTE, ParticleClass
from napari_ssrvae.viewer.views.color import NO_CLASS
from napari_ssrvae.viewer.views.units import called_now

CLASS, HAND, MICROGRAPH = "class", "hand label", "micrograph"


@dataclass(frozen=True, eq=False)
class Coloring:
    """Colours of m points as `LatentPlot.set_points` takes them.

    Attributes
    ----------
    colors : (m,) int64 or float64
        Positions in `legend`, or numbers.
    legend : sequence of (name, "#rrggbb", count)
        What the positions mean.
    label : str or None
        What the numbers are.
    """

    colors: Ids | Values
    legend: Sequence[tuple[str, str, int]] = ()
    label: str | None = None


def axes_of(catalogue: Catalogue) -> dict[str, Values]:
    """Return what x and y can be, by name: every column, and projections of more than two z."""
    axes = dict(catalogue.columns)
    if catalogue.z.shape[1] > 2:
        projected = projection(catalogue.z)
        axes |= {f"projection {i + 1}": projected[:, i] for i in range(2)}
    return axes


def projection(z: Values) -> Values:
    """Return the two directions in which z varies most, (n, d) -> (n, 2): principal components.

    The same z give the same picture: of each direction and its opposite, the one is taken whose
    largest part is positive.
    """
    known = np.isfinite(z).all(axis=1)
    result = np.full((len(z), 2), np.nan)
    if known.sum() > 1:
        centred = z[known] - z[known].mean(axis=0)
        directions = np.linalg.eigh(centred.T @ centred)[1][:, :-3:-1]
        largest = np.abs(directions).argmax(axis=0)
        directions = directions * np.sign(directions[largest, [0, 1]])
        result[known] = centred @ directions
    return result


def axes_shown(names: Mapping[str, object], wanted: tuple[str, str]) -> tuple[str, str]:
    """Return the wanted axes, or the first two latents where one of them is not there (now)."""
    x, y = (called_now(name, names) for name in wanted)
    if x is not None and y is not None:
        return x, y
    return ("z1", "z2" if "z2" in names else "confidence")


def colorings_of(catalogue: Catalogue) -> list[str]:
    """Return what the colours can mean."""
    numbers = [name for name in catalogue.columns if name != "confidence"]
    return [CLASS, HAND, "confidence", MICROGRAPH, *numbers]


def coloring(
    catalogue: Catalogue, rows: Ids, name: str, classes: Sequence[ParticleClass]
) -> Coloring:
    """Return the colours of some rows by one of `colorings_of`."""
    if name == MICROGRAPH:
        at = positions(catalogue.keys[rows], [*catalogue.micrograph_names])
        names = list(catalogue.micrograph_names.values())
        return Coloring(at, _legend(names, [_color(i) for i in range(len(names))], at))
    if name not in (CLASS, HAND):
        return Coloring(catalogue.columns[name][rows], label=name)
    of_rows = (catalogue.shown if name == CLASS else catalogue.hand)[rows]
    at = positions(of_rows, [c.id for c in classes])
    names, colors = [c.name for c in classes], [c.color for c in classes]
    if name == HAND:
        at = np.where(at < 0, len(classes), at)
        names, colors = [*names, "unlabelled"], [*colors, NO_CLASS]
    return Coloring(at, _legend(names, colors, at))


def _legend(
    names: Sequence[str], colors: Sequence[str], at: NDArray[np.int64]
) -> list[tuple[str, str, int]]:
    counts = np.bincount(at[at >= 0], minlength=len(names)).tolist()
    return list(zip(names, colors, counts, strict=True))


def _color(i: int) -> str:
    """Return the colour of the i-th micrograph: of the palette, then hues far from the last."""
    if i < len(PALETTE):
        return PALETTE[i]
    red, green, blue = colorsys.hsv_to_rgb(0.618 * i % 1, 0.6, 0.85)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"

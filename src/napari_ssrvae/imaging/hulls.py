"""Convex hulls of thousands of particles at once, and what is measured on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.imaging.runs import Runs

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_MOST = 4_000_000  # numbers in a table of all pairs of corners


@dataclass(frozen=True, eq=False)
class Hulls:
    """What the convex hulls of n particles measure, in px.

    The outline runs through the middles of the pixels' outer edges, as in
    `skimage.measure.find_contours`. Through their corners a disc of 40 px had a largest Feret of
    41.2 px and a turned square a solidity of 0.96; through their centres all were too small.

    Attributes
    ----------
    area : (n,) float64
        Of the hull.
    feret_max, feret_min : (n,) float64
        Largest and smallest distance of two parallel lines that touch the hull from both sides.
    """

    area: Floats
    feret_max: Floats
    feret_min: Floats

    @classmethod
    def of(cls, runs: Runs) -> Hulls:
        """Measure the hulls of the particles of these runs."""
        n = len(runs.ids)
        if not n:
            return cls(np.empty(0), np.empty(0), np.empty(0))
        particle, y, left, right = runs.rows()
        # The hull of the pixel centres: its left side, and its right side mirrored.
        sides = [_convex(particle, y, left), _convex(particle, y, -right)]
        area, around = np.zeros(n), np.zeros(n)
        for of, at, x in sides:
            same = of[1:] == of[:-1]
            dy, dx = np.diff(at), np.diff(x)
            beside = np.where(same, dy * (x[1:] + x[:-1]) / 2, 0.0)
            area -= np.bincount(of[1:], weights=beside, minlength=n)
            longer = np.where(same, np.maximum(dy, abs(dx)), 0)
            around += np.bincount(of[1:], weights=longer, minlength=n)
            for end in (np.append(True, ~same), np.append(~same, True)):  # top and bottom
                around -= x[end]
        # From the centres to the middles of the pixels' edges it grows by half the longer leg of
        # each of its sides, and by half a square pixel in all.
        area += around / 2 + 0.5
        of, at, x = (
            np.concatenate((a, b)) for a, b in zip(sides[0], _turned(sides[1]), strict=True)
        )
        order = np.argsort(of, kind="stable")
        return cls(area, *_ferets(of[order], at[order], x[order], n))


def _turned(side: tuple[Ints, Ints, Ints]) -> tuple[Ints, Ints, Ints]:
    """Return the right side as it is, from bottom to top, so that left and right make one round."""
    of, at, x = side
    order = np.lexsort((-at, of))
    return of[order], at[order], -x[order]


def _convex(of: Ints, at: Ints, x: Ints) -> tuple[Ints, Ints, Ints]:
    """Keep the corners of the hull of the smallest x of each row, particle by particle.

    A point on or behind the line between its two neighbours is no corner, whatever else goes with
    it: so all such points of all particles go at once, again and again until there is none.
    """
    finished: list[tuple[Ints, Ints, Ints]] = []
    while len(of):
        drop = np.zeros(len(of), dtype=bool)
        inner = (of[2:] == of[1:-1]) & (of[1:-1] == of[:-2])
        dy, dx = np.diff(at), np.diff(x)
        drop[1:-1] = inner & (dx[:-1] * dy[1:] >= dx[1:] * dy[:-1])
        busy = np.zeros(int(of[-1]) + 1, dtype=bool)
        busy[of[drop]] = True
        done = ~busy[of]
        finished.append((of[done], at[done], x[done]))
        stay = ~(done | drop)
        of, at, x = of[stay], at[stay], x[stay]
    if not finished:
        return of, at, x
    of, at, x = (np.concatenate(parts) for parts in zip(*finished, strict=True))
    order = np.lexsort((at, of))
    return of[order], at[order], x[order]


def _ferets(of: Ints, y: Ints, x: Ints, n: int) -> tuple[Floats, Floats]:
    """Largest and smallest Feret diameter from the corners of each hull, in their order around."""
    largest, smallest = np.ones(n), np.ones(n)
    for rows, places in _portions(np.bincount(of, minlength=n)):
        dy, dx = (c[places][:, :, None] - c[places][:, None, :] for c in (y, x))
        # Two corners, and half a pixel beyond each along one axis or the other.
        far, near = np.maximum(abs(dy), abs(dx)), np.minimum(abs(dy), abs(dx))
        largest[rows] = np.hypot(far + 1, near).max((1, 2))
        # The smallest one stands upright on an edge of the hull.
        edge_y = np.roll(y[places], -1, axis=1) - y[places]
        edge_x = np.roll(x[places], -1, axis=1) - x[places]
        length = np.hypot(edge_y, edge_x)
        across = dx * edge_y[:, None, :] - dy * edge_x[:, None, :]
        width = np.ptp(across, axis=1) + np.maximum(abs(edge_y), abs(edge_x))
        # Twice the same corner, where both sides of the hull meet, makes no edge.
        none = length == 0
        width = np.where(none, np.inf, width / np.where(none, 1, length)).min(axis=1)
        smallest[rows] = np.where(np.isfinite(width), width, 1.0)  # of a single pixel
    return largest, smallest


def _portions(counts: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield particles with about as many corners: their numbers, and places of their corners.

    (m,) and (m, k); where one has fewer corners than k, its last one stands for the others.
    """
    starts = np.cumsum(counts) - counts
    order = np.argsort(counts, kind="stable")
    end = len(order)
    while end:
        k = max(int(counts[order[end - 1]]), 1)
        begin = max(0, end - max(1, _MOST // k**2))
        rows = order[begin:end]
        yield rows, starts[rows, None] + np.minimum(np.arange(k), counts[rows, None] - 1)
        end = begin

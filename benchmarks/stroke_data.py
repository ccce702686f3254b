"""Strokes of particle and background, simulated from instance maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

STROKES, LENGTH, TRIES = 5, 20, 60


def simulated_strokes(instances: NDArray[Any], seed: int, brush: int = 1) -> NDArray[np.uint8]:
    """Paint straight strokes on particles (2) and background (1), brush px wide."""
    draw = np.random.default_rng(seed)
    painted = np.zeros(instances.shape, np.uint8)
    for kind, where in ((2, instances > 0), (1, instances == 0)):
        spots = np.argwhere(where)
        for _ in range(STROKES):
            stroke = np.zeros(instances.shape, bool)
            stroke[_line(instances, spots, draw)] = True
            if brush > 1:
                stroke = ndi.binary_dilation(stroke, np.ones((brush, brush))) & where
            painted[stroke] = kind
    return painted


def _line(instances: NDArray[Any], spots: NDArray[Any], draw: np.random.Generator) -> Any:
    """Return the pixels of one stroke: the longest of some that stays on what it began on."""
    best: Any = ((), ())
    reach = np.linspace(-(LENGTH - 1) / 2, (LENGTH - 1) / 2, LENGTH)
    for _ in range(TRIES):
        y, x = spots[draw.integers(len(spots))]
        angle = draw.uniform(0, np.pi)
        rows = np.round(y + reach * np.sin(angle)).astype(int)
        columns = np.round(x + reach * np.cos(angle)).astype(int)
        inside = (rows >= 0) & (columns >= 0)
        inside &= (rows < instances.shape[0]) & (columns < instances.shape[1])
        rows, columns = rows[inside], columns[inside]
        same = instances[rows, columns] == instances[y, x]
        if np.count_nonzero(same) > len(best[0]):
            best = rows[same], columns[same]
        if len(best[0]) == LENGTH:
            break
    return best

"""Perimeters of thousands of particles at once, by Crofton's formula."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.imaging.runs import Runs

_PORTION = 2**15  # pixels looked at together: they stay in the processor's cache

_QUARTER = ((0, 1), (1, 3), (1, 2), (1, 1), (2, 1), (3, 1))
_STEPS = (*_QUARTER, *((dx, -dy) for dy, dx in _QUARTER))
"""Steps (y, x) along which the outline is crossed, by angle: twelve directions over a half turn."""


def perimeters(labels: NDArray[Any], runs: Runs) -> NDArray[np.float64]:
    """Measure the perimeters of particles, px.

    A line that crosses a particle enters and leaves it; π/2 times the crossings of all parallel
    lines, times their spacing, is the perimeter, averaged over all directions (Crofton). Here
    lines run in twelve directions of the pixel grid, each with the share of the half turn that it
    stands for. Steps of several pixels miss corners: what is missed grows with the square of the
    step, so steps once and twice as long tell what no step at all would give.

    With four directions, as in `skimage.measure.perimeter_crofton`, squares come out 5 to 9 % too
    short; so, a square of 40 px is off by 0.7 %, a disc of 20 px by 0.3 %.

    Parameters
    ----------
    labels
        (H, W) integers, 0 = background.
    runs
        Of this image: the particles to measure.

    Returns
    -------
    (n,) array
        In the order of `runs.ids`.
    """
    n = len(runs.ids)
    if not n:
        return np.empty(0)
    reach = 2 * max(max(abs(dy), abs(dx)) for dy, dx in _STEPS)
    box = (
        slice(int(runs.y.min()), int(runs.y.max()) + 1),
        slice(int(runs.start.min()), int(runs.stop.max())),
    )
    padded = np.pad(labels[box], reach)
    width, flat = padded.shape[1], padded.ravel()
    moved = Runs(
        runs.ids,
        runs.particle,
        runs.y + (reach - box[0].start),
        runs.start + (reach - box[1].start),
        runs.stop + (reach - box[1].start),
    )
    counts = np.zeros((len(_STEPS), n), dtype=np.int64)  # doubled, and whole: sums are exact
    for places, particle in moved.pixels(width, max(_PORTION, n)):
        values = flat[places]
        for k, (dy, dx) in enumerate(_STEPS):
            step = dy * width + dx
            near = _leaving(flat, places + step, values, particle, n)
            counts[k] += 2 * near
            if dy and dx:  # a corner can be missed
                far = _leaving(flat, places + 2 * step, values, particle, n)
                counts[k] += 2 * near - far
    total = np.zeros(n)
    for weight, count in zip(_weights(), counts, strict=True):
        total += weight * count / 2
    return total


def _leaving(
    flat: NDArray[Any], there: NDArray[Any], values: NDArray[Any], particle: NDArray[Any], n: int
) -> NDArray[Any]:
    """Count the pixels of each particle from which a step leads out of it."""
    # no place is beyond the image, so "clip" changes nothing but the time that checking takes
    out = np.flatnonzero(flat.take(there, mode="clip") != values)
    return np.bincount(particle.take(out, mode="clip"), minlength=n)


def _weights() -> NDArray[np.float64]:
    """π times the share of each direction by the length of its step.

    π and not π/2, since each line that a particle is left along was entered along before.
    """
    angles = np.array([np.arctan2(dy, dx) % np.pi for dy, dx in _STEPS])
    around = np.concatenate(([angles[-1] - np.pi], angles, [np.pi]))
    shares = (around[2:] - around[:-2]) / (2 * np.pi)
    return np.asarray(np.pi * shares / np.hypot(*np.transpose(_STEPS)))

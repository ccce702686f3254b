"""Clumps: touching particles as one object, with particles found one by one as a guide.

One threshold draws all clumps, so that dim and overlapping particles are in them which no single
segment describes. The particles that were chosen one by one say which threshold is right, which
pieces of its mask are particles at all, and what it lacks.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from napari_ssrvae.imaging.candidates import Mask
from napari_ssrvae.imaging.proposals import Labels

_EIGHT = np.ones((3, 3), dtype=bool)
_MISSED = 4.0  # how much more it counts that a mask lacks a chosen pixel than that it has another
_CHOSEN = 0.02  # least share of a piece of the mask that chosen particles cover
_TRUSTED = 0.75  # share of its pieces that hold chosen ones: then the mask is right as it is
_CRUMB = 0.2  # of a typical particle's area: smaller pieces are not counted
_LACKING = 0.5  # of a chosen particle: if the mask has less of it, it is added


def agreement(mask: Mask, particles: Mask) -> float:
    """Say how well a mask agrees with chosen particles: an F-measure that favours recall."""
    shared = np.count_nonzero(mask & particles)
    beyond = np.count_nonzero(mask) - shared
    lacking = np.count_nonzero(particles) - shared
    return (1 + _MISSED) * shared / max((1 + _MISSED) * shared + _MISSED * lacking + beyond, 1)


def with_chosen(mask: Mask, particles: Labels, only: bool) -> Mask:
    """Correct a mask by particles that were found one by one.

    Parameters
    ----------
    mask
        (H, W).
    particles
        (H, W) chosen particles from 1, at least one.
    only
        Whether pieces of the mask go in which there is next to nothing of the chosen, unless they
        are few.

    Returns
    -------
    (H, W) bool
        With the particles that it lacked.
    """
    sizes = np.bincount(particles.ravel())
    if only:
        typical = float(np.median(sizes[1:][sizes[1:] > 0]))
        pieces, count = ndi.label(mask, structure=_EIGHT)
        area = np.bincount(pieces.ravel(), minlength=count + 1)
        area[0] = 0
        shared = np.bincount(pieces[particles > 0], minlength=count + 1)
        keep = (shared >= _CHOSEN * area) & (area > 0)
        large = area >= _CRUMB * typical
        if np.count_nonzero(keep & large) < _TRUSTED * np.count_nonzero(large):
            mask = keep[pieces]
    covered = np.bincount(particles[mask], minlength=len(sizes))
    lacking = covered < _LACKING * sizes
    lacking[0] = False
    return np.asarray(mask | lacking[particles])

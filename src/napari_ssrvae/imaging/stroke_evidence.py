"""What strokes, and the probability learnt from them, say of every segment of a pool.

As in `segment_features`, everything is summed once over the basins of a proposal: a segment's
sums follow from those of its basins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_ssrvae.imaging.candidates import Image, Mask
from napari_ssrvae.imaging.choosing import Pool
from napari_ssrvae.imaging.segment_features import Basins, Values

BACKGROUND, PARTICLE = 1, 2
_EIGHT = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class Evidence:
    """What is known of the N segments of a pool.

    Attributes
    ----------
    probable
        (N,) mean probability of a particle inside.
    contrast
        (N,) by how much that is above the mean around.
    refused
        (N,) bool: more of it was painted as background than as particle.
    held
        (N, strokes of particle) share of each stroke that lies in each segment.
    """

    probable: Values
    contrast: Values
    refused: Mask
    held: Values


def evidence(pool: Pool, probability: Image, painted: NDArray[np.uint8]) -> Evidence:
    """Describe the segments of a pool by probability and strokes.

    Parameters
    ----------
    pool
        The segments.
    probability
        (h, w) of a particle, 0 to 1.
    painted
        (h, w) 0 nothing, 1 background, 2 particle.
    """
    strokes, count = ndi.label(painted == PARTICLE, structure=_EIGHT)
    where = np.flatnonzero(painted)
    stroke = strokes.ravel()[where].astype(np.int64)  # 0: of the background
    sums = np.zeros((3, len(pool.area)))
    inside = np.zeros((len(pool.area), count + 1))
    of_basins = [_basin_sums(basins, probability) for basins in pool.basins]
    for grouping in np.unique(pool.grouping):
        rows = np.flatnonzero(pool.grouping == grouping)
        proposal = int(pool.proposal[rows[0]])
        parts, number = pool.groupings[grouping], pool.number[rows]
        segments = int(parts.max()) + 1
        for k, row in enumerate(of_basins[proposal]):
            sums[k, rows] = np.bincount(parts, weights=row, minlength=segments)[number]
        under = parts[pool.basins[proposal].proposal.basins.ravel()[where]].astype(np.int64)
        pairs = np.bincount(under * (count + 1) + stroke, minlength=segments * (count + 1))
        inside[rows] = pairs.reshape(segments, count + 1)[number]
    total, ring, ring_total = sums
    probable = total / pool.area
    around = np.where(ring > 0, ring_total / np.maximum(ring, 1), probable / 2)
    lengths = np.maximum(np.bincount(stroke, minlength=count + 1)[1:], 1)
    return Evidence(
        probable,
        probable - around,
        inside[:, 0] > inside[:, 1:].sum(axis=1),
        inside[:, 1:] / lengths,
    )


def _basin_sums(basins: Basins, probability: Image) -> Values:
    """(3, basins + 1) probability of each basin; pixels and probability of the ring around it."""
    flat = probability.ravel()
    rows = np.zeros((3, basins.count + 1))
    rows[0, 1:] = np.add.reduceat(flat[basins.pixels].astype(float), basins.starts[1:])
    ring, own = basins.ring
    rows[1] = np.bincount(own, minlength=basins.count + 1)
    rows[2] = np.bincount(own, weights=flat[ring], minlength=basins.count + 1)
    return rows

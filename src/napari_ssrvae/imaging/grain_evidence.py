"""What the network that sees grains says of every segment of a pool.

As in `segment_features`, everything is summed once over the basins of a proposal: a segment's
sums follow from those of its basins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.imaging.candidates import Image, Mask
from napari_ssrvae.imaging.choosing import Pool, choose, company, select
from napari_ssrvae.imaging.filters import boundaries
from napari_ssrvae.imaging.grain_proposals import NETWORK
from napari_ssrvae.imaging.particle_rating import rate_seen
from napari_ssrvae.imaging.proposals import Labels
from napari_ssrvae.imaging.resolution import shrink
from napari_ssrvae.imaging.segment_features import Basins, Integers, Values

if TYPE_CHECKING:
    from napari_ssrvae.imaging.grain_net import Grains

LEAST = 0.6  # least rating of what is chosen
LOOKS = 2
NAMES = ("inside", "contrast", "outline", "seam", "depth")
"""Of each look: the mean probability of a particle, by how much that is above the mean around; the
mean probability of an outline along the segment's own; of outlines within it, their sum by the
square root of the area; the greatest depth."""
_ALIKE = 0.25  # difference of log area up to which two segments in one place are the same


def choose_seen(pool: Pool, seen: list[Grains]) -> Labels:
    """Choose the best segments that do not overlap, with what the network saw.

    Parameters
    ----------
    pool
        Segments, among them those that the network proposed.
    seen
        From `grain_proposals.look_twice`.

    Returns
    -------
    (H, W) int32
        Particles from 1.
    """
    _, chosen, rating = choose(pool)
    return select(pool, rate_seen(told(pool, chosen, rating, seen)), LEAST)[0]


def told(pool: Pool, chosen: Integers, rating: Values, seen: list[Grains]) -> Values:
    """Gather the features of the last rating: without the network, in company, and by it.

    Parameters
    ----------
    pool, seen
        As `choose_seen` takes them.
    chosen, rating
        The choice without the network, from `choosing.choose`.
    """
    return np.column_stack(
        [pool.features, company(pool, rating, chosen), grain_evidence(pool, seen)]
    )


def grain_evidence(pool: Pool, seen: list[Grains]) -> Values:
    """Describe the segments of a pool by what the network saw.

    Parameters
    ----------
    pool
        Segments, among them those that the network proposed.
    seen
        From `grain_proposals.look_twice`: of one look, the second is taken to say the same.

    Returns
    -------
    (N, 13) float64
        `NAMES` of each of two looks; then the least difference of log area to a segment of the
        network in the same place, in how large a share of its groupings there is one alike, and
        whether the network proposed the segment.
    """
    columns = [_of_look(pool, grains) for grains in (*seen, seen[-1])[:LOOKS]]
    return np.column_stack([*columns, _agreement(pool)])


def _of_look(pool: Pool, grains: Grains) -> Values:
    factor = pool.shape[0] / grains.inside.shape[0]
    inside, outline, depth = (
        shrink(one, factor, pool.shape).ravel()
        for one in (grains.inside, grains.outline, grains.depth)
    )
    table = np.zeros((len(pool.area), len(NAMES)))
    sums: dict[int, Values] = {}
    deepest: dict[int, Values] = {}
    for group in np.unique(pool.grouping):
        rows = np.flatnonzero(pool.grouping == group)
        k = int(pool.proposal[rows[0]])
        basins = pool.basins[k]
        if k not in sums:
            sums[k] = _sums(basins, inside, outline)
            deepest[k] = np.append(0, np.maximum.reduceat(depth[basins.pixels], basins.starts[1:]))
        parts, number = pool.groupings[group], pool.number[rows]
        count = int(parts.max()) + 1
        total, within, ring, around = (
            np.bincount(parts, weights=row, minlength=count)[number] for row in sums[k]
        )
        along, length, seams = _along(basins, parts, count, outline)
        greatest = np.zeros(count)
        np.maximum.at(greatest, parts, deepest[k])
        area = pool.area[rows]
        mean = total / area
        beside = np.where(ring > 0, around / np.maximum(ring, 1), mean / 2)
        table[rows] = np.stack(
            [
                mean,
                mean - beside,
                (along / np.maximum(length, 1))[number],
                (within + seams[number]) / np.sqrt(area),
                greatest[number],
            ],
            axis=1,
        )
    return table


def _sums(basins: Basins, inside: Image, outline: Image) -> Values:
    """(4, basins + 1) particle inside, outline within; pixels and particle of the ring around."""
    rows = np.zeros((4, basins.count + 1))
    first, pixels = basins.starts[1:], basins.pixels
    rows[0, 1:] = np.add.reduceat(inside[pixels].astype(float), first)
    core = ~boundaries(basins.proposal.basins, 1).ravel()[pixels]
    rows[1, 1:] = np.add.reduceat(outline[pixels] * core.astype(float), first)
    ring, own = basins.ring
    rows[2] = np.bincount(own, minlength=basins.count + 1)
    rows[3] = np.bincount(own, weights=inside[ring], minlength=basins.count + 1)
    return rows


def _along(
    basins: Basins, parts: NDArray[np.int32], count: int, outline: Image
) -> tuple[Values, Values, Values]:
    """Sum of outlines along each segment's own, its length, and the sum where its basins meet."""
    cracks = basins.cracks
    own, other, there = parts[cracks.own], parts[cracks.other], outline[cracks.pixel]
    outer = own != other

    def total(weights: Image | None, where: Mask) -> Values:
        some = None if weights is None else weights[where]
        return np.asarray(np.bincount(own[where], some, minlength=count), dtype=np.float64)

    return total(there, outer), total(None, outer), total(there, ~outer)


def _agreement(pool: Pool) -> Values:
    """(N, 3) least difference to a segment of the network, share of its groupings, own one."""
    own = np.array([basins.proposal.source == NETWORK for basins in pool.basins])
    least, alike, groups = np.full(len(pool.area), 3.0), np.zeros(len(pool.area)), 0
    for basins, is_own in zip(pool.basins, own, strict=True):
        if not is_own:
            continue
        at = basins.proposal.basins.ravel()
        there = at[pool.centre]
        sizes = np.bincount(at, minlength=basins.count + 1)
        for _, parts in basins.proposal.groupings:
            area = np.bincount(parts, weights=sizes)[parts[there]]
            away = np.abs(np.log(np.maximum(area, 1) / pool.area))
            away[there == 0] = 3.0
            least = np.minimum(least, away)
            alike += away < _ALIKE
            groups += 1
    return np.stack([least, alike / max(groups, 1), own[pool.proposal]], axis=1)

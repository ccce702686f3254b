"""The best particles of many proposals: each segment is rated, and the best exclude the others.

A rating says how likely a segment is one particle, drawn as a person would draw it. It is given
twice: at first every segment by itself, then in the company of what the first rating chose, since
the particles of one picture are alike in size, brightness and polarity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.imaging.candidates import Image, Mask
from napari_ssrvae.imaging.particle_rating import rate_alone, rate_in_company
from napari_ssrvae.imaging.proposals import Labels, Proposal, propose
from napari_ssrvae.imaging.segment_features import (
    NAMES,
    Basins,
    Integers,
    Segments,
    Surroundings,
    Values,
    weighted_median,
)

_ALIKE = 0.25  # difference of log area up to which two segments in one place are the same
_OVERLAP = 0.2  # share of a segment that better ones may already have
_FIRST, _LAST = 0.65, 0.7  # least rating of what is chosen, alone and in company
_MOST_TRIED = 30_000  # segments tried in the order of their rating

_COLUMN = {name: k for k, name in enumerate(NAMES)}
_COMPANY = ("inside", "outside", "step", "elongation", "texture")


@dataclass(frozen=True)
class Pool:
    """All different segments of all proposals of one picture.

    Attributes
    ----------
    shape
        Of the picture.
    features
        (N, F), columns as in `NAMES`, and two more: the logarithm of the number of masks that
        have the same segment, and their share.
    area, centre, sign
        (N,) px, flat index of the innermost pixel, polarity.
    proposal, number
        (N,) where it is from: index into `basins`, segment of its grouping.
    grouping
        (N,) index into `groupings`.
    members, member_of
        (M,) the segments that each grouping consists of, and that grouping: a segment that
        several degrees of splitting agree on is in several.
    basins, groupings
        Of all proposals.
    """

    shape: tuple[int, int]
    features: Values
    area: Values
    centre: Integers
    sign: Values
    proposal: Integers
    number: Integers
    grouping: Integers
    members: Integers
    member_of: Integers
    basins: list[Basins]
    groupings: list[NDArray[np.int32]]

    def pixels(self, segment: int) -> Integers:
        """Flat indices of one segment."""
        basins = self.basins[self.proposal[segment]]
        grouping = self.groupings[self.grouping[segment]]
        parts = np.flatnonzero(grouping == self.number[segment])
        return np.concatenate([basins.pixels_of(int(k)) for k in parts])


@dataclass(frozen=True)
class Described:
    """One proposal and what is known of its segments, for every degree of splitting."""

    basins: Basins
    segments: list[Segments]


def describe(proposal: Proposal, around: Surroundings) -> Described:
    """Measure the segments of a proposal."""
    basins = Basins(proposal, around)
    segments = [basins.segments(level, grouping) for level, grouping in proposal.groupings]
    return Described(basins, [one for one in segments if len(one.area)])


def pool_segments(
    pictures: dict[str, Image],
    annotations: Mask,
    signs: tuple[int, ...],
    depth_factor: float = 1.0,
    only: set[tuple[str, int, str]] | None = None,
    agreement: tuple[float, float] | None = None,
) -> Pool | None:
    """Gather the segments of all proposals; None where there is none.

    Parameters
    ----------
    pictures, annotations
        From `proposals.versions` and `annotations.find_annotations`.
    signs, depth_factor, only
        As `proposals.propose` takes them.
    agreement
        The two features that say how many masks have a segment, where only few are made.
    """
    around = Surroundings(pictures, annotations)
    proposals = propose(pictures, signs, depth_factor, only)
    return pool_described([describe(one, around) for one in proposals], agreement)


def pool_described(
    described: list[Described], agreement: tuple[float, float] | None = None
) -> Pool | None:
    """Gather the segments of proposals that were described; None where there is none.

    Parameters
    ----------
    described
        All proposals.
    agreement
        As `pool_segments` takes it.
    """
    basins = [one.basins for one in described]
    kept: list[tuple[int, int, Segments]] = []
    groupings: list[NDArray[np.int32]] = []
    for index, one in enumerate(described):
        for segments in one.segments:
            kept.append((index, len(groupings), segments))
            groupings.append(segments.grouping)
    if not kept:
        return None
    sizes = [len(segments.area) for _, _, segments in kept]
    of_proposal = np.repeat([p for p, _, _ in kept], sizes)
    of_grouping = np.repeat([g for _, g, _ in kept], sizes)
    area = np.concatenate([s.area for _, _, s in kept])
    centre = np.concatenate([s.centre for _, _, s in kept])
    sign = np.array([b.proposal.sign for b in basins], dtype=float)[of_proposal]
    _, first, same_as = np.unique(
        np.stack([of_proposal, centre, area.astype(np.int64)]),
        axis=1,
        return_index=True,
        return_inverse=True,
    )
    features = np.concatenate([s.features for _, _, s in kept])[first]
    if agreement is None:
        same, share = _agreement(kept, basins, area[first], centre[first], sign[first])
        agreeing = np.stack([np.log1p(same), share], axis=1)
    else:
        agreeing = np.tile(agreement, (len(first), 1))
    return Pool(
        basins[0].proposal.basins.shape,
        np.column_stack([features, agreeing]),
        area[first],
        centre[first],
        sign[first],
        of_proposal[first],
        np.concatenate([s.number for _, _, s in kept])[first],
        of_grouping[first],
        np.asarray(same_as, dtype=np.int64).ravel(),
        of_grouping,
        basins,
        groupings,
    )


def _agreement(
    kept: list[tuple[int, int, Segments]],
    basins: list[Basins],
    area: Values,
    centre: Integers,
    sign: Values,
) -> tuple[Values, Values]:
    """In how many masks of its polarity, and in what share of them, a segment is found."""
    found = np.zeros((len(basins), len(area)), dtype=bool)
    for index, _, segments in kept:
        sizes = np.zeros(int(segments.grouping.max()) + 1)
        sizes[segments.number] = segments.area
        there = sizes[segments.grouping[basins[index].proposal.basins.ravel()[centre]]]
        alike = np.abs(np.log(np.maximum(there, 1) / area)) < _ALIKE
        found[index] |= alike & (there > 0)
    polarity = np.array([b.proposal.sign for b in basins])
    same = np.zeros(len(area))
    share = np.zeros(len(area))
    for one in (1, -1):
        rows, columns = polarity == one, sign == one
        same[columns] = found[np.ix_(rows, columns)].sum(axis=0)
        share[columns] = same[columns] / max(np.count_nonzero(rows), 1)
    return same, share


def choose(pool: Pool) -> tuple[Labels, Integers, Values]:
    """Choose the best segments that do not overlap.

    Returns
    -------
    (H, W) int32
        Particles from 1.
    (n,) int64
        Which segment of the pool each is.
    (N,) float64
        The ratings of all segments.
    """
    alone = rate_alone(pool.features)
    _, chosen = select(pool, alone, _FIRST)
    rating = rate_in_company(np.column_stack([pool.features, company(pool, alone, chosen)]))
    labels, chosen = select(pool, rating, _LAST)
    return labels, chosen, rating


def select(pool: Pool, rating: Values, least: float) -> tuple[Labels, Integers]:
    """Take segments in the order of their rating, unless better ones have their place."""
    taken = np.zeros(pool.shape[0] * pool.shape[1], dtype=np.int32)
    chosen: list[int] = []
    for k in np.argsort(-rating, kind="stable")[:_MOST_TRIED]:
        if rating[k] < least:
            break
        if taken[pool.centre[k]]:
            continue
        pixels = pool.pixels(int(k))
        free = pixels[taken[pixels] == 0]
        if len(pixels) - len(free) <= _OVERLAP * len(pixels):
            chosen.append(int(k))
            taken[free] = len(chosen)
    return taken.reshape(pool.shape), np.asarray(chosen, dtype=np.int64)


def company(pool: Pool, rating: Values, chosen: Integers) -> Values:
    """Compare every segment with those that a first rating chose."""
    if not len(chosen):
        chosen = np.array([int(np.argmax(rating))])
    features = pool.features
    weight = rating[chosen] ** 2 * np.sqrt(pool.area[chosen]) + 1e-9
    size = features[:, _COLUMN["log_share"]]
    typical = weighted_median(size[chosen], weight)
    spread = float(np.average(np.abs(size[chosen] - typical), weights=weight))
    polarity = float(np.average(pool.sign[chosen], weights=weight))
    every = np.ones(len(rating))
    columns = [
        rating,
        size - typical,
        np.abs(size - typical),
        pool.sign * polarity,
        spread * every,
        float(np.average(rating[chosen], weights=weight)) * every,
        np.log(len(chosen)) * every,
    ]
    for name in _COMPANY:
        values = features[:, _COLUMN[name]]
        columns.append(values - weighted_median(values[chosen], weight))
    for name in ("inside", "outside"):
        level = pool.sign * features[:, _COLUMN[name]]
        columns.append(np.abs(level - weighted_median(level[chosen], weight)))
    columns.extend(_siblings(pool, rating, float(rating[chosen].sum())))
    return np.column_stack(columns)


def _siblings(pool: Pool, rating: Values, expected: float) -> list[Values]:
    """Rate the best segmentation that each segment is part of as a whole.

    The score is an estimate of F1: twice the sum of ratings over the number of segments plus
    the number of particles that are to be expected.
    """
    score = np.zeros(len(pool.area))
    mean = np.zeros(len(pool.area))
    groups = int(pool.member_of.max()) + 1
    own = rating[pool.members]
    counts = np.bincount(pool.member_of, minlength=groups)
    total = np.bincount(pool.member_of, own, minlength=groups)
    weight = np.sqrt(pool.area[pool.members])
    whole = np.bincount(pool.member_of, weight, minlength=groups)
    share = np.bincount(pool.member_of, own * weight, minlength=groups) / np.maximum(whole, 1e-9)
    value = 2 * total / np.maximum(counts + expected, 1e-9)
    np.maximum.at(score, pool.members, value[pool.member_of])
    np.maximum.at(mean, pool.members, share[pool.member_of])
    return [score, score / max(float(score.max()), 1e-9), mean, mean / max(float(mean.max()), 1e-9)]


def recipe_of(proposal: Proposal) -> tuple[str, int, str]:
    """Return what `propose` needs to make this proposal alone again."""
    return proposal.source, proposal.sign, proposal.name

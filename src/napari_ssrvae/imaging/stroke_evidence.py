"""What strokes, and the probability learnt from them, say of every segment of a pool.

As in `segment_features`, everything is summed once over the basins of a proposal: a segment's
sums follow from those of its basins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_ssrvae.imaging.candidates import Image
from napari_ssrvae.imaging.choosing import Pool
from napari_ssrvae.imaging.segment_features import NAMES as SEGMENT_NAMES
from napari_ssrvae.imaging.segment_features import Basins, Integers, Values

BACKGROUND, PARTICLE = 1, 2
NAMES = (
    "probable", "improbable", "sure", "around", "contrast",
    "mask_agrees", "mask_right",
    "on_particle", "on_background", "purity", "cut", "like_particle", "like_background",
)  # fmt: skip
"""The columns, in order."""

_UNLIKELY, _LIKELY = 0.35, 0.65  # probabilities
_RING = 5  # px: side of the window by which a segment's surroundings reach further than itself
_EIGHT = np.ones((3, 3), dtype=bool)


class Strokes:
    """What was painted on a picture, at the resolution at which particles are looked for.

    Parameters
    ----------
    painted
        (h, w) 0 nothing, 1 background, 2 particle.
    """

    def __init__(self, painted: NDArray[np.uint8]) -> None:
        self.where = np.flatnonzero(painted)
        self.kind = painted.ravel()[self.where]
        pieces, self.count = ndi.label(painted == PARTICLE, structure=_EIGHT)
        self.stroke = pieces.ravel()[self.where].astype(np.int64)  # 0: of the background
        self.lengths = np.bincount(self.stroke, minlength=self.count + 1)
        self.particle = max(int(np.count_nonzero(self.kind == PARTICLE)), 1)
        self.background = max(int(np.count_nonzero(self.kind == BACKGROUND)), 1)


def evidence(pool: Pool, probability: Image, strokes: Strokes, brightness: Image) -> Values:
    """Describe the segments of a pool by probability and strokes.

    Parameters
    ----------
    pool
        The segments.
    probability
        (h, w) of a particle, 0 to 1.
    strokes
        On the same grid.
    brightness
        (h, w) smoothed picture, scaled as `Surroundings.plain`.

    Returns
    -------
    (N, F) float64
        Columns as in `NAMES`.
    """
    sums = np.zeros((len(_ROWS), len(pool.area)))
    whole = np.zeros((2, len(pool.basins)))
    of_basins = [_basin_sums(basins, probability) for basins in pool.basins]
    for k, basins in enumerate(pool.basins):
        whole[:, k] = _mask_agreement(basins, probability, strokes)
    painted = np.zeros((3, len(pool.area)))
    for grouping in np.unique(pool.grouping):
        rows = np.flatnonzero(pool.grouping == grouping)
        proposal = int(pool.proposal[rows[0]])
        parts, number = pool.groupings[grouping], pool.number[rows]
        count = int(parts.max()) + 1
        for k, row in enumerate(of_basins[proposal]):
            sums[k, rows] = np.bincount(parts, weights=row, minlength=count)[number]
        if len(strokes.where):
            under = parts[pool.basins[proposal].proposal.basins.ravel()[strokes.where]]
            painted[:, rows] = _painted_in(under, count, strokes)[:, number]
    return _table(pool, sums, whole[:, pool.proposal], painted, strokes, brightness)


_ROWS = ("probability", "unlikely", "likely", "ring", "ring probability")


def _basin_sums(basins: Basins, probability: Image) -> Values:
    """(5, basins + 1) sums over each basin and the ring around it."""
    flat, first = probability.ravel(), basins.starts[1:]
    inside = flat[basins.pixels]
    rows = np.zeros((len(_ROWS), basins.count + 1))
    for k, values in enumerate((inside, inside < _UNLIKELY, inside > _LIKELY)):
        rows[k, 1:] = np.add.reduceat(values.astype(float), first)
    labels = basins.proposal.basins
    grown = ndi.maximum_filter(labels, _RING)
    ring = np.flatnonzero((labels == 0) & (grown > 0))
    own = grown.ravel()[ring]
    rows[3] = np.bincount(own, minlength=basins.count + 1)
    rows[4] = np.bincount(own, weights=flat[ring], minlength=basins.count + 1)
    return rows


def _mask_agreement(basins: Basins, probability: Image, strokes: Strokes) -> tuple[float, float]:
    """How well a whole mask agrees with the probability (Dice) and with the strokes."""
    common = 2 * float(probability.ravel()[basins.pixels].sum())
    agrees = common / max(float(probability.sum()) + len(basins.pixels), 1.0)
    mask = basins.proposal.basins.ravel()[strokes.where] > 0
    right = mask == (strokes.kind == PARTICLE)
    shares = [float(right[strokes.kind == kind].mean()) for kind in np.unique(strokes.kind)]
    return agrees, float(np.mean(shares)) if shares else 1.0


def _painted_in(under: Integers, count: int, strokes: Strokes) -> Values:
    """(3, count) px of particle and of background painted in each segment, and a length.

    That is the length in px of the strokes of particle of which a segment has a part.
    """
    rows = np.zeros((3, count))
    for k, kind in enumerate((PARTICLE, BACKGROUND)):
        rows[k] = np.bincount(under[strokes.kind == kind], minlength=count)
    on = (under > 0) & (strokes.stroke > 0)
    pairs = np.unique(under[on].astype(np.int64) * (strokes.count + 1) + strokes.stroke[on])
    segment, stroke = np.divmod(pairs, strokes.count + 1)
    rows[2] = np.bincount(segment, weights=strokes.lengths[stroke], minlength=count)
    return rows


def _table(
    pool: Pool,
    sums: Values,
    whole: Values,
    painted: Values,
    strokes: Strokes,
    brightness: Image,
) -> Values:
    probable, unlikely, likely, ring, ring_probable = sums
    area = pool.area
    inside = probable / area
    around = np.where(ring > 0, ring_probable / np.maximum(ring, 1), inside / 2)
    particle, background, length = painted
    level = pool.features[:, SEGMENT_NAMES.index("inside")] * pool.sign
    values = brightness.ravel()[strokes.where]
    middle = float(np.median(brightness[::2, ::2]))
    away = []
    for kind in (PARTICLE, BACKGROUND):
        own = values[strokes.kind == kind]
        away.append(np.abs(level + middle - (float(own.mean()) if len(own) else middle)))
    columns = {
        "probable": inside,
        "improbable": unlikely / area,
        "sure": likely / area,
        "around": around,
        "contrast": inside - around,
        "mask_agrees": whole[0],
        "mask_right": whole[1],
        "on_particle": particle / strokes.particle,
        "on_background": background / strokes.background,
        "purity": (particle - background) / np.maximum(particle + background, 1),
        "cut": (length - particle) / np.maximum(length, 1),
        "like_particle": away[0],
        "like_background": away[1],
    }
    return np.stack([columns[name] for name in NAMES], axis=1)

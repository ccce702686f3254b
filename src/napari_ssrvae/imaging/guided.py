"""Particles from strokes: the best segments of many proposals, rated with what was painted.

Proposals, ratings and choice are those of finding without strokes (`grain_proposals`, `choosing`,
`grain_evidence`). A forest that saw the strokes knows where particles are, but not sharply where
they end; so its probability proposes segments of its own, and counts in every rating beside shape
and edge (`stroke_evidence`). Trees grown to rate by all of that at once did worse on new images.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.segmentation import watershed

from napari_ssrvae.imaging.annotations import find_annotations
from napari_ssrvae.imaging.candidates import Image, Mask
from napari_ssrvae.imaging.choosing import (
    Pool,
    company,
    describe,
    pool_described,
    select,
)
from napari_ssrvae.imaging.filters import gaussian
from napari_ssrvae.imaging.grain_evidence import told
from napari_ssrvae.imaging.grain_proposals import Closely
from napari_ssrvae.imaging.micrograph import Micrograph
from napari_ssrvae.imaging.objects import renumber
from napari_ssrvae.imaging.particle_rating import rate_alone, rate_in_company, rate_seen
from napari_ssrvae.imaging.proposals import Labels, Proposal, taken_apart
from napari_ssrvae.imaging.resolution import WORK_PIXELS, drawn_at, shrink
from napari_ssrvae.imaging.segment_features import Values
from napari_ssrvae.imaging.settings import SegmentationSettings
from napari_ssrvae.imaging.stroke_evidence import Evidence, evidence

_LEVELS = (0.35, 0.5, 0.65)  # of the probability
_SURE = 0.75  # probability of particle or background beyond which no edge is looked for
_ALONE = (-5.11, 6.89, 2.54, 0.99)
_COMPANY = (-4.76, 6.55, 2.17, 0.52)
_SEEN = (-5.24, 7.48, 1.86, 0.09)
"""Logistic regressions on whether a segment is a particle: constant, and weights of the rating
without strokes, of the probability inside, and of its contrast to that around.

Fitted by `benchmarks/fit_guided_rating.py` to ratings by trees that had not seen the image."""
_FIRST, _SECOND, _LAST = 0.8, 0.8, 0.8  # least of what is chosen by each
_HELD = 0.6  # share of a stroke that lies in the segment that it asks for
PROBABILITY = "probability"  # the source of proposals that thresholds on it make
_BLURRED = 0.1  # agreement that such a mask must have more, since its outlines are not sharp
_COVERED = 0.25  # share of a clump that its particles found one by one cover at least
_EIGHT = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, eq=False)
class Groundwork:
    """What finding from strokes needs of a micrograph and no stroke changes.

    Attributes
    ----------
    of_image, recipe
        Which image it is of, and the settings that count here.
    closely
        The picture's own proposals.
    depth_factor
        Multiplies the depth of the neck at which particles are taken apart.
    """

    of_image: NDArray[Any]
    recipe: tuple[str, float]
    closely: Closely
    depth_factor: float

    @classmethod
    def of(cls, micrograph: Micrograph, settings: SegmentationSettings) -> Groundwork:
        """Propose the segments of a micrograph.

        Parameters
        ----------
        micrograph
            The image.
        settings
            Polarity and how readily touching particles are taken apart.
        """
        image = micrograph.image.astype(np.float32)
        depth_factor = settings.depth_factor
        annotations = find_annotations(image)
        # a person waits between strokes: not as many pixels as without them
        closely = Closely.looked_at(image, annotations, settings.signs, depth_factor, WORK_PIXELS)
        return cls(micrograph.image, _recipe(settings), closely, depth_factor)

    def serves(self, micrograph: Micrograph, settings: SegmentationSettings) -> bool:
        """Say whether it is of this micrograph, and made as these settings want it."""
        return self.of_image is micrograph.image and self.recipe == _recipe(settings)

    def shrunk(
        self, probability: Image, strokes: NDArray[Any] | None
    ) -> tuple[Image, NDArray[np.uint8]]:
        """Bring a probability and strokes of the micrograph to the shrunk picture."""
        shape = self.closely.pictures["plain"].shape
        painted = np.zeros(shape, np.uint8)
        if strokes is not None:
            y, x = np.nonzero(strokes)
            at = (
                np.minimum((axis + 0.5) * new / old, new - 1).astype(np.int64)
                for axis, new, old in zip((y, x), shape, self.closely.clean.shape, strict=True)
            )
            painted[tuple(at)] = strokes[y, x]
        return shrink(probability, shape[0] / self.closely.clean.shape[0], shape), painted


def _recipe(settings: SegmentationSettings) -> tuple[str, float]:
    return settings.polarity, settings.split_strength


def segment_guided(
    micrograph: Micrograph,
    probability: NDArray[np.float32],
    settings: SegmentationSettings,
    *,
    strokes: NDArray[Any] | None = None,
    groundwork: Groundwork | None = None,
) -> Labels:
    """Find particles where a classifier sees them.

    Parameters
    ----------
    micrograph
        The image.
    probability
        (H, W) of a particle at every pixel, 0 to 1.
    settings
        Smallest area, polarity, whether and how readily touching particles are taken apart,
        those on the border.
    strokes
        (H, W) painted on this image: 1 background, 2 particle.
    groundwork
        Of this micrograph, where it is known already.

    Returns
    -------
    (H, W) int32
        As from `segment_particles`.
    """
    if groundwork is None or not groundwork.serves(micrograph, settings):
        groundwork = Groundwork.of(micrograph, settings)
    on_grid = groundwork.shrunk(probability, strokes)
    labels = find_guided(groundwork, *on_grid, settings.split_touching)
    drawn = drawn_at(labels, groundwork.closely.clean)
    return renumber(drawn, settings.min_area or 0, settings.exclude_border)


def find_guided(
    groundwork: Groundwork,
    probability: Image,
    painted: NDArray[np.uint8],
    split_touching: bool = True,
) -> Labels:
    """Choose the particles on the shrunk picture.

    Parameters
    ----------
    groundwork
        Of the micrograph.
    probability, painted
        (h, w), from `Groundwork.shrunk`.
    split_touching
        Whether particles that touch are taken apart.
    """
    found = pool_guided(groundwork, probability, painted)
    if found is None:
        return np.zeros(probability.shape, dtype=np.int32)
    pool, said = found
    by_itself = rate_alone(pool.features)
    _, chosen = select(pool, guided_rating(_ALONE, by_itself, said), _FIRST)
    beside = company(pool, by_itself, chosen)
    in_company = rate_in_company(np.column_stack([pool.features, beside]))
    _, chosen = select(pool, guided_rating(_COMPANY, in_company, said), _SECOND)
    seen = rate_seen(told(pool, chosen, in_company, groundwork.closely.seen))
    rating = _with_wanted(guided_rating(_SEEN, seen, said), said)
    labels, _ = select(pool, rating, _LAST)
    return labels if split_touching else _clumps(pool, labels, probability)


def _clumps(pool: Pool, labels: Labels, probability: Image) -> Labels:
    """Join particles that touch, with the seams and what lies between them.

    Not every particle of a heap is found by itself; the mask that agrees best with particles and
    probability has the rest.
    """
    wanted = np.where(labels > 0, 1.0, probability)
    best, agreement = labels, 0.0
    for basins in pool.basins:
        common = 2 * float(wanted.ravel()[basins.pixels].sum())
        dice = common / (len(basins.pixels) + float(wanted.sum()))
        if basins.proposal.source == PROBABILITY:
            dice -= _BLURRED
        if dice > agreement:
            best, agreement = basins.proposal.basins, dice
    pieces, _ = ndi.label(best > 0)
    flat = pieces.ravel()
    area = np.maximum(np.bincount(flat), 1)
    covered = np.bincount(flat, labels.ravel() > 0) / area
    keep = (covered > _COVERED) & (np.bincount(flat, probability.ravel()) / area > 0.5)
    keep[0] = False
    joined = np.pad(keep[pieces] | (labels > 0), 2)
    closed = ndi.binary_closing(joined, _EIGHT)[2:-2, 2:-2]
    return np.asarray(ndi.label(closed)[0], dtype=np.int32)


def guided_rating(weights: tuple[float, ...], rating: Values, said: Evidence) -> Values:
    """Combine ratings without strokes with what these say; 0 for what they refuse."""
    constant, of_rating, of_probable, of_contrast = weights
    total = constant + of_rating * rating
    total += of_probable * said.probable + of_contrast * said.contrast
    return np.where(said.refused, 0.0, 1 / (1 + np.exp(-total)))


def _with_wanted(rating: Values, said: Evidence) -> Values:
    """Lift the best segment under each stroke of particle to what is just chosen.

    Better ones that have its place go first, so it counts where nothing would be found.
    """
    rating = rating.copy()
    for held in said.held.T:
        around = np.where((held >= _HELD) & (said.probable > 0.5), rating, 0.0)
        best = int(np.argmax(around))
        if around[best] > 0:
            rating[best] = max(rating[best], _LAST)
    return rating


def pool_guided(
    groundwork: Groundwork, probability: Image, painted: NDArray[np.uint8]
) -> tuple[Pool, Evidence] | None:
    """Pool the proposals of picture and probability, with what strokes say of each segment.

    None where nothing is proposed.
    """
    further = [
        describe(one, groundwork.closely.around)
        for one in _propose_probable(groundwork, probability)
    ]
    pool = pool_described([*groundwork.closely.described, *further])
    if pool is None:
        return None
    return pool, evidence(pool, probability, painted)


def _propose_probable(groundwork: Groundwork, probability: Image) -> Iterator[Proposal]:
    """Make the proposals that only the strokes give rise to."""
    plain = groundwork.closely.pictures["plain"]
    soft = gaussian(probability, 0.8)
    sign = _sign(plain, soft)
    masks: list[tuple[str, Mask]] = [(f"above {level}", soft > level) for level in _LEVELS]
    # between what is surely particle and surely background, the strongest edge decides
    sure = np.where(soft > _SURE, 2, np.where(soft < 1 - _SURE, 1, 0)).astype(np.int32)
    if (sure == 1).any() and (sure == 2).any():
        masks.append(("edge between", watershed(groundwork.closely.around.gradient, sure) == 2))
    for name, mask in masks:
        yield from taken_apart(mask, (PROBABILITY, sign, name), 0.0, groundwork.depth_factor)
    for source in ("plain", "flat", "near"):
        picture = groundwork.closely.pictures[source]
        bright = _sign(picture, soft)
        level = bright * _between(picture, soft)
        mask = picture * np.float32(bright) > level
        recipe = (source, bright, "between strokes")
        yield from taken_apart(mask, recipe, level, groundwork.depth_factor)


def _means(picture: Image, probability: Image) -> tuple[float, float]:
    """Mean brightness of what is probably particle and probably not."""
    inside = float((picture * probability).sum()) / max(float(probability.sum()), 1e-6)
    rest = 1 - probability
    return inside, float((picture * rest).sum()) / max(float(rest.sum()), 1e-6)


def _sign(picture: Image, probability: Image) -> int:
    inside, outside = _means(picture, probability)
    return 1 if inside >= outside else -1


def _between(picture: Image, probability: Image) -> float:
    return sum(_means(picture, probability)) / 2

"""Proposals of the network that sees grains: its particles, taken apart to several degrees."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_ssrvae.imaging.annotations import inpaint
from napari_ssrvae.imaging.candidates import Image, Mask
from napari_ssrvae.imaging.choosing import Described, describe
from napari_ssrvae.imaging.filters import boundaries, distance_inside
from napari_ssrvae.imaging.proposals import Labels, Proposal, propose, split_degrees
from napari_ssrvae.imaging.resolution import (
    CLOSE_PIXELS,
    nearest_pixels,
    prepared,
    shrink,
    work_factor,
)
from napari_ssrvae.imaging.segment_features import Surroundings

if TYPE_CHECKING:
    from napari_ssrvae.imaging.grain_net import Grains

FINE_PIXELS = 800_000
"""The network looks at a large picture twice: shrunk, and at up to about this many pixels."""

NETWORK = "network"  # the source of these proposals
_WORTH_IT = 1.5  # times the pixels of the shrunk picture: nearer than that, once is enough
_LEVELS = (0.5, 0.25)  # of the probability of a particle
_DEPTHS = (0.05, 0.1, 0.2, 0.4)
"""-log of the saddle between two particles as a share of the lower one's peak, in the depth that
the network sees."""
_COVER = (0.0005, 0.97)  # share of the picture that particles may cover


@dataclass(frozen=True, eq=False)
class Closely:
    """A picture looked at closely: the proposals of thresholds and of the network.

    Attributes
    ----------
    clean
        (H, W) the picture at its own resolution, without annotations.
    pictures
        (h, w) versions of the shrunk picture, from `proposals.versions`.
    around
        What the features of segments are measured on.
    described
        All proposals with their segments.
    seen
        What the network saw, shrunk and, of a large picture, at more of its resolution.
    """

    clean: Image
    pictures: dict[str, Image]
    around: Surroundings
    described: list[Described]
    seen: list[Grains]

    @classmethod
    def looked_at(
        cls,
        image: Image,
        annotations: Mask,
        signs: tuple[int, ...],
        depth_factor: float = 1.0,
        pixels: int = CLOSE_PIXELS,
    ) -> Closely:
        """Make the proposals of a picture.

        Parameters
        ----------
        image, annotations
            (H, W), at the picture's own resolution.
        signs, depth_factor
            As `proposals.propose` takes them.
        pixels
            Of the shrunk picture, at most.
        """
        pictures, marked = prepared(image, annotations, work_factor(image.size, pixels))
        clean, plain = inpaint(image, annotations), pictures["plain"]
        around = Surroundings(pictures, marked)
        with ThreadPoolExecutor(1) as beside:  # thresholds need but one core
            looking = beside.submit(look_twice, clean, plain.shape)
            described = [describe(one, around) for one in propose(pictures, signs, depth_factor)]
            seen = looking.result()
        further = propose_seen(seen, plain, signs, depth_factor)
        described += [describe(one, around) for one in further]
        return cls(clean, pictures, around, described, seen)


def look_twice(image: Image, shape: tuple[int, ...]) -> list[Grains]:
    """Let the network look at a picture, shrunk and, if that is much more, at its best.

    Parameters
    ----------
    image
        (H, W) without annotations.
    shape
        Of the shrunk picture.
    """
    # torch takes seconds to import, which who looks for nothing should not wait for
    from napari_ssrvae.imaging.grain_net import see_grains

    factor = min(1.0, math.sqrt(FINE_PIXELS / image.size))
    seen = [see_grains(shrink(image, shape[0] / image.shape[0], shape))]
    if factor**2 * image.size > _WORTH_IT * shape[0] * shape[1]:
        seen.append(see_grains(shrink(image, factor)))
    return seen


def propose_seen(
    seen: list[Grains], plain: Image, signs: tuple[int, ...], depth_factor: float = 1.0
) -> Iterator[Proposal]:
    """Make the proposals of what the network sees.

    Parameters
    ----------
    seen
        From `look_twice`.
    plain
        (h, w) the shrunk picture.
    signs
        Polarities that are wanted: 1 bright, -1 dark.
    depth_factor
        Multiplies the depths of splitting: more takes fewer particles apart.
    """
    depths = [depth_factor * depth for depth in _DEPTHS]
    for k, grains in enumerate(seen):
        for level in _LEVELS:
            mask = grains.inside > level
            if not _COVER[0] <= mask.mean() <= _COVER[1]:
                continue
            basins, groupings = split_degrees(mask, grains.depth, depths)
            basins, groupings = _shrunk(basins, groupings, plain.shape)
            particles = basins > 0
            if not particles.any() or particles.all():
                continue
            sign = 1 if plain[particles].mean() >= plain[~particles].mean() else -1
            if sign not in signs:
                continue
            distance = distance_inside(particles & ~boundaries(basins, 1)) + particles
            nothing = np.zeros(plain.shape, dtype=bool)
            name = f"look {k + 1}, above {level}"
            yield Proposal(basins, groupings, distance, nothing, NETWORK, sign, name, level)


def _shrunk(
    basins: Labels, groupings: list[tuple[int, Labels]], shape: tuple[int, ...]
) -> tuple[Labels, list[tuple[int, Labels]]]:
    """Bring basins to the shrunk picture, where some may be lost."""
    if basins.shape != shape:
        basins = basins[np.ix_(*nearest_pixels(shape, basins.shape))]
    left = np.union1d(0, basins)
    numbers = np.searchsorted(left, basins).astype(np.int32)
    return numbers, [(level, _renumbered(of_basin[left])) for level, of_basin in groupings]


def _renumbered(of_basin: Labels) -> Labels:
    return np.unique(of_basin, return_inverse=True)[1].astype(np.int32)

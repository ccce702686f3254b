"""What is known about every segment of a proposal: shape, edge, contrast, company.

Everything is measured once for the basins that a proposal's segments are made of; sums, counts
and extremes of a segment follow from those of its basins.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.imaging.candidates import Image, Mask
from napari_ssrvae.imaging.filters import highest, lowest
from napari_ssrvae.imaging.proposals import Proposal

Values = NDArray[np.float64]
Integers = NDArray[np.int64]

_ANGLES = 2 * np.pi * np.arange(16) / 16
_DEEP = 2  # px between the outline and where its two sides are compared
_RING = 5  # px: side of the window by which the background around a basin is found
_LEAST = 12  # px: smaller segments are none

NAMES = (
    "log_share", "log_radius", "ellipse", "solidity", "circularity", "elongation", "inscribed",
    "frame", "contact", "step", "step_noise", "signed", "step_spread", "valley", "weak",
    "inside", "texture", "outside", "filled", "bright", "annotated", "edge_ratio",
    "cover", "against_typical", "size_spread", "log_count", "explained", "level",
)  # fmt: skip
"""The features of a segment, in the order of the columns."""


class Surroundings:
    """What the features of all proposals of one picture are measured on."""

    def __init__(self, pictures: dict[str, Image], annotations: Mask) -> None:
        plain = pictures["plain"]
        low, high = np.percentile(plain[::2, ::2], (1, 99))
        self.plain = (plain - np.float32(low)) / np.float32(max(high - low, 1e-6))
        self.gradient = np.hypot(*np.gradient(self.plain)).astype(np.float32)
        self.near_gradient = highest(self.gradient, 3)
        sample = self.gradient[::2, ::2]
        # the gradient of pure noise is Rayleigh-distributed: its 20 % quantile is 0.668 sigma
        self.noise = max(float(np.quantile(sample, 0.2)) / 0.668, 1e-4)
        self.strong = float(np.quantile(sample, 0.95))
        self.strong_pixels = self.gradient > np.quantile(sample, 0.85)
        self.strong_count = max(int(np.count_nonzero(self.strong_pixels)), 1)
        self.annotations = annotations
        self.middle = float(np.median(self.plain[::2, ::2]))


@dataclass(frozen=True)
class Segments:
    """The segments of one proposal at one degree of splitting.

    Attributes
    ----------
    features
        (N, F), columns as in `NAMES`.
    number
        (N,) segment in the grouping.
    grouping
        (number of basins + 1,) segment of each basin.
    area, centre
        (N,) px; flat index of the innermost pixel.
    """

    features: Values
    number: Integers
    grouping: NDArray[np.int32]
    area: Values
    centre: Integers


class Basins:
    """Sums over the pixels of each basin of a proposal."""

    def __init__(self, proposal: Proposal, around: Surroundings) -> None:
        self.proposal, self.around = proposal, around
        basins = proposal.basins
        flat = basins.ravel()
        pixels = np.flatnonzero(flat)
        ids = flat[pixels]
        order = np.argsort(ids, kind="stable")
        self.pixels, ids = pixels[order], ids[order]
        self.count = int(basins.max())
        area = np.bincount(ids, minlength=self.count + 1)
        self.starts = np.concatenate(([0], np.cumsum(area)))[:-1]
        rows, columns = np.divmod(self.pixels, basins.shape[1])
        y, x = rows.astype(float), columns.astype(float)
        plain = around.plain.ravel()[self.pixels].astype(float)
        self.sums = np.stack(
            [area.astype(float)]
            + [
                np.bincount(ids, weights=values, minlength=self.count + 1)
                for values in (
                    y, x, y * y, x * x, y * x, plain, plain * plain,
                    around.gradient.ravel()[self.pixels],
                    proposal.filled.ravel()[self.pixels],
                    around.annotations.ravel()[self.pixels],
                )
            ]
        )  # fmt: skip
        frame = np.zeros(self.count + 1)
        for side in (basins[0], basins[-1], basins[:, 0], basins[:, -1]):
            frame += np.bincount(side, minlength=self.count + 1)
        self.sums = np.vstack([self.sums, frame])
        distance = proposal.distance.ravel()[self.pixels]
        first = self.starts[1:]
        reach = np.maximum.reduceat(distance, first)
        self.reach = np.concatenate(([0.0], reach))
        hits = np.flatnonzero(distance == reach[ids - 1])
        _, at = np.unique(ids[hits], return_index=True)
        self.centre = np.concatenate(([0], self.pixels[hits[at]])).astype(np.int64)
        self.cracks = _Cracks(proposal, around)
        self.support = self._support(y, x, first)
        mask = basins > 0
        rim = highest(mask, 5) & ~lowest(mask, 7)
        self.explained = np.count_nonzero(around.strong_pixels & rim) / around.strong_count

    @cached_property
    def ring(self) -> tuple[Integers, NDArray[np.int32]]:
        """Flat indices of the background around the basins, and whose each is."""
        labels = self.proposal.basins
        grown = highest(labels, _RING).ravel()
        where = np.flatnonzero((labels.ravel() == 0) & (grown > 0))
        return where, grown[where]

    def pixels_of(self, basin: int) -> Integers:
        """Flat indices of one basin."""
        stop = self.starts[basin + 1] if basin < self.count else len(self.pixels)
        return np.asarray(self.pixels[self.starts[basin] : stop])

    def _support(self, y: Values, x: Values, first: Integers) -> Values:
        """(16, basins + 1) how far each basin reaches in 16 directions."""
        basins = self.proposal.basins
        rim = np.zeros(basins.shape, dtype=bool)
        rim[[0, -1]] = rim[:, [0, -1]] = True
        rim[1:] |= basins[1:] != basins[:-1]
        rim[:-1] |= basins[1:] != basins[:-1]
        rim[:, 1:] |= basins[:, 1:] != basins[:, :-1]
        rim[:, :-1] |= basins[:, 1:] != basins[:, :-1]
        keep = rim.ravel()[self.pixels]
        begin = np.concatenate(([0], np.cumsum(keep)))[first]
        y, x = y[keep], x[keep]
        far = np.full((len(_ANGLES), self.count + 1), -np.inf)
        for k, angle in enumerate(_ANGLES[:8]):
            along = y * np.sin(angle) + x * np.cos(angle)
            far[k, 1:] = np.maximum.reduceat(along, begin)
            far[k + 8, 1:] = -np.minimum.reduceat(along, begin)
        return far

    def segments(self, level: int, grouping: NDArray[np.int32]) -> Segments:
        """Describe the segments that a grouping makes of the basins."""
        count = int(grouping.max())
        sums = np.stack(
            [np.bincount(grouping, weights=row, minlength=count + 1)[1:] for row in self.sums]
        )
        order = np.argsort(grouping, kind="stable")
        begin = np.searchsorted(grouping[order], np.arange(1, count + 1))
        reach = np.asarray(np.maximum.reduceat(self.reach[order], begin), dtype=np.float64)
        deepest = np.zeros(count + 1, dtype=np.int64)
        best = np.flatnonzero((self.reach == np.append(0, reach)[grouping]) & (grouping > 0))[::-1]
        deepest[grouping[best]] = best
        support = np.maximum.reduceat(self.support[:, order], begin, axis=1)
        keep = sums[0] >= _LEAST
        edges = self.cracks.of_segments(grouping, count, self.proposal.sign)
        table = self._table(
            level,
            np.asarray(sums[:, keep], dtype=np.float64),
            np.asarray(reach[keep], dtype=np.float64),
            support[:, keep],
            {k: v[keep] for k, v in edges.items()},
        )
        return Segments(
            table,
            np.flatnonzero(keep) + 1,
            grouping,
            sums[0][keep],
            self.centre[deepest[1:]][keep],
        )

    def _table(
        self, level: int, sums: Values, reach: Values, support: Values, edges: dict[str, Values]
    ) -> Values:
        around, sign = self.around, self.proposal.sign
        area, y, x, yy, xx, xy, plain, plain2, gradient, filled, marked, frame = sums
        y, x = y / area, x / area
        yy, xx, xy = yy / area - y * y + 1 / 12, xx / area - x * x + 1 / 12, xy / area - x * y
        determinant = np.maximum(yy * xx - xy * xy, 1e-6)
        root = np.sqrt((yy - xx) ** 2 / 4 + xy**2)
        major, minor = (yy + xx) / 2 + root, np.maximum((yy + xx) / 2 - root, 1e-3)
        inside = plain / area
        radius = np.sqrt(area / np.pi)
        sines, cosines = np.sin(_ANGLES)[:, None], np.cos(_ANGLES)[:, None]
        reaches = support - sines * y - cosines * x + 0.5 * (abs(sines) + abs(cosines))
        perimeter = np.maximum(edges["cracks"] + frame, 1)
        weight = np.sqrt(area)
        size = np.log(area)
        typical = weighted_median(size, weight)
        spread = np.sqrt(np.average((size - typical) ** 2, weights=weight)) if len(area) else 0.0
        pixels = self.proposal.basins.size
        every = np.ones(len(area))
        values = {
            "log_share": np.log(area / pixels),
            "log_radius": np.log(radius),
            "ellipse": area / (4 * np.pi * np.sqrt(determinant)),
            "solidity": area / np.maximum(_polygon_area(reaches), 1),
            "circularity": np.minimum(4 * np.pi * area / (np.pi / 4 * perimeter) ** 2, 1.5),
            "elongation": np.log(major / minor) / 2,
            "inscribed": np.minimum(reach / radius, 2),
            "frame": frame / perimeter,
            "contact": edges["contacts"] / perimeter,
            "step": edges["step"],
            "step_noise": np.log(np.maximum(edges["edge"], 1e-4) / around.noise),
            "signed": edges["signed"],
            "step_spread": edges["step_spread"],
            "valley": edges["valley"],
            "weak": edges["weak"],
            "inside": sign * (inside - around.middle),
            "texture": np.sqrt(np.maximum(plain2 / area - inside**2, 0)),
            "outside": sign * around.middle - edges["beyond"],
            "filled": filled / area,
            "bright": sign * every,
            "annotated": marked / area,
            "edge_ratio": np.log((edges["edge"] + 0.01) / (gradient / area + 0.01)),
            "cover": area.sum() / pixels * every,
            "against_typical": size - typical,
            "size_spread": min(float(spread), 4.0) * every,
            "log_count": np.log(max(len(area), 1)) * every,
            "explained": self.explained * every,
            "level": level * every,
        }
        return np.stack([values[name] for name in NAMES], axis=1)


class _Cracks:
    """The sides of pixels between a basin and what is beside it, seen from the basin.

    `own` and `other` are the two basins, `pixel` the flat index of the pixel on the own side.
    """

    def __init__(self, proposal: Proposal, around: Surroundings) -> None:
        parts: list[list[NDArray[Any]]] = [[], [], [], [], [], [], []]
        width = proposal.basins.shape[1]
        for transposed in (False, True):
            arrays = (proposal.basins, around.plain, around.near_gradient)
            basins, plain, gradient = (a.T if transposed else a for a in arrays)
            row, column = np.nonzero(basins[:, :-1] != basins[:, 1:])
            left, right = basins[row, column], basins[row, column + 1]
            last = basins.shape[1] - 1
            deep_left = plain[row, np.maximum(column - _DEEP + 1, 0)]
            deep_right = plain[row, np.minimum(column + _DEEP, last)]
            edge = np.maximum(gradient[row, column], gradient[row, column + 1])
            here = (plain[row, column] + plain[row, column + 1]) / 2
            at, beyond = (column * width + row, width) if transposed else (row * width + column, 1)
            for own, other, mine, theirs, pixel in (
                (left, right, deep_left, deep_right, at),
                (right, left, deep_right, deep_left, at + beyond),
            ):
                real = own > 0
                all_of = (own, other, mine, theirs, edge, here, pixel)
                for part, values in zip(parts, all_of, strict=True):
                    part.append(values[real])
        own, other, mine, theirs, edge, here, pixel = (np.concatenate(part) for part in parts)
        sign = proposal.sign
        self.own, self.other, self.pixel = own, other, pixel
        self.drop = (sign * (mine - theirs)).astype(float)
        self.beyond = (sign * theirs).astype(float)
        low = np.minimum(mine, theirs) if sign > 0 else -np.maximum(mine, theirs)
        self.dip = (low - sign * here).astype(float)
        self.edge = edge.astype(float)
        self.weak = (edge < 0.35 * around.strong).astype(float)

    def of_segments(self, grouping: NDArray[np.int32], count: int, sign: int) -> dict[str, Values]:
        """Means along the outline of each segment."""
        own, other = grouping[self.own], grouping[self.other]
        outer = own != other
        free, touch = other == 0, outer & (other > 0)

        def total(values: Values | None, where: Mask) -> Values:
            weights = None if values is None else values[where]
            return np.bincount(own[where], weights, minlength=count + 1)[1:].astype(float)

        cracks, contacts = total(None, outer), total(None, touch)
        some, some_free = np.maximum(cracks, 1), np.maximum(cracks - contacts, 1)
        step = total(self.drop, free) / some_free
        variance = total(self.drop**2, free) / some_free - step**2
        return {
            "cracks": cracks,
            "contacts": contacts,
            "step": step,
            "step_spread": np.sqrt(np.maximum(variance, 0)) / (np.abs(step) + 0.05),
            "signed": total((self.drop > 0.02).astype(float), free) / some_free,
            "beyond": total(self.beyond, free) / some_free,
            "valley": total(self.dip, touch) / np.maximum(contacts, 1),
            "edge": total(self.edge, outer) / some,
            "weak": total(self.weak, outer) / some,
        }


def weighted_median(values: Values, weights: Values) -> float:
    """Value with half of the weight below it; 0 of nothing."""
    if not len(values):
        return 0.0
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _polygon_area(support: Values) -> Values:
    """Area of the polygons around segments whose sides look in 16 directions.

    A side has length (h_next + h_before - 2 h cos t) / sin t, for h the distances of the sides
    from the centre and t the angle between two; a direction that only meets a corner has none.
    """
    t = _ANGLES[1]
    beside = np.roll(support, 1, axis=0) + np.roll(support, -1, axis=0)
    side = np.maximum((beside - 2 * support * np.cos(t)) / np.sin(t), 0)
    return np.asarray((support * side).sum(axis=0) / 2)

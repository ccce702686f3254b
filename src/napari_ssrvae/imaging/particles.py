"""Particles cut out of a micrograph: patches, masks and a table."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.micrograph import Micrograph, as_micrograph
from napari_ssrvae.imaging.runs import Runs
from napari_ssrvae.imaging.shape import check_labels, extents_of, frame_extents, measures_of

MIN_PATCH, MAX_PATCH = 8, 512
_DARKEST_INSIDE = 0.25  # the darkest pixel of a particle stays apart from the background's 0
_PERCENTILE = 95.0
_MARGIN = 1.1
_MAX_FRAME = 4.0  # frames this many times the lower quartile: beyond it, small ones are dots
_MIN_SCALE = 0.25
_SMALL_ACROSS = 16  # px of a patch that small particles should have
_BESIDE = 3  # px from a particle to the background that it is compared with
_MEASURED = 0.5  # share of the time that measuring takes
_PORTION = 2**18  # numbers worked on together: they stay in the processor's cache


@dataclass(frozen=True)
class PatchSettings:
    """How particles are cut out.

    Attributes
    ----------
    size
        Side of the square patches, in patch pixels.
    scale
        Micrograph pixels per patch pixel; None chooses it from the particles' sizes.
    common_scale
        Whether all patches have this one scale, so that a large particle looks larger than a
        small one. If not, each fills its frame, and its shape alone tells its class.
    """

    size: int = 48
    scale: float | None = None
    common_scale: bool = True

    def __post_init__(self) -> None:
        if (
            isinstance(self.size, bool)
            or not isinstance(self.size, (int, np.integer))
            or not MIN_PATCH <= self.size <= MAX_PATCH
        ):
            raise InputError(
                f"A patch size of {self.size!r} cannot be used; "
                f"give a whole number from {MIN_PATCH} to {MAX_PATCH}."
            )
        if self.scale is not None and not (np.isfinite(self.scale) and self.scale > 0):
            raise InputError(
                f"A patch scale of {self.scale!r} cannot be used; give a positive number or None."
            )
        if not isinstance(self.common_scale, bool):
            raise InputError(
                f"Patches have one scale or each its own: common_scale is True or False, "
                f"not {self.common_scale!r}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `from_dict` takes back."""
        return {
            "size": int(self.size),
            "scale": None if self.scale is None else float(self.scale),
            "common_scale": self.common_scale,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PatchSettings:
        """Make settings of a dictionary, refusing names that they do not have."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise InputError(f"Patch settings do not have {', '.join(sorted(unknown))}.")
        try:
            return cls(**values)
        except TypeError as error:
            raise InputError(f"These patch settings cannot be used: {error}.") from error


@dataclass(frozen=True, eq=False)
class Particles:
    """Particles of one micrograph (or of several, after `concatenate`), one patch a row.

    Attributes
    ----------
    patches
        (n, size, size) float32 in [0, 1]: 0 outside the particle, 0.25-1 inside, with the
        contrast turned so that particles are brighter than their background.
    masks
        (n, size, size) bool, the particle's silhouette.
    table
        One row a patch: the columns of `measure_shapes` and ``oversize``, True where the
        particle is larger than the frame and was cut. ``label`` is the id in the label image.
    scale
        Micrograph pixels per patch pixel (the median where every patch has its own).
    pixel_size
        nm per micrograph pixel, or None.
    name
        Name of the micrograph.
    common_scale
        Whether all patches have that one scale.
    polarity
        ``"bright"`` or ``"dark"``: what the particles are beside their background; None where
        that is unknown.
    """

    patches: NDArray[np.float32]
    masks: NDArray[np.bool_]
    table: pd.DataFrame
    scale: float
    pixel_size: float | None = None
    name: str = "micrograph"
    common_scale: bool = True
    polarity: str | None = None

    def __post_init__(self) -> None:
        if not len(self.patches) == len(self.masks) == len(self.table):
            raise InputError(
                f"{len(self.patches)} patches, {len(self.masks)} masks and {len(self.table)} table "
                "rows do not belong together; give as many of each."
            )

    def __len__(self) -> int:
        return len(self.patches)

    def subset(self, index: ArrayLike) -> Particles:
        """Return the particles at these positions, in this order, or where a mask is True.

        Parameters
        ----------
        index
            Whole numbers in [-n, n), or n booleans.
        """
        chosen = np.asarray(index)
        if chosen.size == 0:
            chosen = chosen.astype(np.int64)
        if chosen.dtype.kind == "b":
            if chosen.shape != (len(self),):
                raise InputError(f"A mask for {len(self)} particles has shape {chosen.shape}.")
            chosen = np.flatnonzero(chosen)
        if chosen.ndim != 1 or chosen.dtype.kind not in "ui":
            raise InputError("Particles are chosen by a list of whole numbers or of booleans.")
        if chosen.size and (chosen.max() >= len(self) or chosen.min() < -len(self)):
            raise InputError(f"There are only {len(self)} particles to choose from.")
        return replace(
            self,
            patches=self.patches[chosen],
            masks=self.masks[chosen],
            table=self.table.iloc[chosen].reset_index(drop=True),
        )

    @staticmethod
    def concatenate(parts: Sequence[Particles]) -> Particles:
        """Put particles of several micrographs into one set.

        Where the micrographs have several names, the table tells them apart in its column
        ``micrograph``; where they have several pixel sizes, `pixel_size` is None (the ``_nm``
        columns stay true).

        Raises
        ------
        InputError
            If there is nothing to join, or the patches differ in size.
        """
        if not parts:
            raise InputError("There are no particles to join.")
        sizes = {part.patches.shape[1:] for part in parts}
        if len(sizes) > 1:
            raise InputError("Patches of different sizes cannot be joined; cut them again alike.")
        names = list(dict.fromkeys(part.name for part in parts))
        pixel_sizes = {part.pixel_size for part in parts}
        polarities = {part.polarity for part in parts}
        tables = [
            part.table if "micrograph" in part.table else part.table.assign(micrograph=part.name)
            for part in parts
        ]
        return Particles(
            np.concatenate([part.patches for part in parts]),
            np.concatenate([part.masks for part in parts]),
            pd.concat(tables, ignore_index=True),
            float(np.median([part.scale for part in parts])),
            pixel_sizes.pop() if len(pixel_sizes) == 1 else None,
            " + ".join(names),
            all(part.common_scale for part in parts),
            polarities.pop() if len(polarities) == 1 else None,
        )


def choose_scale(labels_or_sizes: ArrayLike, size: int) -> float:
    """Choose how many micrograph pixels one patch pixel covers.

    The frame holds 95 % of the particles with a margin, however they are turned, but is at most
    four times as wide as the lower quartile of their diameters: a few huge clumps must not shrink
    all the others to dots.

    Parameters
    ----------
    labels_or_sizes
        (H, W) label image, or (n,) diameters in px of the circles around the centroids.
    size
        Side of the patches in patch pixels.

    Returns
    -------
    float
        Micrograph pixels per patch pixel, at least 0.25: magnifying more invents pixels.
    """
    values = np.asarray(labels_or_sizes)
    extents = values.astype(np.float64) if values.ndim == 1 else frame_extents(values)
    if extents.size == 0:
        raise InputError("There are no particles to choose a scale from; find some first.")
    small, large = np.percentile(extents, (25, _PERCENTILE))
    return max(min(float(large), _MAX_FRAME * float(small)) * _MARGIN / size, _MIN_SCALE)


def propose_size(labels_or_sizes: ArrayLike, scale: float | None = None) -> int:
    """Propose a patch size in which the small ones of the particles still have a shape.

    A frame that holds 95 % of the particles may be four times as wide as the small ones (the
    lower quartile), which are singles where others are clumps. With 16 pixels across, these are
    told from pairs and triangles with ease; much more only makes training slower.

    Parameters
    ----------
    labels_or_sizes
        As in `choose_scale`.
    scale
        Micrograph pixels per patch pixel of 48 px patches; None chooses it.

    Returns
    -------
    int
        48 to 96, a multiple of 8.
    """
    values = np.asarray(labels_or_sizes)
    extents = values.astype(np.float64) if values.ndim == 1 else frame_extents(values)
    frame = 48 * (scale or choose_scale(extents, 48))
    wanted = _SMALL_ACROSS * frame / float(np.percentile(extents, 25))
    return int(np.clip(8 * np.ceil(wanted / 8), 48, 96))


@dataclass(frozen=True)
class GreyLevels:
    """How the grey values of one micrograph become those of its patches.

    They follow from all particles of the micrograph, so whoever cuts a few out again and again
    keeps them (`GreyLevels.of`) and gives them to `extract_particles`.

    Attributes
    ----------
    low, high
        Grey values that become 0.25 and 1, in the units of the image.
    turned
        Whether the contrast is turned, because particles are darker than their background.
    """

    low: float
    high: float
    turned: bool

    @classmethod
    def of(cls, image: NDArray[Any], labels: NDArray[Any]) -> GreyLevels:
        """Find them: 1st and 99th percentile of all pixels inside the particles of `labels`."""
        inside = labels > 0
        values, background = image[inside], image[~inside]
        low, high = np.percentile(values.astype(np.float32), (1, 99))
        turned = background.size > 0 and bool(np.median(values) < np.median(background))
        return cls(float(low), float(high), turned)

    def applied(self, image: NDArray[Any], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Grey values in [0.25, 1] inside the particles, and 0 outside: float32 like `image`."""
        span = max(self.high - self.low, float(np.finfo(np.float32).tiny))
        values = np.clip((image[inside].astype(np.float64) - self.low) / span, 0, 1)
        if self.turned:
            values = 1 - values
        grey = np.zeros(image.shape, dtype=np.float32)
        grey[inside] = _DARKEST_INSIDE + (1 - _DARKEST_INSIDE) * values
        return grey


def extract_particles(
    image_or_micrograph: ArrayLike | Micrograph,
    labels: ArrayLike,
    size: int = 48,
    *,
    scale: float | None = None,
    common_scale: bool = True,
    ids: ArrayLike | None = None,
    grey_levels: GreyLevels | None = None,
) -> Particles:
    """Cut every particle out, or some of them, alone, each centred on its centroid.

    Inside a particle the grey value is 0.25 + 0.75 (I - lo) / (hi - lo), where lo and hi are the
    1st and 99th percentile of all particle pixels of the micrograph, and the contrast is turned
    where particles are darker than their background; outside it is 0. Patches are resampled with
    a tent filter, so nothing finer than a patch pixel is aliased.

    Parameters
    ----------
    image_or_micrograph
        (H, W) image or `Micrograph`.
    labels
        (H, W) integers, 0 = background; ids may have gaps.
    size
        Side of the patches in patch pixels.
    scale
        Micrograph pixels per patch pixel; None chooses one (`choose_scale`).
    common_scale
        Whether all patches have the same scale. If not, every particle fills its frame and its
        size is to be found in the table only.
    ids
        (m,) ids of the particles to cut out; None: all. They look as they do among all: grey
        values, and the scale where none is given, still come from all particles of the labels.
        With a `scale` that is fast, and faster with `grey_levels`.
    grey_levels
        `GreyLevels.of` this image and these labels, where they are known already.

    Returns
    -------
    Particles
        In the order of the ids, ascending, each once.

    Raises
    ------
    InputError
        If the labels do not fit the image, or hold no particle, or not one of these ids.
    """
    cutting = iter_extract_particles(
        image_or_micrograph,
        labels,
        size,
        scale=scale,
        common_scale=common_scale,
        ids=ids,
        grey_levels=grey_levels,
    )
    while True:
        try:
            next(cutting)
        except StopIteration as finished:
            return cast(Particles, finished.value)


def iter_extract_particles(
    image_or_micrograph: ArrayLike | Micrograph,
    labels: ArrayLike,
    size: int = 48,
    *,
    scale: float | None = None,
    common_scale: bool = True,
    ids: ArrayLike | None = None,
    grey_levels: GreyLevels | None = None,
) -> Generator[float, None, Particles]:
    """Cut particles out as `extract_particles` does, and yield the share that is done.

    Whoever drives it can show progress, and stop between two portions of particles. The
    parameters, the result (the generator's return value) and the errors are the same.
    """
    settings = PatchSettings(size, scale)
    micrograph = as_micrograph(image_or_micrograph)
    array = check_labels(labels, micrograph.shape)
    if not array.any():
        raise InputError("The labels hold no particle; find or paint some first.")
    runs = Runs.of(array, ids)
    table = measures_of(runs, array, micrograph.image, micrograph.pixel_size)
    extents = extents_of(runs)
    yield _MEASURED
    if common_scale or settings.scale is not None:
        every = extents if ids is None or settings.scale is not None else frame_extents(array)
        common = settings.scale or choose_scale(every, size)
        scales = np.full(len(table), common)
    else:
        common = 1.0
        scales = np.maximum(extents * _MARGIN / size, _MIN_SCALE)
    table.insert(8, "oversize", extents > scales * size)
    patches = np.empty((len(table), size, size), dtype=np.float32)
    masks = np.empty((len(table), size, size), dtype=bool)
    levels = grey_levels or GreyLevels.of(micrograph.image, array)
    done = 0
    for rows, patch, mask in _cut(micrograph.image, levels, array, table, scales, size):
        patches[rows], masks[rows] = patch, mask
        done += len(rows)
        yield _MEASURED + (1 - _MEASURED) * done / len(table)
    return Particles(
        patches,
        masks,
        table,
        float(np.median(scales)) if len(scales) else common,
        micrograph.pixel_size,
        micrograph.name,
        common_scale or settings.scale is not None,
        _polarity(micrograph.image, array, runs),
    )


def _polarity(image: NDArray[Any], labels: NDArray[Any], runs: Runs) -> str | None:
    """Say whether particles are bright or dark beside the background next to them.

    Next to them, since a micrograph's background is often brighter at one end than the particles
    at the other. None where no particle has background beside it.
    """
    inside = image[runs.y, runs.start + runs.length // 4]
    beside = []
    for place in (runs.start - _BESIDE, runs.stop - 1 + _BESIDE):
        there = (place >= 0) & (place < image.shape[1])
        y, x = runs.y[there], place[there]
        beside.append(image[y, x][labels[y, x] == 0])
    outside = np.concatenate(beside)
    if not outside.size or not inside.size:
        return None
    return "dark" if np.median(inside) < np.median(outside) else "bright"


def _cut(
    image: NDArray[Any],
    levels: GreyLevels,
    labels: NDArray[Any],
    table: pd.DataFrame,
    scales: NDArray[np.float64],
    size: int,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]]:
    """Yield (rows, patches, masks) of portions of particles with boxes of about the same size.

    A patch is made of the particle's box alone, as far as the frame reaches: no other pixel is of
    the particle.
    """
    ids = table["label"].to_numpy()
    centres = table[["y", "x"]].to_numpy()
    first, sides = _boxes(table, centres, scales, size, image.shape)
    for rows in _alike(sides, size):
        height, width = sides[rows[0]].tolist()
        y, x = first[rows].T
        alone = sliding_window_view(labels, (height, width))[y, x] == ids[rows, None, None]
        grey = levels.applied(sliding_window_view(image, (height, width))[y, x], alone)
        offset = np.asarray(centres[rows] - first[rows], dtype=np.float64)
        down = _tents(offset[:, 0], scales[rows], size, height)
        across = _tents(offset[:, 1], scales[rows], size, width).transpose(0, 2, 1)
        patch = np.clip(down @ grey @ across, 0, 1)
        mask = np.asarray((down @ alone.astype(np.float32) @ across) > 0.5)
        yield rows, patch.astype(np.float32), mask


def _boxes(
    table: pd.DataFrame,
    centres: NDArray[np.float64],
    scales: NDArray[np.float64],
    size: int,
    shape: tuple[int, ...],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixels (y, x), and sides, of what is looked at of each particle: (n, 2) each.

    Sides are rounded up, so that there are few kinds of them; they follow from the particle
    alone, so that its patch is the same to the last bit whatever it is cut out with.
    """
    reach = (np.ceil(scales * size / 2 + np.maximum(scales, 1.0)).astype(np.int64) + 1)[:, None]
    middle = np.floor(centres).astype(np.int64)
    first = np.maximum(table[["top", "left"]].to_numpy(), middle - reach)
    last = np.minimum(table[["bottom", "right"]].to_numpy(), middle + reach + 1)
    # an eighth more at most, but for small ones
    step = np.maximum(8, 2 ** np.ceil(np.log2(np.maximum(last - first, 1) / 8))).astype(np.int64)
    sides = np.minimum(-(-(last - first) // step) * step, np.array(shape))
    return np.minimum(first, np.array(shape) - sides), sides


def _alike(sides: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Yield rows of particles with boxes of the same sides, not too many at once."""
    kinds, kind = np.unique(sides, axis=0, return_inverse=True)
    order = np.argsort(kind.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(kind.ravel(), minlength=len(kinds)))
    start = 0
    for (height, width), end in zip(kinds.tolist(), ends.tolist(), strict=True):
        count = max(1, _PORTION // (height * width + size * (height + width)))
        while start < end:
            yield order[start : min(start + count, end)]
            start = min(start + count, end)


def _tents(
    offset: NDArray[np.float64], scale: NDArray[np.float64], size: int, length: int
) -> NDArray[np.float32]:
    """(n, size, length) weights that resample a line of pixels, centred at `offset`.

    The tent is as wide as a patch pixel when shrinking and as a micrograph pixel when enlarging,
    which makes it linear interpolation then. The line goes on beyond its ends, with zeros: so the
    weights of all whole numbers add up to 1, not those of the line.
    """
    steps = np.arange(size) - (size - 1) / 2
    centre = offset[:, None] + steps * scale[:, None]
    width = np.maximum(scale, 1.0)[:, None]
    weight = (centre / width).astype(np.float32)[:, :, None] - (np.arange(length) / width).astype(
        np.float32
    )[:, None, :]
    np.abs(weight, out=weight)
    np.subtract(1, weight, out=weight)
    np.maximum(weight, 0, out=weight)
    weight *= (1 / _tent_sum(centre, width)).astype(np.float32)[:, :, None]
    return weight


def _tent_sum(centre: NDArray[np.float64], width: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of a tent of this half-width over all whole numbers."""
    total = np.zeros_like(centre)
    below = centre - np.floor(centre)
    for near in (below, 1 - below):  # the nearest whole number to either side, then one by one
        count = np.maximum(np.floor(width - near) + 1, 0)
        total += count - count * (near + (count - 1) / 2) / width
    return total

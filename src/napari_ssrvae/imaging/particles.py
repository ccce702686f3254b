"""Particles cut out of a micrograph: patches, masks and a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.micrograph import Micrograph, as_micrograph
from napari_ssrvae.imaging.shape import check_labels, frame_extents, measure_shapes

MIN_PATCH, MAX_PATCH = 8, 512
_DARKEST_INSIDE = 0.25  # the darkest pixel of a particle stays apart from the background's 0
_PERCENTILE = 95.0
_MARGIN = 1.1
_MAX_FRAME = 4.0  # frames this many times the lower quartile: beyond it, small ones are dots
_MIN_SCALE = 0.25
_CHUNK_BYTES = 64 * 2**20


@dataclass(frozen=True)
class PatchSettings:
    """How particles are cut out.

    Attributes
    ----------
    size
        Side of the square patches, in patch pixels.
    scale
        Micrograph pixels per patch pixel; None chooses it from the particles' sizes.
    """

    size: int = 48
    scale: float | None = None

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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `from_dict` takes back."""
        return {
            "size": int(self.size),
            "scale": None if self.scale is None else float(self.scale),
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
    """

    patches: NDArray[np.float32]
    masks: NDArray[np.bool_]
    table: pd.DataFrame
    scale: float
    pixel_size: float | None = None
    name: str = "micrograph"

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
        return Particles(
            self.patches[chosen],
            self.masks[chosen],
            self.table.iloc[chosen].reset_index(drop=True),
            self.scale,
            self.pixel_size,
            self.name,
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
    settings = PatchSettings(size, scale)
    micrograph = as_micrograph(image_or_micrograph)
    array = check_labels(labels, micrograph.shape)
    if not array.any():
        raise InputError("The labels hold no particle; find or paint some first.")
    table = measure_shapes(array, micrograph.image, micrograph.pixel_size, ids)
    extents = frame_extents(array, ids)
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
    for rows, patch, mask in _cut(micrograph.image, levels, array, table, scales, size):
        patches[rows], masks[rows] = patch, mask
    return Particles(
        patches,
        masks,
        table,
        float(np.median(scales)) if len(scales) else common,
        micrograph.pixel_size,
        micrograph.name,
    )


def _cut(
    image: NDArray[Any],
    levels: GreyLevels,
    labels: NDArray[Any],
    table: pd.DataFrame,
    scales: NDArray[np.float64],
    size: int,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]]:
    """Yield (rows, patches, masks) of batches of particles of about the same scale."""
    if not len(table):
        return
    ids = table["label"].to_numpy()
    centres = table[["y", "x"]].to_numpy()
    order = np.argsort(scales, kind="stable")
    reach = _reach(float(scales.max()), size)
    # Nothing is looked at beyond what these particles' frames reach: for one particle of a large
    # micrograph that is next to nothing.
    first = np.floor(centres.min(axis=0)).astype(np.int64) - reach
    last = np.floor(centres.max(axis=0)).astype(np.int64) + reach + 1
    labels = _box(labels, first, last)
    grey = levels.applied(_box(image, first, last), labels > 0)
    start = 0
    while start < len(order):
        side = 2 * _reach(float(scales[order[start]]), size) + 1
        count = max(1, _CHUNK_BYTES // (4 * side * side))
        rows = order[start : start + count]
        start += count
        radius = _reach(float(scales[rows].max()), size)
        corner = np.floor(centres[rows]).astype(np.int64) + reach - radius
        offset = centres[rows] + reach - corner
        window = (2 * radius + 1, 2 * radius + 1)
        y, x = (corner - reach - first).T
        alone = (sliding_window_view(labels, window)[y, x] == ids[rows, None, None]).astype(
            np.float32
        )
        values = sliding_window_view(grey, window)[y, x] * alone
        down = _tents(offset[:, 0], scales[rows], size, window[0])
        across = _tents(offset[:, 1], scales[rows], size, window[0]).transpose(0, 2, 1)
        patch = np.clip(down @ values @ across, 0, 1)
        yield rows, patch, (down @ alone @ across) > 0.5


def _box(array: NDArray[Any], first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[Any]:
    """Cut an image from `first` up to `last` (y, x), 0 where it reaches beyond it."""
    inside = tuple(
        slice(max(a, 0), min(b, n)) for a, b, n in zip(first, last, array.shape, strict=True)
    )
    before = np.maximum(-first, 0)
    after = np.maximum(last - array.shape, 0)
    return np.pad(array[inside], np.column_stack((before, after)))


def _reach(scale: float, size: int) -> int:
    """Micrograph pixels to either side that a patch and its filter look at."""
    return int(np.ceil(scale * size / 2 + max(scale, 1.0))) + 1


def _tents(
    offset: NDArray[np.float64], scale: NDArray[np.float64], size: int, length: int
) -> NDArray[np.float32]:
    """(n, size, length) weights that resample a line of pixels, centred at `offset`.

    The tent is as wide as a patch pixel when shrinking and as a micrograph pixel when enlarging,
    which makes it linear interpolation then.
    """
    steps = np.arange(size) - (size - 1) / 2
    centre = offset[:, None] + steps * scale[:, None]
    distance = np.abs(np.arange(length) - centre[:, :, None])
    weight = np.maximum(0, 1 - distance / np.maximum(scale, 1.0)[:, None, None])
    return np.asarray(weight / weight.sum(-1, keepdims=True), dtype=np.float32)

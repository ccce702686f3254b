"""Particles of several micrographs cut out alike, whatever the magnification of each."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from napari_ssrvae.imaging.micrograph import Micrograph
from napari_ssrvae.imaging.particles import (
    GreyLevels,
    Particles,
    PatchSettings,
    iter_extract_particles,
)
from napari_ssrvae.imaging.shape import measure_shapes


def extract_alike(
    micrograph: Micrograph,
    labels: npt.NDArray[Any],
    patches: PatchSettings,
    pixel_size: float | None,
    *,
    ids: npt.ArrayLike | None = None,
    grey_levels: GreyLevels | None = None,
) -> Particles:
    """Extract particles with the physical field of view of others.

    Parameters
    ----------
    micrograph : Micrograph
        Where the particles are.
    labels : (H, W) int
        Label image.
    patches : PatchSettings
        Size and scale of the others' patches; no scale: it comes from these particles. Without
        a common scale each particle fills its frame.
    pixel_size : float or None
        nm per pixel of the others' micrograph. Where one of the two is unknown, the pixels are
        taken to be equal.
    ids, grey_levels : optional
        Cut out only these particles, and the grey levels if they are known; see
        `extract_particles`.

    Returns
    -------
    Particles
        Empty where the labels are.
    """
    cutting = iter_extract_alike(
        micrograph, labels, patches, pixel_size, ids=ids, grey_levels=grey_levels
    )
    while True:
        try:
            next(cutting)
        except StopIteration as finished:
            return cast(Particles, finished.value)


def iter_extract_alike(
    micrograph: Micrograph,
    labels: npt.NDArray[Any],
    patches: PatchSettings,
    pixel_size: float | None,
    *,
    ids: npt.ArrayLike | None = None,
    grey_levels: GreyLevels | None = None,
) -> Generator[float, None, Particles]:
    """Extract as `extract_alike` does, and yield the share that is done."""
    scale = patches.scale
    if scale is not None and pixel_size is not None and micrograph.pixel_size is not None:
        scale = scale * pixel_size / micrograph.pixel_size
    if not np.any(labels):
        table = measure_shapes(labels, micrograph.image, micrograph.pixel_size)
        place = table.columns.tolist().index("touches_border") + 1
        table.insert(place, "oversize", np.empty(0, dtype=bool))
        frames = np.empty((0, patches.size, patches.size), dtype=np.float32)
        return Particles(
            frames,
            frames.astype(bool),
            table,
            1.0 if scale is None else scale,
            micrograph.pixel_size,
            micrograph.name,
            patches.common_scale,
        )
    particles = yield from iter_extract_particles(
        micrograph,
        labels,
        patches.size,
        scale=scale if patches.common_scale else None,
        common_scale=patches.common_scale,
        ids=ids,
        grey_levels=grey_levels,
    )
    if not patches.common_scale and scale is not None:
        # Each patch has its own: no micrograph's patches are larger or smaller than another's.
        particles = replace(particles, scale=scale)
    return particles


def common_pixel_size(pixel_sizes: Iterable[float | None]) -> float | None:
    """Return the first pixel size that is known: several micrographs are brought to that one.

    A micrograph of unknown pixel size is taken to have it too; see `training_scale_note`.
    """
    return next((size for size in pixel_sizes if size is not None), None)


def training_scale_note(pixel_sizes: Sequence[tuple[str, float | None]]) -> str | None:
    """Return a sentence where micrographs cannot be brought to one scale, else None.

    Parameters
    ----------
    pixel_sizes : sequence of (str, float or None)
        Name of each micrograph that is trained on, and its nm per pixel; None where unknown.
    """
    common = common_pixel_size(size for _, size in pixel_sizes)
    unknown = [name or "a micrograph" for name, size in pixel_sizes if size is None]
    if common is None or not unknown:
        return None
    listed = ", ".join(unknown[:3]) + (" and others" if len(unknown) > 3 else "")
    return (
        f"The pixel size of {listed} is unknown, that of other micrographs is not: it was taken "
        f"to be {common:.4g} nm too. Type it in and train again if it is another, or classes may "
        "be wrong."
    )

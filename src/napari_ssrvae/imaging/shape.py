"""Size and shape of labelled particles, in pixels and in nanometres.

Everything is counted for all particles at once, from the runs of the label image: general region
properties, one particle after the other, take twenty times as long for five thousand of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.hulls import Hulls
from napari_ssrvae.imaging.perimeters import perimeters
from napari_ssrvae.imaging.runs import Runs

LENGTHS = (
    "perimeter",
    "equivalent_diameter",
    "max_feret",
    "feret_min",
    "major_axis",
    "minor_axis",
)
"""Columns that are lengths: each has a twin that ends in ``_nm``."""


def check_labels(labels: Any, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Return the label image as an array, or say what is wrong with it.

    Parameters
    ----------
    labels
        (H, W) whole numbers, 0 = background.
    shape
        Shape that it must have, usually the image's.

    Raises
    ------
    InputError
        If the labels are no 2-D array of whole non-negative numbers of that shape.
    """
    array = np.asarray(labels)
    if array.dtype.kind == "b":
        raise InputError("The labels are a mask of booleans; number its particles first.")
    if array.dtype.kind not in "ui":
        raise InputError(f"Labels must be whole numbers, not {array.dtype}.")
    if array.ndim != 2:
        raise InputError(
            f"The labels have {array.ndim} axes of shape {array.shape}; give one 2-D label image."
        )
    if shape is not None and array.shape != tuple(shape):
        raise InputError(
            f"The labels have shape {array.shape} but the image has {tuple(shape)}; "
            "use labels that were made for this image."
        )
    if array.size and array.min() < 0:
        raise InputError("The labels hold negative numbers; use 0 for background and ids from 1.")
    return array


def measure_shapes(
    labels: NDArray[Any],
    image: NDArray[Any] | None = None,
    pixel_size: float | None = None,
    ids: ArrayLike | None = None,
) -> pd.DataFrame:
    """Measure every particle of a label image, or some of them.

    Parameters
    ----------
    labels
        (H, W) integers, 0 = background; ids may have gaps.
    image
        (H, W) intensities for ``mean_intensity``; without it that column is NaN. Pixels that are
        not finite are left out.
    pixel_size
        nm per pixel; with it every length and area has a twin in nm.
    ids
        (m,) ids of the particles to measure; None measures all. What is said of a particle does
        not depend on which others are measured.

    Returns
    -------
    pandas.DataFrame
        One row a particle, in the order of the ids:

        ``label``
            The id in the label image.
        ``y``, ``x``
            Centroid, px.
        ``top``, ``left``, ``bottom``, ``right``
            Bounding box, px; bottom and right are exclusive.
        ``touches_border``
            Whether the bounding box reaches the edge of the image.
        ``area``
            px².
        ``perimeter``
            px, by Crofton's formula over twelve directions (`imaging.perimeters`).
        ``equivalent_diameter``
            Diameter of the circle of the same area, px.
        ``max_feret``, ``feret_min``
            Largest and smallest distance of two parallel lines that touch the particle from both
            sides, px: as a caliper measures it.
        ``major_axis``, ``minor_axis``
            Full axes of the ellipse with the same second moments, px.
        ``aspect_ratio``
            Major by minor axis, ≥ 1.
        ``circularity``
            4π area / perimeter², at most 1.
        ``solidity``
            Area by area of the convex hull, at most 1.
        ``eccentricity``
            Of that ellipse, 0 for a circle, below 1.
        ``orientation``
            Angle of the major axis from the x axis, rad, counter-clockwise as seen on the
            screen, in (-π/2, π/2].
        ``mean_intensity``
            In the units of `image`.
        ``area_nm2``, ``perimeter_nm``, ``equivalent_diameter_nm``, ``max_feret_nm``, \
``feret_min_nm``, ``major_axis_nm``, ``minor_axis_nm``
            Only with a pixel size.

    Raises
    ------
    InputError
        If the labels are not a 2-D label image, the image has another shape, or there is no
        particle of one of these ids.
    """
    labels = check_labels(labels, None if image is None else image.shape)
    return measures_of(Runs.of(labels, ids), labels, image, pixel_size)


def measures_of(
    runs: Runs,
    labels: NDArray[Any],
    image: NDArray[Any] | None = None,
    pixel_size: float | None = None,
) -> pd.DataFrame:
    """Measure the particles of runs that are known already; see `measure_shapes`."""
    area, y, x = runs.centres()
    hulls = Hulls.of(runs)
    table = pd.DataFrame({"label": runs.ids, "y": y, "x": x})
    table["top"], table["left"] = runs.least(runs.y), runs.least(runs.start)
    table["bottom"], table["right"] = runs.largest(runs.y + 1), runs.largest(runs.stop)
    table["touches_border"] = (
        (table["top"] == 0)
        | (table["left"] == 0)
        | (table["bottom"] == labels.shape[0])
        | (table["right"] == labels.shape[1])
    )
    table["area"] = area
    table["perimeter"] = perimeters(labels, runs)
    table["equivalent_diameter"] = np.sqrt(4 * area / np.pi)
    table["max_feret"], table["feret_min"] = hulls.feret_max, hulls.feret_min
    for name, values in _ellipses(runs, area, y, x).items():
        table[name] = values
    table["circularity"] = np.minimum(4 * np.pi * area / table["perimeter"] ** 2, 1.0)
    table["solidity"] = np.minimum(area / hulls.area, 1.0)
    table["mean_intensity"] = np.nan if image is None else runs.means(image)
    if pixel_size is not None:
        table["area_nm2"] = table["area"] * pixel_size**2
        for name in LENGTHS:
            table[f"{name}_nm"] = table[name] * pixel_size
    return table


def frame_extents(labels: NDArray[Any], ids: ArrayLike | None = None) -> NDArray[np.float64]:
    """Diameter of the smallest circle around each centroid that holds the whole particle, px.

    A square frame of this side holds the particle however it is turned.

    Parameters
    ----------
    labels
        (H, W) integers, 0 = background.
    ids
        (m,) ids of the particles to measure; None measures all.

    Returns
    -------
    (n,) array
        In the order of the ids, ascending.
    """
    return extents_of(Runs.of(check_labels(labels), ids))


def extents_of(runs: Runs) -> NDArray[np.float64]:
    """Measure the frames of the particles of runs; see `frame_extents`."""
    _, y, x = runs.centres()
    dy = runs.y - y[runs.particle]
    dx = np.maximum(
        abs(runs.start - x[runs.particle]), abs(runs.stop - 1 - x[runs.particle])
    )  # the pixel farthest away is an end of its run
    return 2 * runs.largest(np.hypot(dy, dx)) + 1.0


def _ellipses(
    runs: Runs, area: NDArray[Any], y: NDArray[Any], x: NDArray[Any]
) -> dict[str, NDArray[np.float64]]:
    """Axes, aspect ratio, eccentricity and orientation of the ellipse of equal moments."""
    yy, xx, xy = _second_moments(runs, area, y, x)
    mean = (yy + xx) / 2
    spread = np.hypot((yy - xx) / 2, xy)
    large, small = mean + spread, np.maximum(mean - spread, 1 / 12)
    return {
        "major_axis": 4 * np.sqrt(large),
        "minor_axis": 4 * np.sqrt(small),
        "aspect_ratio": np.sqrt(large / small),
        "eccentricity": np.sqrt(1 - small / large),
        # y runs downwards on the screen, hence the sign
        "orientation": 0.5 * np.arctan2(-2 * xy, xx - yy),
    }


def _second_moments(
    runs: Runs, area: NDArray[Any], y: NDArray[Any], x: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Central moments yy, xx, xy by area; 1/12 is a pixel's own, as a unit square."""
    n = runs.length.astype(np.float64)
    dy = runs.y - y[runs.particle]
    dx = (runs.start + runs.stop - 1) / 2 - x[runs.particle]
    yy = runs.sum(n * dy * dy) / area + 1 / 12
    # that of a run about its own middle, as a bar of n pixels, holds the pixels' own
    xx = runs.sum(n * dx * dx + n**3 / 12) / area
    return yy, xx, runs.sum(n * dx * dy) / area

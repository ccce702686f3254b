"""Size and shape of labelled particles, in pixels and in nanometres.

Everything but the convex hulls is counted for all particles at once, because a loop over five
thousand particles through general region properties takes longer than finding them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from napari_ssrvae.errors import InputError

LENGTHS = (
    "perimeter",
    "equivalent_diameter",
    "max_feret",
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
        (H, W) intensities for ``mean_intensity``; without it that column is NaN.
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
            px, by Crofton's formula over four directions.
        ``equivalent_diameter``
            Diameter of the circle of the same area, px.
        ``max_feret``
            Largest distance between two points of the outline, px.
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
``major_axis_nm``, ``minor_axis_nm``
            Only with a pixel size.

    Raises
    ------
    InputError
        If the labels are not a 2-D label image, the image has another shape, or there is no
        particle of one of these ids.
    """
    labels = check_labels(labels, None if image is None else image.shape)
    pixels = _Pixels(labels, ids)
    table = pd.DataFrame({"label": pixels.ids.astype(np.int64)})
    table["y"], table["x"] = pixels.centre_y, pixels.centre_x
    table = table.assign(**pixels.boxes())
    table["touches_border"] = (
        (table["top"] == 0)
        | (table["left"] == 0)
        | (table["bottom"] == labels.shape[0])
        | (table["right"] == labels.shape[1])
    )
    table["area"] = pixels.area
    table["perimeter"] = _perimeters(pixels.labels, pixels.ids)
    table["equivalent_diameter"] = np.sqrt(4 * pixels.area / np.pi)
    hull_area, feret = _hulls(pixels, table)
    table["max_feret"] = feret
    for name, values in _ellipses(pixels).items():
        table[name] = values
    table["circularity"] = np.minimum(4 * np.pi * table["area"] / table["perimeter"] ** 2, 1.0)
    table["solidity"] = np.minimum(table["area"] / hull_area, 1.0)
    table["mean_intensity"] = np.nan if image is None else pixels.mean(image)
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
    pixels = _Pixels(check_labels(labels), ids)
    distance = np.hypot(
        pixels.y - pixels.centre_y[pixels.index], pixels.x - pixels.centre_x[pixels.index]
    )
    largest = np.zeros(len(pixels.ids))
    np.maximum.at(largest, pixels.index, distance)
    return 2 * largest + 1.0


class _Pixels:
    """Coordinates of the pixels of all particles, or some, and sums over those of each.

    `labels` holds only these particles, and only as much of the image as they take.
    """

    def __init__(self, labels: NDArray[Any], ids: ArrayLike | None = None) -> None:
        top, left = 0, 0
        if ids is not None:
            labels, top, left = _only(labels, np.asarray(ids))
        self.labels = labels
        self.y, self.x = np.nonzero(labels)
        values = labels[self.y, self.x]
        self.y, self.x = self.y + top, self.x + left
        self.ids, self.index = np.unique(values, return_inverse=True)
        self.area = np.bincount(self.index, minlength=len(self.ids)).astype(np.float64)
        self.centre_y = self._sum(self.y) / self.area
        self.centre_x = self._sum(self.x) / self.area

    def _sum(self, values: NDArray[Any]) -> NDArray[np.float64]:
        sums = np.bincount(self.index, weights=values, minlength=len(self.ids))
        return np.asarray(sums, dtype=np.float64)

    def mean(self, image: NDArray[Any]) -> NDArray[np.float64]:
        """Mean of the image inside each particle."""
        return self._sum(image[self.y, self.x]) / self.area

    def second_moments(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Central moments yy, xx, xy by area; 1/12 is a pixel's own, as a unit square."""
        dy = self.y - self.centre_y[self.index]
        dx = self.x - self.centre_x[self.index]
        yy = self._sum(dy * dy) / self.area + 1 / 12
        xx = self._sum(dx * dx) / self.area + 1 / 12
        return yy, xx, self._sum(dx * dy) / self.area

    def boxes(self) -> dict[str, NDArray[np.int64]]:
        """Bounding boxes, bottom and right exclusive."""
        n = len(self.ids)
        low = {key: np.full(n, np.iinfo(np.int64).max) for key in ("top", "left")}
        high = {key: np.zeros(n, dtype=np.int64) for key in ("bottom", "right")}
        np.minimum.at(low["top"], self.index, self.y)
        np.minimum.at(low["left"], self.index, self.x)
        np.maximum.at(high["bottom"], self.index, self.y + 1)
        np.maximum.at(high["right"], self.index, self.x + 1)
        return {**low, **high}


def _only(labels: NDArray[Any], ids: NDArray[Any]) -> tuple[NDArray[Any], int, int]:
    """Cut out the box that some particles take, without all others, and say where it begins."""
    if not ids.size:
        return labels[:0, :0], 0, 0
    if ids.dtype.kind not in "ui":
        raise InputError("Particles are chosen by the whole numbers that the labels give them.")
    wanted = np.isin(labels, ids)
    found = np.unique(labels[wanted])
    if len(absent := np.setdiff1d(ids, found[found > 0])):
        raise InputError(f"There is no particle {absent[0]} in these labels; choose others.")
    (rows,), (columns,) = np.nonzero(wanted.any(axis=1)), np.nonzero(wanted.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.where(wanted[box], labels[box], 0), int(rows[0]), int(columns[0])


def _ellipses(pixels: _Pixels) -> dict[str, NDArray[np.float64]]:
    """Axes, aspect ratio, eccentricity and orientation of the ellipse of equal moments."""
    yy, xx, xy = pixels.second_moments()
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


def _perimeters(labels: NDArray[Any], ids: NDArray[Any]) -> NDArray[np.float64]:
    """Crofton's formula: π times the mean width, from the steps across each particle's outline.

    Lines of the pixel grid run in four directions; those along the diagonals are 1/√2 apart.
    """
    padded = np.pad(labels, 1)
    here = padded[:-1, :-1]
    total = np.zeros(len(ids))
    for a, b, spacing in (
        (here, padded[:-1, 1:], 1.0),
        (here, padded[1:, :-1], 1.0),
        (here, padded[1:, 1:], np.sqrt(0.5)),
        (padded[:-1, 1:], padded[1:, :-1], np.sqrt(0.5)),
    ):
        differ = a != b
        for side in (a[differ], b[differ]):
            index = np.searchsorted(ids, side[side > 0])
            count = np.bincount(index, minlength=len(ids))
            total += spacing * count
    # two steps a line and a particle; the mean is over four directions
    return np.asarray(np.pi * total / 8)


def _hulls(pixels: _Pixels, table: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Area of each convex hull (px²) and its largest diameter (px), of whole pixel squares."""
    order = np.argsort(pixels.index, kind="stable")
    ends = np.cumsum(pixels.area.astype(np.int64))
    area, feret = np.empty(len(ends)), np.empty(len(ends))
    y, x = pixels.y[order], pixels.x[order]
    tops = table["top"].to_numpy()
    start = 0
    for k, end in enumerate(ends):
        corners = _row_corners(y[start:end] - tops[k], x[start:end])
        hull = ConvexHull(corners)
        area[k] = hull.volume  # in two dimensions the "volume" is the area
        feret[k] = pdist(corners[hull.vertices]).max()
        start = end
    return area, feret


def _row_corners(rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float64]:
    """Corners of the first and last pixel of each row: the hull needs no others."""
    # pixels come in raster order, so a row's first and last are where the row number changes
    change = np.flatnonzero(np.diff(rows))
    first = np.concatenate(([0], change + 1))
    last = np.concatenate((change, [len(rows) - 1]))
    y = np.concatenate((rows[first], rows[first] + 1))
    left = np.concatenate((columns[first], columns[first]))
    right = np.concatenate((columns[last] + 1, columns[last] + 1))
    return np.column_stack((np.concatenate((y, y)), np.concatenate((left, right)))).astype(
        np.float64
    )

"""Small round particles: maxima of the Laplacian of Gaussian in place and scale (Lindeberg 1998).

A disc of radius r answers most strongly at sigma = r / sqrt(2). Larger scales are looked at on
shrunk pictures, so that the whole costs little more than the first octave.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_ssrvae.imaging.candidates import Image
from napari_ssrvae.imaging.filters import fill_all_holes
from napari_ssrvae.imaging.proposals import Labels
from napari_ssrvae.imaging.segment_features import weighted_median

Values = NDArray[np.float64]

_FIRST_SIGMA = 1.4  # px: discs of radius 2
_PER_OCTAVE = 4
_LARGEST = 0.12  # of the shorter side: radius
_REACH = 1.4  # radii from the centre that a particle's outline may lie
_OVERLAP = 0.7  # of the sum of two radii: blobs nearer than that are one
_LEAST_SHARE = 0.35  # of the contrast of those that most of the blobs' area has
_NOISE = 3.0  # times the noise of the response
_MOST = 20_000  # blobs


def find_blobs(image: Image, sign: int) -> tuple[Labels, float]:
    """Find blobs of one polarity.

    Parameters
    ----------
    image
        (H, W) float32.
    sign
        1 for bright blobs, -1 for dark ones.

    Returns
    -------
    (H, W) int32
        Blobs from 1, best first.
    float
        How much they stand out: the sum of contrast times area.
    """
    found = _scale_space_maxima(image * np.float32(sign))
    if len(found):
        # by area, so that neither many specks of noise nor one bright one decides
        strong = weighted_median(found[:, 3], found[:, 3] ** 2 * found[:, 2] ** 2)
        found = found[found[:, 3] >= _LEAST_SHARE * strong]
        found = _without_doubles(found[np.argsort(-found[:, 3], kind="stable")][:_MOST])
    labels = np.zeros(image.shape, dtype=np.int32)
    weight = 0.0
    number = 0
    for y, x, radius, contrast in found:
        if _draw(labels, image, sign, y, x, radius, number + 1):
            number += 1
            weight += contrast * radius**2
    return labels, weight


def _scale_space_maxima(image: Image) -> Values:
    """(N, 4) row, column, radius and response of bright blobs."""
    found: list[Values] = []
    largest = _LARGEST * min(image.shape) / math.sqrt(2)
    step = 1
    while _FIRST_SIGMA * step <= largest and min(image.shape) >= 8:
        sigmas = _FIRST_SIGMA * 2.0 ** (np.arange(-1, _PER_OCTAVE + 1) / _PER_OCTAVE)
        stack = np.stack(
            [-(s**2) * ndi.gaussian_laplace(image, s).astype(np.float32) for s in sigmas]
        )
        # noise of each scale, from the middle of its distribution
        noise = np.median(np.abs(stack[:, ::2, ::2]), axis=(1, 2), keepdims=True) * 1.4826
        peak = stack == ndi.maximum_filter(stack, 3)
        peak &= stack > np.maximum(_NOISE * noise, 1e-9)
        peak[[0, -1]] = False
        level, row, column = np.nonzero(peak)
        response = stack[level, row, column]
        radius = sigmas[level] * math.sqrt(2) * step
        centre = (step - 1) / 2
        found.append(
            np.stack([row * step + centre, column * step + centre, radius, response], axis=1)
        )
        height, width = (n // 2 * 2 for n in image.shape)
        image = image[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        step *= 2
    return np.concatenate(found) if found else np.zeros((0, 4))


def _without_doubles(found: Values) -> Values:
    """Leave out blobs that lie in better ones."""
    from scipy.spatial import cKDTree

    tree = cKDTree(found[:, :2])
    keep = np.ones(len(found), dtype=bool)
    reach = found[:, 2]
    for k in range(len(found)):
        if not keep[k]:
            continue
        near = np.asarray(tree.query_ball_point(found[k, :2], 2 * reach[k] * _OVERLAP))
        near = near[near > k]
        if not len(near):
            continue
        apart = np.hypot(*(found[near, :2] - found[k, :2]).T)
        keep[near[apart < _OVERLAP * np.maximum(reach[k], reach[near] + reach[k])]] = False
    return found[keep]


def _draw(
    labels: Labels, image: Image, sign: int, y: float, x: float, radius: float, number: int
) -> bool:
    """Draw the pixels around a blob's centre that are nearer to its level than to the ground's."""
    reach = math.ceil(2 * radius) + 1
    top, left = max(round(y) - reach, 0), max(round(x) - reach, 0)
    part = (slice(top, round(y) + reach + 1), slice(left, round(x) + reach + 1))
    values = image[part]
    rows, columns = np.ogrid[: values.shape[0], : values.shape[1]]
    distance = np.hypot(rows - (y - top), columns - (x - left))
    core, ring = distance <= max(0.7 * radius, 1), (distance > 1.5 * radius) & (distance <= reach)
    if not core.any() or not ring.any():
        return False
    level = (float(np.median(values[core])) + float(np.median(values[ring]))) / 2
    own = (sign * (values - level) > 0) & (distance <= _REACH * radius) & (labels[part] == 0)
    pieces, _ = ndi.label(own)
    middle = pieces[min(round(y) - top, len(values) - 1), min(round(x) - left, own.shape[1] - 1)]
    if middle == 0:
        return False
    labels[part][fill_all_holes(pieces == middle) & (labels[part] == 0)] = number
    return True

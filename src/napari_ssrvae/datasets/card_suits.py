"""Playing-card suits under affine disorder: the paper's synthetic experiment.

Ziatdinov et al., Digital Discovery 2024, 3, 1213: four suits as white figures on black, 64x64
templates whose centre of 48x48 is kept, sheared, scaled, rotated and shifted at random. Hearts and
(turned) spades differ by a small tail only, and clubs are nearly symmetric under 120°, which is
what makes the set hard.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_ssrvae.errors import InputError

CARD_CLASSES = ("clubs", "spades", "hearts", "diamonds")
"""Names of the labels 0 to 3."""

_FRAME = 48  # px of the frame in which the suits are defined
_FINE = 8  # template samples a frame pixel
_DEGREES_PER_SHEAR = 64.0
_CHUNK = 1000


def cards(
    n_per_class: int,
    max_angle: float,
    max_shear: float = 0.23,
    max_shift: float = 0.1,
    scale: tuple[float, float] = (1, 1.3),
    size: int = 48,
    noise: float = 0,
    contamination: tuple[float, float] = (0, 0),
    seed: int = 0,
) -> tuple[NDArray[np.float32], NDArray[np.int64], pd.DataFrame]:
    """Draw disordered suits.

    Each figure is sheared along x, scaled, rotated about its centre, and shifted, in this order;
    every factor is uniform in its range.

    Parameters
    ----------
    n_per_class
        Images of each suit.
    max_angle
        Largest rotation to either side, in degrees; 180 for any.
    max_shear
        Largest shear to either side, on the axis of the paper's figures, on which 0.23 is its
        ±15° (its axis is degrees / 64: 0.219 is 14°, 0.469 is 30°).
    max_shift
        Largest shift to either side along y and along x, as a fraction of the frame.
    scale
        Smallest and largest magnification.
    size
        Side of the images in pixels; the figures grow with it.
    noise
        Standard deviation of Gaussian noise that is added before values are clipped to [0, 1].
    contamination
        Density and intensity: this share of the pixels, chosen at random, gains this much.
    seed
        Same seed, same images.

    Returns
    -------
    images : (4 n_per_class, size, size) float32
        In [0, 1], in random order.
    labels : (4 n_per_class,) int64
        0 to 3, see `CARD_CLASSES`.
    factors : DataFrame
        ``angle`` (rad, counter-clockwise as seen on the screen), ``shear`` (as `max_shear`;
        positive leans the top of the upright figure to the right), ``scale``, ``shift_y`` and
        ``shift_x`` (fractions of the frame; y down, x to the right).

    Raises
    ------
    InputError
        If a number is out of its range.
    """
    _check(n_per_class, max_angle, max_shear, max_shift, scale, size, noise, contamination)
    rng = np.random.default_rng(seed)
    n = n_per_class * len(CARD_CLASSES)
    labels = rng.permutation(np.repeat(np.arange(len(CARD_CLASSES)), n_per_class))
    angle = np.deg2rad(rng.uniform(-max_angle, max_angle, n))
    factors = pd.DataFrame(
        {
            "angle": angle,
            "shear": rng.uniform(-max_shear, max_shear, n),
            "scale": rng.uniform(scale[0], scale[1], n),
            "shift_y": rng.uniform(-max_shift, max_shift, n),
            "shift_x": rng.uniform(-max_shift, max_shift, n),
        }
    )
    images = np.empty((n, size, size), dtype=np.float32)
    for start in range(0, n, _CHUNK):
        part = slice(start, start + _CHUNK)
        images[part] = _draw(labels[part], factors.iloc[part], size)
    density, intensity = contamination
    if density > 0 and intensity != 0:
        images += intensity * (rng.random(images.shape, dtype=np.float32) < density)
    if noise > 0:
        images += noise * rng.standard_normal(images.shape, dtype=np.float32)
    return np.clip(images, 0, 1, out=images), labels, factors


def _check(
    n_per_class: int,
    max_angle: float,
    max_shear: float,
    max_shift: float,
    scale: tuple[float, float],
    size: int,
    noise: float,
    contamination: tuple[float, float],
) -> None:
    for name, value, low, high in (
        ("n_per_class", n_per_class, 1, np.inf),
        ("max_angle", max_angle, 0, 180),
        ("max_shear", max_shear, 0, 1),
        ("max_shift", max_shift, 0, 0.5),
        ("scale", scale[0], 0.1, scale[1]),
        ("size", size, 8, 1024),
        ("noise", noise, 0, np.inf),
        ("contamination", contamination[0], 0, 1),
    ):
        if not low <= value <= high:
            raise InputError(f"{name} is {value}; it must lie between {low:g} and {high:g}.")


def _draw(labels: NDArray[np.int64], factors: pd.DataFrame, size: int) -> NDArray[np.float32]:
    """Sample each figure's template where the inverse of its transformation says."""
    angle, shear, scale, shift_y, shift_x = (
        factors[name].to_numpy()[:, None, None]
        for name in ("angle", "shear", "scale", "shift_y", "shift_x")
    )
    grid = (np.arange(size) - (size - 1) / 2) / size
    y, x = grid[None, :, None] - shift_y, grid[None, None, :] - shift_x
    # y runs downwards: this turns the grid clockwise, so the figure counter-clockwise
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    turned_x, turned_y = cos * x - sin * y, sin * x + cos * y
    straight_x = turned_x + np.tan(np.deg2rad(_DEGREES_PER_SHEAR * shear)) * turned_y
    side = _FRAME * _FINE
    at = np.stack((turned_y, straight_x)) * side + (side - 1) / 2
    images = np.empty(turned_y.shape, dtype=np.float32)
    for label in range(len(CARD_CLASSES)):
        chosen = labels == label
        images[chosen] = ndi.map_coordinates(_template(label, size), at[:, chosen], order=1)
    return images


@cache
def _template(label: int, size: int) -> NDArray[np.float32]:
    """Finely sampled figure, blurred to the pixels of the images that it is drawn in."""
    side = _FRAME * _FINE
    axis = (np.arange(side) + 0.5) / _FINE - _FRAME / 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    figure = (_club, _spade, _heart, _diamond)[label](y, x).astype(np.float32)
    template: NDArray[np.float32] = ndi.gaussian_filter(figure, 0.35 * side / size)
    return template


def _disc(y: NDArray[np.float64], x: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    return np.asarray(y**2 + x**2 <= radius**2)


def _stem(y: NDArray[np.float64], x: NDArray[np.float64], top: float) -> NDArray[np.bool_]:
    """Draw the small tail that spades and clubs stand on, wider at its foot."""
    inside = (y >= top) & (y <= 14)
    return np.asarray(inside & (np.abs(x) <= 0.9 + 2.2 * ((y - top) / (14 - top)) ** 2))


def _heart(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Two discs, and the triangle that their outer tangents make."""
    radius, half, centre_y, tip = 6.6, 5.8, -5.0, 13.0
    lobes = _disc(y - centre_y, np.abs(x) - half, radius)
    # the tangent from the tip (0, tip) to the disc at (half, centre_y)
    reach = np.hypot(half, tip - centre_y)
    slope = np.arctan2(half, tip - centre_y) + np.arcsin(radius / reach)
    touch = tip - np.sqrt(reach**2 - radius**2) * np.cos(slope)
    cone = (y >= touch) & (y <= tip) & (np.abs(x) <= (tip - y) * np.tan(slope))
    return np.asarray(lobes | cone | ((np.abs(x) <= half) & (y >= centre_y) & (y <= touch)))


def _spade(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Draw a heart upside down on a tail."""
    return np.asarray(_heart(-y, x) | _stem(y, x, 5.0))


def _club(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Three discs at 120° on a tail."""
    figure = _stem(y, x, 0.0) | _disc(y, x, 3.0)
    for turn in np.deg2rad([90, 210, 330]):
        figure = figure | _disc(y + 7.2 * np.sin(turn), x - 7.2 * np.cos(turn), 6.0)
    return np.asarray(figure)


def _diamond(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(x) / 12.8 + np.abs(y) / 15 <= 1)

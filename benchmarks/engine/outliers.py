"""Objects that belong to no suit, drawn as sharply and as bright as the cards.

Four kinds, none of which any model of this benchmark is trained on: debris (irregular blobs),
plain figures (discs and bars), cut cards (along a line, or by the rim of the frame) and merged
cards (two in one frame, scaled to fit).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_ssrvae.datasets import cards

Images = NDArray[np.float32]

_SIZE = 48
_FINE = 4  # samples a pixel, along y and along x
_EDGE = 0.35  # px, blur of the cards' own edges
_LOST = (0.3, 0.6)  # share of a card that a cut takes


def outliers(n: int, seed: int = 0) -> dict[str, Images]:
    """Draw n images, (n, 48, 48) in [0, 1], of each kind."""
    rng = np.random.default_rng(seed)
    return {
        "debris": np.stack([_debris(rng) for _ in range(n)]),
        "discs and bars": np.stack([_plain(rng) for _ in range(n)]),
        "cut cards": _cut(n, rng),
        "merged cards": _merged(n, rng),
    }


def _rendered(figure: NDArray[np.bool_]) -> Images:
    """Blur and average a finely sampled figure as the cards' templates are."""
    fine = ndi.gaussian_filter(figure.astype(np.float32), _EDGE * _FINE)
    return fine.reshape(_SIZE, _FINE, _SIZE, _FINE).mean((1, 3))


def _plane(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates in px about a centre that is shifted by up to a tenth of the frame."""
    axis = (np.arange(_SIZE * _FINE) + 0.5) / _FINE - _SIZE / 2
    shift = rng.uniform(-0.1, 0.1, 2) * _SIZE
    y, x = np.meshgrid(axis - shift[0], axis - shift[1], indexing="ij")
    return y, x


def _debris(rng: np.random.Generator) -> Images:
    """Draw a blob whose radius wanders with the angle, at random up to a ragged one."""
    y, x = _plane(rng)
    angle = np.arctan2(y, x)
    orders = np.arange(2, 9)
    rough = rng.uniform(0.1, 0.35)
    weights = rough * rng.standard_normal((2, len(orders))) / np.sqrt(orders)
    wander = sum(
        a * np.cos(k * angle) + b * np.sin(k * angle)
        for k, a, b in zip(orders, *weights, strict=True)
    )
    radius = rng.uniform(9, 15) * np.clip(1 + wander, 0.25, 1.7)
    return _rendered(np.hypot(y, x) <= radius)


def _plain(rng: np.random.Generator) -> Images:
    y, x = _plane(rng)
    if rng.random() < 0.5:
        return _rendered(np.hypot(y, x) <= rng.uniform(8, 16))
    turn = rng.uniform(0, np.pi)
    along, across = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    length, width = rng.uniform(11, 18), rng.uniform(3, 7)
    return _rendered((np.abs(along) <= length) & (np.abs(across) <= width))


def _cut(n: int, rng: np.random.Generator) -> Images:
    """Half of them cut along a straight line, half pushed out of the frame."""
    whole, _, _ = cards(-(-n // 4), 180, seed=int(rng.integers(2**31)))
    images = [
        _along_a_line(image, rng) if number % 2 else _half_outside(image, rng)
        for number, image in enumerate(whole[:n])
    ]
    return np.stack(images)


def _along_a_line(image: Images, rng: np.random.Generator) -> Images:
    turn = rng.uniform(0, 2 * np.pi)
    y, x = np.indices(image.shape) - (np.array(image.shape)[:, None, None] - 1) / 2
    side = np.cos(turn) * x + np.sin(turn) * y
    at = _quantile(side, image, rng.uniform(*_LOST))
    return np.asarray(image * np.clip(side - at + 0.5, 0, 1), np.float32)


def _half_outside(image: Images, rng: np.random.Generator) -> Images:
    """Move it over one rim until that share of it is gone."""
    turned = np.rot90(image, rng.integers(4))
    rows = np.indices(turned.shape)[0]
    lost = round(_quantile(rows, turned, rng.uniform(*_LOST)))
    moved = np.zeros_like(turned)
    moved[: len(turned) - lost] = turned[lost:]
    return np.rot90(moved, rng.integers(4))


def _quantile(values: NDArray[np.float64], weights: Images, share: float) -> float:
    order = np.argsort(values, axis=None)
    below = np.cumsum(weights.ravel()[order])
    return float(values.ravel()[order][np.searchsorted(below, share * below[-1])])


def _merged(n: int, rng: np.random.Generator) -> Images:
    """Two cards that overlap a little or touch, made small enough for the frame of one."""
    large, _, _ = cards(-(-n // 2), 180, max_shift=0, size=96, seed=int(rng.integers(2**31)))
    return np.stack([_pair(large[2 * k], large[2 * k + 1], rng) for k in range(n)])


def _pair(first: Images, second: Images, rng: np.random.Generator) -> Images:
    canvas = np.zeros((288, 288), np.float32)
    turn, apart = rng.uniform(0, 2 * np.pi), rng.uniform(30, 55)
    for image, way in ((first, 0.5), (second, -0.5)):
        at = np.round(96 + way * apart * np.array([np.sin(turn), np.cos(turn)])).astype(int)
        window = (slice(at[0], at[0] + 96), slice(at[1], at[1] + 96))
        canvas[window] = np.maximum(canvas[window], image)
    rows, columns = np.nonzero(canvas > 0.5)
    middle = np.array([rows.min() + rows.max(), columns.min() + columns.max()]) / 2
    extent = max(np.ptp(rows), np.ptp(columns))
    zoom = extent / rng.uniform(34, 44)  # canvas pixels a pixel of the frame
    smooth = ndi.gaussian_filter(canvas, np.sqrt(max((0.35 * zoom) ** 2 - 0.7**2, 0)))
    shift = rng.uniform(-1.5, 1.5, 2)
    axes = (np.arange(_SIZE) - (_SIZE - 1) / 2) * zoom
    grid = np.meshgrid(middle[0] + shift[0] + axes, middle[1] + shift[1] + axes, indexing="ij")
    return np.asarray(ndi.map_coordinates(smooth, grid, order=1), np.float32)

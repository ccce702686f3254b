"""What a pixel classifier looks at: brightness, edges, ridges and texture at several scales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.imaging.filters import gaussian, resize
from napari_ssrvae.imaging.micrograph import Micrograph, as_micrograph

SIGMAS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Scales in px of the image that the strokes were painted on."""

NAMES = (
    *(
        f"{what} {sigma:g}"
        for sigma in SIGMAS
        for what in ("brightness", "edge", "valley", "ridge", "texture")
    ),
    "above surroundings",
)
"""What each feature is, in order."""

_RANGE = (1.0, 99.0)  # percentiles of an image that become 0 and 1
_SURROUNDINGS = 2.0  # times the largest scale
_ENOUGH = 4.0  # a Gaussian this many px wide is computed on a shrunk image
_CUT = 3.0  # standard deviations after which a Gaussian ends


@dataclass(frozen=True, eq=False)
class PixelFeatures:
    """The features of one image, on every pixel or on a coarser grid.

    Attributes
    ----------
    values : (h, w, n) float32
        In the order of `NAMES`.
    step : int
        Pixels of the image per grid point and axis.
    shape : (H, W)
        Of the image.
    zoom : float
        What the scales were multiplied by.
    """

    values: NDArray[np.float32]
    step: int
    shape: tuple[int, int]
    zoom: float = 1.0

    @classmethod
    def of(
        cls, image: ArrayLike | Micrograph, *, zoom: float = 1.0, max_pixels: int | None = None
    ) -> PixelFeatures:
        """Compute the features of an image.

        At each scale: the Gaussian mean, the strength of its gradient, the two eigenvalues of its
        Hessian (all made dimensionless by the scale, so that they compare), and the standard
        deviation under the Gaussian. Wide ones are computed on a shrunk image: they have no fine
        detail to lose.

        Parameters
        ----------
        image
            (H, W) image or `Micrograph`; its brightness is brought to a common range.
        zoom
            All scales are multiplied by it.
        max_pixels
            A larger image is looked at on a grid of about so many points.
        """
        full = as_micrograph(image).image
        step = 1 if max_pixels is None else max(1, int(np.ceil(np.sqrt(full.size / max_pixels))))
        low, high = np.percentile(full[::step, ::step], _RANGE)
        grey = (full.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 1e-6))
        square = grey * grey
        shape = -(-full.shape[0] // step), -(-full.shape[1] // step)
        values = np.empty((*shape, len(NAMES)), dtype=np.float32)
        at = 0
        for sigma in (zoom * s for s in SIGMAS):
            for feature in _at_scale(grey, square, sigma, step):
                values[..., at] = feature
                at += 1
        wide = _Blurred(grey, zoom * SIGMAS[-1] * _SURROUNDINGS, step)
        values[..., -1] = values[..., 0] - wide.on_grid(wide.of(grey))
        return cls(values, step, (full.shape[0], full.shape[1]), zoom)

    def rows(self) -> NDArray[np.float32]:
        """Return the features as one row a grid point."""
        return self.values.reshape(-1, self.values.shape[-1])

    def enlarge(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring (h, w) values of the grid to the (H, W) of the image."""
        return enlarge(values, self.step, self.shape)


class _Blurred:
    """Gaussian means of one width, computed on an image shrunk as far as the width allows."""

    def __init__(self, image: NDArray[np.float32], sigma: float, step: int) -> None:
        widest = max(1, int(sigma / _ENOUGH) * 2)
        # a multiple of the step, so that the grids fit into each other
        self.shrink = step * max(1, widest // step)
        self.step = step
        self.grid = -(-image.shape[0] // step), -(-image.shape[1] // step)
        # the mean over a block blurs already: a box of n px has a variance of (n² - 1) / 12
        rest = max(sigma**2 - (self.shrink**2 - 1) / 12, 0.01)
        self.sigma = float(np.sqrt(rest)) / self.shrink

    def of(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Blur the full image; the answer is on the shrunk one."""
        small = shrink(image, self.shrink)
        return gaussian(small, self.sigma, reach=_CUT)

    def on_grid(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring values of the shrunk image to the grid."""
        return enlarge(values, self.shrink // self.step, self.grid)


def _at_scale(
    grey: NDArray[np.float32], square: NDArray[np.float32], sigma: float, step: int
) -> list[NDArray[np.float32]]:
    """Mean, edge, both curvatures and texture at one scale, on the grid."""
    blurred = _Blurred(grey, sigma, step)
    mean = blurred.of(grey)
    unit = np.float32(sigma / blurred.shrink)
    dy, dx = _slopes(mean)
    (yy, yx), (_, xx) = _slopes(dy), _slopes(dx)
    middle = (yy + xx) / 2
    spread = np.hypot((yy - xx) / 2, yx)
    variance = np.maximum(blurred.of(square) - mean * mean, 0)
    return [
        blurred.on_grid(np.asarray(feature, dtype=np.float32))
        for feature in (
            mean,
            unit * np.hypot(dy, dx),
            unit**2 * (middle + spread),
            unit**2 * (middle - spread),
            np.sqrt(variance),
        )
    ]


def _slopes(image: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Central differences down and across; 0 along an axis of a single pixel."""
    slopes = [
        np.gradient(image, axis=axis) if image.shape[axis] > 1 else np.zeros_like(image)
        for axis in (0, 1)
    ]
    return slopes[0], slopes[1]


def shrink(image: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Return the means of blocks of step x step pixels; the last ones repeat the image's edge."""
    if step == 1:
        return image
    missing = [(0, -length % step) for length in image.shape]
    padded = np.pad(image, missing, mode="edge") if any(m for _, m in missing) else image
    height, width = (length // step for length in padded.shape)
    blocks = padded.reshape(height, step, width, step)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))


def enlarge(values: NDArray[np.float32], step: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Interpolate values of blocks linearly, to an image of this shape."""
    if step == 1:
        return values
    fine = resize(values, (step * values.shape[0], step * values.shape[1]))
    return fine[: shape[0], : shape[1]]

"""A simulated SEM micrograph of sphere agglomerates with a known truth.

It imitates the paper's gold nanoparticles (Ziatdinov et al., Digital Discovery 2024, 3, 1213):
agglomerates of one to four equal spheres in its imbalance of 304 : 93 : 49 : 31.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.micrograph import Micrograph

SIMULATED_CLASSES = ("monomer", "dimer", "trimer", "tetramer")
"""Names of the classes 1 to 4."""

_SHARES = np.array([304, 93, 49, 31]) / 477
_TOUCH = 0.97  # centres of touching spheres are this share of a diameter apart
_GAP = 5  # px of background between agglomerates
_TRIES = 2000

Points = NDArray[np.float64]


def simulated_micrograph(
    seed: int = 0,
    *,
    shape: tuple[int, int] = (960, 1280),
    pixel_size: float = 10.0,
    n_particles: int = 200,
    diameter: float = 240.0,
) -> tuple[Micrograph, NDArray[np.int32], pd.Series]:
    """Simulate secondary-electron contrast of spheres on a flat support.

    Spheres have a bright rim (the yield grows as 1 / cos of the slope), soft shading to one side
    and a dark contact shadow; the field has a charging gradient, faint streaks, blur and shot
    noise.

    Parameters
    ----------
    seed
        Same seed, same micrograph.
    shape
        Rows and columns.
    pixel_size
        nm per pixel.
    n_particles
        Agglomerates; classes are drawn in the paper's imbalance.
    diameter
        Of the spheres, in nm; each agglomerate's own differs by 4 %.

    Returns
    -------
    micrograph : Micrograph
        uint8 image.
    labels : (H, W) int32
        The truth: ids from 1; touching spheres are one object.
    classes : Series
        Class (1 to 4, see `SIMULATED_CLASSES`) of each id.

    Raises
    ------
    InputError
        If that many agglomerates do not fit without touching each other.
    """
    radius = diameter / pixel_size / 2
    if n_particles < 1 or radius < 2 or min(shape) < 12 * radius:
        raise InputError(
            f"{n_particles} agglomerates of spheres of {2 * radius:g} px cannot be simulated in "
            f"{shape[0]}x{shape[1]} pixels; give a larger image or a smaller diameter."
        )
    rng = np.random.default_rng(seed)
    counts = _class_counts(n_particles)
    sizes = np.repeat(np.arange(4, 0, -1), counts[::-1])  # the large ones find room first
    labels = np.zeros(shape, dtype=np.int32)
    spheres: list[tuple[Points, float]] = []
    for label, count in enumerate(sizes, start=1):
        own_radius = radius * float(np.clip(rng.normal(1, 0.04), 0.88, 1.12))
        spheres.append(_place(rng, labels, label, int(count), own_radius))
    order = rng.permutation(len(sizes))
    labels = np.concatenate(([0], np.argsort(order) + 1)).astype(np.int32)[labels]
    classes = pd.Series(
        sizes[order], index=pd.RangeIndex(1, len(sizes) + 1, name="label"), name="class"
    )
    image = _render(rng, shape, spheres, radius)
    name = f"simulated-{seed}"
    metadata = {
        "format": "simulation",
        "instrument": "simulated SEM",
        "info_bar_rows": 0,
        "warnings": [],
    }
    return Micrograph(image, pixel_size, name, None, metadata), labels, classes


def _class_counts(n: int) -> NDArray[np.int64]:
    """Split n by the paper's shares into whole numbers by largest remainder."""
    exact = _SHARES * n
    counts = np.floor(exact).astype(np.int64)
    missing = n - counts.sum()
    counts[np.argsort(counts - exact)[:missing]] += 1
    return counts


def _agglomerate(rng: np.random.Generator, count: int) -> Points:
    """(count, 2) centres of touching spheres of diameter 1, about their own centre."""
    if count == 3 and rng.random() < 0.5:
        points = np.array([[0, 0], [1, 0], [0.5, np.sqrt(0.75)]])
    elif count == 4 and rng.random() < 0.6:
        corner = rng.choice([60.0, 90.0])  # rhombus or square
        step = np.array([np.cos(np.deg2rad(corner)), np.sin(np.deg2rad(corner))])
        points = np.array([[0, 0], [1, 0], step, step + np.array([1, 0])])
    else:
        # a chain that bends by up to 50° at each joint
        bends = np.deg2rad(rng.uniform(-50, 50, max(count - 1, 0)))
        headings = np.cumsum(bends)
        steps = np.column_stack((np.cos(headings), np.sin(headings)))
        points = np.concatenate((np.zeros((1, 2)), np.cumsum(steps, axis=0)))[:count]
    turn = rng.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.asarray((points - points.mean(0)) @ rotation)


def _place(
    rng: np.random.Generator, labels: NDArray[np.int32], label: int, count: int, radius: float
) -> tuple[Points, float]:
    """Write one agglomerate into the labels where nothing else is near."""
    for _ in range(_TRIES):
        offsets = _agglomerate(rng, count) * 2 * radius * _TOUCH
        reach = np.abs(offsets).max(0) + radius + _GAP
        centre = rng.uniform(reach, np.array(labels.shape) - 1 - reach)
        box = tuple(slice(int(c - r), int(c + r) + 2) for c, r in zip(centre, reach, strict=True))
        y, x = np.mgrid[box]
        distance = np.min([np.hypot(y - p[0], x - p[1]) for p in centre + offsets], axis=0)
        if not labels[box][distance <= radius + _GAP].any():
            labels[box][distance <= radius] = label
            return centre + offsets, radius
    raise InputError(
        f"No room was left for agglomerate {label}; ask for fewer, or for a larger image."
    )


def _render(
    rng: np.random.Generator,
    shape: tuple[int, int],
    agglomerates: list[tuple[Points, float]],
    radius: float,
) -> NDArray[np.uint8]:
    """Grey picture of the spheres with background, blur and noise."""
    image = _background(rng, shape)
    covered = np.zeros(shape, dtype=np.float32)
    height = np.zeros(shape, dtype=np.float32)
    light = rng.uniform(0, 2 * np.pi)
    signal = np.zeros(shape, dtype=np.float32)
    for centres, own_radius in agglomerates:
        bright = rng.normal(1, 0.05)
        for centre in centres:
            _add_sphere(signal, height, covered, centre, own_radius, light, bright)
    shadow = ndi.gaussian_filter(covered, 0.35 * radius)
    image = image * (1 - 0.35 * shadow)
    image = np.where(covered > 0, image * 0.2 + signal, image)
    image = ndi.gaussian_filter(image, 0.9)
    # shot noise: a few hundred electrons a pixel
    image = rng.poisson(np.maximum(image, 0) * 600) / 600
    return np.asarray(np.clip(image * 255, 0, 255), dtype=np.uint8)


def _background(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Flat support with a charging gradient, slow clouds and faint horizontal streaks."""
    y, x = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    turn = rng.uniform(0, 2 * np.pi)
    gradient = 0.05 * (np.cos(turn) * x + np.sin(turn) * y)
    clouds = ndi.zoom(
        rng.standard_normal((6, 8)),
        (shape[0] / 6, shape[1] / 8),
        order=3,
        grid_mode=True,
        mode="nearest",
    )[: shape[0], : shape[1]]
    streaks = ndi.gaussian_filter1d(rng.standard_normal(shape[0]), 1.0)[:, None]
    return np.asarray(0.33 + gradient + 0.012 * clouds + 0.006 * streaks)


def _add_sphere(
    signal: NDArray[np.float32],
    height: NDArray[np.float32],
    covered: NDArray[np.float32],
    centre: Points,
    radius: float,
    light: float,
    bright: float,
) -> None:
    """Draw one sphere where it is higher than what is there already."""
    low = np.floor(centre - radius).astype(int) - 1
    box = (slice(low[0], low[0] + int(2 * radius) + 4), slice(low[1], low[1] + int(2 * radius) + 4))
    y, x = np.mgrid[box]
    dy, dx = (y - centre[0]) / radius, (x - centre[1]) / radius
    square = dy**2 + dx**2
    cosine = np.sqrt(np.clip(1 - square, 0, 1))
    top = (square <= 1) & (cosine * radius >= height[box] - 1e-6)
    rim = np.minimum(1 / np.maximum(cosine, 0.12) - 1, 4.0)
    shade = 0.07 * (np.cos(light) * dx + np.sin(light) * dy)
    value = bright * (0.42 + 0.13 * rim + shade * (1 + rim))
    signal[box][top] = value[top]
    height[box][top] = (cosine * radius)[top]
    covered[box][square <= 1] = 1.0

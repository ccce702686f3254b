"""Drawn micrographs of heaps: overlapping grains, rods, cubes and spheres, and their instance map.

What `fit_grain_net.py` learns from. A picture is drawn from back to front: each grain hides what
lies below it and darkens what is close by. Edges shine as those of a scanning electron microscope
do, brighter towards the detector; ground and grains have a texture, the picture has noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

Random = np.random.Generator
LEAST = 15  # px: less of a grain than that is not to be seen


@dataclass(frozen=True)
class Kind:
    """What the grains of one picture have in common.

    Attributes
    ----------
    corners
        Exponent of the superellipse: 2 round, more has corners.
    aspect, wobble
        Long side by short side; how irregular the outline is.
    body, unlike, height
        Brightness, how it differs among grains, how it grows towards the top of the heap.
    rim, width, uneven
        Brightness at the edge, its width as a share of the radius, how much more of it there is
        towards the detector.
    slope, dome
        Brightness towards the detector, brightness of the middle.
    shadow
        What a grain takes from the brightness beside it.
    towards
        Where the detector is, radians.
    """

    corners: float
    aspect: float
    wobble: float
    body: float
    unlike: float
    height: float
    rim: float
    width: float
    uneven: float
    slope: float
    dome: float
    shadow: float
    towards: float

    @classmethod
    def drawn(cls, rng: Random) -> Kind:
        """Draw one by lot."""
        name = rng.choice(["sphere", "grain", "grain", "facet", "rod"])
        aspects = {"sphere": (1, 1.15), "rod": (2, 7)}
        corners = {"facet": rng.uniform(2, 5), "rod": 4.0}
        wobbles = (0.01, 0.08) if name in ("grain", "facet") else (0, 0.02)
        return cls(
            corners=corners.get(name, 2.0),
            aspect=rng.uniform(*aspects.get(name, (1, 2))),
            wobble=rng.uniform(*wobbles),
            body=rng.uniform(0.35, 0.8),
            unlike=0.35 * rng.uniform(0, 0.6),
            height=sometimes(rng, 0.35),
            rim=rng.uniform(0, 0.6),
            width=rng.uniform(0.05, 0.35),
            uneven=rng.uniform(0, 0.8),
            slope=rng.uniform(0, 0.15),
            dome=sometimes(rng, 0.3),
            shadow=rng.uniform(0, 0.6),
            towards=rng.uniform(0, 2 * np.pi),
        )


def sometimes(rng: Random, most: float) -> float:
    """Return nothing in half of all cases."""
    return float(rng.uniform(0, most) * rng.choice([0, 1]))


def draw_heap(rng: Random, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a picture.

    Returns
    -------
    (side, side) float32
        Brightness, nearly all of it from 0 to 1.
    (side, side) int32
        0 = ground, grains from 1 in the order in which they were laid.
    """
    image, truth = ground(rng, side), np.zeros((side, side), np.int32)
    kind = Kind.drawn(rng)
    texture = sometimes(rng, 0.1) * clouds(rng, side, rng.uniform(1, 8))
    sizes, places = laid(rng, side, kind.aspect)
    apart = rng.choice([0, 0.3, 0.7, 0.95])
    for k, radius in enumerate(sizes):
        at = place(rng, places, truth, apart)
        if at is not None:
            level = kind.body * (1 + kind.unlike * rng.standard_normal())
            level += kind.height * (k / len(sizes) - 0.5)
            shift = tuple(int(s) for s in rng.integers(side, size=2))
            lay(rng, image, truth, at, radius, kind, level, np.roll(texture, shift, (0, 1)), k + 1)
    truth[np.bincount(truth.ravel(), minlength=len(sizes) + 1)[truth] < LEAST] = 0
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.7))
    if rng.random() < 0.2:  # lines of a scan differ
        image = image + rng.uniform(0, 0.04) * rng.standard_normal((side, 1))
    image = image + rng.uniform(0.003, 0.09) * rng.standard_normal((side, side))
    low, high = np.percentile(image[::2, ::2], (0.5, 99.5))
    return ((image - low) / max(high - low, 1e-3)).astype(np.float32), truth


def clouds(rng: Random, side: int, size: float) -> np.ndarray:
    """Make (side, side) smooth noise of unit variance or a little less."""
    step = max(int(size), 1)
    coarse = rng.standard_normal((side // step + 3,) * 2).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))


def ground(rng: Random, side: int) -> np.ndarray:
    """Draw what the grains lie on, in some pictures with pits and scales."""
    image = np.full((side, side), rng.uniform(0, 0.35), np.float32)
    image += rng.uniform(0, 0.06) * clouds(rng, side, rng.uniform(1.5, 20))
    image += rng.uniform(0, 0.08) * clouds(rng, side, side / 4)
    if rng.random() < 0.5:
        lines = np.zeros_like(image)
        for _ in range(int(rng.integers(5, 90))):
            centre = (int(rng.integers(side)), int(rng.integers(side)))
            axes = (int(rng.integers(2, 14)), int(rng.integers(2, 14)))
            arc = (rng.uniform(0, 180), rng.uniform(0, 180), rng.uniform(200, 400))
            cv2.ellipse(lines, centre, axes, *arc, float(rng.uniform(0.2, 1)), 1)
        image += rng.uniform(0.03, 0.2) * lines
    return image


def laid(rng: Random, side: int, aspect: float) -> tuple[np.ndarray, tuple[np.ndarray, float]]:
    """Draw radii, and the middles of heaps with the spread of grains around them."""
    typical = side * np.exp(rng.uniform(np.log(0.02), np.log(0.2)))
    room = max(2, 1.3 * side**2 / (np.pi * typical**2))
    count = int(min(np.exp(rng.uniform(np.log(2), np.log(110))), room))
    spread, small = rng.uniform(0, 0.5), sometimes(rng, 0.4)
    sizes = typical * np.exp(spread * rng.standard_normal(count))
    sizes *= np.where(rng.random(count) < small, rng.uniform(0.25, 0.6, count), 1)
    heaps = int(rng.integers(1, 6))
    middles = rng.uniform(0.05, 0.95, (heaps, 2)) * side
    return np.maximum(sizes, 2.5), (
        middles,
        0.6 * rng.uniform(0.4, 3) * typical * np.sqrt(count / heaps),
    )


def place(
    rng: Random, places: tuple[np.ndarray, float], truth: np.ndarray, apart: float
) -> np.ndarray | None:
    """Draw where a grain lies; as the share `apart` of pictures wants, on no other one's place."""
    middles, spread = places
    at = None
    for _ in range(6):
        there = middles[rng.integers(len(middles))] + spread * rng.standard_normal(2)
        if (there < 0).any() or (there >= len(truth)).any():
            continue
        at = there
        if truth[tuple(at.astype(int))] == 0 or rng.random() > apart:
            break
    return at


def lay(
    rng: Random,
    image: np.ndarray,
    truth: np.ndarray,
    at: np.ndarray,
    radius: float,
    kind: Kind,
    level: float,
    texture: np.ndarray,
    number: int,
) -> None:
    """Draw one grain over what is there."""
    long = radius * np.sqrt(kind.aspect * np.exp(0.15 * rng.standard_normal()))
    short = radius**2 / long
    reach = int(1.5 * max(long, short)) + 3
    box = tuple(slice(int(max(c - reach, 0)), int(min(c + reach, len(truth)))) for c in at)
    y, x = (axis.astype(np.float32) for axis in np.mgrid[box])
    y, x = y - np.float32(at[0]), x - np.float32(at[1])
    turn = rng.uniform(0, np.pi)
    cosine, sine = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    u = (x * cosine + y * sine) / np.float32(long)
    v = (y * cosine - x * sine) / np.float32(short)
    angle = np.arctan2(v, u)
    outline = np.ones_like(u)
    for waves in (2, 3, 5):
        phase = np.float32(rng.uniform(0, 2 * np.pi))
        outline += np.float32(rng.normal(0, kind.wobble)) * np.cos(waves * angle + phase)
    power = np.float32(kind.corners)
    out = (np.abs(u) ** power + np.abs(v) ** power) ** (1 / power) / outline
    inside = out < 1
    if np.count_nonzero(inside) < LEAST:
        return
    deep = np.maximum((1 - out) * min(long, short), 0)  # px below the edge
    shine = 1 + kind.uneven * np.cos(angle + np.float32(turn - kind.towards))
    colour = level + kind.rim * (shine * np.exp(-deep / (kind.width * radius + 0.7)) - 0.3)
    colour += kind.slope * (u * np.float32(np.cos(kind.towards)) + v * np.sin(kind.towards))
    colour += kind.dome * np.sqrt(np.clip(1 - out**2, 0, 1))
    beside = (out >= 1) & (out < 1.35)
    image[box][beside] *= 1 - kind.shadow * np.exp(-8 * (out[beside] - 1))
    image[box][inside] = (colour + texture[box])[inside]
    truth[box][inside] = number

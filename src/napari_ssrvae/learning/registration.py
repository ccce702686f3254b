"""Where a class's images lie in other images: turns and shifts found by correlation.

The pose of an image, given its class, is the argument of one sharp peak (or, for a symmetric
shape, of several equal ones) far from which a gradient says nothing. So it is looked for
everywhere at once: the class's images, at all angles and shifts, are correlated with it. This is
the step by which 2-D classification in cryo-electron microscopy aligns particles (Scheres, J.
Struct. Biol. 180 (2012) 519); here it gives the guide the centre of q(angle, shift | x, y).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .networks import resized
from .pose import sampling_grid, stretched, warp

SIDE = 24  # px: a pose is seen at this size
LARGEST = 2**22  # correlations held at a time


@dataclass(frozen=True)
class Search:
    """How finely poses are looked for.

    `angles` in a turn; `step` between shifts, in frames, to `reach` of them from the frame's
    centre, `near` of them around the place of what is in the image; `band`, the highest frequency
    in cycles a frame: higher ones tell nothing of a pose and cost time.
    """

    angles: int
    step: float
    reach: int
    near: int
    band: int


COARSE = Search(angles=36, step=0.04, reach=4, near=2, band=7)
FINE = Search(angles=72, step=0.03, reach=5, near=3, band=9)

# Log scale and the two components of a symmetric stretch: what a shape may differ by from the one
# image that is known of its class.
DEFORMATIONS = tuple(
    (scale, along, across)
    for scale in (-0.15, 0.0, 0.15)
    for along, across in ((0.0, 0.0), (0.12, 0.0), (-0.12, 0.0), (0.0, 0.12), (0.0, -0.12))
)


class Found(NamedTuple):
    """Best match of each class in each image.

    `score` (k, n) is the normalised correlation, `variant` (k, n) the number of the matching image
    of the class, `angle` (k, n) and `shift` (k, n, 2) its pose.
    """

    score: Tensor
    variant: Tensor
    angle: Tensor
    shift: Tensor

    def at(self, rows: Tensor) -> Found:
        """Of some images only."""
        return Found(*(values[:, rows] for values in self))


class Registration:
    """Looks for classes in images.

    Parameters
    ----------
    uprights : Tensor
        (k, j, s, s): j upright images of each class, background 0.
    rotation, translation : bool
        Whether angles and shifts are looked for.
    search : Search
        How finely.
    """

    def __init__(
        self,
        uprights: Tensor,
        *,
        rotation: bool,
        translation: bool,
        search: Search = COARSE,
    ) -> None:
        self.device = uprights.device
        self.n_angles = search.angles if rotation else 1
        self.n_classes, self.n_variants = uprights.shape[:2]
        self.frequencies = _frequencies(search.band).to(self.device)
        places = torch.arange(SIDE, device=self.device) / SIDE
        grid = torch.cartesian_prod(places, places)
        self.waves = torch.exp(-2j * math.pi * (grid @ self.frequencies.T))
        self.step = search.step
        self.reach = search.reach if translation else 0
        self.near = search.near if translation else 0
        self.bank = self._bank(uprights)

    def _bank(self, uprights: Tensor) -> Tensor:
        """Spectra (2 f, k * j * angles) of all turned images, each of norm 1."""
        small = resized(uprights.flatten(0, 1), SIDE)
        m, a = len(small), self.n_angles
        angles = torch.arange(a, device=self.device) * (2 * math.pi / a)
        turned = warp(
            small.repeat_interleave(a, 0),
            sampling_grid(angles.repeat(m), small.new_zeros(m * a, 2), small.new_ones(m * a), SIDE),
            0.0,
        )
        spectra = self._spectra(turned)
        spectra = torch.cat([spectra.real, spectra.imag], dim=1)
        norm = spectra.norm(dim=1, keepdim=True).clamp(min=1e-6)
        bank: Tensor = (spectra / norm).T.contiguous()
        return bank

    @property
    def chunk(self) -> int:
        """Images whose correlations fit into memory together."""
        return max(1, LARGEST // ((2 * self.near + 1) ** 2 * self.bank.shape[1]))

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Found:
        """Find every class in each image (n, s, s), background 0."""
        parts = [self._found(chunk) for chunk in torch.split(images, self.chunk)]
        return Found(*(torch.cat(values, dim=1) for values in zip(*parts, strict=True)))

    def scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Correlations (n, shifts, k * j * angles) of few images, and the shifts (n, shifts, 2)."""
        spectra = self._spectra(images)
        centre = self._blob(spectra)
        shifts = centre[:, None] + self._shifts(self.near)
        seen = spectra[:, None] * self._phases(shifts)
        seen = torch.cat([seen.real, seen.imag], dim=-1)
        norm = seen[:, :1].norm(dim=-1, keepdim=True).clamp(min=1e-6)
        return (seen / norm) @ self.bank, shifts

    def _found(self, images: Tensor) -> Found:
        scores, shifts = self.scores(images)
        best, place = scores.max(dim=1)
        shape = (len(images), self.n_classes, self.n_variants * self.n_angles)
        best, place = best.reshape(shape), place.reshape(shape)
        score, which = best.max(dim=2)
        place = place.gather(2, which[..., None]).squeeze(2)
        shift = shifts.gather(1, place[..., None].expand(-1, -1, 2))
        angle = (which % self.n_angles) * (2 * math.pi / self.n_angles)
        return Found(score.T, (which // self.n_angles).T, angle.T, shift.transpose(0, 1))

    def _blob(self, spectra: Tensor) -> Tensor:
        """Where the classes' common, round shape lies: (n, 2), robust against noise."""
        shifts = self._shifts(self.reach)
        round_shape = self.bank[: len(self.frequencies)].mean(1)
        seen = spectra[:, None] * self._phases(shifts)
        return shifts[(seen.real @ round_shape).argmax(1)]

    def _shifts(self, reach: int) -> Tensor:
        steps = torch.arange(-reach, reach + 1, device=self.device) * self.step
        return torch.cartesian_prod(steps, steps)

    def _spectra(self, images: Tensor) -> Tensor:
        """Fourier coefficients (n, f) of the band."""
        spectra: Tensor = resized(images, SIDE).flatten(1).to(self.waves.dtype) @ self.waves
        return spectra

    def _phases(self, shifts: Tensor) -> Tensor:
        """Factors that move a spectrum back by shifts (..., 2)."""
        phases: Tensor = torch.exp(2j * math.pi * (shifts @ self.frequencies.T))
        return phases


def _frequencies(band: int) -> Tensor:
    """Half of the band's frequencies (f, 2); the other half are their conjugates."""
    k = torch.arange(-band, band + 1)
    y, x = torch.meshgrid(k, k, indexing="ij")
    half = ((x > 0) | ((x == 0) & (y > 0))) & (y**2 + x**2 <= band**2)
    return torch.stack([y[half], x[half]], dim=1).float()


def deformed(images: Tensor, deformations: Tensor) -> Tensor:
    """Scale and stretch images (n, s, s), background 0, by (n, 3) log scales and stretches."""
    n, size = len(images), images.shape[-1]
    one = images.new_ones(n)
    grid = sampling_grid(0 * one, images.new_zeros(n, 2), one, size)
    return warp(images, stretched(grid, deformations), 0.0)

"""Priors on the circle."""

from __future__ import annotations

import math
from typing import ClassVar

import pyro.distributions as dist
import torch
from torch import Tensor

from .pose import wrapped

ANGLE_PRIORS = ("uniform", "normal", "projected_normal")
CONCENTRATION = 1.0  # of the projected normal's mean direction; the normal's deviation is 1 rad


class AnglePrior(dist.TorchDistribution):  # type: ignore[misc]
    """A distribution of angles in radians that has the period 2 pi.

    Parameters
    ----------
    like : Tensor
        () gives device and dtype.
    kind : {"uniform", "normal", "projected_normal"}
        Uniform on the circle; normal around 0, cut at half a turn; or the direction of a normal in
        the plane (pyro.distributions.ProjectedNormal), as the paper tried.
    """

    arg_constraints: ClassVar[dict[str, object]] = {}
    support = dist.constraints.real
    has_rsample = True

    def __init__(self, like: Tensor, kind: str) -> None:
        self.kind, self.like = kind, like
        super().__init__(like.shape, validate_args=False)

    def expand(self, batch_shape: torch.Size, _instance: object = None) -> AnglePrior:
        """Repeat over a batch."""
        return AnglePrior(self.like.expand(batch_shape), self.kind)

    def rsample(self, sample_shape: torch.Size | None = None) -> Tensor:
        """Draw angles in [-pi, pi)."""
        shape = torch.Size(sample_shape or ()) + self.like.shape
        noise = torch.randn(*shape, 2, dtype=self.like.dtype, device=self.like.device)
        if self.kind == "normal":
            return wrapped(noise[..., 0])
        toward = CONCENTRATION if self.kind == "projected_normal" else 0.0
        return torch.atan2(noise[..., 1], noise[..., 0] + toward)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density of angles, each taken modulo a turn."""
        if self.kind == "uniform":
            return torch.zeros_like(value) - math.log(2 * math.pi)
        if self.kind == "normal":
            return -0.5 * wrapped(value) ** 2 - 0.5 * math.log(2 * math.pi)
        toward = value.new_tensor([CONCENTRATION, 0.0])
        normal = dist.ProjectedNormal(toward, validate_args=False)
        density: Tensor = normal.log_prob(torch.stack([torch.cos(value), torch.sin(value)], dim=-1))
        return density

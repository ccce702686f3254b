"""Rotation, shift and scale of images, in one convention for the whole package.

Angles are radians, counter-clockwise as seen on the screen (rows grow downwards). Shifts are
(y, x) in fractions of the frame. A scale above 1 makes the object larger.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as nnf

QUARTER = math.pi / 2


def sampling_grid(angle: Tensor, shift: Tensor, scale: Tensor, size: int) -> Tensor:
    """Where each pixel of a posed image looks into the upright image.

    Parameters
    ----------
    angle : Tensor
        (n,) radians, counter-clockwise on the screen.
    shift : Tensor
        (n, 2) as (y, x), fractions of the frame.
    scale : Tensor
        (n,) magnification of the object.
    size : int
        Side of the square frame in pixels.

    Returns
    -------
    Tensor
        (n, size, size, 2) coordinates (x, y) in [-1, 1] as `grid_sample` wants them.
    """
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    # The inverse of "rotate, then shift": p -> R^-1 (p - t) / scale, with y pointing down.
    t_y, t_x = 2 * shift[:, 0], 2 * shift[:, 1]
    row_x = torch.stack([cos, -sin, -cos * t_x + sin * t_y], dim=1)
    row_y = torch.stack([sin, cos, -sin * t_x - cos * t_y], dim=1)
    theta = torch.stack([row_x, row_y], dim=1)
    return nnf.affine_grid(theta, [len(theta), 1, size, size], align_corners=False)


def warp(images: Tensor, grid: Tensor, background: Tensor | float) -> Tensor:
    """Sample images (n, h, w) on a grid (n, H, W, 2); what lies outside is background."""
    lifted = (images - background).unsqueeze(1)
    return nnf.grid_sample(lifted, grid, align_corners=False).squeeze(1) + background


def turned_back(images: Tensor, n_turns: int) -> Tensor:
    """Turn images clockwise by 0 .. n_turns - 1 quarters: (n_turns, n, s, s)."""
    return torch.stack([torch.rot90(images, -turn, (-2, -1)) for turn in range(n_turns)])


def turn_vectors(vectors: Tensor, turns: Tensor) -> Tensor:
    """Turn (y, x) vectors counter-clockwise by whole quarters.

    Parameters
    ----------
    vectors : Tensor
        (..., 2) as (y, x).
    turns : Tensor
        Integer quarters, broadcastable to the leading shape.
    """
    y, x = vectors[..., 0], vectors[..., 1]
    cos = torch.tensor([1.0, 0.0, -1.0, 0.0], device=vectors.device)[turns]
    sin = torch.tensor([0.0, 1.0, 0.0, -1.0], device=vectors.device)[turns]
    return torch.stack([cos * y - sin * x, sin * y + cos * x], dim=-1)


def wrapped(angle: Tensor) -> Tensor:
    """Bring angles into [-pi, pi)."""
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


def centred(images: Tensor, background: Tensor | float) -> Tensor:
    """Shift images (n, s, s) so that the centre of mass of what is not background is central."""
    n, size = len(images), images.shape[-1]
    mass = (images - background).abs()
    places = (torch.arange(size, device=images.device) + 0.5) / size - 0.5
    total = mass.sum((1, 2)).clamp(min=1e-6)
    centre = torch.stack([mass.sum(2) @ places, mass.sum(1) @ places], dim=1) / total[:, None]
    one = torch.ones(n, device=images.device)
    return warp(images, sampling_grid(0 * one, -centre, one, size), background)

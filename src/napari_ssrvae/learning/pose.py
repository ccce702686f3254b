"""Rotation, shift and scale of images, in one convention for the whole package.

Angles are radians, counter-clockwise as seen on the screen (rows grow downwards). Shifts are
(y, x) in fractions of the frame. A scale above 1 makes the object larger.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as nnf


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


def upright_grid(
    angle: Tensor, shift: Tensor, size: int, deformation: Tensor | None = None
) -> Tensor:
    """Where each pixel of the upright image looks into the posed one: the inverse of the above.

    With `deformation` (n, 3), see `stretched`, the upright image is relieved of it as well.
    """
    n = len(angle)
    unit = torch.eye(2, 3, device=angle.device)[None]
    grid = nnf.affine_grid(unit, [1, 1, size, size], align_corners=False).expand(n, -1, -1, -1)
    if deformation is not None:
        grid = stretched(grid, -deformation)
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([cos, -sin, sin, cos], dim=1).reshape(n, 2, 2)
    there = torch.bmm(grid.reshape(n, size * size, 2), turn) + 2 * shift.flip(-1)[:, None]
    return there.reshape(n, size, size, 2)


def stretched(grid: Tensor, deformation: Tensor) -> Tensor:
    """Let a grid (n, s, s, 2) look into images that are scaled and stretched first.

    Parameters
    ----------
    deformation : Tensor
        (n, 3): log scale and the components (a, b) of the symmetric stretch exp([[a, b], [b, -a]])
        in (x, y), of determinant 1.
    """
    log_scale, a, b = deformation.unbind(1)
    # Of the inverse: exp(-S) = cosh(r) - S sinh(r) / r, smooth at r = 0.
    r2 = a**2 + b**2
    cosh, sinhc = 1 + r2 / 2 + r2**2 / 24, 1 + r2 / 6 + r2**2 / 120
    rows = [cosh - sinhc * a, -sinhc * b, -sinhc * b, cosh + sinhc * a]
    n, size = len(grid), grid.shape[1]
    shrinking = torch.exp(-log_scale)[:, None, None]
    inverse = torch.stack(rows, dim=1).reshape(n, 2, 2) * shrinking
    return torch.bmm(grid.reshape(n, size * size, 2), inverse).reshape(n, size, size, 2)


def turned_vectors(vectors: Tensor, angle: Tensor) -> Tensor:
    """Turn (y, x) vectors (..., 2) counter-clockwise on the screen by angles (...)."""
    y, x = vectors.unbind(-1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.stack([cos * y - sin * x, sin * y + cos * x], dim=-1)


def warp(images: Tensor, grid: Tensor, background: Tensor | float) -> Tensor:
    """Sample images (n, h, w) on a grid (n, H, W, 2); what lies outside is background."""
    lifted = (images - background).unsqueeze(1)
    return nnf.grid_sample(lifted, grid, align_corners=False).squeeze(1) + background


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

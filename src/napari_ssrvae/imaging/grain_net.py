"""A small network that sees grains in heaps: what is particle, and where outlines run.

In a heap neither brightness nor the distance to the background tells where one grain ends. This
network was trained to tell it on drawn heaps alone (`benchmarks/fit_grain_net.py`), on no
micrograph: a U-Net (Ronneberger et al. 2015) that learns outlines and the depth below them, as
Cellpose and its kin do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

from napari_ssrvae.imaging.candidates import Image

CHANNELS = (16, 32, 64, 96, 128)
"""Of each level; every one sees the picture at half of the resolution of the one before."""
_STEP = 2 ** (len(CHANNELS) - 1)  # px: sides are made multiples of it
_RANGE = (0.5, 99.5)  # percentiles of brightness that are brought to 0 and 1


@dataclass(frozen=True, eq=False)
class Grains:
    """What the network sees in a picture.

    Attributes
    ----------
    inside
        (H, W) float32 probability of a particle.
    outline
        (H, W) float32 probability of an outline, between two particles or to the background.
    depth
        (H, W) float32 square root of the depth below the outline, as a share of the deepest of
        the same particle.
    """

    inside: Image
    outline: Image
    depth: Image


class GrainNet(nn.Module):
    """U-Net with three channels of logits: inside, outline, depth.

    Parameters
    ----------
    normalised
        Whether batches are normalised, as while it learns; afterwards that is part of the weights.
    """

    def __init__(self, *, normalised: bool = False) -> None:
        super().__init__()
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        width = 1
        for channels in CHANNELS:
            self.down.append(_block(width, channels, normalised))
            width = channels
        for channels in reversed(CHANNELS[:-1]):
            self.up.append(_block(width + channels, channels, normalised))
            width = channels
        self.head = nn.Conv2d(width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) pictures to (N, 3, H, W) logits; sides are multiples of 16 px."""
        passed: list[Tensor] = []
        for k, block in enumerate(self.down):
            x = block(max_pool2d(x, 2) if k else x)
            passed.append(x)
        x = passed.pop()
        for block in self.up:
            x = block(torch.cat([interpolate(x, scale_factor=2.0), passed.pop()], dim=1))
        return self.head(x)  # type: ignore[no-any-return]


def _block(before: int, after: int, normalised: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (before, after):
        layers.append(nn.Conv2d(width, after, 3, padding=1, bias=not normalised))
        if normalised:
            layers.append(nn.BatchNorm2d(after))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def see_grains(image: NDArray[np.float32]) -> Grains:
    """Look at a picture, at the resolution that it has.

    Parameters
    ----------
    image
        (H, W), any range of brightness.
    """
    low, high = np.percentile(image[::2, ::2], _RANGE)
    x = ((image - np.float32(low)) / np.float32(max(high - low, 1e-6))).astype(np.float32)
    height, width = x.shape
    margins = [(0, math.ceil(n / _STEP) * _STEP - n) for n in x.shape]
    x = np.pad(x, margins, mode="symmetric")
    given = torch.from_numpy(x[None, None]).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        seen = torch.sigmoid(_trained()(given))[0].numpy()
    inside, outline, depth = np.ascontiguousarray(seen[:, :height, :width])
    return Grains(inside, outline, depth)


@cache
def _trained() -> GrainNet:
    stored = resources.files("napari_ssrvae.imaging").joinpath("grain_net.safetensors")
    net = GrainNet()
    net.load_state_dict({key: value.float() for key, value in load(stored.read_bytes()).items()})
    return net.eval().to(memory_format=torch.channels_last)  # type: ignore[no-any-return,call-overload]

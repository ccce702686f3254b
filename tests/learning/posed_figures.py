"""Two figures without any symmetry, and copies of them in known poses."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from napari_ssrvae.learning.pose import centred, sampling_grid, warp
from napari_ssrvae.learning.preprocessing import Normalisation, TrainingData

SIZE = 48


def upright() -> Tensor:
    """(2, 48, 48): a flag and a boomerang, background 0."""
    images = torch.zeros(2, SIZE, SIZE)
    images[0, 11:37, 17:23] = 1
    images[0, 11:22, 23:35] = 1
    images[1, 14:21, 12:36] = 1
    images[1, 21:34, 12:19] = 0.6
    return centred(images, 0.0)


class Posed(NamedTuple):
    images: Tensor
    y: Tensor
    angle: Tensor
    shift: Tensor
    scale: Tensor


def posed(
    n: int, seed: int = 0, *, turn: float = math.pi, shift: float = 0.08, size: float = 0.0
) -> Posed:
    """n copies of each figure, at random angles to ±turn, shifts and log sizes."""
    numbers = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return 2 * torch.rand(*shape, generator=numbers) - 1

    y = torch.arange(2 * n) % 2
    angle, moved, scale = turn * uniform(2 * n), shift * uniform(2 * n, 2), size * uniform(2 * n)
    grid = sampling_grid(angle, moved, scale.exp(), SIZE)
    return Posed(warp(upright()[y], grid, 0.0), y, angle, moved, scale.exp())


def training_data(labelled: Posed, unlabelled: Posed) -> TrainingData:
    """Both together, on a scale where the figures are 0 to 1."""
    images = torch.cat([labelled.images, unlabelled.images]).numpy()
    y = np.concatenate([labelled.y.numpy(), np.full(len(unlabelled.y), -1)])
    return TrainingData(images, Normalisation(0.0, 1.0, 0.0, SIZE, SIZE), y)

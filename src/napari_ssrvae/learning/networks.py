"""The four networks: class encoder (the classifier), pose encoder, and two decoders."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from .pose import stretched, warp

LOGITS = 5.0  # a step of the optimiser changes a template by so many times its own length


def resized(images: Tensor, size: int) -> Tensor:
    """Images (n, s, s) brought to another side length, without aliasing."""
    if images.shape[-1] == size:
        return images
    if images.shape[-1] == 2 * size:
        return nnf.avg_pool2d(images.unsqueeze(1), 2).squeeze(1)
    return nnf.interpolate(
        images.unsqueeze(1), size=(size, size), mode="bilinear", antialias=True
    ).squeeze(1)


def _standardised(images: Tensor) -> Tensor:
    """Each image with mean 0 and variance 1: brightness and contrast carry no class."""
    return nnf.instance_norm(images.unsqueeze(1), eps=1e-4)


def _convolutions(
    channels: Sequence[int], kernels: Sequence[int], strides: Sequence[int]
) -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = 1
    for outputs, kernel, stride in zip(channels, kernels, strides, strict=True):
        layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        layers += [layer, nn.ReLU()]
        inputs = outputs
    # Channels last is a quarter faster on a CPU.
    body = nn.Sequential(*layers)
    body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return body


class ClassEncoder(nn.Module):
    """q(y | x): a small convolutional network, usable without the rest of the model.

    Parameters
    ----------
    n_classes : int
        Number of classes.
    size : int
        Side in pixels to which images are brought first.
    """

    def __init__(self, n_classes: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.body = _convolutions((16, 32, 64, 64), (5, 5, 3, 3), (2, 2, 2, 1))
        self.head = nn.Linear(128, n_classes)

    def features(self, images: Tensor) -> Tensor:
        """(n, s, s) -> (n, 128): what the last layer sees."""
        maps = self.body(_standardised(resized(images, self.size)))
        return torch.cat([maps.mean((-2, -1)), maps.amax((-2, -1))], dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """(n, s, s) -> (n, n_classes) logits."""
        logits: Tensor = self.head(self.features(images))
        return logits


class PoseEncoder(nn.Module):
    """q(residual pose, z | x, y): one row of numbers for the class that an image is taken for.

    The image is shown turned and shifted back by the pose that was found for this class, so this
    network has to tell what is left of the pose, and z.

    Parameters
    ----------
    n_classes, n_outputs : int
        Classes, and numbers for each class.
    size : int
        Side in pixels to which images are brought first.
    """

    def __init__(self, n_classes: int, n_outputs: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.shape = (n_classes, n_outputs)
        self.body = _convolutions((16, 32, 64), (5, 5, 3), (2, 2, 2))
        side = -(-size // 8)
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(64 * side * side, 128), nn.ReLU())
        self.head = nn.Linear(128, n_classes * n_outputs)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor, y: Tensor) -> Tensor:
        """Images (n, s, s) taken for classes (n,) -> (n, n_outputs)."""
        features = self.hidden(self.body(_standardised(resized(images, self.size))))
        outputs: Tensor = self.head(features).reshape(len(images), *self.shape)
        return outputs[torch.arange(len(y), device=y.device), y]


class TemplateDecoder(nn.Module):
    """(z, y) -> one upright image, sampled on the posed grid: the cheap form of p(x | y, z, pose).

    The image of a class is deformed along z first (size and stretch, linear in z), then changed
    pixel by pixel: what particles of a class differ by is mostly the former.

    Parameters
    ----------
    n_classes, latent_dim : int
        Widths of y (one-hot) and z.
    size : int
        Side of the template in pixels.
    """

    def __init__(self, n_classes: int, latent_dim: int, size: int, hidden: int = 128) -> None:
        super().__init__()
        self.size = size
        self.upright = nn.Linear(n_classes, size * size, bias=False)
        nn.init.zeros_(self.upright.weight)
        self.deformation = nn.Parameter(0.02 * torch.randn(n_classes, 3, latent_dim))
        self.of_class = nn.Linear(n_classes, hidden)
        self.of_z = nn.Linear(latent_dim, hidden, bias=False)
        self.body = nn.Sequential(
            nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, size * size)
        )

    def forward(self, y: Tensor, z: Tensor, grid: Tensor, background: Tensor) -> Tensor:
        """One-hot y (n, k), z (n, d), grid (n, s, s, 2) -> logits of the images (n, s, s)."""
        template = LOGITS * self.upright(y) + self.body(self.of_class(y) + self.of_z(z))
        deformation = torch.einsum("nk,kcd,nd->nc", y, self.deformation, z)
        grid = stretched(grid, deformation)
        return warp(template.reshape(-1, self.size, self.size), grid, background)


class CoordinateDecoder(nn.Module):
    """The paper's decoder: the posed pixel grid, joined with (z, y), through a perceptron.

    Parameters
    ----------
    n_classes, latent_dim : int
        Widths of y (one-hot) and z.
    """

    def __init__(self, n_classes: int, latent_dim: int, hidden: int = 64) -> None:
        super().__init__()
        self.of_class = nn.Linear(n_classes, hidden)
        self.of_z = nn.Linear(latent_dim, hidden, bias=False)
        self.of_place = nn.Linear(2, hidden, bias=False)
        self.body = nn.Sequential(
            nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1)
        )

    def forward(self, y: Tensor, z: Tensor, grid: Tensor, background: Tensor) -> Tensor:
        """One-hot y (n, k), z (n, d), grid (n, s, s, 2) -> logits of the images (n, s, s)."""
        code = (self.of_class(y) + self.of_z(z))[:, None, None]
        logits: Tensor = self.body(self.of_place(grid) + code).squeeze(-1)
        return logits

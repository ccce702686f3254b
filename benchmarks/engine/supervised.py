"""The peer nearest to us: the same convolutional network, taught by the labelled images alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 the field's name for it
from numpy.typing import NDArray

from napari_ssrvae.learning.networks import ClassEncoder

Images = NDArray[np.float32]
Labels = NDArray[np.int64]

STEPS = 400
_BATCH = 32
_PEAK = 2e-3
_SHIFT = 0.1  # of the frame
_SCALE = 0.15


def supervised_network(images: Images, labels: Labels, seed: int) -> Callable[[Images], Labels]:
    """Train on labelled images turned, shifted and scaled at random, class by class.

    Parameters
    ----------
    images
        (n, S, S) in [0, 1], background 0.
    labels
        (n,) classes.
    seed
        Of weights, batches and poses.

    Returns
    -------
    callable
        (m, S, S) -> (m,) classes, by the mean of the probabilities over four quarter turns.
    """
    classes, indices = np.unique(labels, return_inverse=True)
    rng = np.random.default_rng(seed)
    X, y = torch.from_numpy(images), torch.from_numpy(indices)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = ClassEncoder(len(classes), images.shape[-1])
    optimiser = torch.optim.Adam(model.parameters(), lr=_PEAK)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _PEAK, total_steps=STEPS)
    members = [np.flatnonzero(indices == k) for k in range(len(classes))]
    for _ in range(STEPS):
        chosen = [int(rng.choice(members[k])) for k in rng.integers(len(classes), size=_BATCH)]
        loss = F.cross_entropy(model(_posed(X[chosen], rng)), y[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    model.eval()
    return lambda new: classes[_probabilities(model, new).argmax(1)]


def _posed(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    n = len(images)
    angle, scale = rng.uniform(-np.pi, np.pi, n), rng.uniform(1 - _SCALE, 1 + _SCALE, n)
    shift = 2 * rng.uniform(-_SHIFT, _SHIFT, (n, 2))
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    rows = np.stack((cos, -sin, shift[:, 0], sin, cos, shift[:, 1]), axis=1).reshape(n, 2, 3)
    grid = F.affine_grid(
        torch.from_numpy(rows.astype(np.float32)), [n, 1, *images.shape[1:]], align_corners=False
    )
    return F.grid_sample(images[:, None], grid, align_corners=False)[:, 0]


@torch.inference_mode()
def _probabilities(model: ClassEncoder, images: Images) -> NDArray[np.float32]:
    parts = []
    for start in range(0, len(images), 256):
        x = torch.from_numpy(images[start : start + 256])
        turned = [model(torch.rot90(x, k, (1, 2))).softmax(1) for k in range(4)]
        parts.append(torch.stack(turned).mean(0))
    return torch.cat(parts).numpy()

"""Encoding and decoding with a trained model: plain torch, in batches, nothing of Pyro.

The modules used here are detached copies in evaluation mode, so this may run in any thread while
another one trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_ssrvae.errors import InputError

from .checkpoint import TrainedState
from .classifier import BATCH
from .pose import wrapped
from .registration import Registration


@dataclass(frozen=True)
class Latents:
    """What the model sees in each image, besides its pixels.

    Attributes
    ----------
    z : ndarray
        (n, latent_dim) continuous latents, about standard normal.
    angle : ndarray
        (n,) radians within [-pi, pi), counter-clockwise on the screen; 0 where not modelled.
    shift : ndarray
        (n, 2) as (y, x), fractions of the frame; 0 where not modelled.
    scale : ndarray
        (n,) magnification; 1 where not modelled.
    y : ndarray
        (n,) predicted classes; -1 for a model without classes.
    """

    z: NDArray[np.float32]
    angle: NDArray[np.float32]
    shift: NDArray[np.float32]
    scale: NDArray[np.float32]
    y: NDArray[np.int64]


@torch.inference_mode()
def encoded(
    state: TrainedState, registration: Registration, x: torch.Tensor, y: torch.Tensor
) -> tuple[NDArray[np.float32], ...]:
    """Encode normalised images (n, s, s) of class indices (n,), with the module's registration.

    Returns z, angle, shift in square frames, and scale.
    """
    module = state.module
    used = module.architecture.invariances
    found = registration(x - module.background)
    q = module.posterior(x, found.angle, found.shift).at(y, torch.arange(len(x), device=x.device))
    return (
        q.z.cpu().numpy(),
        wrapped(q.angle * ("rotation" in used)).cpu().numpy(),
        (q.shift * ("translation" in used)).cpu().numpy(),
        (q.log_scale * ("scale" in used)).exp().cpu().numpy(),
    )


@torch.inference_mode()
def decoded(state: TrainedState, arrays: tuple[NDArray[Any], ...]) -> NDArray[np.float32]:
    """Decode class indices, z, angle, shift and scale, all of one length, to images (n, H, W)."""
    normalisation, module = state.normalisation, state.module
    frame = np.array([normalisation.height, normalisation.width], np.float32)
    y, z, angle, shift, scale = arrays
    shift = shift * frame / normalisation.size
    device = module.background.device
    parts = []
    for start in range(0, len(y), BATCH):
        chunk = slice(start, start + BATCH)
        tensors = [
            torch.from_numpy(a[chunk].copy()).to(device) for a in (y, z, angle, shift, scale)
        ]
        logits = module.decode(
            tensors[0], tensors[1], tensors[2], tensors[3], tensors[4], normalisation.size
        )
        parts.append(normalisation.undone(logits.sigmoid().cpu().numpy()))
    return np.concatenate(parts)


def chosen_device(name: str, *, fallback: bool = False) -> torch.device:
    """Find the torch device of a name; `fallback` takes the CPU where it does not exist."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        if fallback:
            return torch.device("cpu")
        raise InputError(
            f'The device {name!r} is not available here; use device="auto" or "cpu".'
        ) from error
    return device

"""What a finished model's answers are corrected by, measured on its own training images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nnf

from .classifier import class_logits
from .matching import LEAST, MARGIN, Matching, noise_level
from .model import latent_grid

if TYPE_CHECKING:
    from .model import PosedVAE
    from .preprocessing import TrainingData

SAMPLE = 256  # images; more do not move these numbers
MOST_CLASSES = 6
TEMPERATURES = np.geomspace(1, 100, 25)
CLASS_TEMPERATURES = np.geomspace(0.4, 1, 41)


@dataclass(frozen=True)
class Calibration:
    """Numbers that turn what the networks say into probabilities.

    Attributes
    ----------
    noise_limit : float
        Noise level (see `matching.noise_level`) above which an image is matched.
    temperature : float
        What the class encoder's logits are divided by.
    misfit, evidence_temperature : float
        Of the generative model, see `Matching`.
    """

    noise_limit: float = float("inf")
    temperature: float = 1.0
    misfit: float = 0.0
    evidence_temperature: float = 1.0


def matching(module: PosedVAE, calibration: Calibration) -> Matching:
    """Make what answers for noisy images, from a trained model."""
    a = module.architecture
    # Finer in z than where only a pose is asked for, as long as that costs milliseconds an image.
    few = a.n_classes <= MOST_CLASSES
    points = latent_grid(a.latent_dim) if few else None
    return Matching(
        module.uprights(a.decoder_size, points) - module.background,
        float(module.background),
        calibration.noise_limit,
        calibration.misfit,
        calibration.evidence_temperature,
        "rotation" in a.invariances,
        "translation" in a.invariances,
    )


@torch.inference_mode()
def calibrated(
    module: PosedVAE, data: TrainingData, beliefs: NDArray[np.float32] | None = None
) -> Calibration:
    """Measure on a sample of the training's images.

    The evidence is as certain as white noise would make it; what the decoder cannot show is not
    white. Asked for is the temperature at which the evidence best predicts what the class encoder
    says of the half of the images that it is surer of.

    Parameters
    ----------
    module : PosedVAE
        Trained, in evaluation mode.
    data : TrainingData
        Its images.
    beliefs : ndarray, optional
        (n, k) what a calibrated teacher says of them, NaN where it says nothing.
    """
    temperature = 1.0 if beliefs is None else _temperature(module, data, beliefs)
    rows = np.unique(np.linspace(0, len(data.y) - 1, SAMPLE).astype(np.int64))
    images = data.batch(rows, module.background.device)
    limit = MARGIN * float(torch.quantile(noise_level(images), 0.99)) + LEAST
    found = Calibration(limit, temperature)
    if module.architecture.n_classes == 1:
        return found
    belief = (_logits(module, images) / temperature).softmax(1)
    sure = belief.amax(1) >= belief.amax(1).median()
    likelihood, left = matching(module, found).likelihood(images[sure])
    right = belief[sure].argmax(1)
    losses = [float(nnf.cross_entropy(likelihood / t, right)) for t in TEMPERATURES]
    best = float(TEMPERATURES[int(np.argmin(losses))])
    return Calibration(limit, temperature, float(left.median()), best)


def _logits(module: PosedVAE, images: Tensor) -> Tensor:
    turns = 4 if "rotation" in module.architecture.invariances else 1
    return class_logits(module.class_encoder, images, turns)


def _temperature(module: PosedVAE, data: TrainingData, beliefs: NDArray[np.float32]) -> float:
    """At which the class encoder is on average as sure as its teacher, of the same images; or 1.

    What learns from beliefs is about as often right as they are and less sure than they are: it is
    blurred where it cannot follow. Where it is surer, it has seen more than its teacher (textures,
    of which a forest on shape knows little), and is left as it is.
    """
    rows = np.flatnonzero((data.y < 0) & ~np.isnan(beliefs).any(1))
    if not len(rows):
        return 1.0
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, 2 * SAMPLE).astype(np.int64))]
    logits = _logits(module, data.batch(rows, module.background.device))
    sure = float(beliefs[rows].max(1).mean())
    sureness = [float((logits / t).softmax(1).amax(1).mean()) for t in CLASS_TEMPERATURES]
    return float(CLASS_TEMPERATURES[int(np.argmin(np.abs(np.array(sureness) - sure)))])

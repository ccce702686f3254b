"""Everything needed to classify: the class encoder, and images to match noisy ones against."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from . import checkpoint
from .matching import Matching
from .networks import ClassEncoder
from .preprocessing import Normalisation, checked_images

BATCH = 128  # images a batch outside training: bounds memory, whatever their number


@torch.inference_mode()
def class_logits(encoder: ClassEncoder, images: Tensor, n_turns: int) -> Tensor:
    """Mean over `n_turns` quarter turns of the class encoder's logits, (n, k)."""
    turned = [torch.rot90(images, turn, (-2, -1)) for turn in range(n_turns)]
    return torch.stack([encoder(view) for view in turned]).mean(0)


@torch.inference_mode()
def class_features(encoder: ClassEncoder, images: Tensor) -> NDArray[np.float32]:
    """Return what the last layer of the class encoder sees, (n, f)."""
    features: NDArray[np.float32] = encoder.features(images).cpu().numpy()
    return features


class Classifier:
    """Classifies images with a trained class encoder.

    Parameters
    ----------
    encoder : ClassEncoder
        Trained, in evaluation mode.
    normalisation : Normalisation
        Of the training data.
    classes : ndarray
        (k,) class labels.
    temperature : float
        What the encoder's logits are divided by before they become probabilities.
    matching : Matching
        Answers for images that are too noisy for the encoder.
    """

    def __init__(
        self,
        encoder: ClassEncoder,
        normalisation: Normalisation,
        classes: NDArray[np.int64],
        temperature: float,
        matching: Matching,
    ) -> None:
        self.encoder = encoder
        self.normalisation = normalisation
        self.classes_ = classes.copy()
        self.temperature = temperature
        self.matching = matching

    def predict_proba(self, X: ArrayLike, *, fast: bool = False) -> NDArray[np.float32]:
        """Probabilities (n, k) of images (n, H, W), in the order of `classes_`.

        With `fast`, images are seen in two orientations instead of four and taken to be as clean as
        the training's: about twice as many a second, somewhat less sure.
        """
        images = checked_images(X)
        device = self.encoder.head.weight.device
        parts = [np.empty((0, len(self.classes_)), np.float32)]
        for start in range(0, len(images), BATCH):
            x = torch.from_numpy(self.normalisation(images[start : start + BATCH])).to(device)
            parts.append(self._probabilities(x, fast=fast).cpu().numpy())
        return np.concatenate(parts)

    @torch.inference_mode()
    def _probabilities(self, x: Tensor, *, fast: bool) -> Tensor:
        turns = (2 if fast else 4) if self.matching.rotation else 1
        logits = class_logits(self.encoder, x, turns) / self.temperature
        if not fast:
            weights = self.matching.weights(x)
            noisy = weights < 1
            if noisy.any():
                evidence = self.matching.evidence(x[noisy])
                logits[noisy] = weights[noisy, None] * logits[noisy] + evidence
        return logits.softmax(1)

    def predict(self, X: ArrayLike, *, fast: bool = False) -> NDArray[np.int64]:
        """Return the most probable class of each image, (n,); `fast` as in `predict_proba`."""
        return np.asarray(self.classes_[self.predict_proba(X, fast=fast).argmax(1)], np.int64)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a folder: JSON and safetensors."""
        checkpoint.save_classifier(
            Path(path),
            self.encoder,
            self.normalisation,
            self.classes_,
            self.temperature,
            self.matching,
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Classifier:
        """Read a classifier that `save` wrote; runs no code from the files."""
        return cls(*checkpoint.load_classifier(Path(path)))

"""The class encoder alone: everything needed to classify, nothing to generate."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from . import checkpoint
from .networks import ClassEncoder
from .preprocessing import Normalisation, checked_images

BATCH = 512  # images a batch outside training: bounds memory, whatever their number


@torch.inference_mode()
def class_probabilities(encoder: ClassEncoder, images: Tensor, n_turns: int) -> Tensor:
    """Mean over `n_turns` quarter turns of the class probabilities, (n, k)."""
    turned = [torch.rot90(images, turn, (-2, -1)) for turn in range(n_turns)]
    logits = torch.stack([encoder(view) for view in turned]).mean(0)
    return logits.softmax(1)


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
    n_turns : int
        Quarter turns to average over: 4 for a rotationally invariant model, otherwise 1.
    """

    def __init__(
        self,
        encoder: ClassEncoder,
        normalisation: Normalisation,
        classes: NDArray[np.int64],
        n_turns: int,
    ) -> None:
        self.encoder = encoder
        self.normalisation = normalisation
        self.classes_ = classes.copy()
        self.n_turns = n_turns

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Probabilities (n, k) of images (n, H, W), in the order of `classes_`."""
        images = checked_images(X)
        device = self.encoder.head.weight.device
        parts = [np.empty((0, len(self.classes_)), np.float32)]
        for start in range(0, len(images), BATCH):
            x = torch.from_numpy(self.normalisation(images[start : start + BATCH])).to(device)
            parts.append(class_probabilities(self.encoder, x, self.n_turns).cpu().numpy())
        return np.concatenate(parts)

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return the most probable class of each image, (n,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(1)], np.int64)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a folder: JSON and safetensors."""
        checkpoint.save_classifier(
            Path(path), self.encoder, self.normalisation, self.classes_, self.n_turns
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Classifier:
        """Read a classifier that `save` wrote; runs no code from the files."""
        return cls(*checkpoint.load_classifier(Path(path)))

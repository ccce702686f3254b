"""From images of any range and shape to what the networks see."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_ssrvae.errors import InputError

SMALLEST, LARGEST = 8, 512


def checked_images(X: Any, what: str = "X") -> NDArray[Any]:
    """Validate images (n, H, W): numeric, finite, of a size that the networks take.

    Raises
    ------
    InputError
        With a sentence that says what is wrong.
    """
    images = np.asarray(X)
    if images.ndim != 3:
        raise InputError(
            f"{what} must be images of shape (n, height, width), not {images.shape}; "
            "give grey images, one a particle."
        )
    if images.dtype.kind not in "buif":
        raise InputError(f"{what} must hold numbers, not {images.dtype}.")
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        bad = int((~np.isfinite(images)).any(axis=(1, 2)).sum())
        raise InputError(
            f"{bad} of {len(images)} images hold NaN or infinite pixels; "
            "fill or leave out these images first."
        )
    if len(images) and not SMALLEST <= min(images.shape[1:]) <= max(images.shape[1:]) <= LARGEST:
        raise InputError(
            f"Images of {images.shape[1]} x {images.shape[2]} pixels cannot be used; "
            f"cut or resize them to {SMALLEST} to {LARGEST} pixels a side."
        )
    return images


def checked_labels(
    y: Any, n: int, known: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Validate labels.

    Parameters
    ----------
    y : array_like of int or None
        (n,) classes >= 0, -1 where unlabelled; None for no labels at all.
    n : int
        Number of images.
    known : ndarray, optional
        Classes of the model that training goes on from.

    Returns
    -------
    classes : ndarray
        (k,) sorted; empty for a model without classes.
    indices : ndarray
        (n,) positions in `classes`, -1 where unlabelled.

    Raises
    ------
    InputError
        Where these labels cannot train a classifier.
    """
    known = np.empty(0, np.int64) if known is None else known
    if y is None:
        return known, np.full(n, -1)
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise InputError(f"y must hold one label for each of the {n} images, not {labels.shape}.")
    whole = labels.dtype.kind in "iu" or (
        labels.dtype.kind == "f" and bool((labels == np.round(labels)).all())
    )
    if not whole or (labels < -1).any():
        raise InputError("Labels must be whole numbers from 0, or -1 for an unlabelled image.")
    labels = labels.astype(np.int64)
    classes = np.union1d(labels[labels >= 0], known)
    if not len(classes):
        raise InputError("No image is labelled: label at least two classes, or train with y=None.")
    if len(classes) < 2:
        raise InputError(
            f"Only class {classes[0]} has labels; label at least one image of a second class."
        )
    return classes, np.where(labels < 0, -1, np.searchsorted(classes, labels))


@dataclass(frozen=True)
class Normalisation:
    """One intensity scale and one square frame for a whole data set.

    `low` and `high` are mapped to 0 and 1; `background` is the level at the images' rim on that
    scale; `height` and `width` are those of the images, padded with background to a square.
    """

    low: float
    high: float
    background: float
    height: int
    width: int

    @property
    def size(self) -> int:
        """Side of the square frame."""
        return max(self.height, self.width)

    @property
    def _offsets(self) -> tuple[int, int]:
        return (self.size - self.height) // 2, (self.size - self.width) // 2

    @classmethod
    def of(cls, images: NDArray[Any]) -> Normalisation:
        """Measure on validated images; robust against single bright or dark ones.

        Raises
        ------
        InputError
            Where all images are one constant.
        """
        sample = images[:: -(-len(images) // 2000)].astype(np.float32)
        flat = sample.reshape(len(sample), -1)
        low = float(np.median(np.percentile(flat, 0.5, axis=1)))
        high = float(np.median(np.percentile(flat, 99.5, axis=1)))
        if not high > low:
            low, high = float(images.min()), float(images.max())
        if not high > low:
            raise InputError(
                f"All images have the same intensity ({low:g}) everywhere; give images that "
                "show particles."
            )
        rim = np.concatenate(
            [sample[:, 0], sample[:, -1], sample[:, :, 0], sample[:, :, -1]], axis=1
        )
        background = float(np.clip((np.median(rim) - low) / (high - low), 0, 1))
        return cls(low, high, background, images.shape[1], images.shape[2])

    def __call__(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Images (n, H, W) -> (n, size, size), about 0 to 1, background around.

        Raises
        ------
        InputError
            Where the images are not as large as those that were measured.
        """
        if images.shape[1:] != (self.height, self.width):
            raise InputError(
                f"The model was trained on images of {self.height} x {self.width} pixels, not "
                f"{images.shape[1]} x {images.shape[2]}; cut the patches to the same size."
            )
        scaled = (images.astype(np.float32) - self.low) / np.float32(self.high - self.low)
        square = np.full((len(images), self.size, self.size), self.background, np.float32)
        top, left = self._offsets
        square[:, top : top + self.height, left : left + self.width] = scaled
        return square

    def undone(self, square: NDArray[np.float32]) -> NDArray[np.float32]:
        """Square images back to the frame and intensity range of the data."""
        top, left = self._offsets
        cut = square[:, top : top + self.height, left : left + self.width]
        return (cut * np.float32(self.high - self.low) + np.float32(self.low)).astype(np.float32)


@dataclass(frozen=True)
class TrainingData:
    """Raw images (n, H, W), how to normalise them, and class indices (n,), -1 = unlabelled."""

    images: NDArray[Any]
    normalisation: Normalisation
    y: NDArray[np.int64]

    def check(self) -> None:
        """Raise `InputError` where the images are not of the size that was measured."""
        self.normalisation(self.images[:1])

    def batch(self, rows: NDArray[np.int64], device: torch.device) -> torch.Tensor:
        """Normalised square images of some rows."""
        return torch.from_numpy(self.normalisation(self.images[rows])).to(device)


def check_budget(max_seconds: object) -> None:
    """Refuse a time budget that is neither None nor a number of seconds above 0."""
    if max_seconds is None:
        return
    if not isinstance(max_seconds, numbers.Real) or not float(max_seconds) > 0:
        raise InputError(f"max_seconds must be a number above 0, not {max_seconds!r}.")

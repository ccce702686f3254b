"""Classifying by the generative model alone: which class's images explain an image best.

The class encoder knows images as noisy as those that it was trained on. On much noisier ones it is
confidently wrong, whatever it is trained with, since it decides by small features. The generative
model has no such limit: the likelihood of an image under a class, summed over a grid of poses and
latents, weighs every pixel (a matched filter). It costs milliseconds an image, so it is asked only
where an image is noisier than all of the training's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as nnf

from .registration import FINE, Registration

MARGIN = 1.5  # noise beyond that of the training's images, as a factor, that calls for matching
LEAST = 0.02  # of the intensity range: less noise than this harms no classifier


@dataclass(frozen=True)
class Matching:
    """Class probabilities of noisy images by matching against the decoder's images.

    Attributes
    ----------
    uprights : Tensor
        (k, j, s, s) upright images of each class, background 0.
    background : float
        Level of the images that counts as nothing.
    limit : float
        Noise level above which an image is matched.
    misfit : float
        Share of a training image that no image of the decoder explains, 1 - r^2.
    temperature : float
        At least 1: by how much the evidence is overconfident where that is all that is left.
    rotation, translation : bool
        Whether particles lie at any angle, at any place.
    """

    uprights: Tensor
    background: float
    limit: float
    misfit: float
    temperature: float
    rotation: bool
    translation: bool

    def weights(self, images: Tensor) -> Tensor:
        """How much the class encoder's answer still counts, (n,): 1 up to the limit of noise."""
        return (self.limit / noise_level(images).clamp(min=1e-6)).clamp(max=1) ** 2

    @torch.inference_mode()
    def evidence(self, images: Tensor) -> Tensor:
        """Log evidence (n, k) of the classes, up to a constant an image.

        What is left of an image at the best match is noise, which is white, or the model's misfit,
        which is not and makes the evidence overconfident: the temperature holds for its share.
        """
        log_evidence, left = self.likelihood(images)
        share = (self.misfit / left).clamp(max=1)
        return log_evidence / (1 + (self.temperature - 1) * share)[:, None]

    @torch.inference_mode()
    def likelihood(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Log likelihood (n, k) summed over all matches, and the share (n,) that none explains."""
        registration = Registration(
            self.uprights, rotation=self.rotation, translation=self.translation, search=FINE
        )
        lifted = images - self.background
        parts = [
            _likelihood(registration, part) for part in torch.split(lifted, registration.chunk)
        ]
        likelihood, left = (torch.cat(values) for values in zip(*parts, strict=True))
        return likelihood, left


def _likelihood(registration: Registration, images: Tensor) -> tuple[Tensor, Tensor]:
    """White noise of unknown strength, and unknown gain.

    With both at their best, log p(x | match) = N r^2 / (2 (1 - r_best^2)) + const for a match of
    correlation r, with N numbers in the band.
    """
    correlation = registration.scores(images)[0].clamp(min=0)
    left = (1 - correlation.flatten(1).amax(1) ** 2).clamp(min=1e-3)
    numbers = 2 * len(registration.frequencies)
    likelihood = 0.5 * numbers * correlation**2 / left[:, None, None]
    by_class = likelihood.unflatten(2, (registration.n_classes, -1))  # type: ignore[no-untyped-call]
    return by_class.logsumexp(dim=(1, 3)), left


def noise_level(images: Tensor) -> Tensor:
    """Measure the standard deviation of white noise in images (n, s, s), as (n,).

    The filter leaves out constants, slopes and straight edges (Immerkaer, Comput. Vis. Image
    Underst. 64 (1996) 300); the mean square instead of his mean modulus also sees single spoilt
    pixels.
    """
    kernel = images.new_tensor([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6
    filtered = nnf.conv2d(images[:, None], kernel[None, None])
    return filtered.square().mean(dim=(1, 2, 3)).sqrt()

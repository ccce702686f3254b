"""The probabilistic model: a Pyro model and its guide. Knows no optimiser and no data set.

p(x | y, z, angle, shift, scale) with y a class, z standard normal, the angle on the circle; after
Ziatdinov et al., Digital Discovery 3 (2024) 1213, with M2 of Kingma et al. (2014) for labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor, nn
from torch.nn import functional as nnf

from .networks import (
    LOGITS,
    ClassEncoder,
    CoordinateDecoder,
    PoseEncoder,
    TemplateDecoder,
    resized,
)
from .pose import sampling_grid, turned_vectors, upright_grid, warp
from .priors import AnglePrior
from .registration import Registration

SHIFT_PRIOR = 0.1  # fraction of the frame: the paper's dx_prior
LOG_SCALE_PRIOR = 0.15
# Checking the arguments of every distribution would take a tenth of each step.
Bernoulli = partial(dist.Bernoulli, validate_args=False)
Categorical = partial(dist.Categorical, validate_args=False)
Normal = partial(dist.Normal, validate_args=False)

DECODERS = ("template", "coordinate")
INVARIANCES = ("rotation", "translation", "scale")


@dataclass(frozen=True)
class Architecture:
    """All that is needed to rebuild the module, JSON-friendly.

    `size` is the side of the square frame, `classifier_size` and `decoder_size` the sides at which
    the class encoder and the rest of the model see it.
    """

    n_classes: int
    latent_dim: int
    invariances: tuple[str, ...]
    decoder: str
    size: int
    background: float
    classifier_size: int = 48
    decoder_size: int = 24
    angle_prior: str = "uniform"


@dataclass(frozen=True)
class Weights:
    """How strongly each part of the loss counts in one step."""

    kl: float = 0.3
    classification: float = 10.0
    elbo: bool = True
    teaching: float = 30.0
    class_entropy: float = 1.0
    class_gradient: float = 1.0


@dataclass(frozen=True)
class Batch:
    """Images of one step.

    `images` (n, s, s) with classes `y` (n,), -1 where unknown, are explained by the
    ELBO, from the poses `angle` (k, n) and `shift` (k, n, 2) at which each class was found in
    them; `labelled` (m, s, s) with classes `labels` (m,) and, where there are classes, the
    teachers' `belief` (n, k) of the images teach the class encoder. `record` takes what is to be
    told of the step, `logits` what model and guide share.
    """

    images: Tensor
    y: Tensor
    angle: Tensor
    shift: Tensor
    labelled: Tensor
    labels: Tensor
    belief: Tensor | None
    weights: Weights
    record: dict[str, Tensor] = field(default_factory=dict)
    logits: list[Tensor] = field(default_factory=list)


class Posterior(NamedTuple):
    """Parameters of q(angle, shift, log scale, z | x, y), leading shape (k, n)."""

    angle: Tensor
    angle_sd: Tensor
    shift: Tensor
    shift_sd: Tensor
    log_scale: Tensor
    log_scale_sd: Tensor
    z: Tensor
    z_sd: Tensor

    def at(self, y: Tensor, row: Tensor) -> Posterior:
        """Take the parameters for given classes, broadcast against rows."""
        return Posterior(*(values[y, row] for values in self))


class PosedVAE(nn.Module):
    """Networks, Pyro model and guide of the semi-supervised VAE with pose split off.

    Parameters
    ----------
    architecture : Architecture
        Sizes and kinds of the parts.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = self.architecture = architecture
        self.class_encoder = ClassEncoder(a.n_classes, a.classifier_size)
        self.pose_encoder = PoseEncoder(a.n_classes, 8 + 2 * a.latent_dim, a.decoder_size)
        self.background: Tensor
        self.decoder: nn.Module = (
            TemplateDecoder(a.n_classes, a.latent_dim, a.decoder_size)
            if a.decoder == "template"
            else CoordinateDecoder(a.n_classes, a.latent_dim)
        )
        self.register_buffer("background", torch.tensor(min(max(a.background, 0.01), 0.99)))

    # ------------------------------------------------------------------ parts

    def posterior(self, images: Tensor, angle: Tensor, shift: Tensor) -> Posterior:
        """Encode pose and z of images (n, s, s), given where each class was found in them.

        Parameters
        ----------
        images : Tensor
            (n, s, s).
        angle, shift : Tensor
            (k, n) and (k, n, 2).
        """
        a = self.architecture
        k, n = angle.shape
        small = resized(images, a.decoder_size).expand(k, n, -1, -1).flatten(0, 1)
        grid = upright_grid(angle.flatten(), shift.flatten(0, 1), a.decoder_size)
        upright = warp(small, grid, self.background)
        y = torch.arange(k, device=images.device).repeat_interleave(n)
        out = self.pose_encoder(upright, y).unflatten(0, (k, n))
        pose, z = out.split((8, 2 * a.latent_dim), dim=-1)
        return Posterior(
            angle=angle + 0.4 * torch.tanh(pose[..., 0]),
            angle_sd=0.02 + 0.2 * torch.sigmoid(pose[..., 1] - 1),
            # Seen in the upright image, told in the posed one.
            shift=shift + turned_vectors(0.1 * torch.tanh(pose[..., 2:4]), angle),
            shift_sd=0.004 + 0.05 * torch.sigmoid(pose[..., 4:6] - 1),
            log_scale=0.5 * torch.tanh(pose[..., 6]),
            log_scale_sd=0.01 + 0.2 * torch.sigmoid(pose[..., 7] - 1),
            z=z[..., : a.latent_dim],
            z_sd=0.01 + nnf.softplus(z[..., a.latent_dim :] - 1),
        )

    def decode(
        self, y: Tensor, z: Tensor, angle: Tensor, shift: Tensor, scale: Tensor, size: int
    ) -> Tensor:
        """Decode classes (n,), latents (n, d) and poses (n,), (n, 2), (n,).

        Returns the logits (n, size, size) of the mean images.
        """
        one_hot = nnf.one_hot(y, self.architecture.n_classes).to(z.dtype)
        grid = sampling_grid(angle, shift, scale, size)
        logits: Tensor = self.decoder(one_hot, z, grid, torch.logit(self.background))
        return logits

    @torch.no_grad()
    def start_from(self, images: Tensor, classes: Sequence[int], deformation: Tensor) -> None:
        """Let the templates of some classes begin as one upright image each, (m, s, s).

        A template that begins without a shape becomes a disc: the mean over all angles, from which
        no gradient says which way is up. `deformation` (3, d) is what z does to it at first.
        """
        if isinstance(self.decoder, TemplateDecoder):
            small = resized(images, self.decoder.size).clamp(0.03, 0.97)
            self.decoder.upright.weight[:, list(classes)] = torch.logit(small).flatten(1).T / LOGITS
            self.decoder.deformation[list(classes)] = deformation

    @torch.no_grad()
    def uprights(self, size: int, points: Tensor | None = None) -> Tensor:
        """Images (k, j, size, size) of each class without pose, at points (j, d) of z.

        Without points, at `sigma_points`: z = 0 first, then around it.
        """
        a = self.architecture
        points = sigma_points(a.latent_dim) if points is None else points
        points = points.to(self.background.device)
        j, k = len(points), a.n_classes
        y = torch.arange(k, device=points.device).repeat_interleave(j)
        zero = points.new_zeros(k * j)
        images = self.decode(y, points.repeat(k, 1), zero, zero.expand(2, -1).T, zero + 1, size)
        return images.sigmoid().reshape(k, j, size, size)

    @property
    def has_templates(self) -> bool:
        """Whether the decoder begins as class averages, and so shows the classes all along."""
        return isinstance(self.decoder, TemplateDecoder)

    def registration(self) -> Registration:
        """Make what finds this model's classes in images."""
        used = self.architecture.invariances
        return Registration(
            self.uprights(self.architecture.decoder_size) - self.background,
            rotation="rotation" in used,
            translation="translation" in used,
        )

    def take_over(self, other: PosedVAE, places: list[int]) -> None:
        """Copy the weights of a model with fewer classes; class i of it is class places[i] here.

        Rows of the new classes keep their random start.
        """
        k_old, k_new = other.architecture.n_classes, self.architecture.n_classes
        theirs, mine = other.state_dict(), self.state_dict()
        for name, old in theirs.items():
            if old.shape == mine[name].shape and k_old == k_new:
                mine[name].copy_(old)
                continue
            axis = next(
                (
                    i
                    for i, (a, b) in enumerate(zip(old.shape, mine[name].shape, strict=True))
                    if a != b
                ),
                None,
            )
            if axis is None:
                mine[name].copy_(old)
                continue
            block = old.shape[axis] // k_old
            rows = torch.tensor([p * block + i for p in places for i in range(block)])
            mine[name].index_copy_(axis, rows, old.to(mine[name].device))

    # ------------------------------------------------------- Pyro model and guide

    def model(self, batch: Batch) -> None:
        """Judge the labels, and generate the images.

        The former are auxiliary losses: the class encoder's likelihood of the labels (the paper's),
        and of what is believed of the unlabelled images.
        """
        # First, since Pyro enumerates y for every site that comes after it.
        if batch.belief is not None:
            self._learn_classes(batch, batch.belief)
        if batch.weights.elbo:
            self._generate(batch)

    def _learn_classes(self, batch: Batch, belief: Tensor) -> None:
        """Judge the class encoder by the labels and by the teachers' belief: cross-entropies."""
        logits = self.class_encoder(batch.labelled)
        batch.record["classification"] = nnf.cross_entropy(logits, batch.labels).detach()
        weight = batch.weights.classification / len(batch.labels)
        with poutine.scale(scale=weight), pyro.plate("labelled", len(batch.labels)):
            pyro.sample("label", Categorical(logits=logits), obs=batch.labels)
        unknown = batch.y < 0
        if batch.weights.teaching and unknown.any():
            taught = nnf.cross_entropy(self._unknown_logits(batch), belief[unknown])
            batch.record["teaching"] = taught.detach()
            judged = dist.Unit(-batch.weights.teaching * taught, validate_args=False)
            pyro.sample("taught", judged, obs=taught.new_empty(0))

    def _generate(self, batch: Batch) -> None:
        a, x = self.architecture, batch.images
        n, zero = len(x), x.new_zeros(())
        with poutine.scale(scale=1 / n), pyro.plate("images", n):
            y = zero.long()
            if a.n_classes > 1:
                with poutine.scale(scale=batch.weights.class_entropy):
                    y = pyro.sample("y", Categorical(logits=x.new_zeros(a.n_classes)))
            angle, shift, log_scale = zero, x.new_zeros(2), zero
            with poutine.scale(scale=batch.weights.kl):
                if "rotation" in a.invariances:
                    angle = pyro.sample("angle", AnglePrior(zero, a.angle_prior))
                if "translation" in a.invariances:
                    shift = pyro.sample("shift", Normal(x.new_zeros(2), SHIFT_PRIOR).to_event(1))
                if "scale" in a.invariances:
                    log_scale = pyro.sample("log_scale", Normal(zero, LOG_SCALE_PRIOR))
                z = pyro.sample("z", Normal(x.new_zeros(a.latent_dim), 1.0).to_event(1))
            logits = self._decode_broadcast(y, z, angle, shift, log_scale.exp())
            target = resized(x, a.decoder_size).clamp(0, 1)
            pyro.sample("x", Bernoulli(logits=logits).to_event(2), obs=target)

    def _decode_broadcast(
        self, y: Tensor, z: Tensor, angle: Tensor, shift: Tensor, scale: Tensor
    ) -> Tensor:
        shape = np.broadcast_shapes(
            y.shape, z.shape[:-1], angle.shape, shift.shape[:-1], scale.shape
        )
        images = self.decode(
            y.expand(shape).flatten(),
            z.expand(*shape, -1).reshape(-1, z.shape[-1]),
            angle.expand(shape).flatten(),
            shift.expand(*shape, 2).reshape(-1, 2),
            scale.expand(shape).flatten(),
            self.architecture.decoder_size,
        )
        return images.reshape(*shape, *images.shape[1:])

    def guide(self, batch: Batch) -> None:
        """Sample every latent of `model` from its variational posterior."""
        if not batch.weights.elbo:
            return
        a, x = self.architecture, batch.images
        row = torch.arange(len(x), device=x.device)
        parameters = self.posterior(x, batch.angle, batch.shift)
        with poutine.scale(scale=1 / len(x)), pyro.plate("images", len(x)):
            y = row.new_zeros(())
            if a.n_classes > 1:
                with poutine.scale(scale=batch.weights.class_entropy):
                    belief = Categorical(logits=self._class_logits(batch))
                    y = pyro.sample("y", belief, infer={"enumerate": "parallel"})
            q = parameters.at(y, row)
            with poutine.scale(scale=batch.weights.kl):
                if "rotation" in a.invariances:
                    pyro.sample("angle", Normal(q.angle, q.angle_sd))
                if "translation" in a.invariances:
                    pyro.sample("shift", Normal(q.shift, q.shift_sd).to_event(1))
                if "scale" in a.invariances:
                    pyro.sample("log_scale", Normal(q.log_scale, q.log_scale_sd))
                pyro.sample("z", Normal(q.z, q.z_sd).to_event(1))

    def _unknown_logits(self, batch: Batch) -> Tensor:
        """Class logits of the images without label, computed once a step."""
        if not batch.logits:
            batch.logits.append(self.class_encoder(batch.images[batch.y < 0]))
        return batch.logits[0]

    def _class_logits(self, batch: Batch) -> Tensor:
        """q(y | x) of the unlabelled images; certainty about the labelled ones."""
        logits, share = self._unknown_logits(batch), batch.weights.class_gradient
        logits = share * logits + (1 - share) * logits.detach()
        certain = 100 * nnf.one_hot(batch.y.clamp(min=0), logits.shape[1]).to(logits.dtype)
        return certain.masked_scatter((batch.y < 0)[:, None], logits)


def sigma_points(latent_dim: int) -> Tensor:
    """Points (j, d) that stand for the standard normal: its centre, the axes, the corners."""
    axes = 1.2 * torch.eye(latent_dim)
    points = [torch.zeros(1, latent_dim), axes, -axes]
    if latent_dim > 1:
        corners = torch.cartesian_prod(*2 * [torch.tensor([-1.2, 1.2])])
        points.append(nnf.pad(corners, (0, latent_dim - 2)))
    return torch.cat(points)


def latent_grid(latent_dim: int) -> Tensor:
    """Points (j, d) that cover the plane of the first two latents, five along each."""
    steps = torch.linspace(-1.5, 1.5, 5)
    points = torch.cartesian_prod(*min(2, latent_dim) * [steps]).reshape(-1, min(2, latent_dim))
    return nnf.pad(points, (0, max(0, latent_dim - 2)))

"""The probabilistic model: a Pyro model and its guide. Knows no optimiser and no data set.

p(x | y, z, angle, shift, scale) with y a class, z standard normal, the angle uniform on the circle;
after Ziatdinov et al., Digital Discovery 3 (2024) 1213, with M2 of Kingma et al. (2014) for labels.
"""

from __future__ import annotations

import math
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

from .networks import ClassEncoder, CoordinateDecoder, PoseEncoder, TemplateDecoder, _resized
from .pose import QUARTER, sampling_grid, turn_vectors, turned_back

SHIFT_PRIOR = 0.1  # fraction of the frame: the paper's dx_prior
LOG_SCALE_PRIOR = 0.15
TURN_WEIGHT = 10.0
# Checking the arguments of every distribution would take a tenth of each step.
Bernoulli = partial(dist.Bernoulli, validate_args=False)
Categorical = partial(dist.Categorical, validate_args=False)
Normal = partial(dist.Normal, validate_args=False)
Uniform = partial(dist.Uniform, validate_args=False)

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

    @property
    def n_turns(self) -> int:
        """Quarter turns that the guide tells apart."""
        return 4 if "rotation" in self.invariances else 1


@dataclass(frozen=True)
class Weights:
    """How strongly each part of the loss counts in one step."""

    kl: float = 0.3
    classification: float = 30.0
    pose: float = 10.0
    elbo: bool = True
    class_entropy: float = 1.0
    class_gradient: float = 1.0


class Posed(NamedTuple):
    """Images (m, s, s) of classes (m,) in a pose that is known: angle (m,) and shift (m, 2)."""

    images: Tensor
    y: Tensor
    angle: Tensor
    shift: Tensor


@dataclass(frozen=True)
class Batch:
    """Images of one step: unlabelled (n, s, s), labelled (m, s, s) with classes (m,), anchors."""

    unlabelled: Tensor
    labelled: Tensor
    y: Tensor
    anchors: Posed
    weights: Weights
    record: dict[str, Tensor] = field(default_factory=dict)

    @property
    def few_labelled(self) -> tuple[Tensor, Tensor]:
        """Every second labelled image and its class: enough for the ELBO, which costs more."""
        return self.labelled[::2], self.y[::2]


class Posterior(NamedTuple):
    """Parameters of q(turn, residual, shift, log scale, z | x, y), leading shape (turns, k, n)."""

    turn: Tensor
    residual: Tensor
    residual_sd: Tensor
    shift: Tensor
    shift_sd: Tensor
    log_scale: Tensor
    log_scale_sd: Tensor
    z: Tensor
    z_sd: Tensor

    def at(self, turn: Tensor, y: Tensor, row: Tensor) -> Posterior:
        """Take the parameters for given turns and classes, broadcast against each other."""
        return Posterior(*(values[turn, y, row] for values in self))


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
        self.pose_encoder = PoseEncoder(a.n_classes, 9 + 2 * a.latent_dim, a.decoder_size)
        self.background: Tensor
        self.decoder: nn.Module = (
            TemplateDecoder(a.n_classes, a.latent_dim, a.decoder_size)
            if a.decoder == "template"
            else CoordinateDecoder(a.n_classes, a.latent_dim)
        )
        self.register_buffer("background", torch.tensor(min(max(a.background, 0.01), 0.99)))

    # ------------------------------------------------------------------ parts

    def posterior(self, images: Tensor) -> Posterior:
        """Encode pose and z of images (n, s, s) for every turn and class."""
        a = self.architecture
        small = _resized(images, a.decoder_size)
        turned = turned_back(small, a.n_turns)
        out = self.pose_encoder(turned.flatten(0, 1)).unflatten(0, (a.n_turns, len(images)))
        turn, pose, z = out.transpose(1, 2).split((1, 8, 2 * a.latent_dim), dim=-1)
        quarters = torch.arange(a.n_turns, device=images.device)[:, None, None]
        return Posterior(
            turn=turn.squeeze(-1),
            residual=1.25 * QUARTER / 2 * torch.tanh(2 * pose[..., 0]),
            residual_sd=0.02 + 0.3 * torch.sigmoid(pose[..., 1]),
            # Found in the turned frame, told in the image's own.
            shift=turn_vectors(0.3 * torch.tanh(pose[..., 2:4]), quarters),
            shift_sd=0.005 + 0.1 * torch.sigmoid(pose[..., 4:6] - 1),
            log_scale=0.5 * torch.tanh(pose[..., 6]),
            log_scale_sd=0.01 + 0.2 * torch.sigmoid(pose[..., 7] - 1),
            z=z[..., : a.latent_dim],
            z_sd=0.01 + nnf.softplus(z[..., a.latent_dim :]),
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
    def start_from(self, images: Tensor, classes: Sequence[int]) -> None:
        """Let the templates of some classes begin as one centred image each, (m, s, s).

        A template that begins without a shape becomes a disc: the mean over all angles, from which
        no gradient says which way is up. One image, whatever its pose, defines "upright".
        """
        if isinstance(self.decoder, TemplateDecoder):
            small = _resized(images, self.decoder.size).clamp(0.05, 0.95)
            self.decoder.upright.weight[:, list(classes)] = torch.logit(small).flatten(1).T

    @torch.no_grad()
    def upright(self) -> Tensor:
        """Each class's image at z = 0 and no pose, (k, size, size)."""
        a = self.architecture
        y = torch.arange(a.n_classes, device=self.background.device)
        zero = self.background.new_zeros(a.n_classes, max(2, a.latent_dim))
        z, shift = zero[:, : a.latent_dim], zero[:, :2]
        return self.decode(y, z, zero[:, 0], shift, zero[:, 0] + 1, a.size).sigmoid()

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
            mine[name].index_copy_(axis, rows.to(old.device), old)

    # ------------------------------------------------------- Pyro model and guide

    def model(self, batch: Batch) -> None:
        """Generate the unlabelled and the labelled images; judge what is known of them.

        The last are auxiliary losses: the class encoder's likelihood of the labels, and the pose
        encoder's likelihood of the poses of the anchors.
        """
        if batch.weights.elbo:
            self._generate("unlabelled", batch.unlabelled, None, batch.weights)
        self._recognise_pose(batch)
        if not len(batch.labelled):
            return
        if batch.weights.elbo:
            self._generate("labelled", *batch.few_labelled, batch.weights)
        logits = self.class_encoder(batch.labelled)
        batch.record["classification_loss"] = nnf.cross_entropy(logits, batch.y).detach()
        weight = batch.weights.classification / len(batch.y)
        with poutine.scale(scale=weight), pyro.plate("classified", len(batch.y)):
            pyro.sample("label", Categorical(logits=logits), obs=batch.y)

    def guide(self, batch: Batch) -> None:
        """Sample every latent of `model` from its variational posterior."""
        if not batch.weights.elbo:
            return
        self._infer("unlabelled", batch.unlabelled, None, batch.weights)
        if len(batch.labelled):
            self._infer("labelled", *batch.few_labelled, batch.weights)

    def _recognise_pose(self, batch: Batch) -> None:
        images, y, angle, shift = batch.anchors
        row = torch.arange(len(images), device=images.device)
        quarters = torch.round(angle / QUARTER)
        turn = torch.remainder(quarters, self.architecture.n_turns).long()
        parameters = self.posterior(images)
        q = parameters.at(turn, y, row)
        weight = batch.weights.pose / len(images)
        used = self.architecture.invariances
        known: dict[str, tuple[dist.TorchDistribution, Tensor, float]] = {}
        if "rotation" in used:
            # Else the precise residuals, of many nats, drown which turn it was.
            logits = parameters.turn[:, y, row].T
            known["turn"] = Categorical(logits=logits), turn, TURN_WEIGHT
            residual = Normal(q.residual, q.residual_sd)
            known["residual"] = residual, angle - quarters * QUARTER, 1.0
        if "translation" in used:
            known["shift"] = Normal(q.shift, q.shift_sd).to_event(1), shift, 1.0
        loss = images.new_zeros(())
        with pyro.plate("anchors", len(images)):
            for name, (belief, value, share) in known.items():
                loss = loss - weight * share * belief.log_prob(value).detach().sum()
                with poutine.scale(scale=weight * share):
                    pyro.sample(f"anchor.{name}", belief, obs=value)
        batch.record["pose_loss"] = loss

    def _generate(self, part: str, x: Tensor, y: Tensor | None, weights: Weights) -> None:
        a, n = self.architecture, len(x)
        zero = x.new_zeros(())
        with poutine.scale(scale=1 / n), pyro.plate(part, n):
            if a.n_classes > 1:
                prior = Categorical(logits=x.new_zeros(a.n_classes))
                with poutine.scale(scale=weights.class_entropy):
                    y = pyro.sample(f"{part}.y", prior, obs=y)
            else:
                y = zero.long()
            turn, residual = zero.long(), zero
            shift, log_scale = x.new_zeros(2), zero
            with poutine.scale(scale=weights.kl):
                if "rotation" in a.invariances:
                    # A uniform turn plus any residual is uniform on the circle.
                    turn = pyro.sample(f"{part}.turn", Categorical(logits=x.new_zeros(4)))
                    residual = pyro.sample(
                        f"{part}.residual",
                        Uniform(zero - math.pi, zero + math.pi),
                    )
                if "translation" in a.invariances:
                    prior_t = Normal(x.new_zeros(2), SHIFT_PRIOR).to_event(1)
                    shift = pyro.sample(f"{part}.shift", prior_t)
                if "scale" in a.invariances:
                    log_scale = pyro.sample(f"{part}.log_scale", Normal(zero, LOG_SCALE_PRIOR))
                prior_z = Normal(x.new_zeros(a.latent_dim), 1.0).to_event(1)
                z = pyro.sample(f"{part}.z", prior_z)
            logits = self._decode_broadcast(y, z, turn * QUARTER + residual, shift, log_scale.exp())
            target = _resized(x, a.decoder_size).clamp(0, 1)
            pixels = Bernoulli(logits=logits).to_event(2)
            pyro.sample(f"{part}.x", pixels, obs=target)

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

    def _infer(self, part: str, x: Tensor, y: Tensor | None, weights: Weights) -> None:
        a, n = self.architecture, len(x)
        row = torch.arange(n, device=x.device)
        enumerated = {"enumerate": "parallel"}
        parameters = self.posterior(x)
        with poutine.scale(scale=1 / n), pyro.plate(part, n):
            if a.n_classes == 1:
                y = row.new_zeros(())
            elif y is None:
                logits = self.class_encoder(x)
                share = weights.class_gradient
                logits = share * logits + (1 - share) * logits.detach()
                with poutine.scale(scale=weights.class_entropy):
                    y = pyro.sample(
                        f"{part}.y",
                        Categorical(logits=logits),
                        infer=enumerated,
                    )
            with poutine.scale(scale=weights.kl):
                turn = row.new_zeros(())
                if "rotation" in a.invariances:
                    logits = parameters.turn.movedim(0, -1)[y, row]
                    turn = pyro.sample(
                        f"{part}.turn",
                        Categorical(logits=logits),
                        infer=enumerated,
                    )
                q = parameters.at(turn, y, row)
                if "rotation" in a.invariances:
                    pyro.sample(
                        f"{part}.residual",
                        Normal(q.residual, q.residual_sd),
                    )
                if "translation" in a.invariances:
                    pyro.sample(
                        f"{part}.shift",
                        Normal(q.shift, q.shift_sd).to_event(1),
                    )
                if "scale" in a.invariances:
                    pyro.sample(
                        f"{part}.log_scale",
                        Normal(q.log_scale, q.log_scale_sd),
                    )
                pyro.sample(f"{part}.z", Normal(q.z, q.z_sd).to_event(1))

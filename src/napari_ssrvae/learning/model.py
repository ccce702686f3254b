"""The probabilistic model: a Pyro model and its guide. Knows no optimiser and no data set.

p(x | y, z, angle, shift, scale) with y a class, z standard normal, angle uniform on the circle; after
Ziatdinov et al., Digital Discovery 3 (2024) 1213, with M2 of Kingma et al. (2014) for the labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import pyro
import pyro.distributions as dist
import torch
import torch.nn.functional as F
from pyro import poutine
from torch import Tensor, nn

from .networks import ClassEncoder, CoordinateDecoder, PoseEncoder, TemplateDecoder, _resized
from .pose import QUARTER, sampling_grid, turn_vectors, turned_back

SHIFT_PRIOR = 0.1  # fraction of the frame: the paper's dx_prior
LOG_SCALE_PRIOR = 0.15
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

    kl: float = 1.0
    classification: float = 30.0
    class_entropy: float = 1.0
    class_gradient: float = 1.0


@dataclass(frozen=True)
class Batch:
    """Images of one step: unlabelled (n, s, s), labelled (m, s, s) and their classes (m,)."""

    unlabelled: Tensor
    labelled: Tensor
    y: Tensor
    weights: Weights
    record: dict[str, Tensor] = field(default_factory=dict)


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
        """The parameters for given turns and classes, broadcast against each other."""
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
        self.decoder: nn.Module = (
            TemplateDecoder(a.n_classes, a.latent_dim, a.decoder_size)
            if a.decoder == "template"
            else CoordinateDecoder(a.n_classes, a.latent_dim)
        )
        self.register_buffer("background", torch.tensor(float(a.background)))

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
            z_sd=0.01 + F.softplus(z[..., a.latent_dim :]),
        )

    def decode(
        self, y: Tensor, z: Tensor, angle: Tensor, shift: Tensor, scale: Tensor, size: int
    ) -> Tensor:
        """Mean images (n, size, size) for classes (n,), latents (n, d) and poses (n,), (n, 2), (n,)."""
        one_hot = F.one_hot(y, self.architecture.n_classes).to(z.dtype)
        grid = sampling_grid(angle, shift, scale, size)
        images: Tensor = self.decoder(one_hot, z, grid, self.background)
        return images

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
        """Generate the unlabelled images, the labelled images, and the labels once more.

        The last is the auxiliary classification loss: the class encoder's likelihood of the labels.
        """
        self._generate("unlabelled", batch.unlabelled, batch.weights)
        if not len(batch.labelled):
            return
        self._generate("labelled", batch.labelled, batch.weights, batch.y)
        logits = self.class_encoder(batch.labelled)
        batch.record["classification_loss"] = F.cross_entropy(logits, batch.y).detach()
        weight = batch.weights.classification / len(batch.y)
        with poutine.scale(scale=weight), pyro.plate("classified", len(batch.y)):
            pyro.sample("label", dist.Categorical(logits=logits), obs=batch.y)

    def guide(self, batch: Batch) -> None:
        """The variational posterior of every latent that `model` samples."""
        self._infer("unlabelled", batch.unlabelled, batch.weights)
        if len(batch.labelled):
            self._infer("labelled", batch.labelled, batch.weights, batch.y)

    def _generate(self, part: str, x: Tensor, weights: Weights, y: Tensor | None = None) -> None:
        a, n = self.architecture, len(x)
        zero = x.new_zeros(())
        with poutine.scale(scale=1 / n), pyro.plate(part, n):
            if a.n_classes > 1:
                prior = dist.Categorical(logits=x.new_zeros(a.n_classes))
                with poutine.scale(scale=weights.class_entropy):
                    y = pyro.sample(f"{part}.y", prior, obs=y)
            else:
                y = zero.long()
            turn, residual = zero.long(), zero
            shift, log_scale = x.new_zeros(2), zero
            with poutine.scale(scale=weights.kl):
                if "rotation" in a.invariances:
                    # A uniform turn plus any residual is uniform on the circle.
                    turn = pyro.sample(f"{part}.turn", dist.Categorical(logits=x.new_zeros(4)))
                    residual = pyro.sample(
                        f"{part}.residual", dist.Uniform(zero - math.pi, zero + math.pi)
                    )
                if "translation" in a.invariances:
                    prior_t = dist.Normal(x.new_zeros(2), SHIFT_PRIOR).to_event(1)
                    shift = pyro.sample(f"{part}.shift", prior_t)
                if "scale" in a.invariances:
                    log_scale = pyro.sample(f"{part}.log_scale", dist.Normal(zero, LOG_SCALE_PRIOR))
                prior_z = dist.Normal(x.new_zeros(a.latent_dim), 1.0).to_event(1)
                z = pyro.sample(f"{part}.z", prior_z)
            mean = self._decode_broadcast(y, z, turn * QUARTER + residual, shift, log_scale.exp())
            target = _resized(x, a.decoder_size).clamp(0, 1)
            pixels = dist.Bernoulli(mean.clamp(1e-3, 1 - 1e-3), validate_args=False).to_event(2)
            pyro.sample(f"{part}.x", pixels, obs=target)

    def _decode_broadcast(
        self, y: Tensor, z: Tensor, angle: Tensor, shift: Tensor, scale: Tensor
    ) -> Tensor:
        shape = torch.broadcast_shapes(
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
        return images.unflatten(0, shape)

    def _infer(self, part: str, x: Tensor, weights: Weights, y: Tensor | None = None) -> None:
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
                    y = pyro.sample(f"{part}.y", dist.Categorical(logits=logits), infer=enumerated)
            with poutine.scale(scale=weights.kl):
                turn = row.new_zeros(())
                if "rotation" in a.invariances:
                    logits = parameters.turn.movedim(0, -1)[y, row]
                    turn = pyro.sample(
                        f"{part}.turn", dist.Categorical(logits=logits), infer=enumerated
                    )
                q = parameters.at(turn, y, row)
                if "rotation" in a.invariances:
                    pyro.sample(f"{part}.residual", dist.Normal(q.residual, q.residual_sd))
                if "translation" in a.invariances:
                    pyro.sample(f"{part}.shift", dist.Normal(q.shift, q.shift_sd).to_event(1))
                if "scale" in a.invariances:
                    pyro.sample(f"{part}.log_scale", dist.Normal(q.log_scale, q.log_scale_sd))
                pyro.sample(f"{part}.z", dist.Normal(q.z, q.z_sd).to_event(1))

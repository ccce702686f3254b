"""The training loop: a plain generator that yields one frozen state an epoch.

Pyro's handler stack and torch's default random generator belong to the whole process. So every SVI
step runs under one lock, with the generator's state swapped in and out: two trainings in two
threads neither meet nor change each other's random numbers.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyro.infer
import pyro.optim
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from napari_ssrvae.errors import TrainingError

from .model import Batch, Posed, PosedVAE, Weights
from .pose import centred, sampling_grid, warp
from .preprocessing import Normalisation

Tensors = tuple[Tensor, ...] | list[Tensor]

PYRO_LOCK = threading.RLock()
ANCHOR_SHEAR = 0.2  # a pose must also be told of particles that are not quite the anchor's shape


@dataclass(frozen=True)
class EpochState:
    """What one epoch brought; losses are means over its steps, an image.

    `loss` is all that is minimised, classes and poses included; `elbo` is NaN as long as only these
    are trained.

    `labelled_accuracy` and `confidence` come from the averaged weights, on the labelled images as
    they are and on a sample of the unlabelled ones; NaN where there are no labels.
    """

    epoch: int
    n_epochs: int
    seconds: float
    loss: float
    elbo: float
    classification_loss: float
    labelled_accuracy: float
    confidence: float
    learning_rate: float


@dataclass(frozen=True)
class TrainingSettings:
    """Numbers of the loop; `ramp` is the share of the run over which the labels lead alone."""

    n_epochs: int
    steps_per_epoch: int
    batch_size: int
    labelled_batch_size: int
    learning_rate: float
    weights: Weights = field(default_factory=Weights)
    ramp: float = 1 / 3
    warm_up: float = 0.4
    scale_augmentation: float = 0.15
    averaging: float = 0.98
    max_seconds: float | None = None


@dataclass(frozen=True)
class TrainingData:
    """Raw images (n, H, W), how to normalise them, and class indices (n,), -1 = unlabelled."""

    images: NDArray[Any]
    normalisation: Normalisation
    y: NDArray[np.int64]

    def check(self) -> None:
        """Raise `InputError` where the images are not of the size that was measured."""
        self.normalisation(self.images[:1])

    def batch(self, rows: NDArray[np.int64], device: torch.device) -> Tensor:
        """Normalised square images of some rows."""
        return torch.from_numpy(self.normalisation(self.images[rows])).to(device)


class JointAdam(pyro.optim.PyroOptim):  # type: ignore[misc]
    """One torch optimiser over all weights, for `pyro.infer.SVI`.

    Pyro's own wrapper keeps one optimiser for each parameter of its process-global store; the
    weights here belong to a module and never enter that store.
    """

    def __init__(self, module: nn.Module, learning_rate: float, clip: float = 5.0) -> None:
        super().__init__(torch.optim.Adam, {"lr": learning_rate})
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.adam = torch.optim.Adam(
            self.parameters, lr=learning_rate, betas=(0.9, 0.99), fused=True
        )
        self.clip = clip

    def set_learning_rate(self, learning_rate: float) -> None:
        """Change the step size from here on."""
        for group in self.adam.param_groups:
            group["lr"] = learning_rate

    def state(self) -> dict[str, Tensor]:
        """Adam's moments and step counts, flat, by parameter number."""
        return {
            f"{number}.{name}": value.detach().clone()
            for number, values in self.adam.state_dict()["state"].items()
            for name, value in values.items()
        }

    @torch.no_grad()
    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`; left out for parameters whose shape has changed since."""
        for number, parameter in enumerate(self.parameters):
            names = [f"{number}.{name}" for name in ("exp_avg", "exp_avg_sq", "step")]
            if not all(name in state for name in names):
                continue
            mean, square, step = (state[name] for name in names)
            if mean.shape == parameter.shape:
                # In the parameter's own memory layout: the fused step walks through both alike.
                self.adam.state[parameter] = {
                    "exp_avg": torch.empty_like(parameter).copy_(mean).detach(),
                    "exp_avg_sq": torch.empty_like(parameter).copy_(square).detach(),
                    "step": step.clone().to(parameter.device),
                }

    def __call__(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Step along the gradients that the loss left, unless they are not finite."""
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip)
        if torch.isfinite(norm):
            self.adam.step()
        self.adam.zero_grad(set_to_none=True)


class Trainer:
    """Trains one module; `best` is the module to keep, whenever one stops.

    The best weights are an exponential average over the last steps (about fifty): smoother than
    any single step, and with few labels there is nothing held back to choose by. The average is
    taken over as long as the loss, smoothed over epochs, is not clearly above its lowest.

    Parameters
    ----------
    module : PosedVAE
        Trained in place; belongs to this trainer alone.
    data : TrainingData
        Images and class indices.
    settings : TrainingSettings
        Numbers of the loop.
    seed : int
        Of everything random.
    device : torch.device
        Where to compute.
    fresh : sequence of int, optional
        Classes that begin anew, all of them unless given.
    """

    def __init__(
        self,
        module: PosedVAE,
        data: TrainingData,
        settings: TrainingSettings,
        seed: int,
        device: torch.device,
        fresh: Sequence[int] | None = None,
    ) -> None:
        self.module = module.to(device).train()
        self.data = data
        self.settings = settings
        self.device = device
        self.numbers = np.random.default_rng(seed)
        self.noise = torch.Generator().manual_seed(seed).get_state()
        self.optimiser = JointAdam(module, settings.learning_rate)
        self.svi = pyro.infer.SVI(
            module.model,
            module.guide,
            self.optimiser,
            loss=pyro.infer.TraceEnum_ELBO(
                max_plate_nesting=1, strict_enumeration_warning=False
            ).differentiable_loss,
        )
        self.average = AveragedModel(module, multi_avg_fn=_averaging(settings.averaging))
        self.best: PosedVAE | None = None
        self.unlabelled = np.arange(len(data.y))
        self.by_class = [np.flatnonzero(data.y == k) for k in range(data.y.max(initial=-1) + 1)]
        self.anchors = self._anchored(fresh)
        # A plain VAE has neither labels nor poses to learn before the ELBO.
        pose = {"rotation", "translation"} & set(module.architecture.invariances)
        self.teachable = bool(pose or len(self.by_class))
        self._order = np.empty(0, np.int64)
        self._lowest = math.inf
        self._smoothed = math.nan
        self._started = math.nan

    def _anchored(self, fresh: Sequence[int] | None) -> Tensor:
        """One image a class that defines what is upright: a known pose is known against it.

        A class that is trained anew takes the labelled image of median mass; another one keeps what
        its template shows.
        """
        a = self.module.architecture
        fresh = range(a.n_classes) if fresh is None else fresh
        rows = [
            self._typical(self.by_class[k] if a.n_classes > 1 else self.unlabelled) for k in fresh
        ]
        anchors = self.module.upright()
        if rows:
            images = self.data.batch(np.array(rows), self.device)
            anchors[list(fresh)] = centred(images, self.module.background)
            self.module.start_from(anchors[list(fresh)], fresh)
        return anchors

    def _typical(self, rows: NDArray[np.int64]) -> int:
        rows = rows[:500]
        images = self.data.normalisation(self.data.images[rows])
        mass = np.abs(images - self.data.normalisation.background).sum(axis=(1, 2))
        return int(rows[np.argsort(mass)[len(rows) // 2]])

    # ---------------------------------------------------------------- batches

    def _next_rows(self) -> NDArray[np.int64]:
        size = min(self.settings.batch_size, len(self.unlabelled))
        if len(self._order) < size:
            self._order = self.numbers.permutation(self.unlabelled)
        rows, self._order = self._order[:size], self._order[size:]
        return rows

    def _labelled_rows(self) -> NDArray[np.int64]:
        classes = [rows for rows in self.by_class if len(rows)]
        if not classes:
            return np.empty(0, np.int64)
        each = -(-self.settings.labelled_batch_size // len(classes))
        return np.concatenate([self.numbers.choice(rows, each) for rows in classes])

    def _posed(self, images: Tensor, y: Tensor, shear: float = 0.0) -> Posed:
        """Pose images anew from the model's own prior: their labels stay true.

        With `shear`, their outline is sheared first by up to this much.
        """
        n, a = len(images), self.module.architecture
        limit = self.settings.scale_augmentation
        angle = self._uniform(n, math.pi if "rotation" in a.invariances else 0.0)
        shift = self._uniform((n, 2), 0.1 if "translation" in a.invariances else 0.0)
        scale = torch.exp(self._uniform(n, limit))
        grid = sampling_grid(angle, shift, scale, images.shape[-1])
        if shear:
            sheared = grid[..., 0] + self._uniform(n, shear)[:, None, None] * grid[..., 1]
            grid = torch.stack([sheared, grid[..., 1]], dim=-1)
        return Posed(warp(images, grid, a.background), y, angle, shift)

    def _uniform(self, shape: int | tuple[int, ...], limit: float) -> Tensor:
        values = self.numbers.uniform(-limit, limit, shape)
        return torch.from_numpy(np.asarray(values, np.float32)).to(self.device)

    def _batch(self, weights: Weights) -> Batch:
        x = self.data.batch(self._next_rows(), self.device)
        if "rotation" in self.module.architecture.invariances:
            x = torch.rot90(x, int(self.numbers.integers(4)), (-2, -1))
        rows = self._labelled_rows()
        y = torch.from_numpy(self.data.y[rows]).to(self.device)
        labelled = self.data.batch(rows, self.device)
        if len(rows):
            labelled = self._posed(labelled, y).images
        n_anchors = max(16, len(self.anchors)) if weights.elbo else 48
        which = torch.arange(n_anchors) % len(self.anchors)
        anchors = self._posed(self.anchors[which], which.to(self.device), ANCHOR_SHEAR)
        return Batch(x, labelled, y, anchors, weights)

    # ------------------------------------------------------------------ steps

    def _step(self, done: float) -> tuple[float, float, float]:
        """Take one SVI step at a share of the run; returns loss, ELBO, classification loss."""
        s = self.settings
        ramp = min(1.0, 0.01 + (max(0.0, done - s.warm_up) / s.ramp)) if s.ramp else 1.0
        weights = replace(
            s.weights,
            class_entropy=s.weights.class_entropy * ramp,
            class_gradient=s.weights.class_gradient * ramp,
            elbo=done >= s.warm_up or not self.teachable,
        )
        warm = min(1.0, (done + 0.01) / 0.05)
        cooling = 0.5 * (1 + math.cos(math.pi * max(0.0, done - 0.4) / 0.6))
        self.optimiser.set_learning_rate(s.learning_rate * warm * (0.02 + 0.98 * cooling))
        batch = self._batch(weights)
        with PYRO_LOCK, torch.random.fork_rng(_cuda_index(self.device)):
            torch.set_rng_state(self.noise)
            if self.device.type == "cuda":
                torch.cuda.manual_seed(int(self.numbers.integers(2**62)))
            loss = float(self.svi.step(batch))
            self.noise = torch.get_rng_state()
        self.average.update_parameters(self.module)
        nothing = torch.tensor(math.nan)
        classification = float(batch.record.get("classification_loss", nothing))
        rest = s.weights.classification * np.nan_to_num(classification)
        elbo = -(loss - rest - float(batch.record["pose_loss"])) if weights.elbo else math.nan
        return loss, elbo, classification

    def epochs(self) -> Iterator[EpochState]:
        """Train; yields after every epoch. Torch's errors come out as `TrainingError`."""
        s, self._started = self.settings, time.perf_counter()
        for epoch in range(1, s.n_epochs + 1):
            losses = np.empty((s.steps_per_epoch, 3))
            try:
                for i in range(s.steps_per_epoch):
                    losses[i] = self._step(self._done(epoch - 1 + i / s.steps_per_epoch))
                loss, elbo, classification = losses.mean(axis=0)
                if not math.isfinite(loss):
                    raise DivergedError(epoch)
                self._keep(float(loss), self._done(epoch))
                accuracy, confidence = self._check()
            except RuntimeError as error:
                raise TrainingError(_remedy(error)) from error
            yield EpochState(
                epoch=epoch,
                n_epochs=s.n_epochs,
                seconds=time.perf_counter() - self._started,
                loss=float(loss),
                elbo=float(elbo),
                classification_loss=float(classification),
                labelled_accuracy=accuracy,
                confidence=confidence,
                learning_rate=float(self.optimiser.adam.param_groups[0]["lr"]),
            )
            if self._done(epoch) >= 1:
                return

    def _done(self, epochs: float) -> float:
        """Share of the run that is over, by epochs or by the time budget, whichever is further."""
        budget = self.settings.max_seconds
        spent = (time.perf_counter() - self._started) / budget if budget else 0.0
        return min(1.0, max(epochs / self.settings.n_epochs, spent))

    def _keep(self, loss: float, done: float) -> None:
        """Take the averaged weights as the best, unless training has clearly gone wrong since."""
        old = self._smoothed
        self._smoothed = loss if math.isnan(old) else 0.7 * old + 0.3 * loss
        # Until the ramp ends, the loss itself changes from step to step and cannot be compared.
        if done > self.settings.warm_up + self.settings.ramp:
            if self._smoothed > self._lowest + 0.1 * abs(self._lowest):
                return
            self._lowest = min(self._lowest, self._smoothed)
        self.best = snapshot(self.average.module)

    def _check(self) -> tuple[float, float]:
        rows = np.flatnonzero(self.data.y >= 0)[:256]
        if not len(rows):
            return float("nan"), float("nan")
        assert self.best is not None
        encoder = self.best.class_encoder
        with torch.no_grad():
            right = encoder(self.data.batch(rows, self.device)).argmax(1).cpu().numpy()
            sample = self.unlabelled[:: max(1, len(self.unlabelled) // 64)][:64]
            sure = encoder(self.data.batch(sample, self.device)).softmax(1).amax(1).mean()
        return float((right == self.data.y[rows]).mean()), float(sure)


def _averaging(longest: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Exponential averaging that is short at first: the weights of the start are soon forgotten."""

    @torch.no_grad()
    def update(averaged: Tensors, current: Tensors, count: Tensor | int) -> None:
        kept = min(longest, (1 + int(count)) / (10 + int(count)))
        for mean, value in zip(averaged, current, strict=True):
            mean.lerp_(value, 1 - kept)

    return update


@contextmanager
def in_own_randomness(seed: int) -> Iterator[None]:
    """Seed torch's process-wide generator for a while, alone, and give it back as it was."""
    with PYRO_LOCK, torch.random.fork_rng([]):
        torch.manual_seed(seed)
        yield


def _cuda_index(device: torch.device) -> list[int]:
    return [device.index or 0] if device.type == "cuda" else []


class DivergedError(Exception):
    """The loss stopped being a number; the caller may try once more, more carefully."""


def snapshot(module: nn.Module) -> PosedVAE:
    """Copy a module, detached and in evaluation mode: no training touches the copy."""
    assert isinstance(module, PosedVAE)
    with in_own_randomness(0):
        copy = PosedVAE(module.architecture)
    copy.load_state_dict({k: v.detach().clone() for k, v in module.state_dict().items()})
    copy.requires_grad_(False)
    return copy.to(module.background.device).eval()


def _remedy(error: RuntimeError) -> str:
    if isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error):
        return (
            "The device ran out of memory during training; use a smaller batch_size or "
            'device="cpu". The best model so far is kept.'
        )
    return (
        f'Training stopped: {str(error).splitlines()[0]} Try other settings or device="cpu"; '
        "the best model so far is kept."
    )

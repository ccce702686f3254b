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

import numpy as np
import pyro.infer
import pyro.optim
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as nnf
from torch.optim.swa_utils import AveragedModel

from napari_ssrvae.errors import TrainingError

from .alignment import Poses, align
from .model import Batch, PosedVAE, Weights
from .optimiser import JointAdam
from .pose import sampling_grid, stretched, warp
from .preprocessing import TrainingData
from .teachers import Teachers

Tensors = tuple[Tensor, ...] | list[Tensor]

PYRO_LOCK = threading.RLock()
LABELLED_SHARE = 6  # one labelled image to so many unlabelled ones takes part in the ELBO


@dataclass(frozen=True)
class EpochState:
    """What one epoch brought; losses are means over its steps, an image.

    `loss` is all that is minimised, labels and teaching included; `elbo` is NaN as long as only the
    class encoder is trained.

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
    """Numbers of the loop.

    `warm_up` is the share of the run in which the class encoder is taught alone, `ramp` the share
    over which the ELBO then gains its say in q(y | x); at the shares `renewals` the classes are
    looked for anew in the images (where the decoder has templates). Training ends early after
    `patience` epochs without a gain.
    """

    n_epochs: int
    steps_per_epoch: int
    batch_size: int
    labelled_batch_size: int
    learning_rate: float
    weights: Weights = field(default_factory=Weights)
    warm_up: float = 0.3
    ramp: float = 0.3
    renewals: tuple[float, ...] = (0.5, 0.75)
    scale_augmentation: float = 0.15
    stretch_augmentation: float = 0.1
    averaging: float = 0.98
    patience: int = 12
    max_seconds: float | None = None


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
        self.seed, self.device = seed, device
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
        self.rows = np.arange(len(data.y))
        self.by_class = [np.flatnonzero(data.y == k) for k in range(data.y.max(initial=-1) + 1)]
        self.fresh = list(range(module.architecture.n_classes) if fresh is None else fresh)
        self.poses: Poses | None = None
        self.teachers: Teachers | None = None
        self._order = np.empty(0, np.int64)
        self._lowest = math.inf
        self._smoothed = math.nan
        self._started = math.nan
        # A coordinate decoder shows the classes less clearly than their averages for a long time.
        self._renewals = list(settings.renewals) if module.has_templates else []
        self._waited = 0

    # ---------------------------------------------------------------- batches

    def _next_rows(self) -> NDArray[np.int64]:
        size = min(self.settings.batch_size, len(self.rows))
        if len(self._order) < size:
            self._order = self.numbers.permutation(self.rows)
        rows, self._order = self._order[:size], self._order[size:]
        return rows

    def _labelled_rows(self) -> NDArray[np.int64]:
        classes = [rows for rows in self.by_class if len(rows)]
        if not classes:
            return np.empty(0, np.int64)
        each = -(-self.settings.labelled_batch_size // len(classes))
        return np.concatenate([self.numbers.choice(rows, each) for rows in classes])

    def _posed(self, images: Tensor) -> Tensor:
        """Pose images anew from the model's own prior, and deform them a little.

        Their labels stay true: a class is no pose, and seldom a size or a stretch as small.
        """
        n, a = len(images), self.module.architecture
        angle = self._uniform(n, math.pi if "rotation" in a.invariances else 0.0)
        shift = self._uniform((n, 2), 0.1 if "translation" in a.invariances else 0.0)
        scale = torch.exp(self._uniform(n, self.settings.scale_augmentation))
        stretch = nnf.pad(self._uniform((n, 2), self.settings.stretch_augmentation), (1, 0))
        grid = stretched(sampling_grid(angle, shift, scale, images.shape[-1]), stretch)
        return warp(images, grid, a.background)

    def _uniform(self, shape: int | tuple[int, ...], limit: float) -> Tensor:
        values = self.numbers.uniform(-limit, limit, shape)
        return torch.from_numpy(np.asarray(values, np.float32)).to(self.device)

    def _batch(self, weights: Weights) -> Batch:
        assert self.poses is not None
        rows = self._labelled_rows()
        labels = torch.from_numpy(self.data.y[rows]).to(self.device)
        labelled = self._posed(self.data.batch(rows, self.device)) if len(rows) else labels
        seen = self._next_rows()
        if weights.elbo:
            few = self.numbers.permutation(rows)[: self.settings.batch_size // LABELLED_SHARE]
            seen = np.concatenate([seen, few])
        images = self.data.batch(seen, self.device)
        found = self.poses(seen, images)
        belief = None if self.teachers is None else self.teachers(seen, found.score)
        y = torch.from_numpy(self.data.y[seen]).to(self.device)
        return Batch(images, y, found.angle, found.shift, labelled, labels, belief, weights)

    # ------------------------------------------------------------------ steps

    def _weights(self, done: float) -> Weights:
        """How strongly each part of the loss counts at a share of the run."""
        s = self.settings
        ramp = min(1.0, 0.01 + (max(0.0, done - s.warm_up) / s.ramp)) if s.ramp else 1.0
        trust, teaching = 1.0, 0.0
        if self.teachers is not None:
            # Where templates tell the classes badly apart, so does the likelihood.
            trust, teaching = self.teachers.by_registration**2, min(1.0, 2 * self.teachers.skill)
        return replace(
            s.weights,
            class_entropy=s.weights.class_entropy * ramp,
            class_gradient=s.weights.class_gradient * ramp * trust,
            teaching=s.weights.teaching * teaching,
            elbo=done >= s.warm_up or not self.by_class,
        )

    def _step(self, done: float) -> tuple[float, float, float]:
        """Take one SVI step at a share of the run; returns loss, ELBO, classification loss."""
        s = self.settings
        self._look_for_poses(done)
        warm = min(1.0, (done + 0.01) / 0.05)
        cooling = 0.5 * (1 + math.cos(math.pi * max(0.0, done - 0.4) / 0.6))
        self.optimiser.set_learning_rate(s.learning_rate * warm * (0.02 + 0.98 * cooling))
        weights = self._weights(done)
        batch = self._batch(weights)
        with PYRO_LOCK, torch.random.fork_rng(_cuda_index(self.device)):
            torch.set_rng_state(self.noise)
            if self.device.type == "cuda":
                torch.cuda.manual_seed(int(self.numbers.integers(2**62)))
            loss = float(self.svi.step(batch))
            self.noise = torch.get_rng_state()
        self.average.update_parameters(self.module)
        losses = {name: float(value) for name, value in batch.record.items()}
        classification = losses.get("classification", math.nan)
        rest = s.weights.classification * np.nan_to_num(classification)
        rest += weights.teaching * losses.get("teaching", 0.0)
        return loss, -(loss - rest) if weights.elbo else math.nan, classification

    def _look_for_poses(self, done: float) -> None:
        """Find every class in the images: at the start, and again with better templates."""
        if self.poses is None:
            start = align(self.module, self.data, self.fresh, self.seed, self.device)
            self.average.module.load_state_dict(self.module.state_dict())
            self.poses = Poses(self.data, start, self.module.background)
            if self.by_class:
                k = self.module.architecture.n_classes
                self.teachers = Teachers(self.data, self.poses, k, self.seed)
        elif self._renewals and done >= self._renewals[0]:
            self.poses.renew(self.module.registration())
            self._renewals = [share for share in self._renewals if share > done]

    def epochs(self) -> Iterator[EpochState]:
        """Train; yields after every epoch.

        Raises
        ------
        DivergedError
            Where the loss is not a number, or runs away.
        OutOfMemoryError
            Where the device's memory does not suffice.
        TrainingError
            With torch's own words, for all else.
        """
        s, self._started = self.settings, time.perf_counter()
        for epoch in range(1, s.n_epochs + 1):
            losses = np.empty((s.steps_per_epoch, 3))
            try:
                begun = self._done(epoch - 1)
                for i in range(s.steps_per_epoch):
                    losses[i] = self._step(self._done(epoch - 1 + i / s.steps_per_epoch))
                loss, elbo, classification = losses.mean(axis=0)
                self._keep(float(loss), begun)
                accuracy, confidence = self._check()
            except RuntimeError as error:
                raise _explained(error) from error
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
            if self._done(epoch) >= 1 or self._waited >= s.patience:
                return

    def _done(self, epochs: float) -> float:
        """Share of the run that is over, by epochs or by the time budget, whichever is further."""
        budget = self.settings.max_seconds
        spent = (time.perf_counter() - self._started) / budget if budget else 0.0
        return min(1.0, max(epochs / self.settings.n_epochs, spent))

    def _keep(self, loss: float, begun: float) -> None:
        """Take the averaged weights as the best, unless training has clearly gone wrong since.

        `begun` is the share of the run at which the epoch of this loss began: until the ramp is
        over, the loss itself changes from step to step, and no two epochs can be compared.
        """
        if not math.isfinite(loss):
            raise DivergedError
        if begun > self.settings.warm_up + self.settings.ramp:
            old = self._smoothed
            self._smoothed = loss if math.isnan(old) else 0.7 * old + 0.3 * loss
            # The ELBO may be near 0 nats; half a nat a pixel is a change in any case.
            scale = max(abs(self._lowest), 0.5 * self.data.images[0].size)
            worse = self._smoothed - self._lowest
            if worse > 2 * scale:
                raise DivergedError
            if worse > 0.1 * scale:
                return
            gain = 1e-3 * abs(self._lowest) if math.isfinite(self._lowest) else 0.0
            self._waited = 0 if worse < -gain else self._waited + 1
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
            sample = self.rows[:: max(1, len(self.rows) // 64)][:64]
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
    """The loss stopped being a number or ran away; once more, with a smaller step size."""

    sentence = (
        "Training diverged twice (the loss is not a number or runs away); try a lower "
        "learning_rate, or look for broken images. The best model is kept."
    )

    def safer(self, settings: TrainingSettings) -> TrainingSettings:
        """Return settings for another attempt."""
        return replace(settings, learning_rate=settings.learning_rate / 5)


class OutOfMemoryError(Exception):
    """The device's memory did not suffice; once more, with a smaller batch."""

    sentence = (
        "The device ran out of memory twice during training; use a smaller batch_size or "
        'device="cpu". The best model so far is kept.'
    )

    def safer(self, settings: TrainingSettings) -> TrainingSettings:
        """Return settings for another attempt."""
        torch.cuda.empty_cache()
        return replace(settings, batch_size=max(8, settings.batch_size // 4))


def snapshot(module: nn.Module) -> PosedVAE:
    """Copy a module, detached and in evaluation mode: no training touches the copy."""
    assert isinstance(module, PosedVAE)
    with in_own_randomness(0):
        copy = PosedVAE(module.architecture)
    copy.load_state_dict({k: v.detach().clone() for k, v in module.state_dict().items()})
    copy.requires_grad_(False)
    return copy.to(module.background.device).eval()


def _explained(error: RuntimeError) -> Exception:
    if isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error):
        return OutOfMemoryError()
    return TrainingError(
        f'Training stopped: {str(error).splitlines()[0]} Try other settings or device="cpu"; '
        "the best model so far is kept."
    )

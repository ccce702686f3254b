"""One training from images to a finished model: what is trained, how long, and what if it fails.

The loop itself is in `training`; here are its beginning (module, settings), retries and end.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from napari_ssrvae.errors import InputError, TrainingError

from .calibration import Calibration, calibrated
from .checkpoint import TrainedState
from .model import DECODERS, INVARIANCES, Architecture, PosedVAE, Weights
from .preprocessing import TrainingData
from .priors import ANGLE_PRIORS
from .training import (
    DivergedError,
    EpochState,
    OutOfMemoryError,
    Trainer,
    TrainingSettings,
    in_own_randomness,
)

WHOLE = ("latent_dim", "steps_per_epoch", "batch_size", "labelled_batch_size")
POSITIVE = ("learning_rate", "classification_weight", "kl_weight")


@dataclass(frozen=True)
class Recipe:
    """The estimator's arguments that shape a training; described there."""

    latent_dim: int
    invariances: tuple[str, ...]
    decoder: str
    angle_prior: str
    epochs: int | None
    steps_per_epoch: int
    batch_size: int
    labelled_batch_size: int
    learning_rate: float
    classification_weight: float
    kl_weight: float

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> Recipe:
        """Take and check them.

        Raises
        ------
        InputError
            With a sentence that names the argument.
        """
        for name in WHOLE:
            _check_whole(name, parameters[name])
        if parameters["epochs"] is not None:
            _check_whole("epochs", parameters["epochs"], "None or ")
        for name in POSITIVE:
            value = parameters[name]
            if not isinstance(value, float | int | np.number) or not value > 0:
                raise InputError(f"{name} must be a number above 0, not {value!r}.")
        for name, choices in (("decoder", DECODERS), ("angle_prior", ANGLE_PRIORS)):
            if parameters[name] not in choices:
                raise InputError(f"{name} must be one of {choices}, not {parameters[name]!r}.")
        wanted = parameters["invariances"]
        sequence = isinstance(wanted, Collection) and not isinstance(wanted, str)
        if not sequence or not set(wanted) <= set(INVARIANCES):
            raise InputError(f"invariances must be a sequence of {INVARIANCES}, not {wanted!r}.")
        chosen = {field.name: parameters[field.name] for field in fields(cls)}
        return cls(**{**chosen, "invariances": tuple(i for i in INVARIANCES if i in wanted)})

    def settings(self, n: int, *, resumed: bool, seconds: float | None) -> TrainingSettings:
        """Length and weights of a training on n images; one that goes on is half as long."""
        steps = int(np.clip(200 + 0.05 * n, 200, 600))
        epochs = self.epochs or -(-steps // self.steps_per_epoch)
        if resumed and not self.epochs:
            epochs = -(-epochs // 2)
        return TrainingSettings(
            n_epochs=epochs,
            steps_per_epoch=self.steps_per_epoch,
            batch_size=self.batch_size,
            labelled_batch_size=self.labelled_batch_size,
            learning_rate=self.learning_rate * (0.25 if resumed else 1),
            weights=Weights(kl=self.kl_weight, classification=self.classification_weight),
            ramp=0.0 if resumed else 0.3,
            warm_up=0.0 if resumed else 0.3,
            max_seconds=seconds,
        )


def _check_whole(name: str, value: object, instead: str = "") -> None:
    if not isinstance(value, int | np.integer) or value < 1:
        raise InputError(f"{name} must be {instead}a whole number above 0, not {value!r}.")


class Fitting:
    """Trains a model, with one retry where it breaks down.

    Parameters
    ----------
    recipe : Recipe
        What to train, and how.
    data : TrainingData
        Images and class indices.
    classes : ndarray
        (k,) labels that the indices stand for.
    before : TrainedState, optional
        Trained state to go on from.
    seed : int
        Of everything random.
    device : torch.device
        Where to compute.
    max_seconds : float, optional
        Time budget.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: TrainingData,
        classes: NDArray[np.int64],
        before: TrainedState | None,
        seed: int,
        device: torch.device,
        max_seconds: float | None,
    ) -> None:
        data.check()
        self.recipe, self.data, self.classes, self.before = recipe, data, classes, before
        self.seed, self.device = seed, device
        self.settings = recipe.settings(
            len(data.images), resumed=before is not None, seconds=max_seconds
        )
        self.rows: list[dict[str, float]] = []
        self.trainer: Trainer | None = None
        self.best: PosedVAE | None = None

    def epochs(self) -> Generator[EpochState, None, None]:
        """Train; one state an epoch.

        Raises
        ------
        TrainingError
            Where it broke down twice; `state` still has the best model.
        """
        try:
            yield from self._attempt()
        except (DivergedError, OutOfMemoryError) as first:
            self._remember()
            self.settings = first.safer(self.settings)
            try:
                yield from self._attempt()
            except (DivergedError, OutOfMemoryError) as second:
                raise TrainingError(second.sentence) from second

    def _attempt(self) -> Generator[EpochState, None, None]:
        module = self._module()
        fresh = None
        if self.before is not None:
            fresh = np.flatnonzero(~np.isin(self.classes, self.before.classes)).tolist()
        self.trainer = Trainer(module, self.data, self.settings, self.seed, self.device, fresh)
        if self.before is not None:
            self.trainer.optimiser.load_state(self.before.optimiser)
        rows: list[dict[str, float]] = []
        for state in self.trainer.epochs():
            rows.append(asdict(state))
            # Not before: where an attempt fails at once, the one before it is what is kept.
            self.rows = rows
            yield state

    def _remember(self) -> None:
        if self.trainer is not None and self.trainer.best is not None:
            self.best = self.trainer.best

    def _module(self) -> PosedVAE:
        recipe, normalisation = self.recipe, self.data.normalisation
        architecture = Architecture(
            n_classes=max(1, len(self.classes)),
            latent_dim=recipe.latent_dim,
            invariances=recipe.invariances,
            decoder=recipe.decoder,
            size=normalisation.size,
            background=normalisation.background,
            classifier_size=min(normalisation.size, 48),
            angle_prior=recipe.angle_prior,
        )
        with in_own_randomness(self.seed):
            module = PosedVAE(architecture)
        if self.before is None:
            return module
        old = self.before.module
        if replace(architecture, n_classes=1) != replace(old.architecture, n_classes=1):
            raise InputError(
                "Latents, invariances, decoder or angle prior were changed since the model was "
                "trained; train anew instead of resuming."
            )
        module.take_over(old, np.searchsorted(self.classes, self.before.classes).tolist())
        return module

    def state(self, *, finished: bool) -> TrainedState | None:
        """Return the best model so far, None before the first epoch.

        Unless `finished`, its answers are not calibrated: that takes up to a second.
        """
        self._remember()
        if self.best is None or self.trainer is None:
            return None
        return TrainedState(
            module=self.best,
            normalisation=self.data.normalisation,
            classes=self.classes,
            history=_continued(self.before, self.rows),
            optimiser=self.trainer.optimiser.state(),
            seed=self.seed,
            calibration=self._calibration() if finished else Calibration(),
        )

    def _calibration(self) -> Calibration:
        assert self.best is not None
        assert self.trainer is not None
        teachers = self.trainer.teachers
        try:
            return calibrated(self.best, self.data, teachers.beliefs if teachers else None)
        except RuntimeError:
            # After a failure of the device; the error that ended the training is the one to tell.
            return Calibration()


def _continued(before: TrainedState | None, rows: list[dict[str, float]]) -> pd.DataFrame:
    history = pd.DataFrame(rows, columns=list(EpochState.__dataclass_fields__))
    if before is None or before.history.empty:
        return history
    if history.empty:
        return before.history
    history["epoch"] += int(before.history["epoch"].iloc[-1])
    return pd.concat([before.history, history], ignore_index=True)

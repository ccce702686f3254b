"""`SSRVAE`: the semi-supervised, rotationally invariant VAE as a scikit-learn style estimator."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm as standard_normal
from sklearn.base import BaseEstimator, ClassifierMixin

from napari_ssrvae.errors import InputError, NotFittedError

from . import checkpoint
from .calibration import matching
from .classifier import BATCH, Classifier, class_features
from .evaluation import QualityProgress, cross_validated
from .fitting import Fitting, Recipe
from .inference import Latents, chosen_device, decoded, encoded
from .next_label import next_to_label
from .preprocessing import Normalisation, TrainingData, check_budget, checked_images, checked_labels
from .quality import QualityReport
from .training import EpochState


class SSRVAE(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Semi-supervised VAE with rotation and translation split off; VAE, rVAE and ss-VAE as well.

    `fit` with a few labels trains the whole model; its class encoder is the classifier. Without
    labels (`y=None`) it is a VAE, or an rVAE where `invariances` holds "rotation"; with labels and
    `invariances=()` it is the ss-VAE. Method: Ziatdinov et al., Digital Discovery 3 (2024) 1213;
    what differs from it is in the documentation, "Method".

    Parameters
    ----------
    latent_dim : int
        Number of continuous latents z.
    invariances : sequence of {"rotation", "translation", "scale"}
        What is split off z as pose.
    decoder : {"template", "coordinate"}
        One upright image per (y, z) that is warped (fast), or the paper's perceptron on the warped
        pixel grid (slow).
    device : str
        "auto" takes CUDA, then MPS, then the CPU; or the name of a torch device.
    seed : int, optional
        The same seed gives the same model on one CPU. None draws one.
    epochs : int, optional
        Length of the training; None chooses it by the number of images.
    steps_per_epoch : int
        Steps between two states of `iter_fit`.
    batch_size, labelled_batch_size : int
        Images a step; labelled ones are drawn class by class and take part in every step.
    learning_rate : float
        Peak step size of Adam.
    classification_weight : float
        Weight of the classification loss on the labelled images (the paper's explicit one).
    kl_weight : float
        Weight of the priors of pose and z against the likelihood.
    angle_prior : {"uniform", "normal", "projected_normal"}
        Prior of the angle, see `priors.AnglePrior`.

    Attributes
    ----------
    classes_ : ndarray
        (k,) the labels met in `fit`, sorted; empty for a model without classes.
    history_ : DataFrame
        One row an epoch: the fields of `EpochState`.
    """

    def __init__(
        self,
        latent_dim: int = 2,
        invariances: Sequence[str] = ("rotation", "translation"),
        decoder: str = "template",
        device: str = "auto",
        seed: int | None = None,
        *,
        epochs: int | None = None,
        steps_per_epoch: int = 10,
        batch_size: int = 48,
        labelled_batch_size: int = 32,
        learning_rate: float = 4e-3,
        classification_weight: float = 10.0,
        kl_weight: float = 0.3,
        angle_prior: str = "uniform",
    ) -> None:
        self.latent_dim = latent_dim
        self.invariances = invariances
        self.decoder = decoder
        self.device = device
        self.seed = seed
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.batch_size = batch_size
        self.labelled_batch_size = labelled_batch_size
        self.learning_rate = learning_rate
        self.classification_weight = classification_weight
        self.kl_weight = kl_weight
        self.angle_prior = angle_prior

    # ------------------------------------------------------------------- training

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        resume: bool = False,
        max_seconds: float | None = None,
        progress: Callable[[EpochState], object] | None = None,
    ) -> SSRVAE:
        """Train.

        Parameters
        ----------
        X : array_like
            (n, H, W) images of any intensity range.
        y : array_like of int, optional
            (n,) classes >= 0, -1 where unlabelled. None trains a model without classes.
        resume : bool
            Go on from the trained model (new labels, new images, a new class) instead of anew.
        max_seconds : float, optional
            Finish, with a complete schedule, within about this time.
        progress : callable, optional
            Called with the `EpochState` of every epoch.

        Raises
        ------
        InputError
            Where images, labels or settings cannot be used.
        TrainingError
            Where training broke down twice, or the device gave up; the best model is kept.
        """
        for state in self.iter_fit(X, y, resume=resume, max_seconds=max_seconds):
            if progress is not None:
                progress(state)
        return self

    def iter_fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        resume: bool = False,
        max_seconds: float | None = None,
    ) -> Generator[EpochState, None, None]:
        """Train, one `EpochState` at a time; parameters as in `fit`.

        Closing the generator after any state, or an error on the way, leaves this estimator with
        the best model so far. Until then it keeps answering with the model that it had before.
        """
        images = checked_images(X)
        recipe = Recipe.of(self.get_params())
        device = chosen_device(self.device)
        if len(images) < 2:
            raise InputError(f"Training needs at least 2 images, not {len(images)}.")
        before = self._state() if resume else None
        if before is not None and y is not None and not len(before.classes):
            raise InputError("The model was trained without classes; train anew to give it labels.")
        classes, indices = checked_labels(y, len(images), before.classes if before else None)
        check_budget(max_seconds)
        normalisation = before.normalisation if before else Normalisation.of(images)
        seed = int(np.random.SeedSequence(self.seed).generate_state(1)[0])
        data = TrainingData(images, normalisation, indices)
        return self._fitted(Fitting(recipe, data, classes, before, seed, device, max_seconds))

    def _fitted(self, fitting: Fitting) -> Generator[EpochState, None, None]:
        self._fitting: Fitting | None = fitting
        try:
            yield from fitting.epochs()
        finally:
            self._fitting = None
            state = fitting.state(finished=True)
            if state is not None:
                self._trained = state

    def so_far(self) -> SSRVAE:
        """Return a trained estimator with the best weights so far, while `iter_fit` is open.

        Its answers are not calibrated yet: noisy images are left to the class encoder.

        Raises
        ------
        NotFittedError
            Where nothing was trained yet.
        """
        fitting: Fitting | None = getattr(self, "_fitting", None)
        state = fitting.state(finished=False) if fitting is not None else None
        model = type(self)(**self.get_params())
        model._trained = state or self._state()
        return model

    # ------------------------------------------------------------ using the model

    def predict(self, X: ArrayLike, *, fast: bool = False) -> NDArray[np.int64]:
        """Return the most probable class of each image, (n,); `fast` as in `predict_proba`."""
        return self.classifier().predict(X, fast=fast)

    def predict_proba(self, X: ArrayLike, *, fast: bool = False) -> NDArray[np.float32]:
        """Probabilities (n, k) in the order of `classes_`.

        Images that are much noisier than the training's are matched against the decoder's images,
        which takes milliseconds each. With `fast`, no image is, and each is seen in two
        orientations instead of four: somewhat less sure.
        """
        return self.classifier().predict_proba(X, fast=fast)

    def classifier(self) -> Classifier:
        """Return what classifies: predicts, saves, loads without the rest of the model."""
        state = self._state()
        if not len(state.classes):
            raise NotFittedError(
                "This model was trained without labels and has no classes; call fit with y."
            )
        return Classifier(
            state.module.class_encoder,
            state.normalisation,
            state.classes,
            state.calibration.temperature,
            matching(state.module, state.calibration),
        )

    def encode(self, X: ArrayLike) -> Latents:
        """Most probable class, pose and mean z of each image."""
        state = self._state()
        y = self.predict(X) if len(state.classes) else np.full(len(np.asarray(X)), -1, np.int64)
        indices = torch.from_numpy(np.searchsorted(state.classes, y))
        registration = state.module.registration()
        parts = [
            encoded(state, registration, x, k.to(x.device))
            for x, k in zip(self._batches(X), torch.split(indices, BATCH), strict=True)
        ]
        z, angle, shift, scale = (np.concatenate([part[i] for part in parts]) for i in range(4))
        frame = np.array([state.normalisation.height, state.normalisation.width])
        return Latents(
            z, angle, (shift * state.normalisation.size / frame).astype(np.float32), scale, y
        )

    def decode(
        self,
        y: ArrayLike,
        z: ArrayLike,
        angle: ArrayLike = 0,
        shift: ArrayLike = (0, 0),
        scale: ArrayLike = 1,
    ) -> NDArray[np.float32]:
        """Images (n, H, W) on the intensity scale of the training data.

        Parameters
        ----------
        y : array_like of int
            Classes (n,) or one class; ignored by a model without classes.
        z : array_like
            (n, latent_dim) or (latent_dim,).
        angle, shift, scale : array_like
            Pose as in `Latents`: (n,), (n, 2), (n,), or one for all.
        """
        state = self._state()
        z_array = np.atleast_2d(np.asarray(z, np.float32))
        if z_array.ndim != 2 or z_array.shape[1] != state.module.architecture.latent_dim:
            raise InputError(
                f"z must have {state.module.architecture.latent_dim} columns, "
                f"not shape {z_array.shape}."
            )
        indices = self._class_indices(y, state)
        angle_array, scale_array = np.asarray(angle, np.float32), np.asarray(scale, np.float32)
        shift_array = np.asarray(shift, np.float32)
        try:
            (n,) = np.broadcast_shapes(
                z_array.shape[:1], np.atleast_1d(indices).shape, np.atleast_1d(angle_array).shape,
                np.atleast_2d(shift_array).shape[:1], np.atleast_1d(scale_array).shape,
            )  # fmt: skip
            arrays = (
                np.broadcast_to(indices, (n,)),
                np.broadcast_to(z_array, (n, z_array.shape[1])),
                np.broadcast_to(angle_array, (n,)),
                np.broadcast_to(shift_array, (n, 2)),
                np.broadcast_to(scale_array, (n,)),
            )
        except ValueError as error:
            raise InputError("y, z, angle, shift and scale must be of the same length.") from error
        return decoded(state, arrays)

    def reconstruct(self, X: ArrayLike) -> NDArray[np.float32]:
        """Each image as the model sees it: decoded from its own class, z and pose, (n, H, W)."""
        seen = self.encode(X)
        return self.decode(seen.y, seen.z, seen.angle, seen.shift, seen.scale)

    def manifold(self, y: int = 0, n: int = 9) -> NDArray[np.float32]:
        """Upright images of one class over the plane of the first two latents.

        Parameters
        ----------
        y : int
            Class; ignored by a model without classes.
        n : int
            Images along each latent, at equal steps of the standard normal's probability.

        Returns
        -------
        ndarray
            (n, n, H, W): rows run along the first latent, columns along the second. A model with
            one latent gives (1, n, H, W).
        """
        state = self._state()
        steps = standard_normal.ppf(np.linspace(0.05, 0.95, n))
        z = np.zeros((n * n, state.module.architecture.latent_dim), np.float32)
        if z.shape[1] == 1:
            z = steps[:, None].astype(np.float32)
        else:
            z[:, 0], z[:, 1] = np.repeat(steps, n), np.tile(steps, n)
        images = self.decode(y, z)
        return images.reshape(-1, n, *images.shape[1:])

    def novelty(self, X: ArrayLike, *, drawn: ArrayLike | None = None) -> NDArray[np.float32]:
        """How unlike every class each image is, (n,); higher = less like any.

        The share of the image's contrast that the model cannot reproduce, from 0 (all reproduced).
        `drawn` (n, H, W) is what `reconstruct` says of X, where that is known already.
        """
        images = checked_images(X)
        state = self._state()
        scaled = state.normalisation(images)
        again = self.reconstruct(images) if drawn is None else np.asarray(drawn, np.float32)
        again = state.normalisation(again)
        missed = ((scaled - again) ** 2).mean(axis=(1, 2))
        contrast = ((scaled - state.normalisation.background) ** 2).mean(axis=(1, 2))
        return np.asarray(missed / (contrast + 1e-3), np.float32)

    def suggest(
        self,
        X: ArrayLike,
        n: int = 1,
        labelled: ArrayLike | None = None,
        *,
        probabilities: ArrayLike | None = None,
    ) -> NDArray[np.int64]:
        """Choose the images whose labels would teach most.

        Parameters
        ----------
        X : array_like
            (m, H, W) unlabelled images.
        n : int
            How many to suggest, at most m; the most useful first.
        labelled : array_like, optional
            (l, H, W) images that have labels: what is like them is asked for last.
        probabilities : array_like, optional
            (m, k) what `predict_proba` says of X, where that is known already.
        """
        if probabilities is None:
            probabilities = self.predict_proba(X)
        known = None if labelled is None else self._features(labelled)
        return next_to_label(probabilities, self._features(X), n, known)

    def _features(self, X: ArrayLike) -> NDArray[np.float32]:
        encoder = self._state().module.class_encoder
        return np.concatenate([class_features(encoder, x) for x in self._batches(X)])

    def quality(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        max_seconds: float | None = None,
        progress: Callable[[QualityProgress], object] | None = None,
    ) -> QualityReport:
        """How well the labelled images are classified by models that never saw their labels.

        Trains up to three models of this one's settings, each on all images but without the labels
        of one part; the estimator itself is not changed and need not be trained.

        Parameters
        ----------
        X, y : array_like
            (n, H, W) images and (n,) classes, -1 where unlabelled.
        max_seconds : float, optional
            Time budget of one training.
        progress : callable, optional
            Called with the `QualityProgress` of every epoch.
        """
        return cross_validated(self, X, y, max_seconds=max_seconds, progress=progress)

    # ------------------------------------------------------------------- storage

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trained model to a folder: JSON and safetensors, nothing executable."""
        checkpoint.save_model(Path(path), self.get_params(), self._state())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SSRVAE:
        """Read a model that `save` wrote; runs no code from the files.

        Raises
        ------
        ReadError
            Where a file is missing or damaged; `VersionError` where it is from a newer version.
        """
        parameters, state = checkpoint.load_model(Path(path))
        parameters["invariances"] = tuple(parameters["invariances"])
        model = cls(**parameters)
        state.module.to(chosen_device(model.device, fallback=True))
        model._trained = state
        return model

    # ------------------------------------------------------------------ internals

    def _state(self) -> checkpoint.TrainedState:
        state: checkpoint.TrainedState | None = getattr(self, "_trained", None)
        if state is None:
            raise NotFittedError("The model is not trained yet; call fit first.")
        return state

    def __sklearn_is_fitted__(self) -> bool:
        return getattr(self, "_trained", None) is not None

    @property
    def classes_(self) -> NDArray[np.int64]:
        """The labels met in training, sorted; empty for a model without classes."""
        return self._state().classes.copy()

    @property
    def history_(self) -> pd.DataFrame:
        """One row an epoch, over all runs that led to this model."""
        return self._state().history.copy()

    def _batches(self, X: ArrayLike) -> Iterator[torch.Tensor]:
        images, state = checked_images(X), self._state()
        device = state.module.background.device
        for start in range(0, max(len(images), 1), BATCH):
            yield torch.from_numpy(state.normalisation(images[start : start + BATCH])).to(device)

    @staticmethod
    def _class_indices(y: ArrayLike, state: checkpoint.TrainedState) -> NDArray[np.int64]:
        wanted = np.asarray(y)
        if not len(state.classes):
            return np.zeros(wanted.shape, np.int64)
        if not np.isin(wanted, state.classes).all():
            raise InputError(f"y must be one of the classes {state.classes.tolist()}.")
        return np.searchsorted(state.classes, wanted)

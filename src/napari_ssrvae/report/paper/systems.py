"""The systems of the paper: one estimator with other arguments, each trained once and kept."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_ssrvae import __version__
from napari_ssrvae.errors import ReadError
from napari_ssrvae.learning.estimator import SSRVAE

from .sets import ImageSet

Progress = Callable[[str, float, str], object]
"""Called as (step, fraction, words)."""


@dataclass(frozen=True)
class System:
    """One of the paper's systems.

    Attributes
    ----------
    name : str
        As the paper calls it.
    arguments : mapping
        Of `SSRVAE`.
    labels : bool
        Whether it is told the labels.
    max_seconds : float, optional
        Longest training.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    labels: bool = True
    max_seconds: float | None = None


_POSED = ("rotation", "translation")
VAE = System("VAE", {"invariances": ()}, labels=False)
RVAE = System("rVAE", {"invariances": _POSED}, labels=False)
SS_VAE = System("ss-VAE", {"invariances": ()})
SS_RVAE = System("ss-rVAE", {"invariances": _POSED})


def variants(max_seconds: float | None) -> tuple[System, ...]:
    """Return the ss-rVAE with the paper's two priors of the angle, and with its own decoder.

    Parameters
    ----------
    max_seconds : float or None
        Longest training with the paper's decoder, which costs about a hundred times as much.
    """
    coordinate = System(
        "ss-rVAE, coordinate decoder",
        {"invariances": _POSED, "decoder": "coordinate"},
        max_seconds=max_seconds,
    )
    priors = tuple(
        System(
            f"ss-rVAE, {prior.replace('_', ' ')} prior",
            {"invariances": _POSED, "angle_prior": prior},
        )
        for prior in ("normal", "projected_normal")
    )
    return (*priors, coordinate)


class TrainedSystems:
    """Trains systems and keeps them in a folder, so that figures share them and a run can go on.

    Parameters
    ----------
    folder : Path
        One model a folder in it, named by the system, the set and all their settings.
    seed : int
        Of every training.
    progress : callable
        Told of every training.
    training : mapping, optional
        Further arguments of every `SSRVAE`.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        progress: Progress,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.seed = seed
        self.progress = progress
        self.training = dict(training or {})

    def new(self, system: System) -> SSRVAE:
        """Return the untrained estimator of a system."""
        return SSRVAE(**{"seed": self.seed, **system.arguments, **self.training})

    def path(self, system: System, images: ImageSet) -> Path:
        """Return the folder of a model: another one wherever a setting is another."""
        settings = {
            "version": __version__,
            "parameters": self.new(system).get_params(),
            "labels": system.labels,
            "set": images.name,
            "made_of": images.made_of,
            "max_seconds": system.max_seconds,
        }
        text = json.dumps(settings, sort_keys=True, default=str)
        words = re.sub(r"[^a-z0-9]+", "-", f"{system.name} {images.name}".lower()).strip("-")
        return self.folder / f"{words}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"

    def get(self, system: System, images: ImageSet) -> SSRVAE:
        """Return a trained system: the kept one, or one that is trained now and kept."""
        path = self.path(system, images)
        # A folder of a run that was killed while writing is not a model: it is written again.
        with suppress(ReadError):
            return SSRVAE.load(path)
        model = self.new(system)
        step = f"train {system.name}, {images.name}"
        self.progress(step, 0.0, f"{len(images.X)} images")
        y = images.y if system.labels else None
        for state in model.iter_fit(images.X, y, max_seconds=system.max_seconds):
            self.progress(step, state.epoch / state.n_epochs, f"epoch {state.epoch}")
        self.progress(step, 1.0, "")
        model.save(path)
        return model

    def keep(self, model: SSRVAE, system: System, images: ImageSet) -> None:
        """Keep a model that was trained elsewhere with the settings of `new`."""
        model.save(self.path(system, images))

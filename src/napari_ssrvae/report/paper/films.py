"""Films of the latent manifold while a system is trained, as in the paper's Videos S1 to S3.

S1 is the ss-VAE, S2 the ss-rVAE, S3 the ss-rVAE with a larger share of labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from napari_ssrvae.datasets.card_suits import CARD_CLASSES, cards
from napari_ssrvae.learning.estimator import SSRVAE
from napari_ssrvae.learning.training import EpochState
from napari_ssrvae.library.storage import replaced_file
from napari_ssrvae.report.figures import png

from . import published
from .drawing import INK, SMALL_TEXT, mosaic, quiet_axes, upright_plane
from .figures import LINE_COLORS
from .panels import Comparison, Panel, Study, accuracy
from .sets import Classes, Images, ImageSet
from .systems import SS_RVAE, SS_VAE, System

GRID = 5
MAX_FRAMES = 60
_SECONDS_EACH, _SECONDS_LAST = 0.2, 3.0
_TESTED = 50  # of each suit, for the curve that runs along


@dataclass(frozen=True)
class Film:
    """What one film shows."""

    name: str
    system: System
    more_labels: bool = False


FILMS = {
    "film-S1": Film("S1", SS_VAE),
    "film-S2": Film("S2", SS_RVAE),
    "film-S3": Film("S3", SS_RVAE, more_labels=True),
}


def training_frames(
    model: SSRVAE, X: Images, y: Classes | None, most: int = MAX_FRAMES, n: int = GRID
) -> Iterator[tuple[EpochState, SSRVAE, Images]]:
    """Train, and show the manifold on the way.

    Parameters
    ----------
    model : SSRVAE
        Trained in place; it has the last state when the iterator ends.
    X, y : ndarray
        As in `SSRVAE.fit`.
    most : int
        Frames; a longer training shows every second, third, ... epoch and the last one.
    n : int
        Images along each latent.

    Yields
    ------
    state : EpochState
        Of this epoch.
    so_far : SSRVAE
        The model as it is now.
    manifold : ndarray
        (k, n, n, H, W): `SSRVAE.manifold` of every class, one for a model without classes.
    """
    for state in model.iter_fit(X, y):
        every = -(-state.n_epochs // most)
        if state.epoch % every and state.epoch != state.n_epochs:
            continue
        so_far = model.so_far()
        labels = so_far.classes_ if len(so_far.classes_) else np.zeros(1, np.int64)
        yield state, so_far, np.stack([so_far.manifold(int(label), n) for label in labels])


def film_set(film: Film, study: Study) -> ImageSet:
    """Return the cards that a film's system is trained on."""
    return study.cards(labelled=study.sizes.more_labelled if film.more_labels else None)


def film_path(film: Film, folder: Path) -> Path:
    """Return the file of a film."""
    return folder / f"film-{film.name}.gif"


def make_film(film: Film, study: Study, folder: Path) -> Panel:
    """Train a film's system, write the film as GIF, and keep the model for the figures.

    Parameters
    ----------
    film : Film
        Which.
    study : Study
        Sizes, seed and kept models.
    folder : Path
        Where the GIF goes.

    Returns
    -------
    Panel
        The numbers that the film shows; it has no drawing of its own.
    """
    images = film_set(film, study)
    test, truth, _ = cards(
        min(_TESTED, study.sizes.test),
        published.ANGLE,
        published.SHEAR,
        published.SHIFT,
        seed=study.test_seed,
    )
    model = study.trained.new(film.system)
    step = f"film {film.name}, {film.system.name}"
    study.progress(step, 0.0, f"{len(images.X)} images")
    frames: list[NDArray[np.uint8]] = []
    epochs: list[int] = []
    found: list[float] = []
    for state, so_far, manifold in training_frames(model, images.X, images.y):
        study.progress(step, state.epoch / state.n_epochs, f"epoch {state.epoch}")
        epochs.append(state.epoch)
        found.append(accuracy(so_far, test, truth))
        frames.append(_frame(film, images, manifold, epochs, found, state.n_epochs))
    study.progress(step, 1.0, "")
    study.trained.keep(model, film.system, images)
    _write(film_path(film, folder), frames)
    labels = int((images.y >= 0).sum())
    return Panel(
        film.name,
        f"{film.system.name} while it is trained",
        (
            f"{len(images.X) - labels:,} unlabelled and {labels} labelled cards (the paper: "
            f"{4 * published.UNLABELLED:,} and {4 * published.LABELLED}"
            f"{', in S3 more of the latter' if film.more_labels else ''}).",
            f"Accuracy on n = {len(test)}.",
        ),
        {
            "epochs": epochs,
            "accuracy": found,
            "model": study.trained.path(film.system, images).name,
        },
        (
            Comparison(
                f"{film.system.name} with {labels} labels, accuracy at the end of the film",
                found[-1],
                _PAPER[film.name],
            ),
        ),
    )


_PAPER = {"S1": "just above 0.25", "S2": f"{published.ACCURACY:.2f}", "S3": "better than S2"}


def _frame(
    film: Film,
    images: ImageSet,
    manifold: Images,
    epochs: list[int],
    found: list[float],
    n_epochs: int,
) -> NDArray[np.uint8]:
    """One picture: the manifolds of the suits, and the accuracy up to this epoch."""
    figure = Figure(figsize=(11.2, 2.9), layout="constrained")
    axes = figure.subplots(1, len(manifold) + 1, width_ratios=[*[1] * len(manifold), 1.15])
    for place, suit, grid in zip(axes, CARD_CLASSES, manifold, strict=False):
        mosaic(place, upright_plane(grid))
        place.set_title(suit, size=SMALL_TEXT + 2)
        place.set_xlabel("z1 →", size=SMALL_TEXT)
    axes[0].set_ylabel("z2 →", size=SMALL_TEXT)
    curve = axes[-1]
    curve.plot(epochs, found, color=LINE_COLORS[film.system.name], lw=1.8)
    curve.plot(epochs[-1:], found[-1:], "o", color=LINE_COLORS[film.system.name])
    curve.set_xlim(0, n_epochs + 1)
    curve.set_ylim(0, 1.04)
    curve.set_xlabel("epoch", size=SMALL_TEXT + 1)
    curve.set_title(f"test accuracy {found[-1]:.2f}", size=SMALL_TEXT + 2)
    quiet_axes(curve)
    curve.tick_params(labelsize=SMALL_TEXT)
    labels = int((images.y >= 0).sum())
    figure.suptitle(
        f"Video {film.name}   {film.system.name}, {labels} labels, cards at ±{published.ANGLE:g}°: "
        f"epoch {epochs[-1]} of {n_epochs}",
        x=0.01,
        ha="left",
        size=10,
        weight="bold",
        color=INK,
    )
    return np.asarray(imageio.imread(png(figure, dpi=100))[..., :3], np.uint8)


def _write(path: Path, frames: list[NDArray[np.uint8]]) -> None:
    """Write a GIF that repeats for ever and rests on its last frame."""
    # 16 levels leave fewer colours than a GIF may have: nothing is dithered, a fifth of the size.
    levels = [(np.rint(frame / 17) * 17).astype(np.uint8) for frame in frames]
    durations = [1000 * _SECONDS_EACH] * (len(frames) - 1) + [1000 * _SECONDS_LAST]
    with replaced_file(path) as temporary:
        imageio.imwrite(temporary, levels, extension=".gif", duration=durations, loop=0)

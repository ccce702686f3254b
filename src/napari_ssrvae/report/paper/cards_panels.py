"""Figures 3 and 4: the systems on cards, as numbers and pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from napari_ssrvae.datasets.card_suits import CARD_CLASSES, cards
from napari_ssrvae.learning.estimator import SSRVAE

from . import published
from .panels import Comparison, Panel, Study, accuracy, r_squared
from .sets import Classes, Images
from .systems import SS_RVAE, SS_VAE, System, variants

TRAVERSED = np.linspace(-2, 2, 9)
NOISES = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0, 5.0, 10.0)
DENSITIES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4)
INTENSITIES = (0.25, 0.5, 0.75, 1.0)
_N_SUITS = len(CARD_CLASSES)


def panel_3a(study: Study) -> Panel:
    """Accuracy of ss-VAE and ss-rVAE by the angles of the unlabelled cards and of the test set."""
    found: dict[str, list[float]] = {SS_VAE.name: [], SS_RVAE.name: []}
    for angle in study.sizes.angles:
        images, truth, _ = _test_cards(study, angle)
        for system in (SS_VAE, SS_RVAE):
            model = study.model(system, study.cards(angle))
            found[system.name].append(accuracy(model, images, truth))
    inside = [a <= published.ROBUST_UP_TO for a in study.sizes.angles]
    turned = [a > published.LABELLED_ANGLE for a in study.sizes.angles]
    worst = min(np.array(found[SS_RVAE.name])[inside])
    return Panel(
        "3a",
        "Accuracy by orientational disorder",
        (_trained_on(study), _tested_on(study.sizes.test, published.TEST)),
        {"angles": list(study.sizes.angles), "accuracy": found},
        (
            Comparison("ss-rVAE, accuracy, worst of ±4° to ±90°", float(worst), "> 0.75"),
            Comparison(
                "ss-VAE, accuracy, mean beyond ±4°",
                float(np.mean(np.array(found[SS_VAE.name])[turned])),
                "just above 0.25",
            ),
        ),
    )


def panel_3b(study: Study) -> Panel:
    """Latent traversals of the ss-VAE, class by class."""
    return _traversals(study, "3b", SS_VAE, "no meaningful latent representation")


def panel_3c(study: Study) -> Panel:
    """Latent traversals of the ss-rVAE, class by class."""
    return _traversals(study, "3c", SS_RVAE, "one latent captures it (seen, not measured)")


def _traversals(study: Study, name: str, system: System, paper: str) -> Panel:
    model = study.model(system, study.cards())
    images, _, factors = _test_cards(study, published.ANGLE)
    seen = model.encode(images)
    told = {
        "scale": r_squared(np.column_stack([seen.z, seen.scale]), factors["scale"].to_numpy()),
        "shear": r_squared(np.column_stack([seen.z, seen.scale]), factors["shear"].to_numpy()),
    }
    return Panel(
        name,
        f"Latent traversals of the {system.name}",
        (_trained_on(study),),
        {"r2": told, "z": TRAVERSED.tolist()},
        tuple(
            Comparison(f"{system.name}, R² of {factor} from the latents", r2, paper)
            for factor, r2 in told.items()
        ),
        {"traversals": traversals(model)},
    )


def traversals(model: SSRVAE) -> Images:
    """Draw every class along one latent after the other, upright.

    Returns
    -------
    ndarray
        (k, 2, 9, H, W): classes, latents z1 and z2, steps from -2 to 2.
    """
    z = np.zeros((2, len(TRAVERSED), model.latent_dim), np.float32)
    z[0, :, 0], z[1, :, 1] = TRAVERSED, TRAVERSED
    flat = z.reshape(-1, model.latent_dim)
    drawn = np.stack([model.decode(int(label), flat) for label in model.classes_])
    return drawn.reshape(len(drawn), 2, len(TRAVERSED), *drawn.shape[2:])


def panel_4a(study: Study) -> Panel:
    """Accuracy of the ss-rVAE that was trained at ±60°, by shear and angle of the test set."""
    model = study.model(SS_RVAE, study.cards())
    table = np.empty((len(published.TEST_SHEARS), len(published.TEST_ANGLES)))
    for i, shear in enumerate(published.TEST_SHEARS):
        study.progress("evaluate 4a", i / len(table), f"shear {100 * shear:.3g} %")
        for j, angle in enumerate(published.TEST_ANGLES):
            images, truth, _ = cards(
                study.sizes.cell, angle, shear, published.SHIFT, seed=study.test_seed
            )
            table[i, j] = accuracy(model, images, truth)
    study.progress("evaluate 4a", 1.0, "")
    paper = np.array(published.ACCURACY_BY_SHEAR_AND_ANGLE)
    return Panel(
        "4a",
        "Accuracy by shear and angle of the test set",
        (_trained_on(study), _tested_on(study.sizes.cell, published.TEST, "Each cell")),
        {
            "angles": list(published.TEST_ANGLES),
            "shears": list(published.TEST_SHEARS),
            "accuracy": table.tolist(),
            "paper": paper.tolist(),
        },
        tuple(
            Comparison(
                f"accuracy, shear {100 * shear:.3g} %, ±{angle:g}°",
                float(table[i, j]),
                f"{paper[i, j]:.3f}",
            )
            for i, shear in enumerate(published.TEST_SHEARS)
            for j, angle in enumerate(published.TEST_ANGLES)
        ),
    )


def panel_4b(study: Study) -> Panel:
    """Confusion matrix at the disorder of the training."""
    return _confusion(
        study, "4b", published.SHEAR, published.ANGLE, [f"{r:.3g}" for r in published.CARD_RECALL]
    )


def panel_4c(study: Study) -> Panel:
    """Confusion matrix at more shear and larger angles than in training."""
    return _confusion(
        study, "4c", 0.30, 100.0, ["robust", "robust", "mostly called spades", "robust"]
    )


def _confusion(study: Study, name: str, shear: float, angle: float, paper: list[str]) -> Panel:
    model = study.model(SS_RVAE, study.cards())
    n = study.sizes.test
    images, truth, _ = cards(n, angle, shear, published.SHIFT, seed=study.test_seed)
    counts = confusion_matrix(truth, model.predict(images), labels=np.arange(_N_SUITS))
    recall = counts.diagonal() / counts.sum(axis=1)
    disorder = f"shear {100 * shear:.0f} %, ±{angle:g}°"
    return Panel(
        name,
        f"Confusion matrix, {disorder}",
        (_trained_on(study), _tested_on(n, published.TEST)),
        {"classes": list(CARD_CLASSES), "counts": counts.tolist(), "paper": paper},
        tuple(
            Comparison(f"recall of {suit}, {disorder}", float(ours), theirs)
            for suit, ours, theirs in zip(CARD_CLASSES, recall, paper, strict=True)
        ),
    )


def panel_4d(study: Study) -> Panel:
    """Show the two kinds of dirt."""
    examples = {
        "clean": _spoiled(study, 1),
        "noise 0.4": _spoiled(study, 1, noise=0.4),
        "noise 1.0": _spoiled(study, 1, noise=1.0),
        "contaminated 5 %": _spoiled(study, 1, contamination=(0.05, 1.0)),
        "contaminated 20 %": _spoiled(study, 1, contamination=(0.2, 1.0)),
    }
    pictures = {name: images[np.argsort(truth)] for name, (images, truth) in examples.items()}
    return Panel(
        "4d",
        "Noise and contamination",
        ("Contamination: this share of the pixels gains the intensity 1.",),
        {"classes": list(CARD_CLASSES)},
        pictures=pictures,
    )


def panel_4e(study: Study) -> Panel:
    """Accuracy of the model that was trained on clean cards, by noise."""
    model = study.model(SS_RVAE, study.cards())
    found = []
    for i, noise in enumerate(NOISES):
        study.progress("evaluate 4e", i / len(NOISES), f"noise {noise:g}")
        found.append(accuracy(model, *_spoiled(study, study.sizes.cell, noise=noise)))
    study.progress("evaluate 4e", 1.0, "")
    return Panel(
        "4e",
        "Accuracy by noise",
        (_trained_on(study), _tested_on(study.sizes.cell, published.TEST, "Each level of noise")),
        {
            "noise": list(NOISES),
            "accuracy": found,
            "paper": {
                "noise": list(published.ACCURACY_BY_NOISE),
                "accuracy": list(published.ACCURACY_BY_NOISE.values()),
            },
        },
        tuple(
            Comparison(f"accuracy, noise {noise:g}", found[NOISES.index(noise)], f"{paper:.2f}")
            for noise, paper in published.ACCURACY_BY_NOISE.items()
        ),
    )


def panel_4f(study: Study) -> Panel:
    """Accuracy of the model that was trained on clean cards, by contamination."""
    model = study.model(SS_RVAE, study.cards())
    table = np.empty((len(INTENSITIES), len(DENSITIES)))
    for i, intensity in enumerate(INTENSITIES):
        study.progress("evaluate 4f", i / len(INTENSITIES), f"intensity {intensity:g}")
        for j, density in enumerate(DENSITIES):
            spoiled = _spoiled(study, study.sizes.cell, contamination=(density, intensity))
            table[i, j] = accuracy(model, *spoiled)
    study.progress("evaluate 4f", 1.0, "")
    safe = DENSITIES.index(published.SAFE_DENSITY)
    return Panel(
        "4f",
        "Accuracy by contamination",
        (_trained_on(study), _tested_on(study.sizes.cell, published.TEST, "Each cell")),
        {
            "densities": list(DENSITIES),
            "intensities": list(INTENSITIES),
            "accuracy": table.tolist(),
        },
        (
            Comparison("accuracy, 10 % of pixels, intensity 1", float(table[-1, safe]), "good"),
            Comparison("accuracy, 40 % of pixels, intensity 1", float(table[-1, -1]), "about 0.25"),
        ),
    )


def panel_systems(study: Study) -> Panel:
    """Compare the paper's decoder and its priors of the angle with the default system."""
    images, truth, _ = _test_cards(study, published.ANGLE)
    found = {
        system.name: accuracy(study.model(system, study.cards()), images, truth)
        for system in (SS_VAE, SS_RVAE, *variants(study.sizes.slow_seconds))
    }
    paper = {SS_VAE.name: "just above 0.25", SS_RVAE.name: f"{published.ACCURACY:.2f}"}
    notes = [_trained_on(study), _tested_on(study.sizes.test, published.TEST)]
    if study.sizes.slow_seconds is not None:
        notes.append(f"Coordinate decoder: at most {study.sizes.slow_seconds:g} s of training.")
    return Panel(
        "systems",
        "Decoders and priors of the angle, cards at ±60°",
        tuple(notes),
        {"accuracy": found},
        tuple(
            Comparison(f"{name}, accuracy", value, paper.get(name, _paper_on(name)))
            for name, value in found.items()
        ),
    )


def _paper_on(variant: str) -> str:
    if "coordinate" in variant:
        return f"{published.ACCURACY:.2f}"
    return "no significant difference"


def _test_cards(study: Study, angle: float) -> tuple[Images, Classes, pd.DataFrame]:
    return cards(study.sizes.test, angle, published.SHEAR, published.SHIFT, seed=study.test_seed)


def _spoiled(
    study: Study,
    n: int,
    noise: float = 0.0,
    contamination: tuple[float, float] = (0.0, 0.0),
) -> tuple[Images, Classes]:
    images, truth, _ = cards(
        n,
        published.ANGLE,
        published.SHEAR,
        published.SHIFT,
        noise=noise,
        contamination=contamination,
        seed=study.test_seed,
    )
    return images, truth


def _trained_on(study: Study) -> str:
    paper = f"{4 * published.UNLABELLED:,} and {4 * published.LABELLED}"
    return f"Trained on {study.sizes.in_words} (the paper: {paper})."


def _tested_on(n: int, paper: int, where: str = "Test set") -> str:
    return f"{where}: n = {4 * n:,} (the paper: {4 * paper:,})."

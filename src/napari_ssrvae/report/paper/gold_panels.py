"""Figures 5, 6 and S3: the systems on agglomerates, in place of the gold nanoparticles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_ssrvae.learning.estimator import SSRVAE

from . import published
from .baselines import NO_XGBOOST, has_xgboost, pixel_baselines
from .panels import Comparison, Panel, Study
from .sets import Classes, ImageSet
from .systems import RVAE, SS_RVAE, VAE

GRID = 9
_NEIGHBOURS = 5


def panel_5(study: Study) -> Panel:
    """Latent spaces of VAE and rVAE, which know no labels, and where the agglomerates lie in it."""
    images = study.agglomerates()
    latents, told, missed, pictures = {}, {}, {}, {}
    for system in (VAE, RVAE):
        model = study.model(system, images)
        z = model.encode(images.X).z[:, :2]
        latents[system.name] = z.tolist()
        told[system.name] = _recall_of_neighbours(z, images.truth)
        missed[system.name] = _missed(model, images)
        pictures[system.name] = model.manifold(n=GRID)
    names = class_names(images)
    compared = [
        Comparison(f"{system}, recall of {name} by neighbours in z", recall, paper)
        for system in told
        for name, recall, paper in zip(names, told[system], _told_by_the_paper(names), strict=True)
    ]
    compared += [
        Comparison(f"{system}, contrast of {name} not reconstructed", share, paper)
        for system in missed
        for name, share, paper in zip(
            names, missed[system], _missed_by_the_paper(names), strict=True
        )
    ]
    return Panel(
        "5",
        "VAE and rVAE, trained without labels",
        (
            f"n = {len(images.X)} simulated agglomerates (the paper: "
            f"{sum(published.GOLD_COUNTS)} images of gold nanoparticles).",
            "Colours are the true classes; no model was told them.",
        ),
        {
            "latents": latents,
            "truth": images.truth.tolist(),
            "classes": names,
            "recall_of_neighbours": told,
            "contrast_missed": missed,
        },
        tuple(compared),
        pictures,
    )


def _told_by_the_paper(names: list[str]) -> list[str]:
    return ["a cluster", *["mixed"] * (len(names) - 1)]


def _missed_by_the_paper(names: list[str]) -> list[str]:
    return ["–" if i < 2 else "very poor" for i in range(len(names))]


def _recall_of_neighbours(z: NDArray[np.float32], truth: Classes) -> list[float]:
    """How far the latent plane parts the classes: recall of each by its nearest neighbours."""
    folds = int(max(2, min(5, np.unique(truth, return_counts=True)[1].min())))
    neighbours = make_pipeline(
        StandardScaler(), KNeighborsClassifier(min(_NEIGHBOURS, len(z) // folds))
    )
    return recalls(truth, cross_val_predict(neighbours, z, truth, cv=folds))


def _missed(model: SSRVAE, images: ImageSet) -> list[float]:
    """Share of the contrast of each class that the reconstruction misses."""
    missed = ((images.X - model.reconstruct(images.X)) ** 2).mean(axis=(1, 2))
    contrast = images.X.var(axis=(1, 2))
    return [
        float(missed[images.truth == label].sum() / contrast[images.truth == label].sum())
        for label in np.unique(images.truth)
    ]


def panel_6(study: Study) -> Panel:
    """Latent space of the ss-rVAE class by class, and its answers on the unlabelled part."""
    images = study.agglomerates()
    model = study.model(SS_RVAE, images)
    seen = model.encode(images.X)
    hidden = images.y < 0
    counts = confusion_matrix(images.truth[hidden], seen.y[hidden], labels=model.classes_)
    recall = counts.diagonal() / counts.sum(axis=1)
    names = class_names(images)
    return Panel(
        "6",
        f"ss-rVAE with {_labels_each(images)} labels a class",
        (_gold_note(images),),
        {
            "latents": seen.z[:, :2].tolist(),
            "predicted": seen.y.tolist(),
            "classes": names,
            "counts": counts.tolist(),
        },
        (
            *(
                Comparison(f"ss-rVAE, recall of {name}", float(r), f"> {published.GOLD_RECALL}")
                for name, r in zip(names, recall, strict=True)
            ),
            Comparison("ss-rVAE, balanced accuracy", float(recall.mean())),
        ),
        {
            name: model.manifold(int(label), GRID)
            for name, label in zip(names, model.classes_, strict=True)
        },
    )


def panel_s3(study: Study) -> Panel:
    """Classifiers on raw pixels, given the same labels as the ss-rVAE."""
    images = study.agglomerates()
    known, hidden = images.y >= 0, images.y < 0
    answers: dict[str, Classes] = {}
    for name, baseline in pixel_baselines(study.seed).items():
        study.progress("train baselines on pixels", len(answers) / 3, name)
        baseline.fit(images.X[known], images.y[known])
        answers[name] = baseline.predict(images.X[hidden])
    study.progress("train baselines on pixels", 1.0, ", ".join(answers))
    answers["ss-rVAE"] = study.model(SS_RVAE, images).predict(images.X[hidden])
    truth = images.truth[hidden]
    labels = np.unique(images.truth)
    counts = {name: confusion_matrix(truth, a, labels=labels) for name, a in answers.items()}
    notes = (_gold_note(images), *(() if has_xgboost() else (NO_XGBOOST,)))
    return Panel(
        "S3",
        "Classifiers on raw pixels, and the ss-rVAE",
        notes,
        {
            "classes": class_names(images),
            "counts": {name: table.tolist() for name, table in counts.items()},
        },
        tuple(
            Comparison(
                f"{name}, balanced accuracy",
                float(np.mean(recalls(truth, answer))),
                "–" if name == "ss-rVAE" else "poor",
            )
            for name, answer in answers.items()
        ),
    )


def class_names(images: ImageSet) -> list[str]:
    """Return what the classes are: numbers of particles."""
    labels = np.unique(images.truth)
    return [f"{label} particle{'s' if label > 1 else ''}" for label in labels]


def recalls(truth: Classes, predicted: Classes) -> list[float]:
    """Share of each true class that is recognised."""
    return [float((predicted[truth == label] == label).mean()) for label in np.unique(truth)]


def _labels_each(images: ImageSet) -> int:
    return int(np.unique(images.y[images.y >= 0], return_counts=True)[1].max())


def _gold_note(images: ImageSet) -> str:
    return (
        f"n = {int((images.y < 0).sum())} unlabelled simulated agglomerates, "
        f"{_labels_each(images)} labels a class (the paper: "
        f"{sum(published.GOLD_COUNTS) - 4 * published.GOLD_LABELLED} images of gold nanoparticles, "
        f"{published.GOLD_LABELLED})."
    )

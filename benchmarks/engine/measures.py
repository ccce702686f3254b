"""From predictions to figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.metrics import recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from napari_ssrvae.learning.reliability import calibration

Labels = NDArray[np.int64]


def answers(truth: Labels, predicted: Labels) -> dict[str, Any]:
    """Accuracy, balanced accuracy, and the recall of each class."""
    classes = np.unique(truth)
    recalls = recall_score(truth, predicted, labels=classes, average=None)
    return {
        "accuracy": float((truth == predicted).mean()),
        "balanced": float(recalls.mean()),
        "recalls": {str(c): float(r) for c, r in zip(classes, recalls, strict=True)},
    }


def calibration_error(confidence: NDArray[Any], hit: NDArray[Any]) -> float:
    """Return the expected calibration error over the 15 bins that are usual in the literature."""
    return calibration(confidence, hit, bins=15).error


def concentration(error: NDArray[np.float64], symmetry: int) -> float:
    """Length of the mean direction of angle errors (rad), modulo a shape's symmetry.

    1 where all errors are the same, 0 where they are all over the circle. A constant error is none:
    which way is up is the model's own choice.
    """
    return float(abs(np.exp(1j * symmetry * error).mean()))


def continuous_latents(latents: Any) -> NDArray[np.float64]:
    """Return all continuous fields of what `encode` returns, side by side; angles as cos and sin.

    Columns that do not vary are left out.
    """
    columns = []
    for one in fields(latents):
        values = np.asarray(getattr(latents, one.name))
        if values.dtype.kind != "f":
            continue
        values = values.reshape(len(values), -1).astype(float)
        if one.name == "angle":
            values = np.hstack([np.cos(values), np.sin(values)])
        columns.append(values)
    together = np.hstack(columns)
    return np.asarray(together[:, together.std(0) > 1e-6])


def readable(
    latents: NDArray[np.float64], classes: Labels, factors: pd.DataFrame, names: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """How well factors can be read from latents by quadratic regression: R² on the other half.

    One regression a class, because what a latent means differs with the class. It is fitted on the
    even images and judged on the odd ones.

    Returns
    -------
    dict
        For each factor: ``median`` and ``worst`` over the classes, ``pooled`` (all classes in one
        R², still one regression each) and ``blind`` (one regression that is not told the class).
    """
    fit = np.arange(len(latents)) % 2 == 0
    found = {}
    for name in names:
        truth = factors[name].to_numpy()
        read = np.zeros_like(truth)
        each = []
        for c in np.unique(classes):
            train, test = fit & (classes == c), ~fit & (classes == c)
            if train.sum() < 10 or test.sum() < 10:
                continue
            read[test] = _quadratic(latents[train], truth[train], latents[test])
            each.append(_r2(truth[test], read[test]))
        blind = _quadratic(latents[fit], truth[fit], latents[~fit])
        found[name] = {
            "median": float(np.median(each)),
            "worst": float(np.min(each)),
            "pooled": _r2(truth[~fit], read[~fit]),
            "blind": _r2(truth[~fit], blind),
        }
    return found


def _quadratic(
    X: NDArray[np.float64], y: NDArray[np.float64], new: NDArray[np.float64]
) -> NDArray[np.float64]:
    model = make_pipeline(StandardScaler(), PolynomialFeatures(2), StandardScaler(), Ridge(0.1))
    return np.asarray(model.fit(X, y).predict(new))


def _r2(truth: NDArray[np.float64], read: NDArray[np.float64]) -> float:
    return float(1 - ((truth - read) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def paired(ours: list[float], theirs: list[float]) -> Mapping[str, float]:
    """Mean of paired differences and its 95 % interval by Student's t."""
    difference = np.array(ours) - np.array(theirs)
    n = len(difference)
    half = float(stats.t.ppf(0.975, n - 1) * difference.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    mean = float(difference.mean())
    return {"mean": mean, "low": mean - half, "high": mean + half}

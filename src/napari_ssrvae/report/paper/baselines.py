"""What the paper compares its method with (Fig. S3): classifiers on raw pixels."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

NO_XGBOOST = (
    'XGBoost is left out because it is not installed; `pip install "napari-ssrvae[reproduce]"` '
    "brings it."
)


def pixel_baselines(seed: int) -> dict[str, ClassifierMixin]:
    """Return the classifiers of Fig. S3 of Ziatdinov et al., Digital Discovery 2024, 3, 1213.

    Parameters
    ----------
    seed : int
        Of their random choices.

    Returns
    -------
    dict
        Untrained classifiers by name; they take images (n, H, W) and classes (n,) of any numbers.
        XGBoost is among them where it is installed (`has_xgboost`).
    """
    found: dict[str, ClassifierMixin] = {
        "decision tree": OnPixels(DecisionTreeClassifier(random_state=seed)),
        "random forest": OnPixels(RandomForestClassifier(random_state=seed)),
    }
    if has_xgboost():
        from xgboost import XGBClassifier

        found["XGBoost"] = OnPixels(XGBClassifier(random_state=seed))
    return found


def has_xgboost() -> bool:
    """Return whether XGBoost is installed."""
    return find_spec("xgboost") is not None


class OnPixels(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of vectors that is given images, and classes numbered from 0.

    Parameters
    ----------
    classifier : estimator
        Of scikit-learn's form; trained in place.
    """

    def __init__(self, classifier: Any) -> None:
        self.classifier = classifier

    def fit(self, X: NDArray[np.float32], y: NDArray[np.int64]) -> OnPixels:
        """Train on images (n, H, W) and their classes (n,)."""
        # XGBoost refuses classes that do not count from 0.
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self.classifier.fit(X.reshape(len(X), -1), numbers)
        return self

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class of each image (n, H, W)."""
        numbers = np.asarray(self.classifier.predict(X.reshape(len(X), -1)), np.int64)
        return np.asarray(self.classes_[numbers], np.int64)

"""What a user would pick instead, each as strong as it honestly gets without a look at the answers.

Every peer is a function (task, seed) -> predicted labels of each of the task's test sets. None is
given the unlabelled images but pyroVED, which is the only one that can use them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from napari_ssrvae.imaging.outline import shape_and_outline_measures
from napari_ssrvae.imaging.patch_shape import patch_shapes

from . import pyroved_peer
from .supervised import supervised_network
from .tasks import Images, Labels, Task

Predictions = dict[str, Labels]
Peer = Callable[[Task, int], Predictions]

_TREES = 500


def _pixels(images: Images) -> NDArray[np.float32]:
    return images.reshape(len(images), -1)


def _fitted(model: Any, task: Task, features: Callable[[Images], NDArray[Any]]) -> Predictions:
    images, labels = task.labelled
    model.fit(features(images), labels)
    return {name: model.predict(features(X)) for name, (X, _) in task.tests.items()}


def _forest(seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(_TREES, class_weight="balanced", random_state=seed)


def tree_on_pixels(task: Task, seed: int) -> Predictions:
    """Decision tree of scikit-learn's defaults."""
    tree = DecisionTreeClassifier(class_weight="balanced", random_state=seed)
    return _fitted(tree, task, _pixels)


def forest_on_pixels(task: Task, seed: int) -> Predictions:
    """Random forest of 500 trees."""
    return _fitted(_forest(seed), task, _pixels)


def forest_on_shape(task: Task, seed: int) -> Predictions:
    """Random forest of 500 trees on `patch_shapes`."""
    return _fitted(_forest(seed), task, patch_shapes)


def forest_on_outline(task: Task, seed: int) -> Predictions:
    """Random forest of 500 trees on all that the forest sees that teaches our model."""
    return _fitted(_forest(seed), task, shape_and_outline_measures)


def boosting_on_pixels(task: Task, seed: int) -> Predictions:
    """XGBoost; its labels have to start at 0, and one image a class must still be split on."""
    from xgboost import XGBClassifier

    classes, indices = np.unique(task.labelled[1], return_inverse=True)
    model = XGBClassifier(min_child_weight=0, random_state=seed)
    model.fit(_pixels(task.labelled[0]), indices)
    return {name: classes[model.predict(_pixels(X))] for name, (X, _) in task.tests.items()}


def network(task: Task, seed: int) -> Predictions:
    """Our class encoder's architecture, supervised; see `supervised_network`."""
    predict = supervised_network(*task.labelled, seed)
    return {name: predict(X) for name, (X, _) in task.tests.items()}


PEERS: dict[str, Peer] = {
    "tree, pixels": tree_on_pixels,
    "forest, pixels": forest_on_pixels,
    "XGBoost, pixels": boosting_on_pixels,
    "forest, shape": forest_on_shape,
    "forest, our measures": forest_on_outline,
    "CNN + rotations": network,
    "pyroVED": pyroved_peer.predictions,
}
"""By the names of the table's columns."""

SOURCES: dict[str, tuple[str, ...]] = {
    "CNN + rotations": ("supervised.py",),
    "pyroVED": ("pyroved_peer.py", "pyroved_run.py"),
}
"""Files of this folder on which a peer's results depend, ("peers.py",) where not named."""

SHARED: dict[str, tuple[str, ...]] = {
    "forest, shape": ("imaging/patch_shape.py",),
    "forest, our measures": ("imaging/patch_shape.py", "imaging/outline.py"),
    "CNN + rotations": ("learning/networks.py",),
}
"""Files of the package that a peer uses as our model does."""

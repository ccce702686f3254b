"""How likely a segment is one particle: boosted regression trees with fixed values.

The trees were grown by scikit-learn on journal figures with instance maps (EMPS) and are kept as
numbers in `particle_rating.json`, so that the same picture gives the same particles with every
version of scikit-learn. `benchmarks/fit_particle_rating.py` grows them.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


class Trees:
    """A sum of regression trees.

    Parameters
    ----------
    start
        Value before the first tree.
    trees
        Of each tree five lists with one entry for each node: feature (-1 in a leaf), threshold,
        the nodes for values up to the threshold and above it, value of a leaf.
    """

    def __init__(self, start: float, trees: list[list[list[float]]]) -> None:
        self._start = start
        self._trees = [
            (
                np.asarray(feature, dtype=np.int64),
                np.asarray(threshold, dtype=float),
                np.asarray([low, high], dtype=np.int64),
                np.asarray(value, dtype=float),
            )
            for feature, threshold, low, high, value in trees
        ]

    def __call__(self, features: Values) -> Values:
        """Rate (N, F) features from 0 to 1."""
        total = np.full(len(features), self._start)
        for feature, threshold, following, value in self._trees:
            node = np.zeros(len(features), dtype=np.int64)
            rows = np.arange(len(features))
            while len(rows):
                at = node[rows]
                inner = feature[at] >= 0
                rows, at = rows[inner], at[inner]
                above = features[rows, feature[at]] > threshold[at]
                node[rows] = following[above.astype(np.int64), at]
            total += value[node]
        return np.asarray(np.clip(total, 0, 1))


def rate_alone(features: Values) -> Values:
    """Rate segments by themselves."""
    return _trees("alone")(features)


def rate_in_company(features: Values) -> Values:
    """Rate segments beside those that a first rating chose."""
    return _trees("company")(features)


def rate_seen(features: Values) -> Values:
    """Rate segments beside chosen ones, and by what the network that sees grains says of them."""
    return _trees("seen")(features)


@cache
def _trees(name: str) -> Trees:
    text = resources.files("napari_ssrvae.imaging").joinpath("particle_rating.json").read_text()
    stored = json.loads(text)[name]
    return Trees(stored["start"], stored["trees"])

"""Small data sets and trained models, shared by the tests of this room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_ssrvae import SSRVAE
from napari_ssrvae.datasets import cards


class Data(NamedTuple):
    X: NDArray[np.float32]
    y: NDArray[np.int64]
    truth: NDArray[np.int64]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """One core: the results are the same on any machine, and parallel test runs do not fight."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_few_labels(labelled: int, unlabelled: int, seed: int = 0, **options: float) -> Data:
    """Upright labelled cards and turned unlabelled ones (per class)."""
    upright, classes, _ = cards(labelled, 4, max_shift=0, seed=seed)
    turned, hidden, _ = cards(unlabelled, 180, seed=seed + 1, **options)
    return Data(
        np.concatenate([upright, turned]),
        np.concatenate([classes, np.full(len(turned), -1)]),
        np.concatenate([classes, hidden]),
    )


@pytest.fixture(scope="session")
def few_labels() -> Callable[..., Data]:
    return make_few_labels


@pytest.fixture(scope="session")
def data() -> Data:
    return make_few_labels(5, 30)


@pytest.fixture(scope="session")
def short(data: Data) -> SSRVAE:
    """Trained for an instant: right shapes, not right answers. Never change it."""
    return SSRVAE(seed=1, epochs=2, steps_per_epoch=2).fit(data.X, data.y)


@pytest.fixture(scope="session")
def trained() -> SSRVAE:
    """Has learnt the suits, with the defaults but for the length. Never change it."""
    data = make_few_labels(8, 75)
    return SSRVAE(seed=0, epochs=30).fit(data.X, data.y)

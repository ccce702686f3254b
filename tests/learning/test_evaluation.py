from __future__ import annotations

import numpy as np
import pytest

from napari_ssrvae import SSRVAE
from napari_ssrvae.errors import InputError
from napari_ssrvae.learning.evaluation import next_to_label

QUICK = {"epochs": 2, "steps_per_epoch": 2, "batch_size": 8, "labelled_batch_size": 8}


def bars_and_discs(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two classes that one look tells apart: a bar and a disc."""
    numbers = np.random.default_rng(seed)
    y = np.arange(n) % 2
    rows, columns = np.mgrid[-1:1:32j, -1:1:32j]
    disc = rows**2 + columns**2 < 0.25
    bar = (np.abs(rows) < 0.12) & (np.abs(columns) < 0.8)
    X = np.where(y[:, None, None], disc, bar) + 0.05 * numbers.standard_normal((n, 32, 32))
    return X, y


def test_quality_counts_each_label_once_and_never_sees_it(monkeypatch):
    X, y = bars_and_discs(40)
    labels = np.where(np.arange(40) < 12, y, -1)
    seen = []
    fit = SSRVAE.fit

    def spy(self, X, y=None, **options):
        seen.append(np.array(y))
        return fit(self, X, y, **options)

    monkeypatch.setattr(SSRVAE, "fit", spy)
    report = SSRVAE(seed=0, **QUICK).quality(X, labels)
    assert report.confusion.sum() == 12
    assert report.confusion.sum(axis=1).tolist() == [6, 6]
    assert report.folds == len(seen) == 3
    hidden = np.stack([(labels >= 0) & (given < 0) for given in seen])
    assert (hidden.sum(axis=0)[:12] == 1).all()
    assert report.accuracy == np.trace(report.confusion) / 12
    assert "of 12 labelled particles" in report.message


@pytest.mark.slow
def test_quality_recognises_an_easy_problem():
    X, y = bars_and_discs(60)
    report = SSRVAE(seed=0, epochs=8).quality(X, np.where(np.arange(60) < 20, y, -1))
    assert report.accuracy >= 0.9
    assert report.per_class["recall"].min() >= 0.8


def test_quality_says_when_labels_are_too_few():
    X, y = bars_and_discs(20)
    labels = np.where(np.arange(20) < 2, y, -1)
    report = SSRVAE(seed=0, **QUICK).quality(X, labels)
    assert np.isnan(report.accuracy)
    assert "Too few labels" in report.message
    labels[2] = 0
    report = SSRVAE(seed=0, **QUICK).quality(X, labels)
    assert report.per_class["tested"].tolist() == [2, 0]
    assert np.isnan(report.per_class["recall"][1])
    assert "Too few labels" in report.message
    with pytest.raises(InputError, match="two classes"):
        SSRVAE().quality(X, np.where(np.arange(20) == 0, 0, -1))


def test_next_to_label_is_doubtful_and_varied():
    probabilities = np.array([[0.99, 0.01], [0.5, 0.5], [0.52, 0.48], [0.55, 0.45]])
    features = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 1.01], [-5.0, 3.0]])
    chosen = next_to_label(probabilities, features, 3)
    assert chosen[0] == 1  # the most doubtful
    assert chosen[1] == 3  # not its twin
    assert len(set(next_to_label(probabilities, features, 9))) == 4


def test_suggest_gives_indices(short, data):
    chosen = short.suggest(data.X[20:], 5)
    assert len(set(chosen.tolist())) == 5
    assert chosen.max() < len(data.X) - 20


@pytest.mark.slow
def test_novelty_is_higher_for_what_is_in_no_class():
    X, y = bars_and_discs(60)
    model = SSRVAE(seed=0, epochs=10).fit(X, y)
    odd = np.random.default_rng(1).random((20, 32, 32)) > 0.5
    assert np.median(model.novelty(odd.astype(float))) > np.percentile(model.novelty(X), 95)

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_ssrvae import SSRVAE
from napari_ssrvae.errors import InputError
from napari_ssrvae.learning.evaluation import (
    cross_validated,
    held_back_parts,
    iter_cross_validated,
)
from napari_ssrvae.learning.next_label import next_to_label
from napari_ssrvae.learning.quality import QualityReport
from napari_ssrvae.learning.reliability import calibration, wilson_interval

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


def report_of(labels, probabilities, classes=(0, 1), counts=None) -> QualityReport:
    labels, classes = np.array(labels, np.int64), np.array(classes, np.int64)
    if counts is None:
        counts = [(labels == c).sum() for c in classes]
    return QualityReport(
        classes, np.array(counts), np.arange(len(labels)), labels,
        np.array(probabilities, float).reshape(len(labels), len(classes)), 3,
    )  # fmt: skip


# ------------------------------------------------------------------------- cross-validation


def test_quality_counts_each_label_once_and_never_sees_it(monkeypatch):
    X, y = bars_and_discs(40)
    labels = np.where(np.arange(40) < 12, 3 + 4 * y, -1)  # classes 3 and 7
    seen = []
    iter_fit = SSRVAE.iter_fit

    def spy(self, X, y=None, **options):
        seen.append(np.array(y))
        return iter_fit(self, X, y, **options)

    monkeypatch.setattr(SSRVAE, "iter_fit", spy)
    model = SSRVAE(seed=0, **QUICK)
    report = model.quality(X, labels)
    assert report.classes.tolist() == [3, 7]
    assert report.confusion.sum(axis=1).tolist() == [6, 6]
    assert report.folds == len(seen) == 3
    hidden = np.stack([(labels >= 0) & (given < 0) for given in seen])
    assert (hidden.sum(axis=0)[:12] == 1).all()
    assert report.rows.tolist() == list(range(12))
    assert report.labels.tolist() == labels[:12].tolist()
    assert report.accuracy == np.trace(report.confusion) / 12
    np.testing.assert_allclose(report.probabilities.sum(axis=1), 1, atol=1e-5)
    assert not model.__sklearn_is_fitted__()


@pytest.mark.parametrize(
    ("counts", "sizes"),
    [
        ([2, 2], [2, 2]),
        ([1, 9], [3, 3, 3]),
        ([5, 4, 3], [4, 4, 4]),
        ([1, 1, 2], [1, 1]),
        ([1, 1], []),
        ([2] * 11 + [3], [9, 8, 8]),
        ([100, 300], [200, 200]),
        ([99, 300], [133, 133, 133]),
    ],
)
def test_parts_are_even_and_leave_every_class_a_label(counts, sizes):
    indices = np.r_[np.full(7, -1), np.repeat(np.arange(len(counts)), counts)]
    indices = np.random.default_rng(0).permutation(indices)
    parts = held_back_parts(indices)
    assert [len(part) for part in parts] == sizes
    together = np.concatenate([*parts, np.empty(0, int)]).astype(int)
    assert len(np.unique(together)) == sum(c for c in counts if c > 1)
    for part in parts:
        left = np.setdiff1d(np.flatnonzero(indices >= 0), part)
        assert set(indices[left]) == set(range(len(counts)))
        largest = np.bincount(indices[part], minlength=len(counts))
        assert (largest <= np.ceil(np.array(counts) / len(parts))).all()


def test_quality_can_be_watched_and_stopped(monkeypatch):
    X, y = bars_and_discs(16)
    seen = []
    report = cross_validated(SSRVAE(seed=0, **QUICK), X, y, progress=seen.append)
    assert report.folds == 3
    assert [(s.fold, s.state.epoch) for s in seen] == [(f, e) for f in (1, 2, 3) for e in (1, 2)]
    np.testing.assert_allclose([s.done for s in seen], np.arange(1, 7) / 6)

    closed = []
    iter_fit = SSRVAE.iter_fit

    def watched(self, *data, **options):
        try:
            yield from iter_fit(self, *data, **options)
        finally:
            closed.append(len(self.history_))

    monkeypatch.setattr(SSRVAE, "iter_fit", watched)
    steps = iter_cross_validated(SSRVAE(seed=0, **QUICK), X, y)
    next(steps)
    steps.close()
    assert closed == [1]  # the training that was under way ended at once, no other began

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_validated(SSRVAE(seed=0, **QUICK), X, y, progress=stop)


def test_a_time_budget_holds_for_every_training(monkeypatch):
    X, y = bars_and_discs(16)
    budgets = []
    iter_fit = SSRVAE.iter_fit

    def spy(self, X, y=None, **options):
        budgets.append(options["max_seconds"])
        return iter_fit(self, X, y, **options)

    monkeypatch.setattr(SSRVAE, "iter_fit", spy)
    endless = SSRVAE(seed=0, epochs=10_000, steps_per_epoch=1, batch_size=8)
    report = cross_validated(endless, X, y, max_seconds=0.3)
    assert report.confusion.sum() == 16
    assert len(budgets) == 3
    assert max(budgets) <= 0.3
    for wrong in (0, float("nan"), "long"):
        with pytest.raises(InputError, match="max_seconds must be a number above 0"):
            cross_validated(endless, X, y, max_seconds=wrong)


def test_quality_refuses_what_it_cannot_use():
    X, y = bars_and_discs(20)
    model = SSRVAE(**QUICK)
    with pytest.raises(InputError, match="second class"):
        model.quality(X, np.where(np.arange(20) == 0, 0, -1))
    with pytest.raises(InputError, match="No image is labelled"):
        model.quality(X, np.full(20, -1))
    with pytest.raises(InputError, match="one label for each"):
        model.quality(X, y[:5])
    with pytest.raises(InputError, match="whole numbers"):
        model.quality(X, y + 0.5)
    with pytest.raises(InputError, match="shape"):
        model.quality(X[0], y)
    with pytest.raises(InputError, match="needs labels"):
        cross_validated(model, X, None)


def test_twelve_classes_with_one_or_two_labels():
    X, _ = bars_and_discs(40)
    labels = np.full(40, -1)
    labels[:23] = np.r_[np.arange(12), np.arange(11)] * 10
    report = SSRVAE(seed=0, **QUICK).quality(X, labels)
    assert report.folds == 2
    assert report.per_class["tested"].tolist() == [2] * 11 + [0]
    assert "Nothing is known of class 110" in report.message


@pytest.mark.slow
def test_quality_recognises_an_easy_problem_and_finds_the_wrong_label():
    X, y = bars_and_discs(24)
    labels = y.copy()
    labels[4] = 1 - labels[4]
    report = SSRVAE(seed=0, epochs=6, steps_per_epoch=8, batch_size=12).quality(X, labels)
    assert report.accuracy >= 0.85
    assert report.disagreements["row"].tolist()[0] == 4


# ------------------------------------------------------------------------- the report


def test_the_numbers_of_a_report_by_hand():
    # class 5: 3 of 4 found; class 9: 1 of 2 found; class 12 was not tested
    sure = [
        [0.9, 0.1, 0],
        [0.6, 0.4, 0],
        [0.8, 0.1, 0.1],
        [0.3, 0.7, 0],
        [0.2, 0.8, 0],
        [0.95, 0.05, 0],
    ]
    report = report_of([5, 5, 5, 5, 9, 9], sure, (5, 9, 12), counts=[4, 2, 1])
    assert report.confusion.tolist() == [[3, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert report.accuracy == pytest.approx(4 / 6)
    assert report.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2) / 2)
    table = report.per_class.set_index("class")
    assert table["recall"].tolist()[:2] == [0.75, 0.5]
    assert table["precision"].tolist()[:2] == [0.75, 0.5]
    assert table["f1"].tolist()[:2] == [0.75, 0.5]
    assert table.loc[12, ["precision", "recall", "f1", "recall_low"]].isna().all()
    assert table["missing"].tolist() == [1, 3, 4]
    # Wilson (1927) for 3 of 4, by the formula
    z, p, n = 1.959964, 3 / 4, 4
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    np.testing.assert_allclose(
        table.loc[5, ["recall_low", "recall_high"]].astype(float),
        [middle - half, middle + half],
        rtol=1e-5,
    )


def test_disagreements_come_surest_first():
    report = report_of(
        [0, 1, 0, 1], [[0.4, 0.6], [0.99, 0.01], [0.9, 0.1], [0.7, 0.3]], counts=[2, 2]
    )
    found = report.disagreements
    assert found["row"].tolist() == [1, 3, 0]
    assert found["label"].tolist() == [1, 1, 0]
    assert found["predicted"].tolist() == [0, 0, 1]
    assert found["probability"].tolist() == [0.99, 0.7, 0.6]
    assert found["label_probability"].tolist() == [0.01, 0.3, 0.4]
    assert "disagree on 3 particles" in report.message


def test_a_report_says_what_is_missing_and_where():
    single = report_of([], [], (1, 2), counts=[1, 1])
    assert np.isnan(single.accuracy)
    assert np.isnan(single.accuracy_interval).all()
    assert np.isnan(single.balanced_accuracy)
    assert single.disagreements.empty
    assert "Too few labels to say anything" in single.message
    assert "4 more of class 1 and 4 more of class 2" in single.message
    few = report_of([1, 1, 1], [[1, 0]] * 3, (1, 2), counts=[3, 1])
    assert "Too few labels to say much" in few.message
    assert "Nothing is known of dimer" in " ".join(few.sentences({2: "dimer"}))
    assert "2 more of class 1" in few.message
    enough = report_of([1] * 20 + [2] * 10, [[1, 0]] * 20 + [[0, 1]] * 10, (1, 2))
    assert "30 of 30" in enough.message
    assert "95 % interval 89 to 100 %" in enough.message
    assert "abel at least" not in enough.message
    assert not enough.unbalanced


def test_unbalanced_labels_are_said_and_counted():
    report = report_of([1] * 40 + [2] * 8, [[1, 0]] * 48, (1, 2))
    assert report.unbalanced
    assert "class 1 has 40, class 2 8" in report.message
    assert report.accuracy == pytest.approx(40 / 48)
    assert report.balanced_accuracy == 0.5
    assert np.isnan(report.per_class["precision"][1])  # nothing was called class 2
    assert report.per_class["f1"][1] == 0


def test_a_report_goes_through_json():
    report = report_of(
        [5, 5, 9], [[0.9, 0.1, 0], [0.4, 0.6, 0], [0.2, 0.8, 0]], (5, 9, 12), [2, 1, 1]
    )
    for before in (report, report_of([], [], (1, 2), counts=[1, 1])):
        text = json.dumps(before.to_dict(), allow_nan=False)
        after = QualityReport.from_dict(json.loads(text))
        assert after.message == before.message
        np.testing.assert_array_equal(after.confusion, before.confusion)
        assert after.to_dict() == before.to_dict()
    assert json.loads(json.dumps(report.to_dict()))["per_class"][2]["recall"] is None
    with pytest.raises(InputError, match="none of its classes"):
        report_of([7], [[0.5, 0.5]])
    with pytest.raises(InputError, match="for each row"):
        QualityReport(*(np.zeros(n, int) for n in (2, 2, 3, 2)), np.zeros((3, 2)), 3)


# ------------------------------------------------------------------------- calibration


def test_calibration_error_by_hand():
    # [0.5, 0.6): 2 answers, mean .55, half right; [0.9, 1]: 4 answers, mean .95, 3 right
    found = calibration([0.52, 0.58, 0.9, 0.95, 0.95, 1.0], [1, 0, 1, 1, 1, 0])
    assert found.bins["n"].tolist() == [2, 4]
    np.testing.assert_allclose(found.bins["low"], [0.5, 0.9])
    np.testing.assert_allclose(found.bins["confidence"], [0.55, 0.95])
    assert found.bins["accuracy"].tolist() == [0.5, 0.75]
    assert found.error == pytest.approx((2 * 0.05 + 4 * 0.2) / 6)
    assert found.bias == pytest.approx((2 * 0.05 + 4 * 0.2) / 6)
    assert not found.enough
    assert "Too few labels (6 held back)" in found.in_words()


def test_chance_is_not_taken_for_a_wrong_probability():
    rng = np.random.default_rng(3)
    sure = rng.uniform(0.4, 1, 400)
    exact = calibration(sure, rng.random(400) < sure)
    assert exact.enough
    assert exact.error <= 1.2 * exact.chance
    vain = calibration(np.full(400, 0.99), rng.random(400) < 0.8)
    assert vain.error == pytest.approx(0.19, abs=0.05)
    assert vain.chance < 0.03
    assert "too sure of itself" in vain.in_words()
    shy = calibration(np.full(400, 0.6), np.ones(400, bool))
    assert shy.error == pytest.approx(0.4)
    assert "too doubtful" in shy.in_words()
    nothing = calibration([], [])
    assert np.isnan(nothing.error)
    assert not nothing.enough
    with pytest.raises(InputError, match="between 0 and 1"):
        calibration([1.2], [True])
    with pytest.raises(InputError, match="one probability"):
        calibration([0.2, 0.3], [True])


def test_wilson_intervals_of_the_literature():
    # Brown, Cai & DasGupta, Statistical Science 16 (2001) 101: honest where all or none were right
    np.testing.assert_allclose(wilson_interval(5, 5), (0.5655, 1.0), atol=1e-4)
    np.testing.assert_allclose(wilson_interval(0, 10), (0.0, 0.2775), atol=1e-4)
    assert np.isnan(wilson_interval(0, 0)).all()


# ------------------------------------------------------------------------- what to label next


def test_next_to_label_is_doubtful_and_varied():
    probabilities = np.array([[0.99, 0.01], [0.5, 0.5], [0.52, 0.48], [0.55, 0.45]])
    features = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 1.01], [-5.0, 3.0]])
    chosen = next_to_label(probabilities, features, 3)
    assert chosen[0] == 1  # the most doubtful
    assert chosen[1] == 3  # not its twin
    assert len(set(next_to_label(probabilities, features, 9))) == 4


def test_next_to_label_asks_for_typical_ones_before_oddities():
    rng = np.random.default_rng(0)
    crowd, oddity = rng.normal(0, 0.1, (60, 5)), np.full((1, 5), 9.0)
    even = np.full((61, 2), 0.5)
    assert next_to_label(even, np.concatenate([crowd, oddity]), 1)[0] != 60
    # of two crowds, the one without a label comes first
    features = np.concatenate([crowd, crowd + 3])
    chosen = next_to_label(np.full((120, 2), 0.5), features, 1, labelled_features=crowd[:2])
    assert chosen[0] >= 60


def test_doubt_counts_less_while_there_are_few_labels():
    """Ten doubtful images apart from forty sure ones of a crowd, which is typical."""
    rng = np.random.default_rng(0)
    crowd, apart = rng.normal(0, 0.2, (40, 2)), rng.normal(4, 1.5, (10, 2))
    p = np.r_[np.tile([0.9, 0.1], (40, 1)), np.tile([0.52, 0.48], (10, 1))]
    features = np.r_[crowd, apart]
    few = next_to_label(p, features, 1, rng.normal(0, 3, (2, 2)))
    many = next_to_label(p, features, 1, rng.normal(0, 3, (40, 2)))
    assert few[0] < 40 <= many[0]


def test_next_to_label_is_deterministic_and_takes_any_number():
    rng = np.random.default_rng(0)
    probabilities, features = rng.dirichlet(np.ones(3), 3000), rng.normal(size=(3000, 8))
    first = next_to_label(probabilities, features, 20)
    np.testing.assert_array_equal(first, next_to_label(probabilities, features, 20))
    assert len(set(first)) == 20
    assert len(next_to_label(probabilities[:1], features[:1], 5)) == 1
    assert len(next_to_label(probabilities[:0], features[:0], 5)) == 0
    assert sorted(next_to_label(probabilities[:4], np.zeros((4, 2)), 4)) == [0, 1, 2, 3]
    with pytest.raises(InputError, match="one row of probabilities"):
        next_to_label(probabilities[:3], features, 2)
    with pytest.raises(InputError, match="0 or more"):
        next_to_label(probabilities, features, -1)
    with pytest.raises(InputError, match="8 features"):
        next_to_label(probabilities, features, 2, features[:5, :2])


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

from __future__ import annotations

import numpy as np
import pytest

from napari_ssrvae.imaging.particles import extract_particles
from napari_ssrvae.learning.quality import QualityReport
from napari_ssrvae.library.held_back import few_per_class
from napari_ssrvae.library.label_test import LabelTest, iter_label_test, missing_for_test
from napari_ssrvae.library.selection import Place
from tiny import small_micrograph, tiny


def finished(steps):
    yielded = []
    while True:
        try:
            yielded.append(next(steps))
        except StopIteration as end:
            return yielded, end.value


@pytest.fixture
def made() -> LabelTest:
    """Two micrographs: five particles of the one with key 4, three of the one with key 2."""
    report = QualityReport(
        classes=np.array([1, 3]),
        counts=np.array([3, 2]),
        rows=np.array([0, 2, 4, 5, 7]),
        labels=np.array([1, 1, 3, 1, 3]),
        probabilities=np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.1, 0.9], [0.6, 0.4]]),
        folds=3,
    )
    hand = {4: {10: 1, 12: 1, 15: 3}, 2: {7: 1, 9: 3}}
    keys = np.repeat([4, 2], [5, 3])
    return LabelTest(report, keys, np.array([10, 11, 12, 14, 15, 7, 8, 9]), hand)


def test_rows_are_particles_of_their_micrographs(made):
    assert [made.place(row) for row in (0, 4, 5, 7)] == [(4, 10), (4, 15), (2, 7), (2, 9)]
    assert made.cell(1, 1) == [Place(4, 10)]
    assert made.cell(1, 3) == [Place(4, 12), Place(2, 7)]
    assert made.cell(3, 1) == [Place(2, 9)]
    found = made.disagreements()
    assert [d.place for d in found] == [(2, 7), (4, 12), (2, 9)]
    assert (found[0].label, found[0].predicted, found[0].probability) == (1, 3, 0.9)
    assert made.n_labels == 5


def test_it_says_how_labels_have_changed_since(made):
    same = {4: {10: 1, 12: 1, 15: 3}, 2: {7: 1, 9: 3}, 9: {}}
    assert made.changed_since(same) == ""
    more = {**same, 9: {1: 1}}
    assert made.changed_since(more) == "Measured with 5 labels; now there are 6: test again."
    other = {**same, 2: {7: 3, 9: 3}}
    assert "of which 1 has changed" in made.changed_since(other)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({}, "two classes"),
        ({1: 9}, "one more class"),
        ({1: 1, 2: 1}, "one more particle of disc or rod"),
        ({1: 2, 2: 1}, ""),
    ],
)
def test_what_is_missing_is_said(counts, said):
    sentence = missing_for_test(counts, {1: "disc", 2: "rod"})
    assert said in sentence
    assert bool(said) == bool(sentence)


@pytest.mark.slow
def test_the_labels_of_two_micrographs_are_tested_in_their_places():
    first = tiny()
    before = first.workflow.model.history_
    micrograph, labels, truth = small_micrograph(1)
    second = extract_particles(micrograph, labels, scale=first.particles.scale)
    hand = {7: few_per_class(first.truth, 1), 3: few_per_class(truth, 1)}
    particles = {7: first.particles, 3: second}
    yielded, result = finished(iter_label_test(particles, hand, model=first.workflow.model))
    assert yielded[-1].fold == yielded[-1].folds == result.report.folds == 2
    # With the settings of that model, which is left alone.
    assert {step.state.n_epochs for step in yielded} == {first.workflow.model.epochs}
    assert first.workflow.model.history_.equals(before)
    rows = result.report.rows.tolist()
    assert len(rows) == result.n_labels == sum(map(len, hand.values()))
    for row, label in zip(rows, result.report.labels.tolist(), strict=True):
        key, particle = result.place(row)
        assert hand[key][particle] == label

"""What to label next, and why, in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_ssrvae.library.predictions import predict_particles
from napari_ssrvae.library.selection import Place
from napari_ssrvae.library.suggestions import Suggestion, suggest_labels
from tiny import tiny

NAMES = {1: "monomer", 2: "dimer"}


def test_suggestions_are_unlabelled_particles_and_the_classes_that_the_model_wavers_between():
    particles, model = tiny().particles, tiny().workflow.model
    predictions = predict_particles(particles, model)
    hand = dict(list(tiny().hand.items())[:5])
    found = suggest_labels(model, {7: particles}, {7: predictions}, {7: hand}, n=6)
    assert len(found) == len({s.place for s in found}) == 6
    rows = {int(i): row for row, i in enumerate(particles.table["label"])}
    for suggestion in found:
        assert suggestion.place.key == 7
        assert suggestion.place.particle not in hand
        p = predictions.probabilities[rows[suggestion.place.particle]]
        best = predictions.model_classes[np.argsort(p)[::-1][:2]].tolist()
        assert [suggestion.class_id, suggestion.second_id] == best
        assert suggestion.probability == p.max() >= suggestion.second_probability


def test_two_micrographs_are_searched_together():
    particles, model = tiny().particles, tiny().workflow.model
    half = len(particles) // 2
    parts = {1: particles.subset(np.arange(half)), 2: particles.subset(np.arange(half, 2 * half))}
    predictions = {key: predict_particles(part, model) for key, part in parts.items()}
    found = suggest_labels(model, parts, predictions, {}, n=1000)
    assert len(found) == 2 * half
    assert {s.place.key for s in found} == {1, 2}


def test_merged_classes_are_suggested_as_one_and_other_models_passed_over():
    particles, model = tiny().particles, tiny().workflow.model
    first, second, *_ = model.classes_.tolist()
    said = predict_particles(particles, model).merged({second: first})
    found = suggest_labels(model, {1: particles}, {1: said}, {}, n=5)
    assert len(found) == 5
    assert not {second} & {c for s in found for c in (s.class_id, s.second_id)}
    one = said.merged(dict.fromkeys(model.classes_.tolist(), first))
    assert suggest_labels(model, {1: particles}, {1: one}, {}) == []
    assert suggest_labels(model, {1: particles}, {1: replace(said, model="older")}, {}) == []


def test_nothing_is_suggested_where_all_have_labels():
    particles, model = tiny().particles, tiny().workflow.model
    everything = {int(i): 1 for i in particles.table["label"]}
    predictions = predict_particles(particles, model)
    assert suggest_labels(model, {1: particles}, {1: predictions}, {1: everything}) == []


def test_the_reason_names_the_classes():
    torn = Suggestion(Place(1, 2), 1, 0.48, 2, 0.45)
    assert torn.reason(NAMES) == "the model wavers between monomer (48%) and dimer (45%)"
    sure = Suggestion(Place(1, 2), 2, 0.9, 1, 0.05)
    assert sure.reason(NAMES).startswith("the model says dimer (90%), and no particle like it")

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_ssrvae.datasets import cards
from napari_ssrvae.learning import teachers as room
from napari_ssrvae.learning.alignment import Poses, align
from napari_ssrvae.learning.model import Architecture, PosedVAE
from napari_ssrvae.learning.preprocessing import Normalisation, TrainingData
from napari_ssrvae.learning.teachers import (
    ENOUGH,
    ShapeForest,
    Teachers,
    best_sharpness,
    registration_belief,
    sharpened,
    skill,
)
from napari_ssrvae.learning.training import in_own_randomness

CPU = torch.device("cpu")


def data_of(images: np.ndarray, truth: np.ndarray, labelled: int) -> TrainingData:
    """The first images have labels."""
    y = np.where(np.arange(len(truth)) < labelled, truth, -1)
    return TrainingData(images, Normalisation.of(images), y)


def easy() -> tuple[TrainingData, np.ndarray]:
    upright, y, _ = cards(4, 4, max_shift=0, seed=0)
    turned, hidden, _ = cards(20, 180, seed=1)
    truth = np.concatenate([y, hidden])
    return data_of(np.concatenate([upright, turned]), truth, len(y)), truth


def with_and_without_hole(n: int = 100, labelled: int = 30) -> tuple[TrainingData, np.ndarray]:
    """Ellipses of any size and aspect; those of class 1 have a small hole anywhere.

    Templates match by size and aspect, which are no class: only the hole is.
    """
    numbers = np.random.default_rng(0)
    rows, columns = np.mgrid[-1:1:48j, -1:1:48j]
    truth = np.arange(n) % 2
    images = np.zeros((n, 48, 48), np.float32)
    for image, holed in zip(images, truth, strict=True):
        height, width = numbers.uniform(0.35, 0.8, 2)
        image[(rows / height) ** 2 + (columns / width) ** 2 < 1] = 1
        at = numbers.uniform(-0.5, 0.5, 2) * (height, width)
        if holed:
            image[(rows - at[0]) ** 2 + (columns - at[1]) ** 2 < 0.1**2] = 0
    return data_of(images, truth, labelled), truth


def poses_of(data: TrainingData, k: int) -> Poses:
    with in_own_randomness(0):
        module = PosedVAE(
            Architecture(k, 2, ("rotation", "translation"), "template", 48, background=0.0)
        )
    start = align(module, data, range(k), 0, CPU)
    return Poses(data, start, module.background)


def asked(data: TrainingData, poses: Poses, teachers: Teachers, rows: np.ndarray) -> torch.Tensor:
    return teachers(rows, poses(rows, data.batch(rows, CPU)).score)


def test_skill_is_0_by_chance_and_1_without_fault():
    assert skill(0.25, 4) == 0
    assert skill(0.1, 4) == 0
    assert skill(1.0, 4) == 1
    assert skill(0.625, 4) == pytest.approx(0.5)
    assert skill(0.75, 2) == pytest.approx(0.5)


def test_belief_follows_the_better_match():
    score = torch.tensor([[0.9, 0.5, -0.3], [0.5, 0.5, 0.8]])
    belief = registration_belief(score)
    torch.testing.assert_close(belief.sum(1), torch.ones(3))
    odds = ((1.001 - 0.5**2) / (1.001 - 0.9**2)) ** 30
    assert float(belief[0, 0] / belief[0, 1]) == pytest.approx(odds, rel=1e-3)
    assert belief[1].tolist() == pytest.approx([0.5, 0.5])
    assert belief[2].argmax() == 1
    assert torch.isfinite(registration_belief(torch.ones(2, 1))).all()


def test_cards_are_taught_by_the_registration_alone():
    data, truth = easy()
    poses = poses_of(data, 4)
    teachers = Teachers(data, poses, 4, 0)
    assert teachers.beliefs is None
    assert teachers.skill == teachers.by_registration >= ENOUGH
    rows = np.flatnonzero(data.y < 0)
    belief = asked(data, poses, teachers, rows)
    score = poses(rows, data.batch(rows, CPU)).score
    torch.testing.assert_close(belief, registration_belief(score))
    assert (belief.argmax(1).numpy() == truth[rows]).mean() > 0.95


def test_a_forest_teaches_where_templates_tell_little_and_shapes_much():
    data, truth = with_and_without_hole()
    poses = poses_of(data, 2)
    teachers = Teachers(data, poses, 2, 0)
    assert teachers.by_registration < ENOUGH
    assert teachers.beliefs is not None
    assert teachers.skill > teachers.by_registration
    rows = np.flatnonzero(data.y < 0)
    belief = asked(data, poses, teachers, rows)
    right = (belief.argmax(1).numpy() == truth[rows]).mean()
    by_registration = registration_belief(poses(rows, data.batch(rows, CPU)).score)
    assert right > 0.9
    assert right > (by_registration.argmax(1).numpy() == truth[rows]).mean() + 0.1


def test_images_that_were_not_measured_are_believed_of_the_registration(monkeypatch):
    data, _ = with_and_without_hole()
    monkeypatch.setattr(room, "MOST", 60)
    poses = poses_of(data, 2)
    teachers = Teachers(data, poses, 2, 0)
    rows = np.arange(len(data.y))
    unmeasured = np.isnan(teachers.beliefs).any(1)
    assert unmeasured.sum() == 40
    assert not unmeasured[data.y >= 0].any()
    belief = asked(data, poses, teachers, rows)
    expected = registration_belief(poses(rows, data.batch(rows, CPU)).score)
    torch.testing.assert_close(belief[unmeasured], expected[unmeasured])
    torch.testing.assert_close(belief[~unmeasured], torch.from_numpy(teachers.beliefs[~unmeasured]))


def test_no_forest_of_two_labels_a_class():
    data, _ = with_and_without_hole(labelled=4)
    assert Teachers(data, poses_of(data, 2), 2, 0).beliefs is None


def test_a_forest_that_has_learnt_nothing_is_not_asked():
    data, _ = with_and_without_hole(labelled=90)
    y = data.y.copy()
    y[:90] = np.random.default_rng(0).permutation(y[:90])
    senseless = TrainingData(data.images, data.normalisation, y)
    assert ShapeForest(senseless, 2, 0).skill < room.LEAST
    assert Teachers(senseless, poses_of(senseless, 2), 2, 0).beliefs is None
    assert Teachers(data, poses_of(data, 2), 2, 0).beliefs is not None


def test_dark_objects_are_measured_as_bright_ones():
    data, truth = with_and_without_hole()
    dark = data_of(1 - data.images, truth, int((data.y >= 0).sum()))
    forest, of_dark = ShapeForest(data, 2, 0), ShapeForest(dark, 2, 0)
    assert of_dark.skill == pytest.approx(forest.skill, abs=0.05)
    assert (of_dark.beliefs.argmax(1) == truth).mean() > 0.9


def test_a_class_without_labels_is_not_believed_in():
    data, _ = with_and_without_hole()
    forest = ShapeForest(data, 3, 0)
    assert (forest.beliefs[:, 2] == 0).all()
    np.testing.assert_allclose(forest.beliefs.sum(1), 1, atol=1e-6)


def test_votes_become_the_probabilities_of_their_own_hits():
    """Modest votes are sharpened, rash ones softened, to what comes true in the long run."""
    numbers = np.random.default_rng(0)
    true = numbers.dirichlet((1, 1, 1), 4000)
    truth = np.array([numbers.choice(3, p=p) for p in true])
    even = np.full(3, 1 / 3)
    for power in (0.6, 1.0, 1.6):
        votes = true ** (1 / power)
        votes /= votes.sum(1, keepdims=True)
        assert best_sharpness(votes, truth, even) == pytest.approx(power, rel=0.15)
    np.testing.assert_allclose(sharpened(votes, 2.0).sum(1), 1)


def test_labels_count_as_often_as_their_classes_are_met():
    """Class 0 is easy and common, class 1 difficult and rare; as many of each have labels."""
    votes = np.tile([[0.7, 0.3]], (40, 1))
    truth = np.arange(40) % 2  # half of those that look like class 0 are of class 1
    modest = best_sharpness(votes, truth, np.array([0.5, 0.5]))
    sure = best_sharpness(votes, truth, np.array([0.9, 0.1]))
    assert modest == room.SHARPNESS[0]
    assert sharpened(votes[:1], sure)[0, 0] == pytest.approx(0.9, abs=0.02)

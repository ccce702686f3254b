from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from posed_figures import SIZE, posed, training_data, upright

from napari_ssrvae.learning.alignment import Poses, align
from napari_ssrvae.learning.model import Architecture, PosedVAE
from napari_ssrvae.learning.networks import resized
from napari_ssrvae.learning.pose import centred
from napari_ssrvae.learning.preprocessing import TrainingData
from napari_ssrvae.learning.registration import SIDE, Registration
from napari_ssrvae.learning.training import in_own_randomness

CPU = torch.device("cpu")


def module(n_classes=2, invariances=("rotation", "translation"), latent_dim=2) -> PosedVAE:
    with in_own_randomness(0):
        return PosedVAE(
            Architecture(n_classes, latent_dim, invariances, "template", size=SIZE, background=0.0)
        )


def likeness(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(np.corrcoef(one.flatten(), other.flatten())[0, 1])


def test_averages_of_posed_copies_look_like_the_figure_upright():
    model = module()
    start = align(
        model, training_data(posed(3, turn=0, shift=0), posed(40, seed=1)), [0, 1], 0, CPU
    )
    assert sorted(start.anchors % 2) == [0, 1]  # a labelled image of each class
    assert start.anchors.max() < 6
    templates = model.uprights(SIDE)[:, 0]
    expected = resized(centred(upright(), 0.0), SIDE)
    assert likeness(templates[0], expected[0]) > 0.95
    assert likeness(templates[1], expected[1]) > 0.95
    assert likeness(templates[0], expected[1]) < 0.8


def test_a_labelled_image_defines_what_is_upright():
    model = module()
    labelled = posed(1, seed=7)  # whatever its pose
    align(model, training_data(labelled, posed(40, seed=1)), [0, 1], 0, CPU)
    expected = resized(centred(labelled.images, 0.0), SIDE)
    for template, image in zip(model.uprights(SIDE)[:, 0], expected, strict=True):
        assert likeness(template, image) > 0.95


def test_the_average_is_clearer_than_a_noisy_image():
    data = training_data(posed(3, turn=0, shift=0), posed(60, seed=1))
    noise = np.random.default_rng(0).normal(0, 0.5, data.images.shape).astype(np.float32)
    noisy = TrainingData(data.images + noise, data.normalisation, data.y)
    model = module()
    start = align(model, noisy, [0, 1], 0, CPU)
    expected = resized(centred(upright(), 0.0), SIDE)
    for k in (0, 1):
        anchor = resized(torch.from_numpy(noisy.images[start.anchors[k]])[None], SIDE)[0]
        average = likeness(model.uprights(SIDE)[k, 0], expected[k])
        assert average > likeness(anchor, expected[k]) + 0.05


def test_classes_that_are_known_keep_their_templates():
    data = training_data(posed(3, turn=0, shift=0), posed(40, seed=1))
    model = module()
    align(model, data, [0, 1], 0, CPU)
    with torch.no_grad():
        model.decoder.upright.weight[:, 0] *= 0.5
    before = model.uprights(SIDE)[:, 0]
    start = align(model, data, [1], 0, CPU)
    assert len(start.anchors) == 1
    torch.testing.assert_close(model.uprights(SIDE)[0, 0], before[0])
    assert not len(align(model, data, [], 0, CPU).anchors)


def spread(size: float, invariances=("rotation", "translation")) -> torch.Tensor:
    """What z does at first (3, 2), where the copies differ in size by so much."""
    model = module(invariances=invariances)
    data = training_data(posed(10, turn=0, shift=0), posed(60, seed=1, size=size))
    align(model, data, [0, 1], 0, CPU)
    torch.testing.assert_close(model.decoder.deformation[0], model.decoder.deformation[1])
    return model.decoder.deformation[0].detach()


def test_the_first_latent_starts_as_what_the_copies_differ_by():
    alike, different = spread(0.0), spread(0.25)
    size, along, across = different[:, 0].abs().tolist()
    assert size > 5 * max(along, across)
    # Uniform to ±0.25 has a deviation of 0.14; sizes are told from -0.15, 0 and 0.15.
    assert size == pytest.approx(0.25 / math.sqrt(3), abs=0.05)
    assert alike[0].abs().max() < 0.5 * size


def test_a_scale_that_is_split_off_is_no_latent():
    components = spread(0.25, ("rotation", "translation", "scale"))
    assert components[0].abs().max() < 0.011  # 0.01 is the least that a latent starts with


def test_a_model_without_classes_starts_from_one_image_and_its_poses():
    copies = posed(30)
    one = copies.y == 0
    data = training_data(copies, copies)
    data = TrainingData(data.images[:60][one.numpy()], data.normalisation, np.full(30, -1))
    model = module(n_classes=1)
    start = align(model, data, [0], 0, CPU)
    anchor = centred(data.batch(start.anchors, CPU), 0.0)
    assert likeness(model.uprights(SIDE)[0, 0], resized(anchor, SIDE)[0]) > 0.95


# ---------------------------------------------------------------------------- kept poses


def poses_of(data: TrainingData) -> Poses:
    return Poses(data, align(module(), data, [0, 1], 0, CPU), torch.tensor(0.0))


def test_poses_are_looked_for_once_and_anew_when_asked():
    data = training_data(posed(2, turn=0, shift=0), posed(4, seed=1))
    poses = poses_of(data)
    some, others = np.array([3, 7, 5]), np.array([0, 5, 3])
    first = poses(some, data.batch(some, CPU))
    expected = poses.registration(data.batch(some, CPU))
    for kept, found in zip(first, expected, strict=True):
        torch.testing.assert_close(kept, found)
    # Other images in these rows are not looked at: 5 and 3 are known, 0 is not.
    empty = torch.zeros(3, SIZE, SIZE)
    second = poses(others, empty)
    torch.testing.assert_close(second.angle[:, 1:], first.angle[:, [2, 0]])
    torch.testing.assert_close(second.score[:, 1:], first.score[:, [2, 0]])
    assert second.score[:, 0].abs().max() < 1e-3
    poses.renew(Registration(upright()[:, None], rotation=False, translation=False))
    third = poses(some, data.batch(some, CPU))
    assert (third.angle == 0).all()
    assert not (first.angle == 0).all()

from __future__ import annotations

import math

import pytest
import torch
from posed_figures import SIZE, posed, upright

from napari_ssrvae.learning.pose import wrapped
from napari_ssrvae.learning.registration import COARSE, FINE, Registration, deformed


def registration(images=None, *, rotation=True, translation=True, search=COARSE) -> Registration:
    images = upright()[:, None] if images is None else images
    return Registration(images, rotation=rotation, translation=translation, search=search)


@pytest.mark.parametrize("search", [COARSE, FINE])
def test_turns_and_shifts_are_found_to_within_a_step(search):
    copies = posed(20)
    found = registration(search=search)(copies.images)
    n = torch.arange(len(copies.y))
    assert found.score.shape == found.variant.shape == found.angle.shape == (2, 40)
    assert (found.score.argmax(0) == copies.y).all()
    assert found.score[copies.y, n].min() > 0.9
    error = wrapped(found.angle[copies.y, n] - copies.angle).abs()
    assert error.max() <= 2 * math.pi / search.angles
    assert (found.shift[copies.y, n] - copies.shift).abs().max() <= search.step


def test_shifts_beyond_the_neighbourhood_of_the_centre_are_found():
    copies = posed(10, shift=0.15, turn=0.0)
    found = registration()(copies.images)
    assert COARSE.near * COARSE.step < 0.1 < copies.shift.abs().max()
    shift = found.shift[copies.y, torch.arange(20)]
    assert (shift - copies.shift).abs().max() <= COARSE.step


def test_without_rotation_and_translation_only_the_identity_is_found():
    copies = posed(5)
    found = registration(rotation=False, translation=False)(copies.images)
    assert (found.angle == 0).all()
    assert (found.shift == 0).all()
    identity = registration(rotation=False, translation=False)(upright()).score
    torch.testing.assert_close(identity.diagonal(), torch.ones(2))
    everywhere = registration()(copies.images)
    assert found.score.mean() < everywhere.score.mean() - 0.2


def test_what_is_not_looked_for_stays():
    copies = posed(10, turn=0.0)
    found = registration(rotation=False)(copies.images)
    assert (found.angle == 0).all()
    shift = found.shift[copies.y, torch.arange(20)]
    assert (shift - copies.shift).abs().max() <= COARSE.step
    turned = posed(10, shift=0.0)
    found = registration(translation=False)(turned.images)
    assert (found.shift == 0).all()
    error = wrapped(found.angle[turned.y, torch.arange(20)] - turned.angle).abs()
    assert error.max() <= 2 * math.pi / COARSE.angles


def test_of_several_images_of_a_class_the_matching_one_is_named():
    offered = torch.tensor([[-0.2, 0.0, 0.0], [0.0, 0.0, 0.0], [0.2, 0.0, 0.0]])
    variants = [deformed(upright(), d.expand(2, 3)) for d in offered]
    look = registration(torch.stack(variants, dim=1))
    for number, images in enumerate(variants):
        found = look(images)
        assert found.variant.diagonal().tolist() == [number, number]
        torch.testing.assert_close(found.score.diagonal(), torch.ones(2), atol=1e-3, rtol=0)


def test_brightness_does_not_matter():
    copies = posed(5)
    bright, dim = (registration()(level * copies.images) for level in (3.0, 0.1))
    torch.testing.assert_close(bright.score, dim.score, atol=1e-4, rtol=0)


def test_pieces_give_what_the_whole_gives(monkeypatch):
    copies = posed(5)
    whole = registration()(copies.images)
    monkeypatch.setattr(Registration, "chunk", 3)
    for pieces, values in zip(registration()(copies.images), whole, strict=True):
        torch.testing.assert_close(pieces, values)


def test_some_images_of_what_was_found():
    found = registration()(posed(3).images)
    rows = torch.tensor([4, 0])
    some = found.at(rows)
    assert some.shift.shape == (2, 2, 2)
    torch.testing.assert_close(some.angle, found.angle[:, rows])


def test_no_images():
    found = registration()(torch.zeros(0, SIZE, SIZE))
    assert found.score.shape == (2, 0)
    assert found.shift.shape == (2, 0, 2)


def test_images_without_features_have_finite_scores():
    images = torch.stack([torch.zeros(SIZE, SIZE), torch.full((SIZE, SIZE), 0.4)])
    found = registration()(images)
    for values in found:
        assert torch.isfinite(values.float()).all()
    assert found.score[:, 0].abs().max() < 1e-3
    featureless = registration(torch.zeros(2, 1, SIZE, SIZE))(posed(2).images)
    assert torch.isfinite(featureless.score).all()


def test_a_deformation_magnifies_and_lengthens():
    larger, longer = (
        deformed(upright()[:1], torch.tensor([[0.2, 0.0, 0.0]])),
        deformed(upright()[:1], torch.tensor([[0.0, -0.2, 0.0]])),
    )
    area = float(upright()[0].sum())
    assert float(larger.sum()) == pytest.approx(area * math.exp(0.4), rel=0.03)
    assert float(longer.sum()) == pytest.approx(area, rel=0.03)
    heights = [int((image.sum(1) > 1).sum()) for image in (upright()[0], longer[0])]
    assert heights[1] == pytest.approx(heights[0] * math.exp(0.2), abs=2)

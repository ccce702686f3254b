from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from napari_ssrvae.learning.pose import (
    sampling_grid,
    stretched,
    turned_vectors,
    upright_grid,
    warp,
    wrapped,
)


def _posed(image, angle=0.0, shift=(0.0, 0.0), scale=1.0):
    grid = sampling_grid(
        torch.tensor([angle]), torch.tensor([shift]), torch.tensor([scale]), image.shape[-1]
    )
    return warp(torch.as_tensor(image)[None], grid, 0.0)[0].numpy()


@pytest.fixture
def pointer():
    """A bar from the centre to the right."""
    image = np.zeros((32, 32), np.float32)
    image[15:17, 16:30] = 1
    return image


def test_a_quarter_is_counter_clockwise_on_the_screen(pointer):
    up = _posed(pointer, math.pi / 2)
    np.testing.assert_allclose(up, np.rot90(pointer), atol=1e-4)
    assert up[:16].sum() > 10 * up[17:].sum()  # rows grow downwards: the bar points up


def test_shift_is_y_x_in_fractions_of_the_frame(pointer):
    moved = _posed(pointer, shift=(0.25, -0.125))
    np.testing.assert_allclose(moved, np.roll(pointer, (8, -4), (0, 1)), atol=1e-4)


def test_the_object_is_turned_first_and_shifted_then(pointer):
    moved = _posed(pointer, math.pi / 2, shift=(0.25, 0.0))
    np.testing.assert_allclose(moved[8:], np.rot90(pointer)[:-8], atol=1e-4)


def test_scale_magnifies(pointer):
    assert _posed(pointer, scale=1.2).sum() == pytest.approx(1.44 * pointer.sum(), rel=0.15)


def test_outside_is_background():
    image = torch.full((1, 16, 16), 0.7)
    grid = sampling_grid(torch.zeros(1), torch.full((1, 2), 0.5), torch.ones(1), 16)
    assert torch.allclose(warp(image, grid, 0.7), image)


@pytest.mark.parametrize("turn", range(4))
def test_vectors_and_images_turn_alike(turn):
    image = torch.zeros(1, 33, 33)
    image[0, 16 - 5, 16 + 9] = 1
    y, x = np.argwhere(torch.rot90(image[0], turn).numpy())[0] - 16
    vector = turned_vectors(torch.tensor([[-5.0, 9.0]]), torch.tensor([turn * math.pi / 2]))
    np.testing.assert_allclose(vector[0], [y, x], atol=1e-5)


def test_a_posed_image_is_brought_upright_again(pointer):
    angle, shift = torch.tensor([math.pi / 2]), torch.tensor([[0.125, -0.125]])
    posed = _posed(pointer, math.pi / 2, (0.125, -0.125))
    upright = warp(torch.as_tensor(posed)[None], upright_grid(angle, shift, 32), 0.0)
    np.testing.assert_allclose(upright[0], pointer, atol=1e-4)


def test_a_stretch_lengthens_along_x_and_narrows_along_y():
    image = torch.zeros(1, 64, 64)
    image[0, 24:40, 24:40] = 1
    unit = sampling_grid(torch.zeros(1), torch.zeros(1, 2), torch.ones(1), 64)
    seen = warp(image, stretched(unit, torch.tensor([[0.0, 0.4, 0.0]])), 0.0)[0]
    assert (seen[32] > 0.5).sum() == pytest.approx(16 * math.exp(0.4), abs=1.5)
    assert (seen[:, 32] > 0.5).sum() == pytest.approx(16 * math.exp(-0.4), abs=1.5)


def test_deformation_and_pose_are_undone_together(pointer):
    deformation = torch.tensor([[0.1, 0.15, -0.1]])
    angle, shift, one = torch.tensor([0.7]), torch.tensor([[0.05, 0.02]]), torch.ones(1)
    blurred = torch.as_tensor(pointer)[None]
    posed = warp(blurred, stretched(sampling_grid(angle, shift, one, 32), deformation), 0.0)
    again = warp(posed, upright_grid(angle, shift, 32, deformation), 0.0)
    assert np.corrcoef(again.ravel(), blurred.ravel())[0, 1] > 0.95


def test_wrapped():
    angles = torch.tensor([0.0, 3 * math.pi + 0.1, -3 * math.pi - 0.1])
    expected = torch.tensor([0.0, 0.1 - math.pi, math.pi - 0.1])
    torch.testing.assert_close(wrapped(angles), expected, atol=1e-5, rtol=0)

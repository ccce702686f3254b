from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from napari_ssrvae.learning.priors import ANGLE_PRIORS, AnglePrior

CIRCLE = torch.linspace(-math.pi, math.pi, 3601, dtype=torch.float64)[:-1]


def prior(kind: str) -> AnglePrior:
    return AnglePrior(torch.zeros((), dtype=torch.float64), kind)


@pytest.fixture
def _seeded():
    before = torch.get_rng_state()
    torch.manual_seed(0)
    yield
    torch.set_rng_state(before)


@pytest.mark.parametrize("kind", ANGLE_PRIORS)
def test_the_density_is_one_over_the_circle_and_has_its_period(kind):
    density = prior(kind).log_prob(CIRCLE).exp()
    # The normal is cut at half a turn, where 0.2 % of it are left.
    assert float(density.mean()) * 2 * math.pi == pytest.approx(1, abs=2e-3)
    for turns in (-2, 1):
        again = prior(kind).log_prob(CIRCLE + 2 * math.pi * turns).exp()
        torch.testing.assert_close(again, density, atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", ["normal", "projected_normal"])
def test_upright_is_most_probable_but_where_all_angles_are_alike(kind):
    density = prior(kind).log_prob(CIRCLE)
    assert CIRCLE[density.argmax()] == pytest.approx(0, abs=1e-6)
    assert abs(CIRCLE[density.argmin()]) == pytest.approx(math.pi, abs=1e-6)
    uniform = prior("uniform").log_prob(CIRCLE).exp()
    torch.testing.assert_close(uniform, torch.full_like(uniform, 1 / (2 * math.pi)))


@pytest.mark.usefixtures("_seeded")
@pytest.mark.parametrize("kind", ANGLE_PRIORS)
def test_samples_are_angles_of_this_density(kind):
    samples = prior(kind).expand(torch.Size([5])).rsample(torch.Size([8000]))
    assert samples.shape == (8000, 5)
    assert float(samples.abs().max()) <= math.pi
    counts, edges = np.histogram(samples.numpy(), bins=12, range=(-math.pi, math.pi))
    middles = torch.from_numpy((edges[:-1] + edges[1:]) / 2)
    expected = prior(kind).log_prob(middles).exp().numpy() * np.diff(edges)
    np.testing.assert_allclose(counts / samples.numel(), expected, atol=0.01)

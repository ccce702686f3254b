from __future__ import annotations

import numpy as np
import pytest
import torch
from posed_figures import posed, upright

from napari_ssrvae import SSRVAE
from napari_ssrvae.learning.calibration import (
    TEMPERATURES,
    Calibration,
    calibrated,
    matching,
)
from napari_ssrvae.learning.classifier import class_logits
from napari_ssrvae.learning.matching import LEAST, MARGIN, Matching, noise_level
from napari_ssrvae.learning.preprocessing import TrainingData


def noise(shape, sigma: float, seed: int = 0) -> torch.Tensor:
    return sigma * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def known(background: float = 0.0, **options: float) -> Matching:
    """Matching against the true figures."""
    settings = {"limit": 0.1, "misfit": 0.0, "temperature": 1.0, **options}
    return Matching(upright()[:, None], background, **settings, rotation=True, translation=True)


@pytest.mark.parametrize("sigma", [0.05, 0.4])
def test_the_level_of_white_noise_is_measured(sigma):
    level = noise_level(noise((20, 48, 48), sigma))
    assert level.shape == (20,)
    assert float(level.mean()) == pytest.approx(sigma, rel=0.02)
    assert float(level.std()) < 0.05 * sigma


def test_constants_slopes_and_straight_edges_are_no_noise():
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    images = torch.stack([0 * rows + 3, 0.1 * rows - 0.2 * columns, (columns > 15).float()])
    assert noise_level(images).max() < 1e-5


def test_the_class_encoder_counts_fully_up_to_the_limit_and_then_by_the_square():
    one = noise((1, 48, 48), 1.0)
    one = one / noise_level(one)[:, None, None]
    images = torch.cat([0 * one, 0.05 * one, 0.1 * one, 0.2 * one, 1.0 * one])
    expected = [1, 1, 1, 0.25, 0.01]
    assert known().weights(images).tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("background", [0.0, 0.3])
def test_noisy_images_of_known_figures_are_told_apart(background):
    copies = posed(30)
    noisy = copies.images + background + noise(copies.images.shape, 1.0)
    evidence = known(background).evidence(noisy)
    assert evidence.shape == (60, 2)
    assert (evidence.argmax(1) == copies.y).float().mean() >= 0.95
    # The odds are honest about what noise leaves: clean images are surer.
    clean = known().evidence(copies.images)
    assert (clean.argmax(1) == copies.y).all()
    margins = [e.diff(dim=1).abs().median() for e in (evidence, clean)]
    assert margins[0] < margins[1]


def test_evidence_in_pure_noise_is_weak():
    evidence = known().evidence(noise((40, 48, 48), 1.0))
    assert evidence.softmax(1).amax(1).mean() < 0.9


def test_a_model_that_misfits_is_less_sure_by_its_temperature():
    images = posed(5).images + noise((10, 48, 48), 0.5)
    plain, left = known().likelihood(images)
    torch.testing.assert_close(known().evidence(images), plain)
    # As large as all that is left: the temperature holds in full; a quarter of it: by a quarter.
    all_misfit = known(misfit=1.0, temperature=5.0).evidence(images)
    torch.testing.assert_close(all_misfit, plain / 5)
    quarter = known(misfit=float(left[0]) / 4, temperature=5.0).evidence(images)
    torch.testing.assert_close(quarter[0], plain[0] / 2)


def test_what_no_match_explains_grows_with_noise():
    copies = posed(10)
    clean, noisy = (
        known().likelihood(copies.images + noise(copies.images.shape, sigma))[1]
        for sigma in (0.0, 1.0)
    )
    assert clean.max() < 0.15
    assert (noisy > clean).all()
    assert noisy.max() <= 1


# ------------------------------------------------------------------------------ calibration


def training(short, data) -> TrainingData:
    state = short._state()
    y = np.where(data.y < 0, -1, np.searchsorted(state.classes, data.y))
    return TrainingData(data.X, state.normalisation, y)


def test_no_clean_training_image_is_called_noisy(short, data):
    known_images = training(short, data)
    found = calibrated(short._state().module, known_images)
    assert found.temperature == 1.0
    assert found.evidence_temperature in TEMPERATURES
    assert 0 < found.misfit < 1
    levels = noise_level(torch.from_numpy(known_images.normalisation(data.X)))
    assert found.noise_limit == pytest.approx(
        MARGIN * float(torch.quantile(levels, 0.99)) + LEAST, rel=1e-4
    )
    assert short._state().calibration.noise_limit == found.noise_limit
    weights = short.classifier().matching.weights(levels.new_tensor(data.X))
    assert (weights == 1).float().mean() >= 0.99


def test_the_class_encoder_is_made_as_sure_as_a_calibrated_teacher(short, data):
    known_images, module = training(short, data), short._state().module
    beliefs = np.full((len(data.y), 4), np.nan, np.float32)
    assert calibrated(module, known_images, beliefs).temperature == 1.0  # it says nothing
    unknown = np.flatnonzero(known_images.y < 0)
    images = torch.from_numpy(known_images.normalisation(data.X[unknown]))
    logits = class_logits(module.class_encoder, images, 4)
    for temperature, expected in ((0.5, 0.5), (0.8, 0.8), (3.0, 1.0)):
        beliefs[unknown] = (logits / temperature).softmax(1).numpy()
        found = calibrated(module, known_images, beliefs).temperature
        assert found == pytest.approx(expected, rel=0.05)


def test_noisy_training_images_raise_the_limit(short, data):
    spoilt = data.X + 0.3 * np.random.default_rng(0).standard_normal(data.X.shape)
    known_images = training(short, data)
    noisy = TrainingData(spoilt.astype(np.float32), known_images.normalisation, known_images.y)
    module = short._state().module
    limit = calibrated(module, noisy).noise_limit
    assert limit > calibrated(module, known_images).noise_limit + MARGIN * 0.2


def test_an_uncalibrated_model_matches_nothing(short, data):
    uncalibrated = matching(short._state().module, Calibration())
    noisy = noise((5, 48, 48), 5.0)
    assert (uncalibrated.weights(noisy) == 1).all()
    assert uncalibrated.rotation
    assert uncalibrated.translation
    assert uncalibrated.uprights.shape[0] == 4


def test_a_model_without_classes_needs_no_temperature(data):
    model = SSRVAE(seed=0, invariances=("rotation",), epochs=1, steps_per_epoch=1).fit(data.X)
    found = model._state().calibration
    assert (found.misfit, found.evidence_temperature) == (0.0, 1.0)
    assert np.isfinite(found.noise_limit)

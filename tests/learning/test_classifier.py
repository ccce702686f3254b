from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_ssrvae.datasets import cards
from napari_ssrvae.learning.classifier import BATCH, Classifier, class_logits


def noisy(images: np.ndarray, sigma: float) -> np.ndarray:
    spoilt = images + sigma * np.random.default_rng(0).standard_normal(images.shape)
    return spoilt.astype(np.float32)


def are_matched(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    weights = classifier.matching.weights(torch.from_numpy(classifier.normalisation(images)))
    return weights.numpy() < 1


@pytest.fixture(scope="module")
def alone(short, tmp_path_factory) -> Classifier:
    folder = tmp_path_factory.mktemp("classifier")
    short.classifier().save(folder)
    return Classifier.load(folder)


def test_saved_alone_it_treats_noisy_images_like_the_estimator(short, alone, data):
    images = np.concatenate([data.X[:10], noisy(data.X[:10], 1.0)])
    assert are_matched(alone, images).tolist() == 10 * [False] + 10 * [True]
    together = short.predict_proba(images)
    np.testing.assert_array_equal(alone.predict_proba(images), together)
    # Matching has its say: without it the answers are others, for the noisy images alone.
    encoder = torch.softmax(
        class_logits(alone.encoder, torch.from_numpy(alone.normalisation(images)), 4)
        / alone.temperature,
        dim=1,
    ).numpy()
    np.testing.assert_allclose(together[:10], encoder[:10], atol=1e-6)
    assert np.abs(together[10:] - encoder[10:]).max(1).min() > 1e-3


def test_fast_is_two_looks_at_the_image(alone, data):
    images = noisy(data.X[:20], 1.0)
    seen = torch.from_numpy(alone.normalisation(images))
    with torch.inference_mode():
        logits = (alone.encoder(seen) + alone.encoder(torch.rot90(seen, 1, (-2, -1)))) / 2
        expected = torch.softmax(logits / alone.temperature, dim=1).numpy()
    np.testing.assert_allclose(alone.predict_proba(images, fast=True), expected, atol=1e-6)


def test_the_temperature_softens(alone, data):
    softer = Classifier(
        alone.encoder, alone.normalisation, alone.classes_, 3.0, alone.matching
    ).predict_proba(data.X[:20])
    plain = alone.predict_proba(data.X[:20])
    np.testing.assert_array_equal(softer.argmax(1), plain.argmax(1))
    assert (softer.max(1) < plain.max(1)).all()


def test_pieces_of_a_long_list_are_put_together_in_order(alone, data):
    many = np.concatenate([data.X, data.X])
    assert len(many) > BATCH
    np.testing.assert_allclose(
        alone.predict_proba(many),
        np.concatenate([alone.predict_proba(data.X)] * 2),
        atol=1e-5,
    )


def test_a_quarter_turn_changes_nothing_but_in_the_fast_setting(alone, data):
    turned = np.rot90(data.X[:20], axes=(1, 2))
    here, there = alone.predict_proba(data.X[:20]), alone.predict_proba(turned)
    np.testing.assert_allclose(there, here, atol=1e-5)
    fast = [alone.predict_proba(images, fast=True) for images in (data.X[:20], turned)]
    assert np.abs(fast[0] - fast[1]).max() > 1e-4


@pytest.mark.slow
def test_fast_agrees_on_clean_images(trained):
    X, y, _ = cards(50, 180, seed=54)
    fast, careful = trained.predict(X, fast=True), trained.predict(X)
    assert (fast == careful).mean() >= 0.88
    assert (fast == y).mean() >= 0.85


@pytest.mark.slow
def test_matching_sees_through_noise_that_the_encoder_does_not_know(trained):
    X, y, _ = cards(25, 180, seed=55)
    spoilt = noisy(X, 1.0)
    matched = (trained.predict(spoilt) == y).mean()
    assert matched >= 0.8
    assert matched >= (trained.predict(spoilt, fast=True) == y).mean() + 0.1

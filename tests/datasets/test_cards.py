"""Playing-card suits: geometry, reproducibility, and that they are as hard as the paper's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi
from sklearn.ensemble import RandomForestClassifier

from napari_ssrvae.datasets import CARD_CLASSES, cards
from napari_ssrvae.errors import InputError

STILL = {"max_angle": 0, "max_shear": 0, "max_shift": 0, "scale": (1, 1)}


def still() -> dict[str, np.ndarray]:
    images, labels, _ = cards(1, **STILL)
    return {CARD_CLASSES[label]: image for label, image in zip(labels, images, strict=True)}


def test_what_comes_back() -> None:
    images, labels, factors = cards(25, 60, seed=4)
    assert images.shape == (100, 48, 48)
    assert (images.dtype, labels.dtype) == (np.float32, np.int64)
    assert images.min() == 0
    assert images.max() == pytest.approx(1, abs=1e-3)
    assert np.bincount(labels).tolist() == [25] * 4
    assert np.abs(np.diff(labels)).sum() > 40, "classes come shuffled"
    assert factors.columns.tolist() == ["angle", "shear", "scale", "shift_y", "shift_x"]
    assert np.abs(factors["angle"]).max() <= np.deg2rad(60)
    assert 0.15 < np.abs(factors["shear"]).max() <= 0.23
    assert 1 <= factors["scale"].min() < factors["scale"].max() <= 1.3
    assert 0.08 < np.abs(factors[["shift_y", "shift_x"]]).to_numpy().max() <= 0.1


def test_same_seed_same_cards() -> None:
    first, again, other = (cards(3, 180, noise=0.1, seed=seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_figures_stand_upright_and_are_symmetric() -> None:
    for name, figure in still().items():
        assert np.abs(figure - figure[:, ::-1]).max() < 1e-3, name
        assert figure[24, 24] == pytest.approx(1, abs=1e-3), name
        assert max(figure[0].max(), figure[-1].max(), figure[:, 0].max()) == 0, name
    spade, heart = still()["spades"], still()["hearts"]
    assert np.flatnonzero((heart > 0.5).sum(1))[-1] > 34, "a heart's tip points down"
    turned = heart[::-1]
    tail = (spade > 0.5) & ~(turned > 0.5)
    assert 5 < tail.sum() < 0.1 * (spade > 0.5).sum(), "a spade is a turned heart with a tail"
    assert ((turned > 0.5) & ~(spade > 0.5)).sum() == 0


def test_clubs_are_nearly_symmetric_under_a_third_turn() -> None:
    club = still()["clubs"]
    turned = ndi.rotate(club, 120, reshape=False, order=1)
    overlap = np.minimum(club, turned).sum() / np.maximum(club, turned).sum()
    assert 0.8 < overlap < 0.98


def test_angle_is_counter_clockwise_on_the_screen() -> None:
    options = STILL | {"max_angle": 90}
    images, labels, factors = cards(40, **options)
    upright = still()
    for image, label, angle in zip(images, labels, factors["angle"], strict=True):
        # scipy turns counter-clockwise on the screen where y runs down
        expected = ndi.rotate(upright[CARD_CLASSES[label]], np.rad2deg(angle), reshape=False)
        assert np.abs(image - expected).mean() < 0.01


def test_shift_scale_and_shear_do_what_the_factors_say() -> None:
    images, labels, factors = cards(30, **(STILL | {"max_shift": 0.2}))
    upright = {k: ndi.center_of_mass(v) for k, v in still().items()}
    for image, label, (_, row) in zip(images, labels, factors.iterrows(), strict=True):
        y, x = ndi.center_of_mass(image)
        y0, x0 = upright[CARD_CLASSES[label]]
        assert (y - y0, x - x0) == pytest.approx((48 * row.shift_y, 48 * row.shift_x), abs=0.05)
    images, labels, factors = cards(30, **(STILL | {"scale": (0.7, 1.4)}))
    area = {k: v.sum() for k, v in still().items()}
    for image, label, scale in zip(images, labels, factors["scale"], strict=True):
        assert image.sum() == pytest.approx(area[CARD_CLASSES[label]] * scale**2, rel=0.02)
    images, labels, factors = cards(30, **(STILL | {"max_shear": 0.469}))
    diamonds = np.flatnonzero(labels == 3)
    for image, shear in zip(images[diamonds], factors["shear"].iloc[diamonds], strict=True):
        assert image.sum() == pytest.approx(area["diamonds"], rel=0.01), "shear keeps areas"
        top = np.average(np.arange(48), weights=image[13])
        lean = (top - 23.5) / (23.5 - 13)
        assert lean == pytest.approx(np.tan(np.deg2rad(64 * shear)), abs=0.06)


def test_size_only_samples_finer() -> None:
    small, _, factors = cards(10, 180, seed=5)
    large, _, same = cards(10, 180, seed=5, size=96)
    assert factors.equals(same)
    halved = large.reshape(-1, 48, 2, 48, 2).mean((2, 4))
    assert np.abs(halved - small).mean() < 0.01


def test_noise_and_contamination() -> None:
    clean = cards(50, 10, seed=3)[0]
    noisy = cards(50, 10, noise=0.2, seed=3)[0]
    inside = (clean > 0.01) & (clean < 0.99)
    assert np.std((noisy - clean)[clean == 0]) == pytest.approx(0.2 * 0.58, rel=0.05), "clipped"
    assert inside.any()
    dirty = cards(50, 10, contamination=(0.1, 0.5), seed=3)[0]
    background = clean == 0
    hit = dirty[background] > 0
    assert hit.mean() == pytest.approx(0.1, abs=0.005)
    assert np.allclose(dirty[background][hit], 0.5)


@pytest.mark.parametrize("per_class", [5, 200])
def test_raw_pixels_do_not_solve_them(per_class: int) -> None:
    train, labels, _ = cards(per_class, 4, max_shift=0, seed=1)
    test, truth, _ = cards(250, 180, seed=2)
    forest = RandomForestClassifier(200, random_state=0).fit(train.reshape(len(train), -1), labels)
    accuracy = forest.score(test.reshape(len(test), -1), truth)
    assert 0.2 <= accuracy <= 0.35
    held, held_truth, _ = cards(50, 4, max_shift=0, seed=9)
    assert forest.score(held.reshape(len(held), -1), held_truth) > 0.95, "solved as trained"


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_per_class": 0},
        {"max_angle": 200},
        {"max_shear": -1},
        {"max_shift": 0.9},
        {"scale": (1.3, 1)},
        {"size": 4},
        {"noise": -1},
        {"contamination": (2, 0)},
    ],
)
def test_numbers_out_of_range(wrong: dict[str, object]) -> None:
    (name,) = wrong
    with pytest.raises(InputError, match=name):
        cards(**({"n_per_class": 1, "max_angle": 4} | wrong))

"""Patches: what is in them, at which scale, and what is refused."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage as ndi

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging import (
    GreyLevels,
    Micrograph,
    Particles,
    PatchSettings,
    choose_scale,
    extract_particles,
    iter_extract_particles,
    propose_size,
)


def disc(shape: tuple[int, int], y: float, x: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(rows - y, columns - x) <= radius


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray]:
    """Two discs that touch and one apart, with ids that have a gap; brightness 100 and 200."""
    image = np.full((120, 160), 20.0)
    labels = np.zeros((120, 160), dtype=np.int32)
    for label, (y, x, radius, value) in {
        3: (40, 40, 12, 100),
        4: (40, 65, 12, 200),
        17: (80.5, 120.5, 12, 200),
    }.items():
        inside = disc(image.shape, y, x, radius)
        image[inside], labels[inside] = value, label
    return image, labels


def test_patches_hold_one_particle_each_centred(scene: tuple[np.ndarray, np.ndarray]) -> None:
    image, labels = scene
    particles = extract_particles(Micrograph(image, 5.0, "scene"), labels)
    assert len(particles) == 3
    assert particles.patches.shape == particles.masks.shape == (3, 48, 48)
    assert (particles.patches.dtype, particles.masks.dtype) == (np.float32, bool)
    assert list(particles.table["label"]) == [3, 4, 17]
    assert (particles.pixel_size, particles.name) == (5.0, "scene")
    for patch, mask in zip(particles.patches, particles.masks, strict=True):
        assert ndi.label(mask)[1] == 1
        assert ndi.center_of_mass(mask) == pytest.approx((23.5, 23.5), abs=0.5)
        assert patch.min() == 0
        assert patch.max() <= 1
        area = np.pi * 12**2 / particles.scale**2
        assert mask.sum() == pytest.approx(area, rel=0.06)
        # the filter leaves a soft edge of two patch pixels, and nothing of the neighbour
        assert patch[~ndi.binary_dilation(mask, np.ones((3, 3)), iterations=2)].max() == 0


def test_grey_values_are_normalised_over_the_micrograph(
    scene: tuple[np.ndarray, np.ndarray],
) -> None:
    image, labels = scene
    dim, bright, other = (p[24, 24] for p in extract_particles(image, labels).patches)
    assert dim == pytest.approx(0.25, abs=0.01)
    assert bright == pytest.approx(1, abs=0.01)
    assert other == pytest.approx(1, abs=0.01)
    scaled = extract_particles((image * 100).astype(np.uint16), labels)
    assert np.allclose(scaled.patches, extract_particles(image, labels).patches, atol=1e-3)


def test_dark_particles_are_turned_bright(scene: tuple[np.ndarray, np.ndarray]) -> None:
    image, labels = scene
    dim, bright, _ = (p[24, 24] for p in extract_particles(255 - image, labels).patches)
    assert (dim, bright) == pytest.approx((0.25, 1), abs=0.01)


def test_a_common_scale_keeps_sizes_and_its_own_scale_fills_the_frame() -> None:
    labels = np.zeros((200, 300), dtype=int)
    labels[disc(labels.shape, 100, 80, 40)] = 1
    labels[disc(labels.shape, 100, 200, 20)] = 2
    image = np.where(labels > 0, 200.0, 10.0) + np.arange(300) / 100
    large, small = extract_particles(image, labels, 64).masks.sum((1, 2))
    assert large / small == pytest.approx(4, rel=0.05)
    own = extract_particles(image, labels, 64, common_scale=False)
    large, small = own.masks.sum((1, 2))
    assert large / small == pytest.approx(1, rel=0.06)
    assert not own.table["oversize"].any()


def test_a_given_scale_is_used_and_enlarging_interpolates() -> None:
    labels = disc((60, 60), 30, 30, 10).astype(int)
    image = labels * 100.0
    particles = extract_particles(image, labels, 32, scale=0.5)
    assert particles.scale == 0.5
    assert particles.table["oversize"].tolist() == [True]
    assert particles.masks.all(axis=(0, 1)).sum() > 20
    assert extract_particles(image, labels, 32, scale=2).masks.sum() == pytest.approx(
        np.pi * 25, rel=0.15
    )


def test_one_huge_clump_does_not_shrink_the_others() -> None:
    labels = np.zeros((600, 600), dtype=int)
    for k in range(40):
        labels[disc(labels.shape, 20 + 40 * (k // 14), 20 + 40 * (k % 14), 10)] = k + 1
    labels[disc(labels.shape, 400, 300, 180)] = 41
    particles = extract_particles(labels * 1.0 + 5, labels)
    assert particles.scale == pytest.approx(21 * 1.1 / 48, rel=0.05)
    assert particles.table["oversize"].tolist() == [False] * 40 + [True]
    assert particles.masks[-1].all()


def crowd() -> tuple[Micrograph, np.ndarray]:
    """Sixty ellipses of many sizes and greys that touch one another and the border."""
    rng = np.random.default_rng(3)
    image, labels = rng.normal(60, 5, (300, 400)), np.zeros((300, 400), dtype=np.int32)
    rows, columns = np.mgrid[:300, :400]
    for k in range(60):
        y, x, a, b = 15 + 48 * (k // 10) - k % 7, 5 + 42 * (k % 10), rng.uniform(6, 24), 14.0
        inside = np.hypot((rows - y) / a, (columns - x) / b) <= 1
        image[inside] += 20 + 2 * k
        labels[inside] = 5 * k + 2  # a later one covers part of an earlier one
    return Micrograph(image.astype(np.float32), 2.0, "crowd"), labels


@pytest.mark.parametrize("scale", [None, 0.6])
@pytest.mark.parametrize("ids", [[152], [297, 2], [7, 152, 12, 12], list(range(2, 300, 25))])
def test_some_particles_are_cut_out_exactly_as_among_all(
    scale: float | None, ids: list[int]
) -> None:
    micrograph, labels = crowd()
    every = extract_particles(micrograph, labels, 32, scale=scale)
    assert 0 < every.table["oversize"].sum() <= len(every)
    some = extract_particles(micrograph, labels, 32, scale=scale, ids=ids)
    expected = every.subset(every.table["label"].isin(ids).to_numpy())
    assert some.table["label"].tolist() == sorted(set(ids))
    pd.testing.assert_frame_equal(some.table, expected.table, check_exact=True)
    assert np.array_equal(some.patches, expected.patches)
    assert np.array_equal(some.masks, expected.masks)
    assert (some.scale, some.pixel_size, some.name) == (every.scale, 2.0, "crowd")
    levels = GreyLevels.of(micrograph.image, labels)
    again = extract_particles(micrograph, labels, 32, scale=scale, ids=ids, grey_levels=levels)
    assert np.array_equal(again.patches, expected.patches)


def test_some_particles_with_a_scale_of_their_own() -> None:
    micrograph, labels = crowd()
    every = extract_particles(micrograph, labels, common_scale=False)
    some = extract_particles(micrograph, labels, common_scale=False, ids=[7, 152])
    expected = every.subset(every.table["label"].isin([7, 152]).to_numpy())
    pd.testing.assert_frame_equal(some.table, expected.table, check_exact=True)
    assert some.patches == pytest.approx(expected.patches, abs=1e-6)


def test_no_particle_and_particles_that_are_not_there() -> None:
    micrograph, labels = crowd()
    none = extract_particles(micrograph, labels, 32, ids=[])
    assert none.patches.shape == (0, 32, 32)
    every = extract_particles(micrograph, labels, 32)
    assert none.scale == every.scale
    assert list(none.table) == list(every.table)
    for wrong, words in ([[2, 4], "no particle 4"], [[0], "no particle 0"], [[2.0], "whole num"]):
        with pytest.raises(InputError, match=words):
            extract_particles(micrograph, labels, 32, ids=wrong)


def test_a_particle_that_is_all_of_the_image_and_specks_beside_a_clump() -> None:
    image = np.add.outer(np.arange(300.0), np.arange(400.0))
    whole = extract_particles(image, np.ones(image.shape, dtype=np.int32), 32)
    assert whole.masks[0].sum() == pytest.approx(300 * 400 / whole.scale**2, rel=0.06)
    assert whole.table["touches_border"].tolist() == [True]
    labels = np.zeros(image.shape, dtype=np.int32)
    labels[::3, ::3] = np.arange(1, 100 * 134 + 1).reshape(100, 134)
    labels[100:200, 100:300] = 2**31 - 1
    specks = extract_particles(image, labels, 8, scale=1.0)
    assert specks.table["label"].iloc[-1] == 2**31 - 1
    assert specks.masks[-1].all()
    assert specks.table["oversize"].sum() == 1
    assert len(specks) == np.unique(labels).size - 1
    middle = specks.patches[:-1, 3:5, 3:5]
    assert (middle.reshape(len(middle), -1).max(1) > 0).all()
    assert np.isfinite(specks.patches).all()


def test_pixels_that_are_no_number_do_not_spoil_a_patch() -> None:
    micrograph, labels = crowd()
    image = micrograph.image.copy()
    image[150, 200:220] = np.nan
    particles = extract_particles(image, labels)
    assert np.isfinite(particles.patches).all()


def test_cutting_says_how_far_it_is_and_can_be_left() -> None:
    micrograph, labels = crowd()
    steps = iter_extract_particles(micrograph, labels)
    shares = []
    while True:
        try:
            shares.append(next(steps))
        except StopIteration as finished:
            particles = finished.value
            break
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] == 1
    assert np.array_equal(particles.patches, extract_particles(micrograph, labels).patches)
    left = iter_extract_particles(micrograph, labels)
    next(left)
    left.close()


def test_the_polarity_of_the_particles_is_known() -> None:
    micrograph, labels = crowd()
    particles = extract_particles(micrograph, labels)
    assert (particles.polarity, particles.common_scale) == ("bright", True)
    dark = extract_particles(255 - micrograph.image, labels, common_scale=False)
    assert (dark.polarity, dark.common_scale) == ("dark", False)
    assert dark.subset([1]).polarity == "dark"
    assert not dark.subset([1]).common_scale
    both = Particles.concatenate([particles, dark])
    assert (both.polarity, both.common_scale) == (None, False)


def test_a_larger_patch_is_proposed_where_small_particles_would_be_dots() -> None:
    alike, mixed = np.full(50, 30.0), np.repeat([30.0, 130.0], [30, 20])
    assert propose_size(alike) == 48
    proposed = propose_size(mixed)
    assert proposed == 72
    across = 30 / choose_scale(mixed, proposed)
    assert across >= 16 > 30 / choose_scale(mixed, 48)
    assert propose_size(disc((60, 60), 30, 30, 10).astype(int)) == 48


def test_choose_scale_from_labels_or_sizes() -> None:
    sizes = np.full(50, 96.0)
    assert choose_scale(sizes, 48) == pytest.approx(2.2)
    assert choose_scale(np.r_[sizes, np.full(20, 5000.0)], 48) == pytest.approx(8.8)
    assert choose_scale(disc((60, 60), 30, 30, 10).astype(int), 21) == pytest.approx(1.1)
    assert choose_scale([2.0], 48) == 0.25
    with pytest.raises(InputError, match="no particles"):
        choose_scale(np.zeros((20, 20), dtype=int), 48)


def test_particles_at_the_edge_are_padded_with_background() -> None:
    labels = disc((60, 60), 0, 0, 15).astype(int)
    particles = extract_particles(labels * 9.0, labels)
    assert particles.table["touches_border"].all()
    assert particles.masks[0].sum() > 100


def test_subset_and_concatenate(scene: tuple[np.ndarray, np.ndarray]) -> None:
    image, labels = scene
    first = extract_particles(Micrograph(image, 5.0, "a"), labels, scale=1.0)
    second = extract_particles(Micrograph(image[::-1], 5.0, "b"), labels[::-1], scale=1.0)
    chosen = first.subset([2, 0])
    assert chosen.table["label"].tolist() == [17, 3]
    assert chosen.table.index.tolist() == [0, 1]
    assert np.array_equal(chosen.patches[1], first.patches[0])
    assert first.subset(np.array([False, True, False])).table["label"].tolist() == [4]
    assert len(first.subset([])) == 0
    both = Particles.concatenate([first, second])
    assert len(both) == 6
    assert both.table["micrograph"].tolist() == ["a"] * 3 + ["b"] * 3
    assert (both.scale, both.pixel_size) == (1.0, 5.0)
    other = extract_particles(Micrograph(image, 7.0, "c"), labels, scale=1.0)
    assert Particles.concatenate([first, other]).pixel_size is None
    for wrong in ([3], [-4], [0.5], np.array([True])):
        with pytest.raises(InputError):
            first.subset(wrong)
    with pytest.raises(InputError, match="no particles to join"):
        Particles.concatenate([])
    with pytest.raises(InputError, match="different sizes"):
        Particles.concatenate([first, extract_particles(image, labels, 32)])


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda labels: labels[:-1], "the image has"),
        (lambda labels: labels.astype(float), "whole numbers"),
        (lambda labels: labels - 1, "negative"),
        (lambda labels: labels * 0, "no particle"),
        (lambda labels: np.stack([labels] * 3), "3 axes"),
        (lambda labels: labels > 0, "booleans"),
    ],
)
def test_labels_that_do_not_fit(
    scene: tuple[np.ndarray, np.ndarray], make: object, word: str
) -> None:
    image, labels = scene
    assert callable(make)
    with pytest.raises(InputError, match=word):
        extract_particles(image, make(labels))


@pytest.mark.parametrize("settings", [{"size": 4}, {"size": 48.0}, {"size": True}, {"scale": 0}])
def test_patch_settings_are_checked(settings: dict[str, float]) -> None:
    with pytest.raises(InputError):
        PatchSettings.from_dict(settings)


def test_patch_settings_round_trip() -> None:
    settings = PatchSettings(32, 1.5)
    assert PatchSettings.from_dict(settings.to_dict()) == settings
    with pytest.raises(InputError, match="sise"):
        PatchSettings.from_dict({"sise": 3})


def test_five_thousand_particles_take_seconds() -> None:
    y, x = np.mgrid[:1500, :1500]
    inside = np.hypot(y % 20 - 10, x % 20 - 10) <= 7
    labels = np.where(inside, 1 + y // 20 * 75 + x // 20, 0)
    image = np.where(inside, 150, 50) + (x % 17)
    start = time.process_time()
    particles = extract_particles(image.astype(np.uint8), labels, 48)
    assert len(particles) == 75 * 75
    assert time.process_time() - start < 20

from __future__ import annotations

import numpy as np
import pytest

from napari_ssrvae.imaging.patch_shape import patch_shapes

# Columns: eleven measures of scikit-image, two of them seven Hu moments each, then six of ours.
AREA, SOLIDITY, ECCENTRICITY, EULER, FERET = 0, 3, 4, 5, 6
ASPECT, CIRCULARITY, ELLIPSE_SHARE, MEAN, DEVIATION = 23, 24, 25, 27, 28
ROWS, COLUMNS = np.mgrid[-24:24, -24:24] + 0.5


def as_patch(mask: np.ndarray, level: float = 1.0) -> np.ndarray:
    return (level * mask).astype(np.float32)


DISC = as_patch(ROWS**2 + COLUMNS**2 < 12**2, 0.8)
RING = as_patch((ROWS**2 + COLUMNS**2 < 12**2) & (ROWS**2 + COLUMNS**2 > 6**2))
BAR = as_patch((np.abs(ROWS) < 3) & (np.abs(COLUMNS) < 15))


def test_a_disc_a_ring_and_a_bar_by_hand():
    disc, ring, bar = patch_shapes(np.stack([DISC, RING, BAR]))
    assert disc[AREA] == pytest.approx(np.pi * 12**2, rel=0.02)
    assert ring[AREA] == pytest.approx(np.pi * (12**2 - 6**2), rel=0.02)
    assert bar[AREA] == 6 * 30
    assert [disc[EULER], ring[EULER], bar[EULER]] == [1, 0, 1]
    assert disc[ASPECT] == pytest.approx(1, abs=0.01)
    assert bar[ASPECT] == pytest.approx(5, rel=0.02)
    assert bar[ECCENTRICITY] == pytest.approx(np.sqrt(1 - 1 / 25), abs=0.01)
    assert disc[CIRCULARITY] == pytest.approx(1, abs=0.12)
    assert disc[ELLIPSE_SHARE] == pytest.approx(np.pi / 4, rel=0.01)
    assert bar[SOLIDITY] == 1
    assert disc[FERET] == pytest.approx(24, abs=1)
    assert [disc[MEAN], disc[DEVIATION]] == pytest.approx([0.8, 0], abs=1e-6)


def test_a_quarter_turn_and_a_shift_change_no_measure():
    image = as_patch((np.abs(ROWS + 6) < 3) & (np.abs(COLUMNS) < 12))
    image[20:32, 14:18] = 0.6  # an arm: no symmetry left
    here, turned, moved = patch_shapes(
        np.stack([image, np.rot90(image), np.roll(image, (5, -3), (0, 1))])
    )
    np.testing.assert_allclose(turned, here, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(moved, here, rtol=1e-6, atol=1e-6)


def test_of_specks_around_an_object_only_the_object_is_measured():
    image = DISC.copy()
    image[2::9, 2:9:3] = 0.8  # two columns of single pixels
    spotted = patch_shapes(image[None])[0]
    assert spotted[EULER] == 1
    assert spotted[AREA] == pytest.approx(np.pi * 12**2, rel=0.1)


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_an_empty_image_has_finite_measures(level):
    flat = np.full((1, 16, 16), level, np.float32)
    shapes = patch_shapes(flat)
    assert np.isfinite(shapes).all()
    assert shapes[0, AREA] == 256


def test_an_almost_empty_image_is_no_trouble_for_a_forest():
    # Hu moments of grey values grow with their inverse sixth power.
    faint = np.random.default_rng(0).random((1, 48, 48)).astype(np.float32) * np.float32(1e-12)
    faint[:, :20, :20] *= 3
    assert np.isfinite(patch_shapes(faint).astype(np.float32)).all()


def test_every_patch_has_a_row_of_the_same_numbers_alone_or_together():
    together = patch_shapes(np.stack([DISC, RING, BAR]))
    assert together.dtype == np.float64
    for one, row in zip((DISC, RING, BAR), together, strict=True):
        np.testing.assert_array_equal(patch_shapes(one[None])[0], row)

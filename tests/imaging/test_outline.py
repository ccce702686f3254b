from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_ssrvae.datasets import cards
from napari_ssrvae.imaging.outline import NECKS, outline_measures, silhouette

ROWS, COLUMNS = np.mgrid[-32:32, -32:32] + 0.5
INWARD, BAYS, BAYS_COUNTED = 0, 36, 47  # columns: share bent inwards, deepest bay, bays of .1


def discs(*centres: tuple[float, float], radius: float = 8, level: float = 0.7) -> np.ndarray:
    """Discs that touch or overlap, as one patch."""
    mask = np.zeros((64, 64), dtype=bool)
    for row, column in centres:
        mask |= (ROWS - row) ** 2 + (COLUMNS - column) ** 2 < radius**2
    return (level * mask).astype(np.float32)


ONE = discs((0, 0))
TWO = discs((0, -7), (0, 7))
THREE = discs((-5, -7), (-5, 7), (7, 0))


def test_necks_tell_how_many_particles_touch():
    one, two, three = outline_measures(np.stack([ONE, TWO, THREE]))
    assert one[INWARD] < 0.05
    assert [int(m[BAYS_COUNTED]) for m in (one, two, three)] == [0, 2, 3]
    # Two discs of radius r at a distance of 14: the neck lies r - sqrt(r² - 7²) under the hull;
    # it is as sharp as a pixel, and what is seen of it is a little less deep.
    depth = (8 - np.sqrt(8**2 - 7**2)) / np.sqrt((TWO > 0).sum())
    assert 0.6 * depth < two[BAYS] < depth
    assert two[BAYS + 1] == pytest.approx(two[BAYS], rel=0.05)
    assert three.shape == (49,)


def test_the_same_turned_moved_and_enlarged():
    X = np.stack(
        [
            TWO,
            ndi.rotate(TWO, 37, reshape=False, order=1),
            ndi.shift(TWO, (5.0, -4.0), order=1),
            discs((0, -10.5), (0, 10.5), radius=12),
        ]
    )
    measures = outline_measures(X)
    np.testing.assert_allclose(measures[1:, BAYS], measures[0, BAYS], rtol=0.2)
    np.testing.assert_allclose(measures[1:, INWARD], measures[0, INWARD], atol=0.05)
    assert set(measures[:, BAYS_COUNTED]) == {2}


def test_a_dark_seam_belongs_to_an_object_that_was_cut_out():
    seamed = TWO.copy()
    seamed[:, 31:33] *= 0.15
    assert (silhouette(seamed) == (TWO > 0)).all()
    rng = np.random.default_rng(0)
    noisy = (TWO + rng.normal(0, 0.05, TWO.shape)).astype(np.float32)
    found = silhouette(noisy)
    assert (found & (TWO > 0)).sum() / (found | (TWO > 0)).sum() > 0.98


def test_holes_and_dirt_do_not_count():
    dirty = discs((0, 0), radius=14)
    dirty[30:34, 30:34] = 0
    dirty[2, 2] = 0.7
    np.testing.assert_allclose(
        outline_measures(dirty[None]), outline_measures(discs((0, 0), radius=14)[None])
    )


def test_finite_for_whatever_an_image_holds():
    empty = np.zeros((3, 28, 28), dtype=np.float32)
    empty[1] = 1
    empty[2, 14, 14] = 1
    measures = outline_measures(empty)
    assert np.isfinite(measures).all()
    assert not measures[0].any()
    noise = np.random.default_rng(0).random((3, 28, 28)).astype(np.float32)
    assert np.isfinite(outline_measures(noise)).all()
    assert np.isfinite(outline_measures(cards(2, 180, noise=1.0, seed=0)[0])).all()
    assert len(outline_measures(np.stack([ONE]))[0][BAYS : BAYS + NECKS]) == NECKS

"""Clumps guided by particles that were found one by one."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from napari_ssrvae.imaging.clumps import agreement, with_chosen


def test_particles_found_one_by_one_correct_a_mask() -> None:
    mask = np.zeros((60, 100), dtype=bool)
    particles = np.zeros(mask.shape, dtype=np.int32)
    for k in range(4):
        mask[10:20, 5 + 24 * k : 15 + 24 * k] = True
        mask[40:50, 5 + 24 * k : 15 + 24 * k] = True
    for k in range(3):
        particles[10:20, 5 + 24 * k : 15 + 24 * k] = k + 1
    particles[25:35, 5:15] = 4  # in no piece of the mask
    corrected = with_chosen(mask, particles, only=True)
    assert not corrected[45].any(), "pieces without a particle stay although they are many"
    assert corrected[30, 10], "a particle that the mask lacks is missing"
    assert with_chosen(mask, particles, only=False)[45].any()
    particles[40:50][mask[40:50]] = 5
    assert with_chosen(mask, particles, only=True)[15, 80], "one piece of eight went"
    assert agreement(mask, mask) == 1
    assert agreement(mask, particles == 4) == 0
    less, more = ndi.binary_erosion(mask), ndi.binary_dilation(mask)
    assert agreement(more, mask) > agreement(less, mask)

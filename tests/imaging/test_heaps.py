"""Heaps looked at twice, and clumps guided by particles that were found one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage as ndi

from napari_ssrvae.imaging import segment_particles
from napari_ssrvae.imaging.choosing import choose, pool_segments
from napari_ssrvae.imaging.clumps import agreement, with_chosen
from napari_ssrvae.imaging.heaps import add_from_heaps, seam_depth
from napari_ssrvae.imaging.proposals import versions


def heap() -> tuple[np.ndarray, np.ndarray]:
    """Heaps of overlapping grains, each of another brightness, on a dark ground."""
    y, x = np.mgrid[:360, :440]
    rng = np.random.default_rng(2)
    truth = np.zeros(y.shape, dtype=np.int32)
    image = np.full(y.shape, 30.0)
    for row in (80, 180, 280):
        for column in (80, 220, 360):
            for k, (dy, dx) in enumerate([(-12, -14), (14, -4), (-4, 16)]):
                grain = np.hypot((y - row - dy) / 17, (x - column - dx) / 15) <= 1
                truth[grain] = truth.max() + 1
                image[grain] = (110, 160, 215)[k]
    image = ndi.gaussian_filter(image, 1) + rng.normal(0, 3, y.shape)
    return image.astype(np.float32), truth


def test_seams_are_at_the_foot_of_steps_and_in_valleys() -> None:
    image = np.full((40, 60), 50.0, dtype=np.float32)
    image[:, 30:] = 100  # a step
    image[:, 10] = 20  # a valley
    depth = seam_depth(image, 1, 0.7)
    assert depth[20, 10] > 5 * max(depth[20, 13], 0.1)
    assert depth[20, 27:30].max() > 5 * max(depth[20, 31:34].max(), 0.1)
    assert depth[20, 45] == pytest.approx(0, abs=1e-3)
    crest = seam_depth(255 - image, -1, 0.7)
    assert np.allclose(crest, depth, atol=1e-3)


def test_a_second_look_adds_and_changes_nothing() -> None:
    image, truth = heap()
    marked = np.zeros(image.shape, dtype=bool)
    pictures = versions(image, marked)
    pool = pool_segments(pictures, marked, (1, -1))
    assert pool is not None
    labels, chosen, _ = choose(pool)
    # as if the first choice had found every second particle
    some = chosen[::2]
    half = np.zeros_like(labels)
    for number in range(len(chosen)):
        if number % 2 == 0:
            half[labels == number + 1] = number // 2 + 1
    more = add_from_heaps(pictures, marked, pool, half, some)
    assert np.array_equal(more[half > 0], half[half > 0])
    assert more.max() > half.max()
    assert truth[(more > 0) & (half == 0)].astype(bool).mean() > 0.9
    nothing = np.zeros_like(labels)
    assert not add_from_heaps(pictures, marked, pool, nothing, chosen[:0]).any()


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


@pytest.mark.realdata
def test_heaps_of_titanium_dioxide(realdata: Path) -> None:
    """A floor: the benchmark leaves each image out of what is learnt from."""
    scores = []
    for path in sorted((realdata / "bam_tio2" / "images").glob("*.tif")):
        truth, _ = ndi.label(tifffile.imread(realdata / "bam_tio2" / "instances" / path.name)[:704])
        labels = segment_particles(tifffile.imread(path)[:704], split_touching=True)
        columns = int(truth.max()) + 1
        pairs = np.bincount(
            labels.ravel().astype(np.int64) * columns + truth.ravel(),
            minlength=(int(labels.max()) + 1) * columns,
        ).reshape(-1, columns)
        union = pairs.sum(0) + pairs.sum(1)[:, None] - pairs
        hits = np.count_nonzero((pairs / np.maximum(union, 1))[1:, 1:] > 0.5)
        scores.append(2 * hits / (int(labels.max()) + columns - 1))
    assert np.mean(scores) > 0.5, scores

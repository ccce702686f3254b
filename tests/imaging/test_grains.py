"""The network that sees grains, what it proposes, and what it says of segments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage as ndi

from napari_ssrvae.imaging import segment_particles
from napari_ssrvae.imaging.choosing import Pool, choose, pool_described, pool_segments
from napari_ssrvae.imaging.grain_evidence import NAMES, choose_seen, grain_evidence
from napari_ssrvae.imaging.grain_net import Grains, see_grains
from napari_ssrvae.imaging.grain_proposals import (
    FINE_PIXELS,
    NETWORK,
    Closely,
    look_twice,
    propose_seen,
)
from napari_ssrvae.imaging.objects import renumber
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


def pile() -> tuple[np.ndarray, np.ndarray]:
    """Piles of grains as bright as each other, whose edges shine."""
    y, x = np.mgrid[:360, :440]
    rng = np.random.default_rng(2)
    truth = np.zeros(y.shape, dtype=np.int32)
    image = np.full(y.shape, 30.0)
    for row, column in ((100, 110), (110, 320), (260, 130), (260, 330)):
        for dy, dx in rng.normal(0, 24, (13, 2)):
            out = np.hypot((y - row - dy) / 17, (x - column - dx) / 15)
            truth[out <= 1] = truth.max() + 1
            image[out <= 1] = 130 + 70 * np.exp(8 * (out[out <= 1] - 1))
    truth[np.bincount(truth.ravel())[truth] < 120] = 0  # px: hardly to be seen
    image = ndi.gaussian_filter(image, 1) + rng.normal(0, 3, y.shape)
    return image.astype(np.float32), renumber(truth, 0, False)


def f1(labels: np.ndarray, truth: np.ndarray) -> float:
    """F1 of particles that share more than half of their union with a true one."""
    columns = int(truth.max()) + 1
    pairs = np.bincount(
        labels.ravel().astype(np.int64) * columns + truth.ravel(),
        minlength=(int(labels.max()) + 1) * columns,
    ).reshape(-1, columns)
    union = pairs.sum(0) + pairs.sum(1)[:, None] - pairs
    hits = np.count_nonzero((pairs / np.maximum(union, 1))[1:, 1:] > 0.5)
    return 2 * hits / max(int(labels.max()) + columns - 1, 1)


@pytest.fixture(scope="module")
def looked() -> tuple[Pool, list[Grains], np.ndarray]:
    """Everything proposed for the heaps, what the network saw, and the truth."""
    image, truth = heap()
    closely = Closely.looked_at(image, np.zeros(image.shape, dtype=bool), (1, -1))
    pool = pool_described(closely.described)
    assert pool is not None
    return pool, closely.seen, truth


@pytest.mark.parametrize("shape", [(48, 64), (50, 71), (16, 33)])
def test_the_network_sees_a_picture_of_any_shape(shape: tuple[int, int]) -> None:
    grains = see_grains(np.random.default_rng(0).random(shape, dtype=np.float32))
    for one in (grains.inside, grains.outline, grains.depth):
        assert one.shape == shape
        assert one.dtype == np.float32
        assert one.min() >= 0
        assert one.max() <= 1


def test_the_network_sees_grains_where_brightness_alone_shows_one_piece() -> None:
    image, truth = heap()
    grains = see_grains(image)
    inside = ndi.binary_erosion(truth > 0, iterations=2)
    assert grains.inside[inside].mean() > 0.8
    assert grains.inside[ndi.binary_erosion(truth == 0, iterations=4)].mean() < 0.2
    beside = ndi.grey_dilation(truth, 3) != ndi.grey_erosion(truth, 3)
    assert grains.outline[beside].mean() > 3 * grains.outline[inside & ~beside].mean()
    middles = np.array(ndi.center_of_mass(truth > 0, truth, np.unique(truth)[1:])).astype(int)
    at = tuple(middles.T)
    assert np.median(grains.depth[at]) > 2 * np.median(grains.depth[beside])


def test_what_the_network_sees_does_not_depend_on_the_range_of_grey_levels() -> None:
    image, _ = heap()
    one, other = see_grains(image), see_grains(image * 256 + 1000)
    assert np.abs(one.inside - other.inside).max() < 0.01


def test_a_picture_of_one_grey_level_holds_no_grain() -> None:
    grains = see_grains(np.full((120, 120), 7, dtype=np.float32))
    assert grains.inside.max() < 0.5


def test_large_pictures_are_looked_at_twice_and_small_ones_once() -> None:
    image, _ = heap()
    assert len(look_twice(image, image.shape)) == 1
    large = ndi.zoom(image, 2.5, order=1)
    shrunk, fine = look_twice(large, image.shape)
    assert shrunk.inside.shape == image.shape
    assert fine.inside.size == pytest.approx(FINE_PIXELS, rel=0.05)


def test_the_network_proposes_grains_to_several_degrees() -> None:
    image, truth = heap()
    seen = look_twice(ndi.zoom(image, 2.5, order=1), image.shape)
    proposals = list(propose_seen(seen, image, (1, -1)))
    assert {one.name.split(",")[0] for one in proposals} == {"look 1", "look 2"}
    for one in proposals:
        assert one.source == NETWORK
        assert one.sign == 1
        assert one.basins.shape == image.shape
        assert one.basins.min() == 0
        assert np.array_equal(np.unique(one.basins), np.arange(one.basins.max() + 1))
        counts = []
        for _, of_basin in one.groupings:
            assert of_basin.shape == (one.basins.max() + 1,)
            assert of_basin[0] == 0
            counts.append(int(of_basin.max()))
        assert counts == sorted(counts, reverse=True), "a higher saddle leaves more apart"
    best = max(f1(of[one.basins], truth) for one in proposals for _, of in one.groupings)
    assert best > 0.8
    assert not list(propose_seen(seen, image, (-1,))), "bright grains, but dark ones are wanted"
    apart = max(of.max() for one in propose_seen(seen, image, (1,)) for _, of in one.groupings[:1])
    less = propose_seen(seen, image, (1,), depth_factor=20)
    assert max(of.max() for one in less for _, of in one.groupings) < apart


def test_nothing_is_proposed_where_the_network_sees_nothing() -> None:
    empty = np.zeros((64, 64), dtype=np.float32)
    assert not list(propose_seen([Grains(empty, empty, empty)], empty, (1, -1)))
    full = empty + 1
    assert not list(propose_seen([Grains(full, empty, full)], empty, (1, -1)))


def test_the_network_takes_apart_what_thresholds_cannot() -> None:
    image, truth = pile()
    marked = np.zeros(image.shape, dtype=bool)
    thresholds = pool_segments(versions(image, marked), marked, (1, -1))
    closely = Closely.looked_at(image, marked, (1, -1))
    pool = pool_described(closely.described)
    assert thresholds is not None
    assert pool is not None
    assert f1(choose_seen(pool, closely.seen), truth) > f1(choose(thresholds)[0], truth) + 0.2


def test_evidence_tells_grains_from_parts_and_heaps(
    looked: tuple[Pool, list[Grains], np.ndarray],
) -> None:
    pool, seen, truth = looked
    table = grain_evidence(pool, seen)
    assert table.shape == (len(pool.area), 2 * len(NAMES) + 3)
    assert np.isfinite(table).all()
    assert np.array_equal(table[:, :5], table[:, 5:10]), "one look counts for two"
    true = np.zeros(len(pool.area), dtype=bool)
    area = np.bincount(truth.ravel())
    for k in range(len(true)):
        pixels = pool.pixels(k)
        shared = np.bincount(truth.ravel()[pixels], minlength=len(area))[1:]
        true[k] = np.max(shared / (area[1:] + len(pixels) - shared)) > 0.75
    outline, seam = (table[:, NAMES.index(name)] for name in ("outline", "seam"))
    assert true.sum() >= 20
    assert np.median(outline[true]) > np.median(outline[~true])
    assert np.median(seam[true]) < np.median(seam[~true & (pool.area > np.median(area[1:]))])
    assert table[true, 11].mean() > table[~true, 11].mean()
    own = [pool.basins[k].proposal.source == NETWORK for k in pool.proposal]
    assert np.array_equal(table[:, 12].astype(bool), own)


def test_sums_of_evidence_are_those_of_the_pixels(
    looked: tuple[Pool, list[Grains], np.ndarray],
) -> None:
    pool, seen, _ = looked
    table = grain_evidence(pool, seen)
    for k in np.linspace(0, len(pool.area) - 1, 25).astype(int):
        pixels = pool.pixels(int(k))
        assert table[k, 0] == pytest.approx(seen[0].inside.ravel()[pixels].mean(), rel=1e-4)
        deepest = seen[0].depth.ravel()[pixels].max()
        assert table[k, NAMES.index("depth")] == pytest.approx(deepest, rel=1e-4)
        mask = np.zeros(pool.shape, dtype=bool)
        mask.ravel()[pixels] = True
        rows = (mask[:, 1:] != mask[:, :-1], mask[1:] != mask[:-1])
        outline = seen[0].outline
        total = np.where(mask[:, :-1], outline[:, :-1], outline[:, 1:])[rows[0]].sum()
        total += np.where(mask[:-1], outline[:-1], outline[1:])[rows[1]].sum()
        mean = total / (np.count_nonzero(rows[0]) + np.count_nonzero(rows[1]))
        assert table[k, NAMES.index("outline")] == pytest.approx(mean, rel=1e-4)


def test_two_different_looks_are_told_apart(
    looked: tuple[Pool, list[Grains], np.ndarray],
) -> None:
    pool, seen, _ = looked
    blind = replace(seen[0], inside=np.zeros_like(seen[0].inside))
    table = grain_evidence(pool, [seen[0], blind])
    assert table[:, 0].mean() > 0.3
    assert not table[:, 5].any()


@pytest.mark.realdata
def test_heaps_of_titanium_dioxide(realdata: Path) -> None:
    """A floor: the benchmark leaves each image out of what is learnt from."""
    scores = []
    for path in sorted((realdata / "bam_tio2" / "images").glob("*.tif")):
        truth, _ = ndi.label(tifffile.imread(realdata / "bam_tio2" / "instances" / path.name)[:704])
        labels = segment_particles(tifffile.imread(path)[:704], split_touching=True)
        scores.append(f1(labels, truth))
    assert np.mean(scores) > 0.7, scores

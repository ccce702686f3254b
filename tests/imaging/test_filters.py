"""OpenCV's filters give what SciPy's give, at the edges of the picture too."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_ssrvae.imaging import filters


@pytest.fixture(params=[(9, 8), (61, 40), (200, 333)], ids=str)
def image(request: pytest.FixtureRequest) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(100, 30, request.param).astype(np.float32)


@pytest.fixture
def mask(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(ndi.gaussian_filter(image, 1.5) > 95)


@pytest.mark.parametrize("sigma", [0, 0.4, 1.0, 7.5])
@pytest.mark.parametrize("edge", ["reflect", "nearest"])
def test_gaussian(image: NDArray[np.float32], sigma: float, edge: str) -> None:
    wanted = ndi.gaussian_filter(image, sigma, mode=edge, truncate=3)
    np.testing.assert_allclose(filters.gaussian(image, sigma, reach=3, edge=edge), wanted, 1e-5)


@pytest.mark.parametrize("side", [1, 3, 4, 11])
def test_squares_around(image: NDArray[np.float32], mask: NDArray[np.bool_], side: int) -> None:
    np.testing.assert_allclose(
        filters.mean_around(image, side), ndi.uniform_filter(image, side), 1e-4
    )
    assert np.array_equal(filters.highest(image, side), ndi.maximum_filter(image, side))
    assert np.array_equal(filters.lowest(image, side), ndi.minimum_filter(image, side))
    assert np.array_equal(filters.highest(mask, side), ndi.maximum_filter(mask, side))
    labels = np.asarray(ndi.label(mask)[0], dtype=np.int32)
    assert np.array_equal(filters.highest(labels, side), ndi.maximum_filter(labels, side))
    assert filters.highest(labels, side).dtype == labels.dtype


def test_distance(mask: NDArray[np.bool_]) -> None:
    wanted = ndi.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]
    np.testing.assert_allclose(filters.distance_inside(mask), wanted, 1e-5)
    nowhere = filters.distance_inside(np.ones((30, 40), dtype=bool))
    np.testing.assert_allclose(nowhere, 50.0)


@pytest.mark.parametrize("radius", [1.0, 2.5, 6.0])
def test_discs(mask: NDArray[np.bool_], radius: float) -> None:
    padded = np.pad(mask, 10, mode="edge")
    inside = (ndi.distance_transform_edt(padded) > radius)[10:-10, 10:-10]
    assert np.array_equal(filters.eroded(mask, radius), inside)
    assert np.array_equal(
        filters.dilated(mask, radius), ndi.distance_transform_edt(~mask) <= radius
    )


def test_holes(mask: NDArray[np.bool_]) -> None:
    assert np.array_equal(filters.fill_all_holes(mask), ndi.binary_fill_holes(mask))


@pytest.mark.parametrize("factor", [0.4, 2.5])
def test_resize(image: NDArray[np.float32], factor: float) -> None:
    shape = tuple(round(n * factor) for n in image.shape)
    factors = [new / old for new, old in zip(shape, image.shape, strict=True)]
    wanted = ndi.zoom(image, factors, order=1, grid_mode=True, mode="nearest")
    np.testing.assert_allclose(filters.resize(image, shape), wanted, 1e-4)


def test_nearest_outside(image: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
    distance, at = ndi.distance_transform_edt(mask, return_indices=True)
    found = filters.nearest_outside(image, mask)
    assert np.array_equal(found[~mask], image[~mask])
    beside = mask & (distance == 1)
    alone = beside & (filters.mean_around(mask, 3) > 7.5 / 9)  # one pixel outside is nearest
    assert np.array_equal(found[alone], image[tuple(at)][alone])


@pytest.mark.parametrize("step", [1, 2, 5])
def test_block_means(image: NDArray[np.float32], step: int) -> None:
    rows, columns = (n // step for n in image.shape)
    blocks = image[: rows * step, : columns * step].reshape(rows, step, columns, step)
    np.testing.assert_allclose(filters.block_means(image, step), blocks.mean(axis=(1, 3)), 1e-5)


def test_rims() -> None:
    labels = np.zeros((9, 12), dtype=np.int32)
    labels[0:6, 1:6], labels[0:6, 6:11] = 1, 2  # they touch each other and the frame
    inside = np.zeros(labels.shape, dtype=bool)
    inside[1:5, 2:5] = inside[1:5, 7:10] = True
    assert np.array_equal(filters.rims(labels, 1), (labels > 0) & ~inside)
    inside[:] = False
    inside[2:4, 3] = inside[2:4, 8] = True
    assert np.array_equal(filters.rims(labels, 2), (labels > 0) & ~inside)

"""The simulated micrograph and its truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_ssrvae.datasets import SIMULATED_CLASSES, simulated_micrograph
from napari_ssrvae.errors import InputError


def test_the_papers_imbalance_on_a_field_of_two_hundred() -> None:
    micrograph, labels, classes = simulated_micrograph(0)
    assert micrograph.shape == labels.shape == (960, 1280)
    assert (micrograph.image.dtype, labels.dtype) == (np.uint8, np.int32)
    assert micrograph.pixel_size == 10
    assert micrograph.metadata["warnings"] == []
    assert classes.index.tolist() == list(range(1, 201))
    assert classes.value_counts().to_dict() == {1: 127, 2: 39, 3: 21, 4: 13}
    assert len(SIMULATED_CLASSES) == 4


def test_every_agglomerate_is_one_piece_apart_from_the_others() -> None:
    _, labels, classes = simulated_micrograph(1)
    pieces, count = ndi.label(labels > 0, structure=np.ones((3, 3)))
    assert count == len(classes)
    for label, box in enumerate(ndi.find_objects(labels), start=1):
        assert len(np.unique(pieces[box][labels[box] == label])) == 1
    edges = np.concatenate((labels[0], labels[-1], labels[:, 0], labels[:, -1]))
    assert not edges.any()


def test_areas_are_those_of_as_many_spheres() -> None:
    _, labels, classes = simulated_micrograph(2)
    areas = np.bincount(labels.ravel())[1:]
    spheres = areas / (np.pi * 12**2)
    for number in (1, 2, 3, 4):
        own = spheres[(classes == number).to_numpy()]
        assert own.mean() == pytest.approx(number, rel=0.05)
        assert own.std() / number < 0.15


def test_particles_are_brighter_and_have_bright_rims() -> None:
    micrograph, labels, _ = simulated_micrograph(0)
    depth = ndi.distance_transform_edt(labels > 0)
    around = (ndi.distance_transform_edt(labels == 0) > 6) & (labels == 0)
    image = micrograph.image.astype(float)
    middle, rim = image[depth > 8].mean(), image[(depth >= 2) & (depth <= 3)].mean()
    assert middle > image[around].mean() + 10
    assert rim > middle + 5


def test_same_seed_same_micrograph() -> None:
    options = {"shape": (300, 400), "n_particles": 15}
    first, again, other = (simulated_micrograph(seed, **options) for seed in (3, 3, 4))
    assert np.array_equal(first[0].image, again[0].image)
    assert np.array_equal(first[1], again[1])
    assert first[2].equals(again[2])
    assert not np.array_equal(first[1], other[1])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="No room"):
        simulated_micrograph(0, shape=(200, 200), n_particles=200)
    with pytest.raises(InputError, match="cannot be simulated"):
        simulated_micrograph(0, shape=(100, 100), n_particles=1)
    with pytest.raises(InputError, match="cannot be simulated"):
        simulated_micrograph(0, n_particles=0)

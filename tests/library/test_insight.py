"""What a model sees in one particle, and the learned manifold of a class."""

from __future__ import annotations

import numpy as np
import pytest

from napari_ssrvae import SSRVAE
from napari_ssrvae.datasets import cards
from napari_ssrvae.errors import InputError
from napari_ssrvae.library.insight import upright, what_the_model_sees
from napari_ssrvae.library.manifold import drawn_manifold, manifold_grid, nearest
from napari_ssrvae.library.predictions import predict_particles
from tiny import tiny


def alike(images: np.ndarray) -> float:
    """Mean correlation of the images with their mean."""
    flat = images.reshape(len(images), -1)
    mean = flat.mean(axis=0)
    return float(np.mean([np.corrcoef(one, mean)[0, 1] for one in flat]))


def test_pose_is_taken_out_as_the_cards_were_turned() -> None:
    X, y, factors = cards(12, 180, max_shear=0, max_shift=0.1, seed=4)
    shift = factors[["shift_y", "shift_x"]].to_numpy()
    back = upright(X, factors["angle"].to_numpy(), shift, factors["scale"].to_numpy())
    assert back.shape == X.shape
    assert back.dtype == np.float32
    straight, same, _ = cards(1, 0, max_shear=0, max_shift=0, scale=(1, 1))
    for suit in np.unique(y):
        assert alike(back[y == suit]) > 0.95
        assert alike(back[y == suit]) > alike(X[y == suit]) + 0.05
        pair = np.stack([back[y == suit].mean(axis=0), straight[same == suit][0]])
        assert np.corrcoef(pair.reshape(2, -1))[0, 1] > 0.98


def test_scale_is_taken_out() -> None:
    small, large = np.zeros((2, 1, 40, 40), np.float32)
    small[0, 15:25, 17:23], large[0, 10:30, 14:26] = 1, 1
    back = upright(large, [0.0], [[0, 0]], 2.0)
    assert np.abs(back - small).mean() < 0.02


def test_a_trained_model_turns_cards_of_a_suit_alike() -> None:
    labelled, classes, _ = cards(6, 4, max_shift=0, seed=0)
    turned, hidden, _ = cards(12, 180, seed=1)
    model = SSRVAE(seed=0, epochs=2, steps_per_epoch=2).fit(
        np.concatenate([labelled, turned]), np.concatenate([classes, np.full(len(turned), -1)])
    )
    seen = [what_the_model_sees(model, patch) for patch in turned[hidden == 0][:10]]
    assert alike(np.stack([one.upright for one in seen])) > 1.03 * alike(turned[hidden == 0][:10])


def test_one_particle_is_seen_as_among_all() -> None:
    particles, model = tiny().particles, tiny().workflow.model
    row = 5
    patch = particles.patches[row]
    view, all_of_them = what_the_model_sees(model, patch), predict_particles(particles, model)
    assert view.patch.shape == view.upright.shape == view.drawn.shape == view.residual.shape
    assert np.array_equal(view.residual, view.patch - view.drawn)
    assert view.class_id == all_of_them.class_ids[row]
    assert view.probabilities == pytest.approx(all_of_them.probabilities[row], abs=1e-4)
    assert view.model_classes.tolist() == all_of_them.model_classes.tolist()
    assert view.angle == pytest.approx(all_of_them.angle[row], abs=1e-3)
    assert view.z == pytest.approx(all_of_them.z[row], abs=1e-3)
    assert view.drawn == pytest.approx(model.reconstruct(patch[None])[0], abs=1e-4)
    assert view.unexplained == pytest.approx(float(model.novelty(patch[None])[0]), abs=1e-4)
    missed = float((view.residual**2).mean() / (patch**2).mean())
    assert view.unexplained == pytest.approx(missed, rel=0.1)


@pytest.mark.parametrize("shape", [(48,), (48, 40), (1, 48, 48)])
def test_what_is_no_patch_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="square picture"):
        what_the_model_sees(tiny().workflow.model, np.zeros(shape))


def test_the_grid_spans_where_particles_lie() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal((2, -1), (0.5, 0.1), (500, 2))
    z[0] = (40, 40)  # one stray
    grid = manifold_grid(z, columns=9, rows=7)
    assert grid.z.shape == (7, 9, 2)
    assert 0.7 < grid.z1[0] < 1.3
    assert 2.7 < grid.z1[-1] < 3.3
    assert grid.z2[0] > grid.z2[-1], "z2 grows upwards, as in the latent plot"
    assert grid.counts.sum() == 500
    assert grid.near[3, 4]
    assert not grid.near[-1, 0], "no particle is in that corner"
    assert grid.cells([grid.z[2, 5], (40, 40), (-40, -40)]).tolist() == [[2, 5], [0, 8], [6, 0]]


def test_grids_of_one_latent_of_three_and_of_few_particles() -> None:
    z = np.linspace(-1, 1, 11)
    strip = manifold_grid(z[:, None], columns=5)
    assert strip.z.shape == (1, 5, 1)
    assert strip.counts.tolist() == [[2, 2, 3, 2, 2]]
    three = manifold_grid(np.column_stack((z, z, z + 7)))
    assert np.all(three.z[..., 2] == 7)
    nobody = manifold_grid(np.empty((0, 2)))
    assert nobody.near.all()
    assert nobody.z1[0] == -nobody.z1[-1] == pytest.approx(-1.64)
    alone = manifold_grid([[0.5, 0.5]])
    assert alone.z1[-1] - alone.z1[0] == pytest.approx(0.1)
    assert alone.counts[3, 4] == 1


def test_cells_are_drawn_by_the_model() -> None:
    model = tiny().workflow.model
    grid = manifold_grid(np.random.default_rng(0).normal(size=(30, 2)), 4, 3)
    images = drawn_manifold(model, 2, grid)
    assert images.shape == (3, 4, 48, 48)
    assert images[1, 2] == pytest.approx(model.decode(2, grid.z[1, 2])[0], abs=1e-5)


def test_the_nearest_particles() -> None:
    rows, distances = nearest([[0, 0], [3, 4], [1, 0], [9, 9]], [0, 0], 3)
    assert rows.tolist() == [0, 2, 1]
    assert distances.tolist() == [0, 1, 5]
    assert len(nearest(np.empty((0, 2)), [0, 0])[0]) == 0

from __future__ import annotations

import threading
from itertools import islice

import numpy as np
import pytest
import torch

from napari_ssrvae import SSRVAE
from napari_ssrvae.datasets import cards
from napari_ssrvae.errors import InputError, NotFittedError, TrainingError

QUICK = {"epochs": 3, "steps_per_epoch": 2, "batch_size": 16, "labelled_batch_size": 8}


@pytest.mark.slow
def test_a_few_labels_classify_turned_cards(trained):
    X, y, _ = cards(50, 180, seed=50)
    assert (trained.predict(X) == y).mean() >= 0.85  # chance is 0.25, upright labels alone 0.3
    assert trained.history_["classification_loss"].iloc[-1] < 0.7


@pytest.mark.slow
def test_encode_tells_the_angle(trained):
    X, y, factors = cards(50, 180, max_shear=0.0, scale=(1.1, 1.1), seed=51)
    # Diamonds are alike after half a turn, clubs nearly so after a third.
    error = trained.encode(X).angle - factors["angle"].to_numpy()
    for suit, symmetry in ((1, 1), (2, 1), (3, 2)):
        e = error[(y == suit) & (trained.predict(X) == suit)] * symmetry
        assert abs(np.exp(1j * e).mean()) > 0.5, suit  # 0.15 by chance


@pytest.mark.slow
def test_encode_tells_the_shift(trained):
    X, _, factors = cards(50, 180, seed=52)
    shift = trained.encode(X).shift
    assert np.corrcoef(shift[:, 0], factors["shift_y"])[0, 1] > 0.8
    assert np.corrcoef(shift[:, 1], factors["shift_x"])[0, 1] > 0.8


@pytest.mark.slow
def test_reconstructions_are_like_the_images(trained):
    X, _, _ = cards(25, 180, seed=53)
    error = ((trained.reconstruct(X) - X) ** 2).mean()
    assert error < 0.5 * ((X - X.mean(0)) ** 2).mean()


def test_decode_turns_counter_clockwise_and_shifts_down_and_right(short):
    plain, turned, moved = short.decode(
        [0, 0, 0], np.zeros((3, 2)), angle=[0, np.pi / 2, 0], shift=[(0, 0), (0, 0), (0.25, 0.125)]
    )
    assert plain.std() > 0.05
    np.testing.assert_allclose(turned, np.rot90(plain), atol=1e-3)
    np.testing.assert_allclose(moved[12:, 6:], plain[:-12, :-6], atol=1e-3)


def test_decode_scales(short):
    small, large = (short.decode(1, [0, 0], scale=s)[0] for s in (0.8, 1.2))
    assert large.sum() > 1.5 * small.sum()


def test_decode_says_what_does_not_fit(short):
    with pytest.raises(InputError, match="2 columns"):
        short.decode(0, np.zeros((1, 3)))
    with pytest.raises(InputError, match="one of the classes"):
        short.decode(9, [0, 0])
    with pytest.raises(InputError, match="same length"):
        short.decode([0, 1, 2], np.zeros((2, 2)))


def test_shapes_and_kinds(short, data):
    X = data.X[:7]
    n_classes, side = 4, X.shape[1]
    probabilities = short.predict_proba(X)
    assert probabilities.shape == (7, n_classes)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(short.predict(X), short.classes_[probabilities.argmax(1)])
    seen = short.encode(X)
    assert seen.z.shape == (7, 2)
    assert seen.shift.shape == (7, 2)
    assert seen.angle.shape == seen.scale.shape == seen.y.shape == (7,)
    assert (seen.scale == 1).all()
    assert (np.abs(seen.angle) <= np.pi).all()
    assert short.manifold(2, n=3).shape == (3, 3, side, side)
    assert short.novelty(X).shape == (7,)
    assert short.predict(X[:0]).shape == (0,)
    assert short.encode(X[:0]).z.shape == (0, 2)


def test_manifold_runs_along_the_latents(short):
    grid = short.manifold(0, n=3)
    corner = short.decode(0, [-1.6448536, 1.6448536])[0]
    np.testing.assert_allclose(grid[0, 2], corner, atol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        lambda X: (X * 65535).astype(np.uint16),
        lambda X: X * 1e-9 - 3e-9,
        lambda X: (X * 1000 - 500).astype(np.float64),
    ],
)
def test_the_intensity_range_does_not_matter(data, short, change):
    again = SSRVAE(seed=1, epochs=2, steps_per_epoch=2).fit(change(data.X), data.y)
    # Of two equally good poses, rounding decides: the weights differ a little.
    np.testing.assert_allclose(
        again.predict_proba(change(data.X[:40])), short.predict_proba(data.X[:40]), atol=2e-2
    )


@pytest.mark.parametrize("shape", [(28, 28), (40, 64), (96, 90)])
def test_any_size_square_or_not(shape):
    X = np.random.default_rng(0).random((12, *shape)).astype(np.float32)
    model = SSRVAE(seed=0, **QUICK).fit(X, [0, 1] + 10 * [-1])
    assert model.reconstruct(X).shape == X.shape
    moved = model.decode(0, [0, 0], shift=(0.25, 0.0))[0]
    still = model.decode(0, [0, 0])[0]
    rows = shape[0] // 4
    np.testing.assert_allclose(moved[rows + 2 : -2], still[2 : -rows - 2], atol=0.05)


@pytest.mark.parametrize("invariances", [(), ("rotation",), ("rotation", "translation", "scale")])
@pytest.mark.parametrize("labelled", [True, False])
def test_every_system_of_the_paper_runs(data, invariances, labelled):
    y = data.y if labelled else None
    model = SSRVAE(invariances=invariances, seed=0, **QUICK).fit(data.X, y)
    seen = model.encode(data.X[:5])
    assert (seen.angle == 0).all() == ("rotation" not in invariances)
    assert (seen.shift == 0).all() == ("translation" not in invariances)
    assert (seen.scale == 1).all() == ("scale" not in invariances)
    assert np.isfinite(model.history_["loss"]).all()
    if labelled:
        assert model.predict(data.X).shape == data.y.shape
    else:
        assert len(model.classes_) == 0
        assert (seen.y == -1).all()
        with pytest.raises(NotFittedError, match="without labels"):
            model.predict(data.X)


def test_the_papers_decoder(data):
    model = SSRVAE(decoder="coordinate", seed=0, **QUICK).fit(data.X, data.y)
    plain, turned = model.decode([0, 0], np.zeros((2, 2)), angle=[0, np.pi / 2])
    np.testing.assert_allclose(turned, np.rot90(plain), atol=1e-3)


@pytest.mark.parametrize("angle_prior", ["normal", "projected_normal"])
def test_every_prior_of_the_angle_trains_and_counts(data, angle_prior):
    settings = {**QUICK, "epochs": 2, "kl_weight": 10.0, "seed": 0}
    # Turned images alone: the upright ones would gain what the others pay.
    X, truth = data.X[data.y < 0], data.truth[data.y < 0]
    y = np.where(np.arange(len(X)) % 6, -1, truth)
    uniform = SSRVAE(**settings).fit(X, y).history_
    model = SSRVAE(angle_prior=angle_prior, **settings).fit(X, y)
    assert np.isfinite(model.history_["loss"]).all()
    assert np.isfinite(model.predict_proba(data.X)).all()
    # The ELBO joins in the last epoch: up to then all priors are the same.
    assert model.history_["loss"][0] == pytest.approx(uniform["loss"][0])
    assert model.history_["elbo"][1] < uniform["elbo"][1] - 1  # angles far from 0 cost


def test_same_seed_same_model_whatever_the_global_generator(data):
    first = SSRVAE(seed=5, **QUICK).fit(data.X, data.y).predict_proba(data.X)
    torch.manual_seed(123)
    before = torch.get_rng_state()
    second = SSRVAE(seed=5, **QUICK).fit(data.X, data.y).predict_proba(data.X)
    assert torch.equal(before, torch.get_rng_state())  # ours alone, given back
    other = SSRVAE(seed=6, **QUICK).fit(data.X, data.y).predict_proba(data.X)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_two_trainings_and_a_prediction_at_once_do_not_touch_each_other(data, short):
    settings = {"epochs": 4, "steps_per_epoch": 3}
    alone = [SSRVAE(seed=s, **settings).fit(data.X, data.y).predict_proba(data.X) for s in (10, 11)]
    expected = short.predict_proba(data.X)
    results: dict[int, np.ndarray] = {}
    failures: list[BaseException] = []
    trained = threading.Event()

    def train(seed):
        try:
            results[seed] = SSRVAE(seed=seed, **settings).fit(data.X, data.y).predict_proba(data.X)
        except BaseException as error:
            failures.append(error)

    def predict():
        try:
            while not trained.is_set():
                np.testing.assert_array_equal(short.predict_proba(data.X), expected)
                short.reconstruct(data.X[:8])
        except BaseException as error:
            failures.append(error)

    trainings = [threading.Thread(target=train, args=(seed,)) for seed in (10, 11)]
    watcher = threading.Thread(target=predict)
    for thread in (*trainings, watcher):
        thread.start()
    for thread in trainings:
        thread.join()
    trained.set()
    watcher.join()
    assert not failures
    for seed, before in zip((10, 11), alone, strict=True):
        np.testing.assert_array_equal(results[seed], before)


def test_closing_keeps_the_best_model_so_far(data):
    model = SSRVAE(seed=0, epochs=50, steps_per_epoch=1)
    training = model.iter_fit(data.X, data.y)
    states = list(islice(training, 3))
    with pytest.raises(NotFittedError):
        model.predict(data.X)
    training.close()
    assert [s.epoch for s in states] == [1, 2, 3]
    assert states[0].n_epochs == 50
    assert len(model.history_) == 3
    assert model.predict(data.X).shape == data.y.shape


def test_the_old_model_answers_while_a_new_one_trains(data):
    model = SSRVAE(seed=0, **QUICK).fit(data.X, data.y)
    before = model.predict_proba(data.X)
    training = model.iter_fit(data.X, data.y)
    next(training)
    np.testing.assert_array_equal(model.predict_proba(data.X), before)
    training.close()


def test_progress_is_told_every_epoch(data):
    states = []
    model = SSRVAE(seed=0, **QUICK).fit(data.X, data.y, progress=states.append)
    assert [s.epoch for s in states] == [1, 2, 3]
    assert np.isfinite([s.loss for s in states]).all()
    assert model.history_["loss"].tolist() == [s.loss for s in states]


def test_going_on_learns_new_classes_and_keeps_history(data):
    model = SSRVAE(seed=0, **QUICK).fit(data.X, data.y)
    old = model.predict_proba(data.X[:20])
    y = data.y.copy()
    y[-3:] = 2 * np.arange(3) + 7
    training = model.iter_fit(data.X, y, resume=True)
    next(training)
    training.close()
    assert model.classes_.tolist() == [0, 1, 2, 3, 7, 9, 11]
    assert model.history_["epoch"].tolist() == [1, 2, 3, 4]
    shares = model.predict_proba(data.X[:20])[:, :4]
    # Two small steps later the old classes still stand as they stood to each other.
    np.testing.assert_allclose(shares / shares.sum(1, keepdims=True), old, atol=0.15)


def test_going_on_starts_from_the_trained_weights(data):
    model = SSRVAE(seed=0, epochs=6, steps_per_epoch=5, batch_size=16).fit(data.X, data.y)
    training = model.iter_fit(data.X, data.y, resume=True)
    next(training)
    training.close()
    run = model.history_["elbo"].to_numpy()
    assert len(run) == 7
    assert run[6] > np.nanmin(run)  # from where the ELBO was, not from random weights


def test_a_time_budget_ends_the_training(data):
    model = SSRVAE(seed=0, epochs=10_000, steps_per_epoch=1)
    model.fit(data.X, data.y, max_seconds=2)
    assert 1 <= len(model.history_) < 1000
    assert model.history_["seconds"].iloc[-1] < 10


def test_more_than_a_batch_of_labels_and_one_label_a_class():
    X, y, _ = cards(3, 180, seed=3)
    SSRVAE(seed=0, **QUICK).fit(X, y)
    few = np.full(len(y), -1)
    few[np.unique(y, return_index=True)[1]] = range(4)
    assert SSRVAE(seed=0, **QUICK).fit(X, few).predict(X).shape == y.shape


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((5, 20)), None, "shape"),
        (np.zeros((5, 20, 20, 3)), None, "shape"),
        (np.full((5, 20, 20), 3.0), None, "same intensity"),
        (np.full((5, 20, 20), np.nan), None, "5 of 5 images hold NaN"),
        (np.random.rand(1, 20, 20), None, "at least 2"),  # noqa: NPY002
        (np.random.rand(5, 2, 20), None, "pixels"),  # noqa: NPY002
        (np.array([["a"]])[None], None, "numbers"),
        (np.random.rand(5, 20, 20), [0, 0, -1, -1, -1], "Only class 0"),  # noqa: NPY002
        (np.random.rand(5, 20, 20), [-1] * 5, "No image is labelled"),  # noqa: NPY002
        (np.random.rand(5, 20, 20), [0, 1], "one label for each"),  # noqa: NPY002
        (np.random.rand(5, 20, 20), [0, 1, -2, 0, 0], "whole numbers"),  # noqa: NPY002
        (np.random.rand(5, 20, 20), [0, 0.5, 1, 0, 0], "whole numbers"),  # noqa: NPY002
    ],
)
def test_bad_data_is_refused_in_a_sentence(X, y, message):
    with pytest.raises(InputError, match=message):
        SSRVAE().fit(X, y)


@pytest.mark.parametrize(
    "parameters",
    [
        {"latent_dim": 0},
        {"invariances": "rotation"},
        {"invariances": ("mirror",)},
        {"decoder": "magic"},
        {"device": "toaster"},
        {"epochs": 0},
        {"learning_rate": -1},
    ],
)
def test_bad_settings_are_refused_in_fit(data, parameters):
    model = SSRVAE(**parameters)
    assert {k: model.get_params()[k] for k in parameters} == parameters
    name = next(iter(parameters))
    with pytest.raises(InputError, match=name):
        model.fit(data.X, data.y)


def test_images_of_another_size_are_refused(short):
    with pytest.raises(InputError, match="48 x 48"):
        short.predict(np.zeros((2, 32, 32)))


def test_an_untrained_model_says_so():
    with pytest.raises(NotFittedError, match="call fit first"):
        SSRVAE().predict(np.zeros((2, 32, 32)))


def test_out_of_memory_is_told_and_keeps_the_model(data, monkeypatch):
    model = SSRVAE(seed=0, epochs=9, steps_per_epoch=1)
    training = model.iter_fit(data.X, data.y)
    next(training)
    real = torch.nn.functional.instance_norm

    def full(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.nn.functional, "instance_norm", full)
    with pytest.raises(TrainingError, match="smaller batch_size"):
        next(training)
    monkeypatch.setattr(torch.nn.functional, "instance_norm", real)
    assert len(model.history_) == 1
    assert model.predict(data.X).shape == data.y.shape


@pytest.mark.filterwarnings("ignore:Encountered NaN")
def test_a_diverging_run_is_tried_again_and_then_told(data):
    model = SSRVAE(seed=0, learning_rate=1e30, epochs=30, steps_per_epoch=2)
    with pytest.raises(TrainingError, match="lower learning_rate"):
        model.fit(data.X, data.y)

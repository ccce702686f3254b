from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from napari_ssrvae import SSRVAE
from napari_ssrvae.errors import InputError, NotFittedError
from napari_ssrvae.learning.alignment import Poses
from napari_ssrvae.learning.fitting import Fitting, Recipe
from napari_ssrvae.learning.preprocessing import Normalisation, TrainingData
from napari_ssrvae.learning.training import (
    DivergedError,
    OutOfMemoryError,
    Trainer,
    TrainingSettings,
)

QUICK = {"epochs": 3, "steps_per_epoch": 2, "batch_size": 32, "labelled_batch_size": 8}


def recipe(**changes) -> Recipe:
    return Recipe.of({**SSRVAE().get_params(), **changes})


def fitting(data, **changes) -> Fitting:
    prepared = TrainingData(data.X, Normalisation.of(data.X), data.y)
    classes = np.arange(4)
    return Fitting(recipe(**changes), prepared, classes, None, 0, torch.device("cpu"), None)


# ------------------------------------------------------------------------------- the recipe


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("latent_dim", 0, "a whole number above 0, not 0"),
        ("latent_dim", 1.5, "a whole number above 0, not 1.5"),
        ("steps_per_epoch", -1, "a whole number above 0"),
        ("batch_size", 0, "a whole number above 0"),
        ("labelled_batch_size", "8", "a whole number above 0, not '8'"),
        ("epochs", 0, "None or a whole number above 0, not 0"),
        ("epochs", 2.0, "None or a whole number above 0"),
        ("learning_rate", 0, "a number above 0, not 0"),
        ("learning_rate", float("nan"), "a number above 0, not nan"),
        ("learning_rate", "fast", "a number above 0, not 'fast'"),
        ("classification_weight", -1.0, "a number above 0, not -1.0"),
        ("kl_weight", None, "a number above 0, not None"),
        ("decoder", "magic", "one of .*template.*coordinate.*not 'magic'"),
        ("angle_prior", "gaussian", "one of .*projected_normal.*not 'gaussian'"),
        ("invariances", "rotation", "a sequence of .*rotation.*not 'rotation'"),
        ("invariances", ("rotation", "mirror"), "a sequence of .*mirror"),
        ("invariances", None, "a sequence of .*not None"),
    ],
)
def test_each_bad_argument_is_named(name, value, words):
    with pytest.raises(InputError, match=f"^{name} must be {words}"):
        recipe(**{name: value})


def test_invariances_come_in_one_order_and_once():
    assert recipe(invariances=["translation", "rotation", "rotation"]).invariances == (
        "rotation",
        "translation",
    )
    assert recipe(invariances=[]).invariances == ()


def test_numbers_of_numpy_are_numbers():
    taken = recipe(latent_dim=np.int64(3), learning_rate=np.float32(0.001))
    assert taken.latent_dim == 3


@pytest.mark.parametrize(("n", "epochs"), [(2, 20), (200, 21), (2000, 30), (100_000, 60)])
def test_a_training_is_longer_on_more_images_and_half_as_long_where_it_goes_on(n, epochs):
    # 200 steps and one for every 20 images, 600 at most; ten an epoch
    anew = recipe(steps_per_epoch=10).settings(n, resumed=False, seconds=None)
    on = recipe(steps_per_epoch=10).settings(n, resumed=True, seconds=7.0)
    assert anew.n_epochs == epochs
    assert on.n_epochs == -(-epochs // 2)
    assert on.max_seconds == 7.0
    assert on.learning_rate == anew.learning_rate / 4
    assert on.warm_up == on.ramp == 0 < anew.warm_up
    assert recipe(epochs=5).settings(n, resumed=True, seconds=None).n_epochs == 5


# ------------------------------------------------------------------------- what if it fails


def test_safer_settings():
    settings = TrainingSettings(
        n_epochs=3, steps_per_epoch=2, batch_size=48, labelled_batch_size=8, learning_rate=0.01
    )
    assert DivergedError().safer(settings).learning_rate == 0.002
    assert DivergedError().safer(settings).batch_size == 48
    sizes = [settings.batch_size]
    for _ in range(2):
        settings = OutOfMemoryError().safer(settings)
        sizes.append(settings.batch_size)
    assert sizes == [48, 12, 8]
    assert settings.learning_rate == 0.01


def failing_once(monkeypatch, failure) -> None:
    """The third step of all fails, no other."""
    real, calls = Trainer._step, []

    def step(self, done):
        calls.append(1)
        if len(calls) == 3:
            return failure()
        return real(self, done)

    monkeypatch.setattr(Trainer, "_step", step)


def out_of_memory():
    raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize(
    ("failure", "safer"),
    [
        (out_of_memory, {"batch_size": 8}),
        (lambda: (float("nan"),) * 3, {"learning_rate": 1e-4}),
    ],
)
def test_a_training_that_fails_once_is_begun_again_with_safer_settings(
    data, monkeypatch, failure, safer
):
    failing_once(monkeypatch, failure)
    job = fitting(data, **{**QUICK, "learning_rate": 5e-4})
    epochs = [state.epoch for state in job.epochs()]
    assert epochs == [1, 1, 2, 3]
    assert {name: getattr(job.settings, name) for name in safer} == pytest.approx(safer)
    state = job.state(finished=True)
    assert state.history["epoch"].tolist() == [1, 2, 3]
    assert np.isfinite(state.history["loss"]).all()


def test_nothing_is_kept_before_the_first_epoch(data):
    assert fitting(data, **QUICK).state(finished=True) is None


# --------------------------------------------------------------------------------- the end


def test_training_ends_when_nothing_improves(data):
    model = SSRVAE(seed=0, **QUICK).fit(data.X, data.y)
    # Steps of this size change nothing: there is no gain to wait for.
    model.set_params(epochs=500, learning_rate=1e-9, steps_per_epoch=1)
    model.fit(data.X, data.y, resume=True)
    assert 3 + 12 <= len(model.history_) < 200


def test_so_far_answers_while_training_goes_on(data):
    model = SSRVAE(seed=0, **QUICK)
    with pytest.raises(NotFittedError):
        model.so_far()
    training = model.iter_fit(data.X, data.y)
    first = list(islice(training, 1))
    early = model.so_far()
    assert early.get_params() == model.get_params()
    assert len(early.history_) == len(first) == 1
    answers = early.predict_proba(data.X[:10])
    assert early.reconstruct(data.X[:2]).shape == (2, 48, 48)
    with pytest.raises(NotFittedError, match="call fit first"):
        model.predict(data.X)
    assert len(list(training)) == 2
    # It is a copy: what was trained since has not changed it.
    np.testing.assert_array_equal(early.predict_proba(data.X[:10]), answers)
    assert len(model.so_far().history_) == 3
    np.testing.assert_array_equal(
        model.so_far().predict_proba(data.X[:10]), model.predict_proba(data.X[:10])
    )
    assert not np.array_equal(model.predict_proba(data.X[:10]), answers)


def test_so_far_is_the_old_model_until_the_new_one_has_an_epoch(data, short):
    model = SSRVAE(seed=0, **QUICK)
    model._trained = short._trained
    training = model.iter_fit(data.X, data.y)
    expected = short.predict_proba(data.X[:10])
    np.testing.assert_array_equal(model.so_far().predict_proba(data.X[:10]), expected)
    next(training)
    assert not np.array_equal(model.so_far().predict_proba(data.X[:10]), expected)
    np.testing.assert_array_equal(model.predict_proba(data.X[:10]), expected)
    training.close()


@pytest.mark.parametrize(("decoder", "looked"), [("template", 3), ("coordinate", 1)])
def test_classes_are_looked_for_as_the_clearest_images_of_them(data, monkeypatch, decoder, looked):
    """A coordinate decoder learns its images from nothing: class averages stay the clearer ones."""
    renewed = []
    renew = Poses.renew

    def counted(self, registration):
        renewed.append(registration)
        renew(self, registration)

    monkeypatch.setattr(Poses, "renew", counted)
    for _ in fitting(data, decoder=decoder, epochs=4, steps_per_epoch=1).epochs():
        pass
    assert len(renewed) == looked


def test_losses_are_compared_only_once_they_are_of_one_kind(data):
    """A short time budget ends the warm-up in the middle of an epoch; the ELBO is no divergence."""
    started = fitting(data, epochs=1, steps_per_epoch=1)
    next(started.epochs())
    trainer = started.trainer
    ramp_over = trainer.settings.warm_up + trainer.settings.ramp + 0.01
    trainer._keep(1.0, 0.0)  # the class encoder alone
    pixels = data.X[0].size
    trainer._keep(float(pixels), ramp_over)
    trainer._keep(0.5 * pixels, ramp_over)
    with pytest.raises(DivergedError):
        trainer._keep(100.0 * pixels, ramp_over)
    with pytest.raises(DivergedError):
        trainer._keep(float("nan"), 0.0)

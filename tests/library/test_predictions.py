from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_ssrvae.errors import InputError, NotFittedError
from napari_ssrvae.learning.estimator import SSRVAE
from napari_ssrvae.library.predictions import Predictions, predict_particles
from napari_ssrvae.library.workflow import Workflow
from tiny import small_model, tiny


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    return predict_particles(tiny().particles, tiny().workflow.model)


def test_predictions_are_what_the_model_says_row_by_row(predictions: Predictions) -> None:
    particles, model = tiny().particles, tiny().workflow.model
    assert predictions.particle_ids.tolist() == particles.table["label"].tolist()
    assert predictions.class_ids.tolist() == model.predict(particles.patches).tolist()
    assert predictions.model_classes.tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, atol=1e-5)
    latents = model.encode(particles.patches)
    np.testing.assert_array_equal(predictions.z, latents.z)
    np.testing.assert_array_equal(predictions.shift, latents.shift)
    assert predictions.probabilities.dtype == np.float64
    assert predictions.particle_ids.dtype == predictions.class_ids.dtype == np.int64


def test_confidence_is_the_probability_of_the_predicted_class(predictions: Predictions) -> None:
    columns = np.searchsorted(predictions.model_classes, predictions.class_ids)
    expected = predictions.probabilities[np.arange(len(predictions)), columns]
    np.testing.assert_array_equal(predictions.confidence, expected)


def test_table_has_a_row_for_each_particle(predictions: Predictions) -> None:
    table = predictions.table()
    assert table.columns.tolist() == [
        *("label", "class_id", "confidence", "p_1", "p_2", "p_3", "p_4"),
        *("z1", "z2", "angle", "shift_y", "shift_x", "pose_scale"),
    ]
    np.testing.assert_array_equal(table["p_3"], predictions.probabilities[:, 2])
    np.testing.assert_array_equal(table["shift_x"], predictions.shift[:, 1])


def test_no_particles_give_empty_predictions_of_the_same_shape(predictions: Predictions) -> None:
    empty = predict_particles(tiny().particles.subset([]), tiny().workflow.model)
    assert len(empty) == 0
    assert empty.confidence.shape == (0,)
    assert empty.table().columns.tolist() == predictions.table().columns.tolist()
    assert empty.table().dtypes.tolist() == predictions.table().dtypes.tolist()


def test_an_untrained_model_is_refused() -> None:
    with pytest.raises(NotFittedError):
        predict_particles(tiny().particles, SSRVAE())


def test_rows_that_do_not_pair_up_are_refused(predictions: Predictions) -> None:
    with pytest.raises(InputError, match="rows of angle"):
        replace(predictions, angle=predictions.angle[1:])
    with pytest.raises(InputError, match="one probability"):
        replace(predictions, probabilities=predictions.probabilities[:, 1:])


def test_two_numbers_that_change_places_are_exchanged(predictions: Predictions) -> None:
    swapped = predictions.merged({1: 2, 2: 1})
    assert swapped.model_classes.tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(
        swapped.probabilities, predictions.probabilities[:, [1, 0, 2, 3]], atol=1e-6
    )


def test_predictions_know_their_model_also_once_it_was_saved(
    predictions: Predictions, tmp_path: Path
) -> None:
    tiny().workflow.save(tmp_path / "model")
    assert predictions.is_of(Workflow.load(tmp_path / "model").model)
    assert tiny().library.predictions_of(tiny().micrograph.name).is_of(tiny().workflow.model)
    assert not predictions.merged({2: 1}).is_of(tiny().workflow.model)
    other = small_model().fit(tiny().particles.patches)
    assert not predictions.is_of(other)
    with pytest.raises(InputError, match="another model"):
        predictions.updated(replace(predictions, model="another"))

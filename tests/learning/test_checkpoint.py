from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from napari_ssrvae import SSRVAE
from napari_ssrvae.errors import ReadError, VersionError, WriteError
from napari_ssrvae.learning import Classifier


@pytest.fixture(scope="module")
def saved(short, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    short.save(folder)
    return folder


def test_a_loaded_model_is_the_same(short, saved, data):
    loaded = SSRVAE.load(saved)
    assert loaded.get_params() == short.get_params()
    np.testing.assert_array_equal(loaded.classes_, short.classes_)
    np.testing.assert_array_equal(loaded.predict_proba(data.X), short.predict_proba(data.X))
    for one, other in zip(
        vars(loaded.encode(data.X)).values(), vars(short.encode(data.X)).values(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    pd.testing.assert_frame_equal(loaded.history_, short.history_)


def test_a_loaded_model_goes_on_like_the_one_in_memory(short, saved, data):
    loaded, twin = SSRVAE.load(saved), SSRVAE.load(saved)
    assert loaded._state().optimiser.keys() == short._state().optimiser.keys()
    loaded.fit(data.X, data.y, resume=True)
    twin._trained = short._trained
    twin.fit(data.X, data.y, resume=True)
    np.testing.assert_array_equal(loaded.predict_proba(data.X), twin.predict_proba(data.X))


def test_the_files_hold_what_is_needed_and_no_code(saved):
    files = {path.name: path.read_bytes() for path in saved.iterdir()}
    assert set(files) == {"model.json", "weights.safetensors", "optimiser.safetensors"}
    about = json.loads(files["model.json"])
    assert {"napari-ssrvae", "torch", "pyro-ppl"} <= set(about["versions"])
    assert about["parameters"]["latent_dim"] == 2
    for content in files.values():
        assert not content.startswith(b"\x80")  # a pickle
        assert not content.startswith(b"PK")  # torch.save


def test_the_classifier_works_alone(short, data, tmp_path):
    short.classifier().save(tmp_path / "classifier")
    alone = Classifier.load(tmp_path / "classifier")
    np.testing.assert_array_equal(alone.predict_proba(data.X), short.predict_proba(data.X))
    np.testing.assert_array_equal(alone.predict(data.X), short.predict(data.X))


def test_saving_over_a_model_replaces_it(short, saved, data, tmp_path):
    folder = shutil.copytree(saved, tmp_path / "model")
    other = SSRVAE(seed=8, epochs=1, steps_per_epoch=1).fit(data.X, data.y)
    other.save(folder)
    np.testing.assert_array_equal(
        SSRVAE.load(folder).predict_proba(data.X), other.predict_proba(data.X)
    )
    assert len(list(folder.iterdir())) == 3


def test_a_newer_file_is_told(saved, tmp_path):
    folder = shutil.copytree(saved, tmp_path / "model")
    about = json.loads((folder / "model.json").read_text())
    about["format_version"] = 99
    (folder / "model.json").write_text(json.dumps(about))
    with pytest.raises(VersionError, match="newer version"):
        SSRVAE.load(folder)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors", "optimiser.safetensors"])
@pytest.mark.parametrize("damage", ["gone", "cut", "empty"])
def test_a_damaged_file_is_told(saved, tmp_path, name, damage):
    folder = shutil.copytree(saved, tmp_path / "model")
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    with pytest.raises(ReadError):
        SSRVAE.load(folder)


def test_weights_of_another_model_are_told(saved, data, tmp_path):
    folder = shutil.copytree(saved, tmp_path / "model")
    SSRVAE(seed=0, latent_dim=5, epochs=1, steps_per_epoch=1).fit(data.X, data.y).save(
        tmp_path / "other"
    )
    shutil.copy(tmp_path / "other" / "weights.safetensors", folder)
    with pytest.raises(ReadError, match="damaged"):
        SSRVAE.load(folder)


def test_a_folder_of_something_else_is_told(short, tmp_path):
    with pytest.raises(ReadError, match="No saved model"):
        SSRVAE.load(tmp_path)
    short.classifier().save(tmp_path)
    with pytest.raises(ReadError):
        SSRVAE.load(tmp_path)


def test_an_unwritable_place_is_told(short, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteError, match="Cannot write"):
        short.save(tmp_path / "file" / "model")

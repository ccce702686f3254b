from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skimage.transform import resize

from napari_ssrvae.demo import save_micrograph
from napari_ssrvae.errors import InputError, ReadError, VersionError, WriteError
from napari_ssrvae.imaging.micrograph import Micrograph
from napari_ssrvae.imaging.particles import PatchSettings, extract_particles
from napari_ssrvae.imaging.reading import read_micrograph
from napari_ssrvae.imaging.segmentation import segment_with
from napari_ssrvae.library.alike import common_pixel_size, extract_alike, training_scale_note
from napari_ssrvae.library.held_back import HeldBack, few_per_class, hold_back
from napari_ssrvae.library.workflow import (
    ScaleWarning,
    Workflow,
    train_workflow,
    training_arrays,
)
from tiny import CLASSES, SETTINGS, small_micrograph, small_model, tiny


@pytest.fixture(scope="module")
def workflow() -> Workflow:
    return tiny().workflow


@pytest.fixture
def magnified() -> Micrograph:
    """The first micrograph, as a microscope of half the pixel size would see it."""
    micrograph = tiny().micrograph
    height, width = micrograph.shape
    image = resize(micrograph.image, (2 * height, 2 * width), preserve_range=True)
    assert micrograph.pixel_size is not None
    return Micrograph(image, micrograph.pixel_size / 2, "magnified")


# ------------------------------------------------------------------------- training


def test_training_arrays_join_micrographs_and_keep_unlabelled_particles() -> None:
    first = tiny().particles
    second = first.subset(np.arange(5))
    X, y = training_arrays([first, second], [tiny().hand, {}])
    assert X.shape == (len(first) + 5, 48, 48)
    assert X.dtype == np.float32
    expected = [tiny().hand.get(int(i), -1) for i in first.table["label"]] + [-1] * 5
    assert y.tolist() == expected
    assert y.dtype == np.int64


def test_training_arrays_say_what_is_missing() -> None:
    particles = tiny().particles
    one = {int(particles.table["label"].iloc[0]): 1}
    for found, labels, words in [
        ([particles], [{}], "No particle has a label"),
        ([particles], [{10**6: 1}], "No particle has a label"),
        ([particles], [dict.fromkeys(tiny().hand, 0)], "No particle has a label"),
        ([particles], [one], "Only one class"),
        ([particles.subset([])], [tiny().hand], "no particles to train on"),
        ([], [], "no particles to train on"),
        ([particles], [], "its own hand labels"),
    ]:
        with pytest.raises(InputError, match=words):
            training_arrays(found, labels)
    other = extract_particles(tiny().micrograph, tiny().labels, scale=particles.scale * 2)
    with pytest.raises(InputError, match="different size or scale"):
        training_arrays([particles, other], [tiny().hand, {}])


def test_a_micrograph_of_another_magnification_can_be_trained_on_too(
    magnified: Micrograph,
) -> None:
    first = tiny().particles
    labels = np.kron(tiny().labels, np.ones((2, 2), np.int32))
    settings = PatchSettings(48, first.scale)
    second = extract_alike(magnified, labels, settings, first.pixel_size)
    X, _ = training_arrays([first, second], [tiny().hand, {}])
    n = len(first)
    # The same particles at the same physical scale: the same pictures, but for resampling.
    assert np.abs(X[:n] - X[n:]).mean() < 0.03


def test_micrographs_of_unknown_pixel_size_join_those_of_known_size_with_a_warning(
    magnified: Micrograph,
) -> None:
    """Half the magnification among the known ones is undone, whichever comes first."""
    scan = replace(tiny().micrograph, pixel_size=None, name="scan")
    twice = np.kron(tiny().labels, np.ones((2, 2), np.int32))
    micrographs = [scan, tiny().micrograph, magnified]
    pixel_size = common_pixel_size(m.pixel_size for m in micrographs)
    assert pixel_size == 10
    patches, particles = PatchSettings(48), []
    for micrograph, labels in zip(micrographs, (tiny().labels, tiny().labels, twice), strict=True):
        part = extract_alike(micrograph, labels, patches, pixel_size)
        patches = replace(patches, scale=patches.scale or part.scale)
        particles.append(part)
    sizes = [np.median(part.masks.sum((1, 2))) for part in particles]
    assert sizes == pytest.approx([sizes[0]] * 3, rel=0.03)
    with pytest.warns(ScaleWarning, match=r"pixel size of scan is unknown.* 10 nm"):
        workflow = train_workflow(
            particles, [tiny().hand, {}, {}], CLASSES, SETTINGS, model=small_model()
        )
    assert (workflow.pixel_size, workflow.patches.scale) == (10, particles[1].scale)
    assert training_scale_note([("a", 2.0), ("b", 3.0)]) is None
    assert training_scale_note([("a", None), ("b", None)]) is None
    # Patches that are not at one scale are refused still.
    with pytest.raises(InputError, match="different size or scale"):
        training_arrays(
            [particles[1], extract_particles(magnified, twice, scale=particles[1].scale)],
            [tiny().hand, {}],
        )


def test_the_polarity_of_the_training_micrographs_is_kept(workflow: Workflow) -> None:
    assert SETTINGS.polarity == "auto"
    assert workflow.segmentation == replace(SETTINGS, polarity="bright")
    image = tiny().micrograph.image
    negative = extract_particles(replace(tiny().micrograph, image=255 - image), tiny().labels)
    dark = train_workflow([negative], [tiny().hand], CLASSES, SETTINGS, model=small_model())
    assert dark.segmentation.polarity == "dark"
    # Most particles decide, and what a person chose stays.
    both = [negative, tiny().particles, tiny().particles]
    most = train_workflow(both, [{}, tiny().hand, {}], CLASSES, SETTINGS, model=small_model())
    assert most.segmentation.polarity == "bright"
    chosen = replace(SETTINGS, polarity="dark")
    kept = train_workflow([tiny().particles], [tiny().hand], CLASSES, chosen, model=small_model())
    assert kept.segmentation == chosen


@pytest.mark.realdata
def test_gaps_between_crowded_spheres_are_no_particles(realdata: Path) -> None:
    """Seen in live classification: GM59_20 with a recipe trained on B-2h07."""
    trained_on = read_micrograph(realdata / "sem" / "B-2h07.tif")
    particles = extract_particles(trained_on, segment_with(trained_on, SETTINGS))
    assert particles.polarity == "bright"
    ids = particles.table["label"].tolist()
    hand = dict.fromkeys(ids[:3], 1) | dict.fromkeys(ids[3:6], 2)
    workflow = train_workflow([particles], [hand], CLASSES, SETTINGS, model=small_model())
    crowded = read_micrograph(realdata / "sem" / "GM59_20.tif")
    labels = workflow.segment(crowded)
    assert labels.any()
    inside, outside = crowded.image[labels > 0], crowded.image[labels == 0]
    assert np.median(inside) > np.median(outside)


def test_each_particle_may_fill_its_patch(magnified: Micrograph, tmp_path: Path) -> None:
    settings = PatchSettings(common_scale=False)
    particles = extract_alike(tiny().micrograph, tiny().labels, settings, None)
    assert particles.masks.mean((1, 2)).min() > 0.2
    workflow = train_workflow([particles], [tiny().hand], CLASSES, SETTINGS, model=small_model())
    assert not workflow.patches.common_scale
    loaded = Workflow.load(workflow.save(tmp_path / "flow"))
    assert loaded.patches == workflow.patches
    again = loaded.particles(tiny().micrograph, tiny().labels)
    np.testing.assert_array_equal(again.patches, particles.patches)
    twice = np.kron(tiny().labels, np.ones((2, 2), np.int32))
    second = loaded.particles(magnified, twice)
    assert np.abs(second.patches - particles.patches).mean() < 0.03
    X, _ = training_arrays([particles, second], [tiny().hand, {}])
    assert len(X) == 2 * len(particles)
    with pytest.raises(InputError, match="different size or scale"):
        training_arrays([particles, tiny().particles], [tiny().hand, {}])
    # In one library the pictures of both stay as they are.
    joined = loaded.classify(tiny().micrograph, tiny().labels).merge(
        loaded.classify(magnified, twice)
    )
    np.testing.assert_array_equal(joined.patches[len(particles) :], second.patches)
    with pytest.raises(InputError, match="True or False"):
        PatchSettings(common_scale=1)  # type: ignore[arg-type]


def test_a_class_without_a_name_is_refused_before_training() -> None:
    with pytest.raises(InputError, match="Class 4 of the labels has no name"):
        train_workflow([tiny().particles], [tiny().hand], CLASSES[:3], SETTINGS)


# ------------------------------------------------------------------- new micrographs


def test_the_training_micrograph_is_treated_as_it_was(workflow: Workflow) -> None:
    library = workflow.classify(tiny().micrograph)
    same = ["label", "predicted", "confidence", "z1", "z2", "angle", "area", "p_dimer"]
    pd.testing.assert_frame_equal(library.table[same], tiny().library.table[same])
    np.testing.assert_array_equal(library.patches, tiny().library.patches)


def test_another_magnification_gives_the_same_particles(
    workflow: Workflow, magnified: Micrograph
) -> None:
    labels = workflow.segment(magnified)
    particles = workflow.particles(magnified, labels)
    assert workflow.factor(magnified) == 2
    assert workflow.scale_note(magnified) is None
    first = tiny().particles
    assert abs(len(particles) - len(first)) <= 1
    sizes = [p.table["equivalent_diameter_nm"].median() for p in (particles, first)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
    filled = [p.masks.mean((1, 2)) for p in (particles, first)]
    assert np.median(filled[0]) == pytest.approx(np.median(filled[1]), rel=0.1)


def test_another_magnification_gives_the_same_classes(
    workflow: Workflow, magnified: Micrograph
) -> None:
    twice = np.kron(tiny().labels, np.ones((2, 2), np.int32))
    first = workflow.classify(tiny().micrograph, tiny().labels).table
    second = workflow.classify(magnified, twice).table
    assert first["label"].tolist() == second["label"].tolist()
    p = [table.filter(like="p_").to_numpy() for table in (first, second)]
    assert p[0].std(axis=0).max() > 0.01  # the classes are not all alike
    assert np.abs(p[0] - p[1]).mean() < 0.02
    assert (first["predicted"] == second["predicted"]).mean() >= 0.9
    # As if its pixels were those of the training, they are other particles.
    with pytest.warns(ScaleWarning):
        blind = workflow.classify(replace(magnified, pixel_size=None), twice).table
    assert np.abs(p[0] - blind.filter(like="p_").to_numpy()).mean() > 0.04


def test_an_unknown_pixel_size_is_said_and_pixels_are_taken_to_be_equal(
    workflow: Workflow,
) -> None:
    micrograph = replace(tiny().micrograph, pixel_size=None, name="scan")
    with pytest.warns(ScaleWarning, match="pixel size of scan is unknown"):
        library = workflow.classify(micrograph)
    assert library.notes == (workflow.scale_note(micrograph),)
    np.testing.assert_array_equal(library.patches, tiny().library.patches)
    blind = replace(workflow, pixel_size=None)
    assert "of the training micrographs is unknown" in str(blind.scale_note(tiny().micrograph))
    assert blind.scale_note(micrograph) is None


def test_a_very_different_magnification_is_said(workflow: Workflow) -> None:
    assert workflow.pixel_size == 10
    note = workflow.scale_note(replace(tiny().micrograph, pixel_size=41.0))
    assert note is not None
    assert "so different a magnification" in note
    assert workflow.scale_note(replace(tiny().micrograph, pixel_size=39.0)) is None


def test_path_array_and_micrograph_give_the_same_table(workflow: Workflow, tmp_path: Path) -> None:
    micrograph = save_micrograph(small_micrograph(1)[0], tmp_path / "simulated-1.tif")
    from_object = workflow.classify(micrograph)
    for path in (tmp_path / "simulated-1.tif", str(tmp_path / "simulated-1.tif")):
        library = workflow.classify(path)
        pd.testing.assert_frame_equal(library.table, from_object.table)
        assert library.micrographs == from_object.micrographs
    with pytest.warns(ScaleWarning):
        from_array = workflow.classify(micrograph.image)
    assert from_array.table["predicted"].tolist() == from_object.table["predicted"].tolist()


def test_particles_found_elsewhere_keep_their_ids(workflow: Workflow) -> None:
    micrograph, labels, truth = small_micrograph(1)
    gaps = np.where(labels > 0, labels * 10 + 5, 0)
    library = workflow.classify(micrograph, gaps)
    assert library.table["label"].tolist() == sorted(10 * i + 5 for i in truth)


def test_no_particles_give_an_empty_library_with_all_columns(workflow: Workflow) -> None:
    empty = workflow.classify(tiny().micrograph, np.zeros_like(tiny().labels))
    assert len(empty) == 0
    assert (
        empty.table.dtypes.to_dict() == workflow.classify(tiny().micrograph).table.dtypes.to_dict()
    )
    assert list(empty.micrographs) == ["simulated-0"]


# --------------------------------------------------------------------- save and load


def test_a_loaded_workflow_gives_the_same_table(workflow: Workflow, tmp_path: Path) -> None:
    checked = replace(workflow, held_back=HeldBack.compare([1, 2, 2], [1, 2, 3], "a test"))
    loaded = Workflow.load(checked.save(tmp_path / "flow"))
    assert loaded.segmentation == workflow.segmentation
    assert loaded.patches == workflow.patches
    assert loaded.pixel_size == workflow.pixel_size
    assert loaded.classes == workflow.classes
    assert loaded.held_back == checked.held_back
    micrograph = small_micrograph(1)[0]
    before, after = workflow.classify(micrograph), loaded.classify(micrograph)
    pd.testing.assert_frame_equal(before.table, after.table, check_exact=True)
    assert before.micrographs == after.micrographs


def test_a_workflow_of_an_earlier_version_still_loads(workflow: Workflow, tmp_path: Path) -> None:
    folder = workflow.save(tmp_path / "flow")
    document = json.loads((folder / "workflow.json").read_text())
    document["patches"].pop("common_scale")
    document["segmentation"] |= {"polarity": "auto"}
    (folder / "workflow.json").write_text(json.dumps(document))
    loaded = Workflow.load(folder)
    assert loaded.patches == workflow.patches
    assert loaded.segmentation.polarity == "auto"
    found = loaded.classify(tiny().micrograph)
    assert found.table["label"].tolist() == tiny().library.table["label"].tolist()


def test_nothing_in_the_folder_is_a_pickle(workflow: Workflow, tmp_path: Path) -> None:
    folder = workflow.save(tmp_path / "flow")
    suffixes = {p.suffix for p in folder.rglob("*") if p.is_file()}
    assert suffixes == {".json", ".safetensors"}


def test_a_workflow_is_replaced_but_nothing_else(workflow: Workflow, tmp_path: Path) -> None:
    folder = workflow.save(tmp_path / "flow")
    replace(workflow, pixel_size=3.0).save(folder)
    assert Workflow.load(folder).pixel_size == 3.0
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious").write_text("x")
    with pytest.raises(WriteError, match="already holds other files"):
        workflow.save(tmp_path / "data")
    with pytest.raises(WriteError, match="already holds other files"):
        tiny().library.save(folder)


def test_a_damaged_or_newer_workflow_is_refused(workflow: Workflow, tmp_path: Path) -> None:
    folder = workflow.save(tmp_path / "flow")
    whole = (folder / "workflow.json").read_text()
    for key, value in [("patches", {"size": "x"}), ("classes", [{}]), ("segmentation", None)]:
        (folder / "workflow.json").write_text(json.dumps(json.loads(whole) | {key: value}))
        with pytest.raises(ReadError, match=r"workflow\.json is damaged"):
            Workflow.load(folder)
    (folder / "workflow.json").write_text(json.dumps(json.loads(whole) | {"format_version": 99}))
    with pytest.raises(VersionError, match="newer version"):
        Workflow.load(folder)
    (folder / "workflow.json").write_text(whole[:200])
    with pytest.raises(ReadError, match=r"workflow\.json is damaged"):
        Workflow.load(folder)
    (folder / "workflow.json").write_text(whole)
    weights = next(folder.rglob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ReadError, match=weights.name):
        Workflow.load(folder)
    with pytest.raises(ReadError, match="not a folder with a workflow"):
        Workflow.load(tmp_path / "missing")


def test_a_workflow_needs_a_scale_and_a_name_for_each_class(workflow: Workflow) -> None:
    with pytest.raises(InputError, match="scale of its patches"):
        replace(workflow, patches=PatchSettings(48, None))
    with pytest.raises(InputError, match="Class 1 of the model has no name"):
        replace(workflow, classes=CLASSES[1:])


# ------------------------------------------------------------------ held-back labels


def test_held_back_labels_are_a_share_of_each_class() -> None:
    sizes = {1: range(20), 2: range(20, 27), 3: range(30, 35)}
    labels = {i: c for c, members in sizes.items() for i in members}
    training, held = hold_back(labels, fraction=0.3)
    assert training | held == labels
    assert not set(training) & set(held)
    counts = [sum(c == k for c in held.values()) for k in (1, 2, 3)]
    assert counts == [6, 2, 0]
    assert hold_back(labels, fraction=0.3) == (training, held)
    assert hold_back(labels, fraction=0.3, seed=1)[1] != held
    assert hold_back(labels, fraction=0.0) == (labels, {})


def test_few_per_class_takes_as_many_as_there_are() -> None:
    labels = {i: 1 + (i >= 20) for i in range(23)}
    chosen = few_per_class(labels, 5)
    assert [sum(c == k for c in chosen.values()) for k in (1, 2)] == [5, 3]
    assert all(labels[i] == c for i, c in chosen.items())


def test_the_comparison_counts_rows_as_true_classes() -> None:
    result = HeldBack.compare([1, 1, 1, 5, 5, 2], [1, 1, 5, 5, 1, 2], "a test")
    assert result.class_ids == (1, 2, 5)
    assert result.confusion == ((2, 0, 1), (0, 1, 0), (1, 0, 1))
    assert (result.n, result.accuracy) == (6, pytest.approx(4 / 6))
    assert result.balanced_accuracy == pytest.approx((2 / 3 + 1 + 1 / 2) / 3)
    assert result.few
    assert not HeldBack.compare([1] * 5 + [2] * 5, [1] * 5 + [9] * 5, "a test").few
    assert HeldBack.from_dict(result.to_dict()) == result
    with pytest.raises(InputError, match="at least 1"):
        HeldBack.compare([], [], "a test")


def test_a_longer_training_starts_from_the_estimator_given() -> None:
    seen: list[int] = []
    workflow = train_workflow(
        [tiny().particles],
        [tiny().hand],
        CLASSES,
        SETTINGS,
        model=small_model(),
        progress=lambda state: seen.append(state.epoch),
    )
    assert seen == [1, 2]
    assert workflow.pixel_size == 10
    assert workflow.patches == PatchSettings(48, tiny().particles.scale)

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_ssrvae.errors import InputError, ReadError, VersionError, WriteError
from napari_ssrvae.imaging.particles import extract_particles
from napari_ssrvae.library.classes import ParticleClass
from napari_ssrvae.library.particle_library import ParticleLibrary
from napari_ssrvae.library.predictions import predict_particles
from tiny import CLASSES, small_micrograph, tiny


@pytest.fixture(scope="module")
def library() -> ParticleLibrary:
    return tiny().library


@pytest.fixture(scope="module")
def other() -> ParticleLibrary:
    """Particles of a second micrograph."""
    return tiny().workflow.classify(small_micrograph(1)[0])


def assert_same(first: ParticleLibrary, second: ParticleLibrary) -> None:
    pd.testing.assert_frame_equal(first.table, second.table, check_exact=True)
    np.testing.assert_array_equal(first.patches, second.patches, strict=True)
    np.testing.assert_array_equal(first.masks, second.masks, strict=True)
    assert first.classes == second.classes
    assert dict(first.micrographs) == dict(second.micrographs)
    assert first.notes == second.notes


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# ------------------------------------------------------------------ from predictions


def test_a_hand_label_beats_the_prediction_and_both_are_kept(library: ParticleLibrary) -> None:
    hand, names = tiny().hand, dict(enumerate(library.class_names, start=1))
    predicted = tiny().workflow.model.predict(tiny().particles.patches)
    for row, guess in zip(library.table.to_dict("records"), predicted, strict=True):
        label = hand.get(row["label"])
        assert row["predicted"] == names[int(guess)]
        assert row["source"] == ("model" if label is None else "hand")
        assert row["hand_label"] == ("" if label is None else names[label])
        assert row["class_id"] == (int(guess) if label is None else label)
        assert row["class"] == names[row["class_id"]]
    assert (library.table["source"] == "hand").sum() == len(hand) > 0
    assert library.labels_of(tiny().micrograph.name) == hand


def test_columns_come_in_a_useful_order_and_hold_every_shape_measure(
    library: ParticleLibrary,
) -> None:
    columns = library.table.columns.tolist()
    assert columns[:8] == [
        *("micrograph", "label", "class_id", "class"),
        *("confidence", "source", "hand_label", "predicted"),
    ]
    assert columns[8:12] == ["p_monomer", "p_dimer", "p_trimer", "p_tetramer"]
    assert columns[12:15] == ["z1", "z2", "angle"]
    shapes = tiny().particles.table
    for name in shapes:
        np.testing.assert_array_equal(library.table[name], shapes[name])


def test_an_array_of_labels_goes_by_the_rows() -> None:
    particles, model = tiny().particles, tiny().workflow.model
    rows = np.array([tiny().hand.get(int(i), -1) for i in particles.table["label"]])
    library = ParticleLibrary.from_predictions(particles, model, CLASSES, rows)
    assert library.table["hand_label"].tolist() == tiny().library.table["hand_label"].tolist()
    zeros = ParticleLibrary.from_predictions(particles, model, CLASSES, rows * 0)
    assert set(zeros.table["source"]) == {"model"}
    with pytest.raises(InputError, match="labels, but 3 were given"):
        ParticleLibrary.from_predictions(particles, model, CLASSES, [1, 2, 3])


def test_names_may_be_a_list_a_mapping_or_classes() -> None:
    particles, model = tiny().particles, tiny().workflow.model
    predictions = predict_particles(particles, model)

    def build(names: object, labels: object = None) -> ParticleLibrary:
        return ParticleLibrary.from_predictions(
            particles, model, names, labels, predictions=predictions
        )

    assert build(["a", "b", "c", "d"]).class_names == ["a", "b", "c", "d"]
    assert build({4: "d", 1: "a", 2: "b", 3: "c"}).counts() == dict(
        zip("dabc", [build(list("abcd")).counts()[n] for n in "dabc"], strict=True)
    )
    extra = (*CLASSES, ParticleClass(7, "rod", "#112233"))
    with_rod = build(extra, {int(particles.table["label"].iloc[0]): 7})
    assert with_rod.counts()["rod"] == 1
    assert with_rod.classes == extra
    for wrong, words in [
        (["a", "b"], "4 classes, but 2 names"),
        ("abcd", "not one text"),
        ({1: "a", 2: "b", 3: "c"}, "Class 4 of the model has no name"),
        (["a", "a", "b", "c"], "its own name"),
    ]:
        with pytest.raises(InputError, match=words):
            build(wrong)
    with pytest.raises(InputError, match="class 9, but no class"):
        build(CLASSES, {int(particles.table["label"].iloc[0]): 9})
    with pytest.raises(InputError, match="belong to other particles"):
        ParticleLibrary.from_predictions(
            particles.subset([1, 0]), model, CLASSES, predictions=predictions
        )


def test_particles_of_several_micrographs_keep_their_names() -> None:
    both = tiny().particles.concatenate([tiny().particles, replace(tiny().particles, name="again")])
    library = ParticleLibrary.from_predictions(both, tiny().workflow.model, CLASSES)
    assert library.table["micrograph"].value_counts().to_dict() == {
        "simulated-0": len(tiny().particles),
        "again": len(tiny().particles),
    }
    assert set(library.micrographs) == {"simulated-0", "again"}


def test_counts_and_sizes_by_class(library: ParticleLibrary) -> None:
    summary = library.summary()
    assert summary["count"].sum() == len(library)
    assert library.counts() == summary["count"].to_dict()
    name = summary["count"].idxmax()
    sizes = library.table.loc[library.table["class"] == name, "equivalent_diameter_nm"]
    assert summary.loc[name, "unit"] == "nm"
    assert summary.loc[name, "mean"] == pytest.approx(np.mean(sizes))
    assert summary.loc[name, "median"] == pytest.approx(np.median(sizes))
    assert summary.loc[name, "sd"] == pytest.approx(np.std(sizes, ddof=1))
    # 240 nm spheres: no class can be smaller than one of them or larger than four.
    assert summary["median"].dropna().between(180, 560).all()


def test_sizes_are_in_pixels_where_the_pixel_size_is_unknown() -> None:
    particles = extract_particles(tiny().micrograph.image, tiny().labels)
    library = ParticleLibrary.from_predictions(particles, tiny().workflow.model, CLASSES)
    found = library.summary().query("count > 0")
    assert set(found["unit"]) == {"px"}
    assert found["median"].between(18, 52).all()


# --------------------------------------------------------------------- save and load


def test_a_library_comes_back_exactly(library: ParticleLibrary, tmp_path: Path) -> None:
    folder = library.save(tmp_path / "new" / "library")
    assert_same(ParticleLibrary.load(folder), library)
    assert {p.name for p in folder.iterdir()} == {"library.json", "table.csv", "patches.npz"}
    assert [p.name for p in folder.parent.iterdir()] == ["library"]


def test_odd_names_and_numbers_come_back_exactly(tmp_path: Path) -> None:
    names = ['a, "b"/c', "NA", "二聚体\nβ", "=1+1"]
    library = ParticleLibrary.from_predictions(
        replace(tiny().particles, name="x,y: ü.tif"), tiny().workflow.model, names, tiny().hand
    )
    table = library.table.copy()
    table.loc[0, "solidity"] = np.nan
    table.loc[1, "solidity"] = np.inf
    table.loc[2, "solidity"] = 0.1 + 0.2
    table["small"] = np.arange(len(table), dtype=np.int16)
    table["single"] = np.linspace(0, 1, len(table), dtype=np.float32)
    table["label"] += 2**40
    library = replace(library, table=table, notes=("Größe, 'unknown'",))
    assert_same(ParticleLibrary.load(library.save(tmp_path / "lib")), library)


def test_an_empty_library_comes_back_exactly(tmp_path: Path) -> None:
    empty = tiny().workflow.classify(tiny().micrograph, np.zeros_like(tiny().labels))
    assert len(empty) == 0
    assert empty.counts() == dict.fromkeys(empty.class_names, 0)
    assert_same(ParticleLibrary.load(empty.save(tmp_path / "lib")), empty)
    assert empty.summary()["mean"].isna().all()


def test_the_table_opens_in_a_spreadsheet(library: ParticleLibrary, tmp_path: Path) -> None:
    folder = library.save(tmp_path / "lib")
    assert (folder / "table.csv").read_bytes().startswith(b"\xef\xbb\xbfmicrograph,label,")
    plain = pd.read_csv(folder / "table.csv")
    assert plain.columns.tolist() == library.table.columns.tolist()
    assert plain["label"].tolist() == library.table["label"].tolist()


def test_saving_again_replaces_a_library_and_keeps_other_files(
    library: ParticleLibrary, tmp_path: Path
) -> None:
    folder = library.save(tmp_path / "lib")
    (folder / "notes.txt").write_text("mine")
    fewer = library.select(np.arange(3))
    fewer.save(folder)
    assert_same(ParticleLibrary.load(folder), fewer)
    assert (folder / "notes.txt").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["lib"]


def test_somebody_elses_folder_is_never_overwritten(
    library: ParticleLibrary, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "table.csv").write_text("precious")
    (tmp_path / "file").write_text("precious")
    before = files_of(tmp_path)
    for name in ("data", "file", "file/inside"):
        with pytest.raises(WriteError):
            library.save(tmp_path / name)
    assert files_of(tmp_path) == before


def test_a_full_disk_leaves_the_former_library_whole(
    library: ParticleLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = library.save(tmp_path / "lib")
    before = files_of(tmp_path)

    def no_space(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", no_space)
    with pytest.raises(WriteError, match="No space left"):
        library.select([0]).save(folder)
    assert files_of(tmp_path) == before


def test_a_swap_that_fails_puts_the_former_library_back(
    library: ParticleLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = library.save(tmp_path / "lib")
    before = files_of(tmp_path)
    rename = Path.rename

    def stubborn(self: Path, target: Path) -> Path:
        if Path(target) == folder and (self / "library.json").stat().st_size < len(
            before["lib/library.json"]
        ):
            raise PermissionError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stubborn)
    fewer = replace(library.select([0]), classes=library.classes, micrographs=library.micrographs)
    with pytest.raises(WriteError, match="Permission denied"):
        fewer.save(folder)
    assert files_of(tmp_path) == before


def test_micrographs_kept_with_a_library_come_back_and_go_with_it(tmp_path: Path) -> None:
    kept = tiny().workflow.classify(tiny().micrograph, tiny().labels)
    folder = kept.save(tmp_path / "lib")
    scene = ParticleLibrary.load(folder).micrographs["simulated-0"].scene
    assert scene is not None
    np.testing.assert_array_equal(scene.image, tiny().micrograph.image, strict=True)
    np.testing.assert_array_equal(scene.labels, tiny().labels, strict=True)
    for both in (kept.merge(tiny().library), tiny().library.merge(kept)):
        assert both.micrographs["simulated-0"].scene is not None
    tiny().library.save(folder)
    assert not (folder / "micrographs").exists()
    assert ParticleLibrary.load(folder).micrographs["simulated-0"].scene is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_one_sentence(library: ParticleLibrary, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(WriteError, match="Permission denied"):
        library.save(tmp_path / "lib")


def test_a_place_that_cannot_hold_a_folder_is_one_sentence(library: ParticleLibrary) -> None:
    with pytest.raises(WriteError, match="cannot be written"):
        library.save("/proc/no-such-place/lib")


def test_a_newer_version_is_refused_by_name(library: ParticleLibrary, tmp_path: Path) -> None:
    folder = library.save(tmp_path / "lib")
    document = json.loads((folder / "library.json").read_text())
    document["format_version"] = 2
    (folder / "library.json").write_text(json.dumps(document))
    with pytest.raises(VersionError, match=r"library\.json was written by a newer version"):
        ParticleLibrary.load(folder)


@pytest.mark.parametrize("name", ["library.json", "table.csv", "patches.npz"])
def test_a_damaged_file_is_named(library: ParticleLibrary, tmp_path: Path, name: str) -> None:
    folder = library.save(tmp_path / "lib")
    path, whole = folder / name, (folder / name).read_bytes()
    for share in (0.0, 0.1, 0.5, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ReadError, match=name):
            ParticleLibrary.load(folder)
    path.write_bytes(whole[:-3])
    with pytest.raises(ReadError, match=name):
        ParticleLibrary.load(folder)
    path.write_bytes(np.random.default_rng(0).bytes(500))
    with pytest.raises(ReadError, match=name):
        ParticleLibrary.load(folder)
    path.unlink()
    with pytest.raises(ReadError, match=name):
        ParticleLibrary.load(folder)


def test_a_flipped_byte_in_the_patches_is_noticed(library: ParticleLibrary, tmp_path: Path) -> None:
    path = library.save(tmp_path / "lib") / "patches.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"patches\.npz is damaged"):
        ParticleLibrary.load(path.parent)


def test_pickled_patches_are_not_unpickled(library: ParticleLibrary, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path}/ran",)

    folder = library.save(tmp_path / "lib")
    np.savez(folder / "patches.npz", patches=np.array([Bomb()]), masks=library.masks)
    with pytest.raises(ReadError, match=r"patches\.npz"):
        ParticleLibrary.load(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [("classes", [{"id": 0}]), ("columns", None), ("particles", "many"), ("micrographs", [1])],
)
def test_a_wrong_entry_is_a_damaged_document(
    library: ParticleLibrary, tmp_path: Path, key: str, value: object
) -> None:
    folder = library.save(tmp_path / "lib")
    document = json.loads((folder / "library.json").read_text())
    document[key] = value
    (folder / "library.json").write_text(json.dumps(document))
    with pytest.raises(ReadError, match=r"library\.json is damaged"):
        ParticleLibrary.load(folder)


def test_what_is_no_library_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="is not a folder"):
        ParticleLibrary.load(tmp_path / "missing")
    with pytest.raises(ReadError, match="is not a saved particle library"):
        ParticleLibrary.load(tmp_path)
    (tmp_path / "library.json").write_text('{"format": "something else"}')
    with pytest.raises(ReadError, match="does not belong to"):
        ParticleLibrary.load(tmp_path)


# ----------------------------------------------------------------------------- merge


def test_merging_two_micrographs_keeps_every_particle(
    library: ParticleLibrary, other: ParticleLibrary
) -> None:
    both = library.merge(other)
    assert len(both) == len(library) + len(other)
    assert both.classes == library.classes
    assert both.counts() == {n: library.counts()[n] + other.counts()[n] for n in both.counts()}
    np.testing.assert_allclose(
        both.select((both.table["micrograph"] == "simulated-1").to_numpy()).patches,
        other.patches,
    )
    assert both.table.dtypes.equals(library.table.dtypes)
    assert both.notes == ()


def test_the_same_particles_are_kept_once_and_hand_labels_win(library: ParticleLibrary) -> None:
    unlabelled = ParticleLibrary.from_predictions(
        tiny().particles, tiny().workflow.model, CLASSES, micrograph=tiny().micrograph
    )
    for both in (library.merge(unlabelled), unlabelled.merge(library)):
        assert len(both) == len(library)
        assert both.labels_of("simulated-0") == tiny().hand


def test_another_micrograph_of_the_same_name_gets_its_own(
    library: ParticleLibrary, other: ParticleLibrary
) -> None:
    namesake = replace(
        other,
        table=other.table.assign(micrograph=pd.Series(["simulated-0"] * len(other), dtype="str")),
        micrographs={"simulated-0": other.micrographs["simulated-1"]},
    )
    both = library.merge(namesake)
    assert len(both) == len(library) + len(other)
    assert list(both.micrographs) == ["simulated-0", "simulated-0 (2)"]
    third = both.merge(namesake)
    assert list(third.micrographs)[:2] == ["simulated-0", "simulated-0 (2)"]
    assert not third.table.duplicated(["micrograph", "label"]).any()


def test_classes_are_the_same_by_name(library: ParticleLibrary, other: ParticleLibrary) -> None:
    renamed = ParticleLibrary.from_predictions(
        tiny().workflow.particles(small_micrograph(1)[0], small_micrograph(1)[1]),
        tiny().workflow.model,
        {1: "tetramer", 2: "rod", 3: "monomer", 4: "plate"},
    )
    both = library.merge(renamed)
    assert both.class_names == ["monomer", "dimer", "trimer", "tetramer", "rod", "plate"]
    assert len({c.id for c in both.classes}) == len({c.color for c in both.classes}) == 6
    ids = {c.name: c.id for c in both.classes}
    assert both.table["class_id"].tolist() == [ids[n] for n in both.table["class"]]
    old = both.table["micrograph"] == "simulated-0"
    assert both.table.loc[old, "p_rod"].isna().all()
    assert both.table.loc[~old, "p_dimer"].isna().all()
    assert both.table.loc[~old, "p_rod"].notna().all()
    assert len(other.merge(renamed).classes) == 6


def test_patches_of_another_scale_are_brought_to_the_first_ones(
    library: ParticleLibrary, tmp_path: Path
) -> None:
    micrograph, labels, _ = small_micrograph(1)
    scale = library.micrographs["simulated-0"].scale
    alike = extract_particles(micrograph, labels, 48, scale=scale)
    coarse = extract_particles(micrograph, labels, 24, scale=scale * 2)
    model = tiny().workflow.model
    expected = library.merge(ParticleLibrary.from_predictions(alike, model, CLASSES))
    # The model answers for the frames that it knows; only the pictures differ here.
    coarse_library = replace(
        ParticleLibrary.from_predictions(alike, model, CLASSES),
        patches=coarse.patches,
        masks=coarse.masks,
        micrographs={
            "simulated-1": replace(library.micrographs["simulated-0"], scale=scale * 2, path=None)
        },
    )
    both = library.merge(coarse_library)
    assert both.patches.shape == expected.patches.shape
    assert any("resampled" in note for note in both.notes)
    assert both.micrographs["simulated-1"].scale == pytest.approx(scale)
    rows = (both.table["micrograph"] == "simulated-1").to_numpy()
    overlap = both.masks[rows] & expected.masks[rows]
    union = both.masks[rows] | expected.masks[rows]
    # A sphere is 9 pixels wide in the coarse frame: half a pixel all around is a fifth of it.
    assert (overlap.sum((1, 2)) / union.sum((1, 2))).mean() > 0.85
    assert np.abs(both.patches[rows] - expected.patches[rows]).mean() < 0.03
    assert_same(ParticleLibrary.load(both.save(tmp_path / "lib")), both)


def test_merging_with_an_empty_library_changes_no_particle(library: ParticleLibrary) -> None:
    blank = tiny().workflow.classify(
        replace(small_micrograph(1)[0], name="blank"), np.zeros_like(tiny().labels)
    )
    for both in (library.merge(blank), blank.merge(library)):
        pd.testing.assert_frame_equal(both.table, library.table)
        np.testing.assert_array_equal(both.patches, library.patches)
        assert set(both.micrographs) == {"simulated-0", "blank"}

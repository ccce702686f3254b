from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from skimage.draw import polygon2mask

from napari_ssrvae.errors import InputError, WriteError
from napari_ssrvae.library.exports import coco_document, safe_names
from napari_ssrvae.library.particle_library import ParticleLibrary
from tiny import tiny


@pytest.fixture(scope="module")
def library() -> ParticleLibrary:
    return tiny().library


def test_csv_is_the_table(library: ParticleLibrary, tmp_path: Path) -> None:
    path = library.export(tmp_path / "new" / "particles.csv")
    table = pd.read_csv(path, keep_default_na=False)
    assert table["class"].tolist() == library.table["class"].tolist()
    np.testing.assert_array_equal(table["area_nm2"], library.table["area_nm2"])
    library.select([0]).export(path)
    assert len(pd.read_csv(path)) == 1
    assert [p.name for p in path.parent.iterdir()] == ["particles.csv"]


def test_folders_hold_each_particle_under_its_class(
    library: ParticleLibrary, tmp_path: Path
) -> None:
    folder = library.export(tmp_path / "out", format="folders")
    table = pd.read_csv(folder / "particles.csv", keep_default_na=False)
    assert table["file"].is_unique
    assert len(list(folder.rglob("*.png"))) == len(library)
    for row, file in enumerate(table["file"]):
        assert file.split("/")[0] == library.table["class"].iloc[row]
        pixels = imageio.imread(folder / file)
        np.testing.assert_allclose(pixels / 255, library.patches[row], atol=0.5 / 255 + 1e-6)
    # A class without particles has its folder too.
    assert {p.name for p in folder.iterdir()} == {"particles.csv", *library.class_names}


def test_folders_of_classes_with_awkward_names_do_not_collide(tmp_path: Path) -> None:
    names = ["a/b", "a:b", "particles.csv", "A_B"]
    library = ParticleLibrary.from_predictions(
        replace(tiny().particles, name="../../x"), tiny().workflow.model, names, tiny().hand
    )
    folder = library.export(tmp_path / "deep" / "out", format="folders")
    table = pd.read_csv(folder / "particles.csv", keep_default_na=False)
    assert (
        table.groupby("class")["file"].agg(lambda f: f.str.split("/").str[0].nunique()).eq(1).all()
    )
    assert all((folder / file).resolve().is_relative_to(folder) for file in table["file"])
    assert all((folder / file).is_file() for file in table["file"])
    assert len([p for p in folder.iterdir() if p.is_dir()]) == 4
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]


def test_safe_names_are_safe_everywhere() -> None:
    names = safe_names(["a/b", "a\\b", "A_B", "con", "..", "", "x. ", "二聚体", "n" * 300])
    assert names[:3] == ["a_b", "a_b (2)", "A_B (3)"]
    assert names[3] == "_con"
    assert names[4:6] == ["_", "_ (2)"]
    assert names[6:8] == ["x", "二聚体"]
    assert len(names[8]) == 80


def test_nothing_is_overwritten_by_folders(library: ParticleLibrary, tmp_path: Path) -> None:
    (tmp_path / "particles.csv").write_text("precious")
    with pytest.raises(WriteError, match="already holds other files"):
        library.export(tmp_path, format="folders")
    assert [p.name for p in tmp_path.iterdir()] == ["particles.csv"]
    for format_name in ("csv", "coco"):
        with pytest.raises(WriteError, match="is a folder"):
            library.export(tmp_path, format=format_name)


def test_an_unknown_format_names_those_there_are(library: ParticleLibrary, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="choose csv, folders, coco"):
        library.export(tmp_path / "x", format="xlsx")


def test_coco_follows_the_conventions(library: ParticleLibrary, tmp_path: Path) -> None:
    document = json.loads(library.export(tmp_path / "coco.json", format="coco").read_text())
    assert document["categories"] == [
        {"id": c.id, "name": c.name, "supercategory": "particle"} for c in library.classes
    ]
    assert len(document["images"]) == 1
    assert document["images"][0] | {"file_name": "simulated-0"} == {
        "id": 1,
        "file_name": "simulated-0",
        "height": 400,
        "width": 480,
        "pixel_size_nm": 10.0,
    }
    annotations = document["annotations"]
    assert [a["id"] for a in annotations] == list(range(1, len(library) + 1))
    assert [a["category_id"] for a in annotations] == library.table["class_id"].tolist()
    for annotation, row in zip(annotations, library.table.to_dict("records"), strict=True):
        x, y, width, height = annotation["bbox"]
        assert (x, y, x + width, y + height) == (
            row["left"], row["top"], row["right"], row["bottom"],
        )  # fmt: skip
        assert annotation["area"] == row["area"]
        assert annotation["image_id"] == 1


def test_coco_polygons_lie_on_the_particles(library: ParticleLibrary) -> None:
    labels = tiny().labels
    overlaps = []
    for annotation in coco_document(library)["annotations"]:
        drawn = np.zeros(labels.shape, dtype=bool)
        for polygon in annotation["segmentation"]:
            points = np.array(polygon).reshape(-1, 2)[:, ::-1] - 0.5
            drawn |= polygon2mask(labels.shape, points)
        true = ndimage.binary_fill_holes(labels == annotation["particle"])
        overlaps.append((drawn & true).sum() / (drawn | true).sum())
    # Particles larger than their frame are cut to it.
    whole = np.array(overlaps)[~library.table["oversize"].to_numpy()]
    assert whole.min() > 0.88
    assert np.median(whole) > 0.95
    assert len(whole) > len(overlaps) / 2


def test_coco_polygons_are_exact_where_the_label_image_was_kept() -> None:
    labels = tiny().labels
    kept = tiny().workflow.classify(tiny().micrograph, labels)
    assert kept.table["oversize"].any()
    for annotation in coco_document(kept)["annotations"]:
        drawn = np.zeros(labels.shape, dtype=bool)
        for polygon in annotation["segmentation"]:
            points = np.array(polygon).reshape(-1, 2)[:, ::-1] - 0.5
            drawn |= polygon2mask(labels.shape, points)
        true = ndimage.binary_fill_holes(labels == annotation["particle"])
        assert (drawn == true).all()


def test_coco_without_the_size_of_the_micrograph_takes_one_that_holds_all() -> None:
    library = ParticleLibrary.from_predictions(tiny().particles, tiny().workflow.model)
    image = coco_document(library)["images"][0]
    assert image["height"] == library.table["bottom"].max()
    assert image["width"] == library.table["right"].max()


def test_holes_are_filled_and_parts_are_kept(library: ParticleLibrary) -> None:
    mask = np.zeros((48, 48), dtype=bool)
    mask[5:20, 5:20] = True
    mask[9:15, 9:15] = False
    mask[30:40, 30:40] = True
    one = library.select([0])
    annotation = coco_document(replace(one, masks=mask[None]))["annotations"][0]
    assert len(annotation["segmentation"]) == 2

"""What the report panel saves holds the numbers that are on the screen."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from napari_ssrvae.errors import InputError
from napari_ssrvae.learning.quality import QualityReport
from napari_ssrvae.library.distributions import class_fits
from napari_ssrvae.library.statistics import Group, class_histogram, class_statistics
from napari_ssrvae.report import sheets

CLASSES = (Group(1, "disc $1", "#e69f00"), Group(2, "Nanostäbchen", "#56b4e9"))
NAMES = {c.id: c.name for c in CLASSES}


@pytest.fixture
def sizes() -> sheets.Sheet:
    rng = np.random.default_rng(0)
    values, class_ids = rng.normal(50, 5, 80), np.repeat([1, 2], [50, 30])
    statistics = class_statistics(values, class_ids, [1, 2])
    histogram = class_histogram(values, class_ids, [1, 2])
    fits = class_fits(values, class_ids, [1, 2])
    drawn = {1: fits[1].normal, 2: fits[2].log_normal}
    return sheets.sizes_sheet(
        "diameter (nm)", statistics, histogram, CLASSES, fits=fits, drawn=drawn
    )


@pytest.fixture
def quality() -> QualityReport:
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 2], 20)
    sure = rng.uniform(0.5, 1, 40)
    right = rng.random(40) < sure
    first = np.where((labels == 1) == right, sure, 1 - sure)
    return QualityReport(
        classes=np.array([1, 2]),
        counts=np.array([20, 20]),
        rows=np.arange(40),
        labels=labels,
        probabilities=np.stack([first, 1 - first], axis=1),
        folds=3,
    )


def texts_of(path) -> list[str]:
    return [
        "".join(node.itertext()) for node in ElementTree.parse(path).iter() if "text" in node.tag
    ]


def pixels_of(path) -> np.ndarray:
    from imageio.v3 import imread

    return imread(path)


def test_statistics_are_saved_as_they_are_shown(sizes, tmp_path):
    path = sheets.save_sheet(sizes, tmp_path / "sizes.csv")
    table = pd.read_csv(path)
    assert table["class"].tolist() == ["disc $1", "Nanostäbchen"]
    assert table["n"].tolist() == [50, 30]
    assert set(table["measure"]) == {"diameter (nm)"}
    np.testing.assert_allclose(table["d90"], sizes.table["d90"])
    np.testing.assert_allclose(table["mean"], sizes.table["mean"])
    assert table["fraction"].tolist() == [50 / 80, 30 / 80]
    np.testing.assert_allclose(table["normal_mean"], table["mean"])
    assert (table["geometric_mean"] < table["normal_mean"]).all()
    assert table["better_fit"].isin(["normal", "log-normal", "either"]).all()


def test_the_text_of_an_svg_stays_text(sizes, tmp_path):
    path = sheets.save_sheet(sizes, tmp_path / "sizes.svg")
    texts = texts_of(path)
    assert "diameter (nm)" in texts
    assert "disc $1 (50)" in texts
    assert any(text.startswith("normal, ") for text in texts)
    assert any(text.startswith("log-normal, ") for text in texts)
    assert "Nanostäbchen (30)" in texts
    colors = path.read_text("utf-8").lower()
    assert all(c.color in colors for c in CLASSES)


def test_a_png_shows_the_colours_of_the_classes(sizes, tmp_path):
    image = pixels_of(sheets.save_sheet(sizes, tmp_path / "sizes.PNG"))
    seen = {tuple(pixel) for pixel in image[..., :3].reshape(-1, 3).tolist()}
    for c in CLASSES:
        assert tuple(bytes.fromhex(c.color[1:])) in seen


def test_a_name_in_another_script_can_be_saved(tmp_path):
    values, of_class = np.array([1.0, 2.0, 3.0]), np.array([1, 1, 1])
    classes = (Group(1, "粒子", "#e69f00"),)
    sheet = sheets.sizes_sheet(
        "area (µm²)",
        class_statistics(values, of_class, [1]),
        class_histogram(values, of_class, [1]),
        classes,
    )
    assert "粒子 (3)" in texts_of(sheets.save_sheet(sheet, tmp_path / "a.svg"))
    assert pixels_of(sheets.save_sheet(sheet, tmp_path / "a.png")).size
    assert pd.read_csv(sheets.save_sheet(sheet, tmp_path / "a.csv"))["class"].tolist() == ["粒子"]


def test_what_has_no_class_is_saved_too(tmp_path):
    values, of_class = np.arange(1.0, 13.0), np.repeat([0, 1], 6)
    groups, ids = (CLASSES[0], Group(0, "no class", "#8c8c8c")), [1, 0]
    fits = class_fits(values, of_class, ids)
    sheet = sheets.sizes_sheet(
        "diameter (nm)",
        class_statistics(values, of_class, ids),
        class_histogram(values, of_class, ids),
        groups,
        fits=fits,
        drawn={c: both.better for c, both in fits.items()},
    )
    table = pd.read_csv(sheets.save_sheet(sheet, tmp_path / "a.csv"))
    assert table["class"].tolist() == ["disc $1", "no class"]
    assert table["mean"].tolist() == [9.5, 3.5]
    assert table["normal_mean"].tolist() == [9.5, 3.5]
    texts = texts_of(sheets.save_sheet(sheet, tmp_path / "a.svg"))
    assert "no class (6)" in texts


def test_the_bars_of_the_histogram_are_a_table(tmp_path):
    values, of_class = np.array([1.0, 2.0, 9.0]), np.array([1, 1, 2])
    histogram = class_histogram(values, of_class, [1, 2])
    sheet = sheets.histogram_sheet("largest Feret (px)", histogram, CLASSES)
    assert sheet.name == "largest_Feret_histogram"
    table = pd.read_csv(sheets.save_sheet(sheet, tmp_path / "bars.csv"))
    assert table["disc $1"].sum() == 2
    assert table["Nanostäbchen"].sum() == 1
    assert table["from"].iloc[0] == 1
    assert table["to"].iloc[-1] == 9


def test_the_confusion_matrix_is_saved(quality, tmp_path):
    sheet = sheets.confusion_sheet(quality, NAMES)
    table = pd.read_csv(sheets.save_sheet(sheet, tmp_path / "c.csv"), index_col="labelled as")
    np.testing.assert_array_equal(table.to_numpy(), quality.confusion)
    assert table.index.tolist() == table.columns.tolist() == [*NAMES.values()]
    texts = texts_of(sheets.save_sheet(sheet, tmp_path / "c.svg"))
    assert {"disc $1", "Nanostäbchen"} <= set(texts)
    assert {str(n) for n in quality.confusion.ravel()} <= set(texts)


def test_calibration_and_classes_and_disagreements_are_saved(quality, tmp_path):
    calibration = sheets.calibration_sheet(quality)
    bins = pd.read_csv(sheets.save_sheet(calibration, tmp_path / "k.csv"))
    assert bins["n"].sum() == 40
    assert pixels_of(sheets.save_sheet(calibration, tmp_path / "k.png")).size
    per_class = sheets.per_class_sheet(quality, NAMES)
    table = pd.read_csv(sheets.save_sheet(per_class, tmp_path / "p.csv"))
    assert table["class"].tolist() == [*NAMES.values()]
    np.testing.assert_allclose(table["recall"], quality.per_class["recall"])
    rows = [("a.tif", 7, 1, 2, 0.93), ("b.tif", 9, 2, 5, 0.6)]
    listed = sheets.disagreements_sheet(rows, NAMES)
    text = sheets.save_sheet(listed, tmp_path / "d.csv").read_text("utf-8")
    assert pd.read_csv(io.StringIO(text))["model"].tolist() == ["Nanostäbchen", "class 5"]
    assert "a.tif,7,disc $1,Nanostäbchen,0.93" in text


def test_the_training_curve_is_of_the_loss_that_is_shown(tmp_path):
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "loss": [9.0, 8.0, 30.0],
            "classification_loss": [3.0, 2.0, 1.0],
            "labelled_accuracy": [0.2, 0.6, 1.0],
        }
    )
    sheet = sheets.training_sheet(history)
    figure = sheet.figure()
    assert figure.axes[0].lines[0].get_ydata().tolist() == [3.0, 2.0, 1.0]
    assert pd.read_csv(sheets.save_sheet(sheet, tmp_path / "t.csv")).equals(history)


def test_a_suffix_that_is_none_of_its_is_refused_and_nothing_written(quality, tmp_path):
    with pytest.raises(InputError, match=r"\.csv"):
        sheets.save_sheet(sheets.per_class_sheet(quality, NAMES), tmp_path / "p.png")
    assert not list(tmp_path.iterdir())

"""The pixel size: from the file, typed, or along a scale bar; and the info bar, cut and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.typed_length import typed_length, typed_pixel_size
from napari_ssrvae.imaging.units import MAX_PIXEL_NM

BAR_ROWS = 60
Key = Qt.Key


@pytest.fixture
def picture(spheres: np.ndarray) -> np.ndarray:
    """Discs, and below them an info bar with a scale bar of 100 px in columns 300 to 399."""
    bar = np.zeros((BAR_ROWS, spheres.shape[1]), np.uint8)
    bar[20:26, 300:400] = 255
    rng = np.random.default_rng(3)
    for column in range(20, 260, 12):  # lettering, of a kind
        bar[15:35, column : column + 8] = 255 * rng.integers(0, 2, (20, 8))
    return np.vstack([spheres, bar])


@pytest.fixture
def file(picture: np.ndarray, tmp_path: Path) -> Path:
    tifffile.imwrite(
        tmp_path / "bar.tif", picture, imagej=True, resolution=(0.25, 0.25), metadata={"unit": "nm"}
    )
    return tmp_path / "bar.tif"


@pytest.fixture
def shown() -> Any:
    """Collect what napari shows in its toasts."""
    seen: list[str] = []

    def take(notification: Any) -> None:
        seen.append(notification.message)

    notification_manager.notification_ready.connect(take)
    yield seen
    notification_manager.notification_ready.disconnect(take)


# -- what is typed ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "nanometres"),
    [
        ("10", 10.0),
        ("10 nm", 10.0),
        (" 10nm/px", 10.0),
        ("0.01 µm", 10.0),
        ("0,01 um", 10.0),
        ("500 pm", 0.5),
        ("1e-5 mm", 10.0),
        ("px", None),
        ("1 px", None),
        ("", None),
        ("unknown", None),
    ],
)
def test_lengths_that_people_type(text: str, nanometres: float | None) -> None:
    assert typed_length(text) == pytest.approx(nanometres)


@pytest.mark.parametrize("text", ["ten", "10 parsec", "-3 nm", "0", "1.2.3 nm", "nm", "10 20"])
def test_what_is_no_length_gets_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"nm"):
        typed_length(text)


def test_a_typed_pixel_size_has_the_limits_of_one_in_a_file() -> None:
    assert typed_pixel_size("1 mm") == pytest.approx(MAX_PIXEL_NM)
    assert typed_pixel_size("px") is None
    for text in ("1e9 nm", "1.01 mm", "0.05 pm"):
        with pytest.raises(InputError, match=r"between 0\.1 pm and 1 mm"):
            typed_pixel_size(text)


def test_the_pixel_size_is_typed_with_its_unit_and_undone(hands: Any, spheres: np.ndarray) -> None:
    hands.viewer.add_image(spheres)
    hands.wait(lambda: hands.session.active is not None)
    size, image = hands.panel("Micrograph").size, hands.viewer.layers[0]
    assert size.text() == "unknown"
    hands.type_into(size, "0.01 µm")
    assert hands.session.active.micrograph.pixel_size == pytest.approx(10)
    assert size.text() == "10 nm/px"
    assert str(image.units[-1]) == "nanometer"
    hands.type_into(size, "12 parsec")
    assert "parsec" in hands.dock.banner.text()
    assert size.text() == "10 nm/px"
    hands.type_into(size, "px")
    assert hands.session.active.micrograph.pixel_size is None
    assert hands.session.history.undo_names == ("pixel size", "pixel size 10 nm")
    hands.key(Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert size.text() == "10 nm/px"
    assert image.metadata["pixel_size_nm"] == pytest.approx(10)


def test_the_person_keeps_looking_at_the_same_part(hands: Any, spheres: np.ndarray) -> None:
    hands.viewer.add_image(spheres)
    hands.wait(lambda: hands.session.active is not None)
    camera = hands.viewer.scene.camera
    camera.center, camera.zoom = (0.0, 120.0, 200.0), 3.0
    hands.settle()
    places = [hands.on_canvas(*pixel) for pixel in ((100, 180), (140, 230))]

    def stays() -> bool:
        now = [hands.on_canvas(*pixel) for pixel in ((100, 180), (140, 230))]
        return all((a - b).manhattanLength() <= 2 for a, b in zip(now, places, strict=True))

    for typed in ("10 nm", "5 Å", "2 µm", "px"):
        hands.type_into(hands.panel("Micrograph").size, typed)
        assert stays(), typed
    ctrl, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    for held in (ctrl, ctrl, ctrl | shift):
        hands.key(Key.Key_Z, held)
        assert stays()
    assert hands.session.active.micrograph.pixel_size is not None


# -- what the file says ----------------------------------------------------------------------
@pytest.mark.parametrize("plugin", ["napari", "napari-ssrvae"])
def test_what_the_file_says_is_in_the_layer_and_in_the_table(
    hands: Any, file: Path, plugin: str
) -> None:
    hands.open(file, plugin)
    layer, panel = hands.viewer.layers[0], hands.panel("Micrograph")
    np.testing.assert_allclose(layer.scale, 4)
    assert layer.metadata["format"] == "ImageJ TIFF"
    assert layer.metadata["info_bar_rows"] == BAR_ROWS
    assert layer.metadata["pixel_size_nm"] == pytest.approx(4)
    assert not panel.facts.table.isVisible()
    panel.facts.fold.setFocus()
    QTest.keyClick(panel.facts.fold, Key.Key_Space)
    hands.settle()
    facts = dict(panel.facts.table.texts())
    assert facts["Format"] == "ImageJ TIFF"
    assert facts["Pixel size"].startswith("4 nm")
    assert facts["Info bar"] == f"{BAR_ROWS} rows cut off"
    assert hands.workbench.settings.facts_open
    table = panel.facts.table
    for row in range(table.rowCount()):  # all of each is seen
        cell = table.visualItemRect(table.item(row, 1))
        text = table.fontMetrics().boundingRect(
            cell.adjusted(4, 0, -4, 0), Qt.TextFlag.TextWordWrap, table.item(row, 1).text()
        )
        assert cell.height() >= text.height()
        assert table.viewport().rect().contains(cell)
    hands.type_into(panel.size, "5")
    assert "set by hand" in dict(panel.facts.table.texts())["Pixel size"]


def test_an_info_bar_is_cut_by_hand_whether_or_not_one_was_found(
    hands: Any, spheres: np.ndarray
) -> None:
    hands.viewer.add_image(spheres, name="no bar")
    hands.wait(lambda: hands.session.active is not None)
    panel = hands.panel("Micrograph")
    assert not panel.facts.fold.isChecked()
    assert panel.cut.isVisible()
    panel.cut.setValue(30)
    hands.settle()
    assert hands.session.active.micrograph.shape[0] == spheres.shape[0] - 30
    hands.click(panel.keep)
    assert hands.session.active.micrograph.shape == spheres.shape


# -- units -----------------------------------------------------------------------------------
def units(viewer: Any) -> set[str]:
    return {str(layer.units[-1]) for layer in viewer.layers}


def test_nobody_is_told_of_inconsistent_units(
    hands: Any, file: Path, spheres: np.ndarray, shown: list[str]
) -> None:
    hands.viewer.add_image(spheres, name="unknown")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    for plugin in ("napari-ssrvae", "napari"):
        hands.open(file, plugin)
        assert units(hands.viewer) == {"nanometer"}
    hands.find()
    hands.viewer.add_image(spheres + 1, name="unknown too")
    hands.wait(lambda: len(hands.session.micrographs) == 4)
    assert units(hands.viewer) == {"pixel"}
    hands.workbench.activate(2)
    hands.settle()
    assert units(hands.viewer) == {"nanometer"}
    sizes = [s.micrograph.pixel_size for s in hands.session.micrographs.values()]
    assert sizes == [None, pytest.approx(4), pytest.approx(4), None]
    assert "4 nm/px (2) and unknown (2)" in hands.panel("Micrograph").warning.text()
    field = hands.panel("Micrograph").size
    for typed, unit in (("px", "pixel"), ("4 nm", "nanometer")):
        hands.type_into(field, typed)
        assert units(hands.viewer) == {unit}
    assert not [text for text in shown if "units" in text], shown
    hands.dock.shutdown()
    assert units(hands.viewer) == {"pixel"}  # and nobody takes a pixel for 1 nm


def test_other_notifications_are_not_held_back(hands: Any, shown: list[str]) -> None:
    def warn(event: Any) -> None:
        notification_manager.dispatch(type(notification_manager.records[-1])("Mind the gap"))

    from napari.utils.notifications import show_info

    show_info("first")
    hands.viewer.layers.events.inserted.connect(warn)
    hands.viewer.add_image(np.eye(60))
    hands.viewer.layers.events.inserted.disconnect(warn)
    hands.settle()
    assert shown.count("Mind the gap") == 1


def test_a_label_image_from_elsewhere_is_laid_upon_the_micrograph(hands: Any, file: Path) -> None:
    hands.open(file, "napari-ssrvae")
    labels = np.zeros(hands.session.active.micrograph.shape, np.int32)
    labels[20:40, 20:40] = 1
    layer = hands.viewer.add_labels(labels, name="cellpose")
    np.testing.assert_allclose(layer.scale, 4)
    hands.type_into(hands.panel("Micrograph").size, "8")
    np.testing.assert_allclose(layer.scale, 8)


# -- the scale bar ---------------------------------------------------------------------------
def place(hands: Any, y: float, x: float) -> QPoint:
    return hands.on_canvas(y, x)


def drag(hands: Any, start: QPoint, end: QPoint) -> None:
    tool = hands.workbench.measuring.tool
    QTest.mousePress(tool, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    for step in np.linspace(0, 1, 6)[1:]:
        QTest.mouseMove(tool, start + (end - start) * float(step))
        QApplication.processEvents()
    QTest.mouseRelease(tool, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, end)
    hands.settle()


def begin(hands: Any) -> Any:
    hands.click(hands.panel("Micrograph").measure)
    hands.wait(lambda: not hands.workbench.jobs.running("whole picture"))
    return hands.workbench.measuring.tool


def test_a_line_along_the_bar_gives_the_pixel_size(hands: Any, file: Path) -> None:
    hands.open(file, "napari-ssrvae")
    panel, image = hands.panel("Micrograph"), hands.viewer.layers[0]
    rows = hands.session.active.micrograph.shape[0]
    begin(hands)
    assert image.data.shape[0] == rows + BAR_ROWS  # the bar is in what was cut off
    assert "info bar is shown" in panel.bar.say.text()
    drag(hands, place(hands, rows + 23, 302), place(hands, rows + 21, 397))
    assert "<b>100 px</b>" in panel.bar.say.text()
    assert not panel.bar.use.isEnabled()
    QTest.keyClicks(panel.bar.length, "1 µm")
    assert panel.bar.use.text() == "Set 10 nm/px"
    QTest.keyClick(panel.bar.length, Key.Key_Return)
    hands.settle()
    assert hands.session.active.micrograph.pixel_size == pytest.approx(10)
    assert hands.session.active.micrograph.shape[0] == image.data.shape[0] == rows
    assert hands.session.history.undo_names == ("pixel size 10 nm",)
    assert len(hands.viewer.layers) == 1
    assert hands.workbench.measuring.tool is None
    assert not panel.measure.isChecked()
    assert hands.workbench.settings.bar_length == "1 µm"
    panel.facts.fold.click()
    assert "measured along the scale bar" in dict(panel.facts.table.texts())["Pixel size"]
    hands.key(Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert hands.session.active.micrograph.pixel_size == pytest.approx(4)
    # The file's own value, measured: nobody is told that it is the file's alone.
    begin(hands)
    drag(hands, place(hands, rows + 23, 302), place(hands, rows + 21, 397))
    hands.type_into(panel.bar.length, "1 m")  # which no pixel can be a hundredth of
    assert hands.workbench.measuring.active
    assert "cannot be as large" in panel.bar.say.text()
    hands.type_into(panel.bar.length, "400 nm")
    assert not hands.workbench.measuring.active
    said = dict(panel.facts.table.texts())["Pixel size"]
    assert said == "4 nm, measured along the scale bar, as the file says"
    hands.key(Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert "measured" not in dict(panel.facts.table.texts())["Pixel size"]


def test_two_clicks_do_while_a_brush_is_in_hand_and_the_image_is_turned(
    hands: Any, spheres: np.ndarray
) -> None:
    image = spheres.copy()
    image[340:348, 200:300] = 255
    layer = hands.viewer.add_image(image, scale=(3, 3), rotate=8, translate=(50, -20))
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    before = hands.session.active.labels
    labels = next(x for x in hands.viewer.layers if x.name.endswith("particles"))
    hands.viewer.layers.selection.active = labels
    labels.mode = "paint"
    tool = begin(hands)
    for y, x in ((343, 203), (345, 296)):
        QTest.mouseMove(tool, place(hands, y, x))
        QTest.mouseClick(tool, Qt.MouseButton.LeftButton, pos=place(hands, y, x))
    hands.settle()
    assert "<b>100 px</b>" in hands.panel("Micrograph").bar.say.text()
    assert hands.session.active.labels is before
    assert not hands.session.active.hand_labels
    hands.click(hands.panel("Micrograph").bar.leave)
    assert labels.mode == "paint"
    assert layer.scale[0] == 3


@pytest.mark.parametrize("where", ["canvas", "form", "button", "other micrograph"])
def test_measuring_is_left_and_nothing_stays(hands: Any, file: Path, where: str) -> None:
    hands.open(file, "napari-ssrvae")
    rows, layers = hands.session.active.micrograph.shape[0], len(hands.viewer.layers)
    tool, panel = begin(hands), hands.panel("Micrograph")
    drag(hands, place(hands, 20, 30), place(hands, 22, 130))
    assert "No bar was found" in panel.bar.say.text()
    if where == "canvas":
        QTest.keyClick(tool, Key.Key_Escape)
    elif where == "form":
        QTest.keyClick(panel.bar.length, Key.Key_Escape)
    elif where == "button":
        hands.click(panel.measure)
    else:
        hands.viewer.add_image(np.random.default_rng(0).random((80, 90)))
        hands.wait(lambda: len(hands.session.micrographs) == 2)
        hands.workbench.activate(1)
        layers += 1
    hands.settle()
    assert hands.workbench.measuring.tool is None
    assert not panel.bar.isVisible()
    assert hands.viewer.layers[0].data.shape[0] == rows
    assert len(hands.viewer.layers) == layers
    assert hands.session.history.undo_names == ()


def test_the_line_is_drawn_with_the_keys(hands: Any, spheres: np.ndarray) -> None:
    hands.viewer.add_image(spheres)
    hands.wait(lambda: hands.session.active is not None)
    tool = begin(hands)
    assert hands.dock.window().focusWidget() is tool
    QTest.keyClick(tool, Key.Key_Return)
    for _ in range(9):
        QTest.keyClick(tool, Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(tool, Key.Key_Right)
    QTest.keyClick(tool, Key.Key_Return)
    hands.settle()
    drawn = 91 / hands.viewer.scene.camera.zoom
    panel = hands.panel("Micrograph")
    QTest.keyClicks(panel.bar.length, "910 nm")
    assert panel.bar.pixel_size() == pytest.approx(910 / drawn, rel=0.02)


# -- the info bar ----------------------------------------------------------------------------
@pytest.mark.parametrize("plugin", ["napari", "napari-ssrvae"])
def test_a_mistaken_cut_is_undone_with_everything_kept(hands: Any, file: Path, plugin: str) -> None:
    hands.open(file, plugin)
    panel, session = hands.panel("Micrograph"), hands.session
    image, rows = hands.viewer.layers[0], session.active.micrograph.shape[0]
    found = hands.find()
    hands.click_particle(3)
    hand, before = session.active.hand_labels, session.active.labels
    assert panel.cut.value() == BAR_ROWS
    hands.click(panel.keep)
    hands.wait(lambda: not hands.workbench.jobs.running("whole picture"))
    assert session.history.undo_names[0] == "keep the whole picture"
    assert image.data.shape[0] == session.active.micrograph.shape[0] == rows + BAR_ROWS
    particles = next(x for x in hands.viewer.layers if x.name.endswith("particles"))
    assert particles.data.shape == image.data.shape
    np.testing.assert_array_equal(session.active.labels[:rows], before)
    assert (session.active.hand_labels, session.active.particle_ids.size) == (hand, found)
    hands.click_particle(5)  # the layers and the look-up fit the new picture
    assert set(session.active.hand_labels) == {3, 5}
    assert panel.keep.text() == "Cut it off"
    hands.click(panel.keep)
    assert session.history.undo_names[0] == f"cut {BAR_ROWS} rows off"
    assert image.data.shape[0] == particles.data.shape[0] == rows
    for _ in range(3):
        hands.key(Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert image.data.shape[0] == particles.data.shape[0] == rows
    assert session.active.hand_labels == hand
    np.testing.assert_array_equal(session.active.labels, before)


def test_a_bar_in_a_picture_without_a_file_is_offered_to_be_cut(
    hands: Any, picture: np.ndarray
) -> None:
    layer = hands.viewer.add_image(picture)
    panel = hands.panel("Micrograph")
    hands.wait(panel.keep.isVisible)
    assert panel.cut.text() == "Info bar not cut"
    hands.click(panel.keep)
    assert layer.data.shape[0] == picture.shape[0] - BAR_ROWS
    panel.cut.setValue(10)
    hands.settle()
    assert layer.data.shape[0] == picture.shape[0] - 10
    np.testing.assert_array_equal(layer.data, picture[:-10])
    hands.find()
    panel.cut.setValue(150)
    hands.settle()
    assert "undo brings them back" in hands.dock.banner.text()
    assert hands.session.active.labels.shape == layer.data.shape


def test_colours_stay_where_the_bar_of_a_colour_picture_comes_and_goes(
    hands: Any, picture: np.ndarray
) -> None:
    colour = np.stack([picture, picture // 2, picture // 3], axis=-1)
    layer = hands.viewer.add_image(colour, rgb=True)
    hands.wait(lambda: hands.session.active is not None)
    panel = hands.panel("Micrograph")
    hands.workbench.info_bars.cut(BAR_ROWS)
    assert layer.data.shape == (picture.shape[0] - BAR_ROWS, picture.shape[1], 3)
    hands.workbench.info_bars.cut(0)
    assert layer.data.shape == colour.shape
    np.testing.assert_array_equal(layer.data[:-BAR_ROWS], colour[:-BAR_ROWS])
    assert panel.cut.value() == 0


def test_a_file_that_is_gone_is_named_and_nothing_changes(hands: Any, file: Path) -> None:
    hands.open(file, "napari-ssrvae")
    rows = hands.session.active.micrograph.shape[0]
    file.unlink()
    hands.click(hands.panel("Micrograph").keep)
    hands.wait(hands.dock.banner.isVisible)
    assert file.name in hands.dock.banner.text()
    assert hands.session.active.micrograph.shape[0] == rows


def test_the_bar_of_a_stack_is_cut_from_every_slice(hands: Any, picture: np.ndarray) -> None:
    hands.viewer.add_image(np.stack([picture, picture + 1, picture]), name="series")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    hands.workbench.info_bars.cut(BAR_ROWS)
    hands.viewer.dims.set_current_step(0, 2)
    hands.settle()
    rows = {s.micrograph.shape[0] for s in hands.session.micrographs.values()}
    assert rows == {picture.shape[0] - BAR_ROWS}
    hands.key(Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    rows = {s.micrograph.shape[0] for s in hands.session.micrographs.values()}
    assert rows == {picture.shape[0]}

"""Strokes painted with the real brush, the classifier that learns them, and the filters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_ssrvae.imaging import Micrograph, PixelClassifier, SegmentationSettings
from napari_ssrvae.imaging.filters import rims
from napari_ssrvae.imaging.guided import Groundwork
from napari_ssrvae.viewer.finding_steps import Learnt, Painted, learn_strokes

SPOTS = [(y, x) for y in (45, 105, 165) for x in (45, 115, 185, 255)]


def discs() -> np.ndarray:
    """Twelve discs that differ from the background in texture, not in brightness."""
    draw = np.random.default_rng(0)
    yy, xx = np.mgrid[:210, :300]
    image = draw.normal(100, 3, (210, 300))
    for y, x in SPOTS:
        inside = (yy - y) ** 2 + (xx - x) ** 2 < 20**2
        image[inside] += draw.normal(0, 25, inside.sum())
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture
def painting(hands: Any) -> Any:
    hands.viewer.add_image(discs(), name="discs")
    hands.wait(lambda: hands.session.active is not None)
    hands.settle()
    panel = hands.panel("Particles")
    panel.method.setCurrentText("paint strokes")
    hands.settle()
    return hands


def learnt(painted: Painted) -> Learnt:
    """Run the step to its end."""
    steps = learn_strokes(painted, [], None, SegmentationSettings(split_touching=True))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_a_further_stroke_uses_what_no_stroke_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    micrograph = Micrograph(discs().astype(np.float32))
    strokes = np.zeros((210, 300), np.uint8)
    for y, x in SPOTS[:3]:
        strokes[y - 9 : y + 9, x] = 2
    strokes[20:190, 80] = 1
    first = learnt(Painted(0, micrograph, strokes))
    strokes[20:190, 220] = 1
    afresh = learnt(Painted(0, micrograph, strokes))
    assert afresh.labels.any()
    monkeypatch.delattr(Groundwork, "of")  # once more would be a mistake
    again = learnt(Painted(0, micrograph, strokes, first.features, groundwork=first.groundwork))
    np.testing.assert_array_equal(again.labels, afresh.labels)


def stroke(hands: Any, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Draw with the mouse from one pixel (y, x) of the micrograph to another."""
    points = [hands.on_canvas(*p) for p in np.linspace(start, end, 8)]
    left = Qt.MouseButton.LeftButton
    QTest.mousePress(hands.canvas, left, pos=points[0])
    for point in points[1:]:
        QTest.mouseMove(hands.canvas, QPoint(point))
        hands.qtbot.wait(2)
    QTest.mouseRelease(hands.canvas, left, pos=points[-1])
    hands.settle()


def paint_both(hands: Any) -> None:
    box = hands.panel("Particles").strokes
    for spot in (SPOTS[0], SPOTS[6], SPOTS[11]):
        stroke(hands, (spot[0] - 9, spot[1]), (spot[0] + 9, spot[1]))
    hands.click(box.brushes[1])
    for x in (80, 150, 220):
        stroke(hands, (20, x), (190, x))
    hands.wait(lambda: hands.workbench.strokes.found is not None)


def test_strokes_become_particles_that_undo_takes_back(painting: Any) -> None:
    strokes, box = painting.workbench.strokes, painting.panel("Particles").strokes
    assert box.isVisible()
    assert not box.use.isEnabled()
    assert strokes.in_hand() == 2
    paint_both(painting)
    painted = np.asarray(strokes.layer.data)
    assert painted[SPOTS[0]] == 2
    assert painted[100, 80] == 1
    assert strokes.found.max() == len(SPOTS)
    shown = np.asarray(strokes.result.layer.data) > 0
    assert np.array_equal(shown, rims(strokes.found, 2))
    assert str(len(SPOTS)) in box.hint.text()
    # what we draw is nothing to choose as particles
    assert not painting.workbench.adoption.labels_layers()
    painting.click(box.use)
    assert painting.session.active.particle_ids.size == len(SPOTS)
    assert not strokes.result.visible
    assert painting.session.history.undo() == f"{len(SPOTS)} particles from strokes"
    assert painting.session.active.labels is None


def test_one_kind_alone_finds_nothing_and_says_so(painting: Any) -> None:
    strokes, box = painting.workbench.strokes, painting.panel("Particles").strokes
    stroke(painting, (36, 45), (54, 45))
    painting.qtbot.wait(300)
    assert strokes.found is None
    assert not painting.workbench.jobs.running("strokes")
    assert "other kind" in box.hint.text()


def test_another_method_puts_the_brush_away_and_strokes_come_back(painting: Any) -> None:
    strokes, panel = painting.workbench.strokes, painting.panel("Particles")
    paint_both(painting)
    before = np.asarray(strokes.layer.data).copy()
    panel.method.setCurrentText("otsu")
    painting.settle()
    assert [layer.name for layer in painting.viewer.layers] == ["discs"]
    assert panel.find.isVisible()
    assert panel.settings().method == "otsu"
    panel.method.setCurrentText("paint strokes")
    painting.wait(lambda: strokes.found is not None)
    assert np.array_equal(strokes.layer.data, before)


def test_particles_from_strokes_are_labelled_by_the_next_click(painting: Any) -> None:
    strokes, box = painting.workbench.strokes, painting.panel("Particles").strokes
    paint_both(painting)
    before = np.asarray(strokes.layer.data).copy()
    painting.click(box.use)
    assert strokes.in_hand() is None
    assert "particles taken" in box.hint.text()
    painting.choose_class(1)
    painting.click_particle(5)
    assert painting.session.active.hand_labels == {5: 1}
    assert np.array_equal(strokes.layer.data, before)
    painting.click(box.brushes[1])  # and painting goes on with one click
    assert strokes.in_hand() == 1
    stroke(painting, (20, 20), (60, 20))
    assert np.asarray(strokes.layer.data)[40, 20] == 1


def test_strokes_wait_for_the_next_micrograph(painting: Any) -> None:
    strokes, panel = painting.workbench.strokes, painting.panel("Particles")
    del painting.viewer.layers["discs"]
    painting.wait(lambda: painting.session.active is None)
    assert not list(painting.viewer.layers)
    painting.viewer.add_image(discs(), name="next")
    painting.wait(lambda: painting.session.active is not None)
    assert panel.method.currentText() == "paint strokes"
    assert panel.strokes.isVisible()
    assert strokes.in_hand() == 2
    stroke(painting, (36, 45), (54, 45))
    assert np.asarray(strokes.layer.data)[45, 45] == 2
    panel.method.setCurrentText("auto")
    painting.settle()
    assert panel.find.isVisible()
    assert not panel.strokes.isVisible()
    assert [layer.name for layer in painting.viewer.layers] == ["next"]


def test_strokes_lie_above_a_micrograph_opened_later(painting: Any) -> None:
    box, layers = painting.panel("Particles").strokes, painting.viewer.layers
    paint_both(painting)
    painting.viewer.add_image(np.ascontiguousarray(discs()[::-1]), name="other")
    painting.wait(lambda: len(painting.session.micrographs) == 2)
    painting.wait(lambda: painting.workbench.strokes.found is not None)
    assert [layer.name for layer in layers][-3:] == ["other", "found from strokes", "strokes"]
    painting.click(box.brushes[2])
    stroke(painting, (150, 20), (150, 60))
    drawn = painting.on_canvas(150, 40)
    picture = painting.viewer.screenshot(canvas_only=True, flash=False)
    red, _, blue, _ = picture[drawn.y(), drawn.x()].astype(int)
    assert red > blue + 60  # the orange of particles, on a grey picture


def test_a_saved_classifier_finds_particles_in_another_micrograph(
    painting: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strokes, box = painting.workbench.strokes, painting.panel("Particles").strokes
    paint_both(painting)
    path = tmp_path / "gold.strokes"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    painting.click(box.save)
    painting.wait(path.exists)
    assert isinstance(PixelClassifier.load(path), PixelClassifier)
    painting.click(box.clear)
    assert strokes.found is None
    assert not np.asarray(strokes.layer.data).any()
    painting.viewer.add_image(np.ascontiguousarray(discs()[::-1]), name="other")
    painting.wait(lambda: len(painting.session.micrographs) == 2)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    painting.click(box.load)
    painting.wait(lambda: strokes.found is not None)
    assert strokes.found.max() == len(SPOTS)


def test_a_file_that_is_none_is_refused_in_one_sentence(
    painting: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "no.strokes"
    path.write_bytes(b"not this")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    painting.click(painting.panel("Particles").strokes.load)
    painting.wait(lambda: "no pixel classifier" in painting.dock.banner.text())


@pytest.fixture
def sorting(hands: Any) -> Any:
    labels = np.zeros((210, 300), np.int32)
    yy, xx = np.mgrid[:210, :300]
    for k, (y, x) in enumerate(SPOTS):
        labels[(yy - y) ** 2 + (xx - x) ** 2 < (10 if k == 5 else 20) ** 2] = k + 1
    hands.viewer.add_image((60 + 100 * (labels > 0)).astype(np.uint8), name="drawn")
    hands.wait(lambda: hands.session.active is not None)
    hands.session.set_particles(hands.session.active_key, labels)
    hands.settle()
    box = hands.panel("Particles").filters
    QTest.keyClick(box.title, Qt.Key.Key_Space)
    hands.wait(lambda: hands.workbench.filtering.seen is not None)
    return hands


def test_a_filter_counts_shows_and_takes_away_and_undo_brings_back(sorting: Any) -> None:
    box, filtering = sorting.panel("Particles").filters, sorting.workbench.filtering
    assert "12 of 12" in box.count.text()
    assert not box.apply.isEnabled()
    sorting.session.label(sorting.session.active_key, {6: 1})
    box.size.setValue((30, box.size.maximum()))
    sorting.wait(lambda: "11 of 12" in box.count.text())
    assert "1 hand label would go" in box.count.text()
    shown = np.asarray(filtering.overlay.layer.data)
    assert np.array_equal(shown > 0, sorting.session.active.labels == 6)
    assert sorting.session.active.particle_ids.size == len(SPOTS)  # nothing is gone yet
    sorting.click(box.apply)
    assert 6 not in sorting.session.active.particle_ids
    assert "undo brings it back" in sorting.dock.banner.text()
    assert sorting.session.history.undo() == "keep 11 of 12 particles"
    sorting.wait(lambda: "11 of 12" in box.count.text())
    assert sorting.session.active.hand_labels == {6: 1}


def test_sizes_are_typed_and_the_slider_has_room(sorting: Any) -> None:
    box = sorting.panel("Particles").filters
    size = box.size
    sorting.viewer.window.resize(1366, 768)
    sorting.settle()
    sorting.dock.scroll.ensureWidgetVisible(size)
    assert size.label.text() == "Size (px)"
    assert size.slider.width() > 200
    assert sorting.dock.scroll.horizontalScrollBar().maximum() == 0  # all of it is in sight
    sorting.type_into(size.low, "30")
    sorting.wait(lambda: "11 of 12" in box.count.text())
    assert size.value()[0] == size.slider.value()[0] == 30
    sorting.type_into(size.high, "25")  # below the lower end, which moves along
    assert size.value() == (25, 25)
    size.slider.setFocus()
    size.slider.setValue((size.minimum(), size.maximum()))
    assert (size.low.value(), size.high.value()) == (size.minimum(), size.maximum())
    sorting.wait(lambda: "12 of 12" in box.count.text())


def test_the_filter_says_nothing_of_another_micrograph(sorting: Any) -> None:
    box, filtering = sorting.panel("Particles").filters, sorting.workbench.filtering
    box.size.setValue((30, box.size.maximum()))
    sorting.wait(lambda: "11 of 12" in box.count.text())
    sorting.viewer.add_image(discs(), name="other")
    sorting.wait(lambda: len(sorting.session.micrographs) == 2)
    assert box.count.text() == ""
    assert not filtering.overlay.visible
    sorting.workbench.activate(1)
    sorting.wait(lambda: "11 of 12" in box.count.text())
    QTest.keyClick(box.title, Qt.Key.Key_Space)
    sorting.workbench.activate(2)
    two = np.zeros((210, 300), np.int32)
    two[20:60, 20:60], two[20:60, 120:160] = 1, 2
    sorting.session.set_particles(2, two)
    sorting.settle()
    QTest.keyClick(box.title, Qt.Key.Key_Space)
    assert box.count.text() == ""  # it is measured now
    sorting.wait(lambda: "of 2" in box.count.text())


def test_sizes_are_in_nm_where_the_scale_is_known(sorting: Any) -> None:
    box = sorting.panel("Particles").filters
    assert 39 < box.size.maximum() < 42
    sorting.workbench.set_pixel_size(2.5)
    sorting.wait(lambda: box.size.maximum() > 95)
    assert box.size.label.text() == "Size (nm)"
    QTest.keyClick(box.title, Qt.Key.Key_Space)
    sorting.settle()
    assert not sorting.workbench.filtering.on
    assert not box.inside.isVisible()

"""Stacks slice by slice, and several micrographs in one session, with the slider and the mouse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_ssrvae.imaging import SliceReader
from napari_ssrvae.library.selection import Selection


def frame(seed: int, shape: tuple[int, int] = (200, 260)) -> np.ndarray:
    """Return dark ground with 12 bright discs, small and large, elsewhere in each frame."""
    rng = np.random.default_rng(seed)
    image = rng.normal(60, 4, shape)
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    for i in range(12):
        cy, cx = np.array([36 + 62 * (i // 4), 36 + 62 * (i % 4)]) + rng.integers(-7, 8, 2)
        image[(yy - cy) ** 2 + (xx - cx) ** 2 < (9, 16)[i % 2] ** 2] += 120
    return image.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.stack([frame(seed) for seed in range(5)])


@pytest.fixture
def series(hands: Any, frames: np.ndarray) -> Any:
    """A time series in nm on the screen, at slice 2."""
    hands.viewer.add_image(
        frames, name="series", scale=(1, 2, 2), units=("pixel", "nm", "nm"), translate=(0, 10, 20)
    )
    hands.wait(lambda: hands.session.active is not None)
    return hands


def step(hands: Any, index: int) -> None:
    """Move napari's own slider to a slice."""
    sliders = hands.viewer.window._qt_viewer.dims.slider_widgets
    next(w.slider for w in sliders if w.isVisible()).setValue(index)
    hands.settle()
    assert hands.viewer.dims.current_step[0] == index


def layers_of(hands: Any) -> Any:
    return hands.workbench.mirror.groups[hands.session.active_key]


def by_area(hands: Any) -> list[int]:
    state = hands.session.active
    return sorted(state.particle_ids.tolist(), key=lambda p: int((state.labels == p).sum()))


def find_all(hands: Any) -> None:
    hands.click(hands.panel("Particles").find_all)
    hands.wait(lambda: not hands.workbench.jobs.running("find in all"))


# -- slices -----------------------------------------------------------------------------------
def test_the_slice_on_the_screen_is_the_micrograph(series: Any, frames: np.ndarray) -> None:
    hands = series
    state = hands.session.active
    assert state.micrograph.name == "series [2]"
    assert state.micrograph.pixel_size == 2.0
    np.testing.assert_array_equal(state.micrograph.image, frames[2])
    assert hands.find() == 12
    found = hands.session.active_key
    step(hands, 4)
    assert hands.session.active.micrograph.name == "series [4]"
    np.testing.assert_array_equal(hands.session.active.micrograph.image, frames[4])
    assert not layers_of(hands).particles.data.any()
    text = hands.panel("Micrograph").slices.text()
    assert "Slice 4" in text
    assert "1 of 5 slices" in text
    step(hands, 0)
    # Slices that were only looked at are not kept, and no slice has layers of its own.
    assert list(hands.session.micrographs) == [found, hands.session.active_key]
    assert len(hands.viewer.layers) == 4
    step(hands, 2)
    assert hands.session.active_key == found
    np.testing.assert_array_equal(layers_of(hands).particles.data, hands.session.active.labels)
    np.testing.assert_allclose(layers_of(hands).particles.translate, (10, 20))
    # A library that names a slice finds it in the open stack.
    named = hands.workbench.stacks.named("series [4]", (200, 260))
    assert hands.session.micrographs[named].micrograph.name == "series [4]"


def test_labels_belong_to_their_slice_and_undo_goes_there(series: Any) -> None:
    hands = series
    hands.find()
    in_2 = by_area(hands)[0]
    hands.click_particle(in_2)
    step(hands, 3)
    hands.find()
    small, large = by_area(hands)[0], by_area(hands)[-1]
    hands.hover(large)
    hands.key(Qt.Key.Key_2)
    hands.click_particle(small)
    assert hands.session.active.hand_labels == {small: 2, large: 2}
    ring = layers_of(hands).hand.data
    assert ring[tuple(int(v) for v in hands.inside(large))] == 2
    step(hands, 2)
    assert hands.session.active.hand_labels == {in_2: 1}
    assert set(np.unique(layers_of(hands).hand.data)) == {0, 1}
    assert hands.session.hand_counts() == {1: 1, 2: 2}
    assert "Counted over 2 slices; 1 by hand" in hands.panel("Classes").span.text()
    # The last label was made in slice 3: undo takes that one back, and shows where.
    hands.viewer.scene.camera.zoom *= 2
    zoom = hands.viewer.scene.camera.zoom
    hands.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert hands.viewer.dims.current_step[0] == 3
    assert hands.session.active.micrograph.name == "series [3]"
    assert hands.session.active.hand_labels == {large: 2}
    assert hands.session.hand_counts() == {1: 1, 2: 1}
    assert hands.viewer.scene.camera.zoom == zoom


def test_a_key_means_the_particle_that_came_under_the_mouse(series: Any) -> None:
    hands = series
    find_all(hands)
    step(hands, 0)
    place = hands.hover(by_area(hands)[0])
    step(hands, 1)
    group = layers_of(hands)
    world = np.asarray(hands.viewer.cursor.position)[-2:]
    there = group.index.at(*group.image.world_to_data(world)[-2:])
    assert hands.workbench.picker.under_mouse == there
    hands.key(Qt.Key.Key_1)
    assert hands.session.active.hand_labels == ({there: 1} if there else {})
    assert place is not None


def test_painting_stays_in_its_slice(series: Any) -> None:
    hands = series
    find_all(hands)
    before = {i: s.labels.copy() for i, s in enumerate(states_in_order(hands))}
    layer = layers_of(hands).particles
    hands.viewer.layers.selection.active = layer
    layer.mode, layer.selected_label, layer.brush_size = "paint", 99, 12
    y, x = 4, 130
    hands.drag(hands.on_canvas(y, x), hands.on_canvas(y, x + 20))
    step(hands, 3)  # before the pause after which a stroke is taken over
    after = {i: s.labels for i, s in enumerate(states_in_order(hands))}
    assert 99 in after[2]
    for other in (0, 1, 3, 4):
        np.testing.assert_array_equal(after[other], before[other])
    np.testing.assert_array_equal(layers_of(hands).particles.data, before[3])
    # A stroke into the hand labels labels particles of this slice.
    layer.mode = "pan_zoom"
    hand = layers_of(hands).hand
    hands.viewer.layers.selection.active = hand
    hand.mode, hand.selected_label, hand.brush_size = "paint", 2, 5
    target = by_area(hands)[-1]
    place = hands.on_canvas(*hands.inside(target))
    hands.drag(place, hands.on_canvas(*(np.array(hands.inside(target)) + 2)))
    assert hands.session.active.hand_labels == {target: 2}
    # What was painted by hand is not found anew.
    hands.panel("Particles").smoothing.setValue(1.5)
    assert len(hands.workbench.stack_work.open_slices(hands.panel("Particles").settings())) == 4


def test_a_stroke_where_there_are_no_particles_yet_is_refused_in_a_sentence(series: Any) -> None:
    hands = series
    hands.find()
    step(hands, 4)
    layer = layers_of(hands).particles
    hands.viewer.layers.selection.active = layer
    layer.mode, layer.selected_label, layer.brush_size = "paint", 9, 12
    hands.drag(hands.on_canvas(40, 40), hands.on_canvas(40, 80))
    hands.wait(lambda: "no particles yet" in hands.dock.banner.text())
    assert not layer.data.any()
    assert hands.session.active.labels is None


def test_finding_in_all_slices_spares_what_is_made_by_hand(series: Any) -> None:
    hands = series
    find_all(hands)
    stack = hands.workbench.stacks.of(hands.session.active_key)
    keys = [stack.keys[(i,)] for i in range(5)]
    hands.session.edit_particles(keys[1], np.zeros((200, 260), np.int32), "delete all")
    settings = replace(hands.panel("Particles").settings(), smoothing=1.5)
    work = hands.workbench.stack_work
    assert {index for (index,) in work.open_slices(settings)} == {0, 2, 3, 4}
    work.find_in_all(settings)
    hands.session.edit_particles(keys[3], np.zeros((200, 260), np.int32), "delete all")
    hands.wait(lambda: not hands.workbench.jobs.running("find in all"))
    sizes = [state.particle_ids.size for state in states_in_order(hands)]
    assert [n == 0 for n in sizes] == [False, True, False, True, False]
    assert "corrected meanwhile in 1 slice stays" in hands.dock.banner.text()


def states_in_order(hands: Any) -> list[Any]:
    stack = hands.workbench.stacks.of(hands.session.active_key)
    return [state for _, state in sorted(hands.workbench.stacks.states(stack).items())]


def test_finding_in_all_slices_is_one_step_and_can_be_stopped(
    hands: Any, frames: np.ndarray
) -> None:
    many = np.concatenate([frames] * 8)
    many[7] = 5  # a dark frame holds nothing, and stops nobody
    hands.viewer.add_image(many, name="film")
    hands.wait(lambda: hands.session.active is not None)
    panel = hands.panel("Particles")
    hands.click(panel.find_all)
    hands.wait(lambda: panel.progress.value() >= 2)
    hands.click(panel.stop)
    hands.wait(lambda: not hands.workbench.jobs.running("find in all"))
    done = len(hands.session.micrographs)
    assert 2 <= done < 40
    assert "stopped after" in hands.dock.banner.text()
    assert hands.session.history.undo_names[0] == "find particles in 40 slices of film"
    hands.workbench.picker.undo()
    assert hands.session.history.undo_names == ()
    assert all(s.labels is None for s in hands.session.micrographs.values())
    hands.workbench.picker.redo()
    assert sum(s.labels is not None for s in hands.session.micrographs.values()) == done
    find_all(hands)
    found = {s.micrograph.name: s.particle_ids.size for s in hands.session.micrographs.values()}
    assert len(found) == 39
    assert set(found.values()) == {12}
    assert "film [7]" not in found
    step(hands, 7)
    assert "same value" in hands.panel("Micrograph").warning.text()
    assert len(hands.viewer.layers) == 4


def test_training_spans_slices_and_an_export_names_them(series: Any, tmp_path: Path) -> None:
    hands = series
    find_all(hands)
    for index in (1, 3):
        step(hands, index)
        order = by_area(hands)
        hands.session.label(hands.session.active_key, {order[0]: 1, order[-1]: 2})
    hands.settle()
    hands.workbench.settings.max_seconds = 3
    hands.train()
    assert all(s.predictions is not None for s in hands.session.micrographs.values())
    step(hands, 0)
    group = layers_of(hands)
    assert set(np.unique(group.overlay.data)) <= {0, 1, 2}
    assert group.overlay.data.any()
    # A click in a plot leads to the particle's slice.
    other = next(k for k, s in hands.session.micrographs.items() if "[4]" in s.micrograph.name)
    hands.workbench.select(other, 3, center=True)
    assert hands.viewer.dims.current_step[0] == 4
    assert hands.session.active_key == other
    path = tmp_path / "library"
    hands.workbench.files.export(str(path / "table.csv"), "csv")
    hands.wait(lambda: not hands.workbench.jobs.running("export"))
    table = pd.read_csv(path / "table.csv")
    assert set(table["micrograph"]) == {f"series [{i}]" for i in range(5)}
    # A new series is classified as it is stepped through.
    hands.click(hands.panel("Live").armed)
    # The slice on the screen is classified beside all the others, and stops nobody.
    for key in hands.session.micrographs:
        hands.session.set_predictions(key, None)
    hands.workbench.classifying.all()
    hands.workbench.stack_work._classify_shown()
    assert hands.workbench.jobs.running("classify")
    assert hands.workbench.jobs.running("live slice")
    hands.wait(lambda: all(s.predictions is not None for s in hands.session.micrographs.values()))
    hands.viewer.add_image(np.stack([frame(20), frame(21)]), name="next")
    hands.wait(lambda: hands.session.active.predictions is not None)
    assert hands.session.active.micrograph.name.startswith("next")
    first = hands.session.active_key
    step(hands, 0 if hands.session.active.micrograph.name == "next [1]" else 1)
    hands.wait(lambda: hands.session.active.predictions is not None)
    assert hands.session.active_key != first


# -- other stacks, other views ----------------------------------------------------------------
def test_four_axes_and_a_lazy_stack_are_read_slice_by_slice(hands: Any) -> None:
    dask = pytest.importorskip("dask.array")
    read: list[Any] = []

    def block(block_info: Any = None) -> np.ndarray:
        at = block_info[None]["chunk-location"][:2] if block_info else (0, 0)
        read.append(at)
        return frame(sum(at))[None, None]

    data = dask.map_blocks(block, chunks=((1,) * 30, (1,) * 3, (200,), (260,)), dtype=np.uint8)
    hands.viewer.add_image(data, name="lazy", contrast_limits=(0, 255))
    hands.wait(lambda: hands.session.active is not None)
    hands.viewer.dims.set_current_step((0, 1), (17, 2))
    hands.settle()
    assert hands.session.active.micrograph.name == "lazy [17, 2]"
    np.testing.assert_array_equal(hands.session.active.micrograph.image, frame(19))
    assert len(set(read)) < 10
    assert len(hands.session.micrographs) == 1


def test_other_views_are_refused_in_a_sentence_and_label_nothing(series: Any) -> None:
    hands = series
    hands.find()
    particle = by_area(hands)[0]
    place = hands.hover(particle)
    hands.viewer.dims.ndisplay = 3
    hands.settle()
    assert "2-D view" in hands.dock.banner.text()
    QTest.mouseClick(hands.canvas, Qt.MouseButton.LeftButton, pos=place)
    hands.settle()
    assert hands.session.active.hand_labels == {}
    hands.viewer.dims.ndisplay = 2
    hands.viewer.dims.order = (1, 0, 2)
    hands.settle()
    assert "last two axes" in hands.dock.banner.text()
    hands.viewer.dims.order = (0, 2, 1)  # the same plane, turned over
    hands.viewer.dims.set_current_step(0, 1)
    hands.settle()
    assert hands.session.active.micrograph.name == "series [1]"
    hands.find()
    hands.workbench.select(hands.session.active_key, 5, center=True)
    middle = hands.canvas.rect().center()
    QTest.mouseMove(hands.canvas, middle + QPoint(1, 1))
    QTest.mouseMove(hands.canvas, middle)
    QTest.mouseClick(hands.canvas, Qt.MouseButton.LeftButton, pos=middle)
    hands.settle()
    assert hands.session.active.hand_labels == {5: 1}


def test_labels_made_elsewhere_for_the_whole_stack(series: Any, frames: np.ndarray) -> None:
    hands = series
    made = np.where(frames > 120, 1, 0)
    made[:, :100][made[:, :100] > 0] = 2
    hands.viewer.add_labels(made, name="cellpose", scale=(1, 2, 2), units=("pixel", "nm", "nm"))
    hands.settle()
    hands.workbench.use_labels_layer("cellpose")
    hands.wait(lambda: not hands.workbench.jobs.running("find in all"))
    assert [s.particle_ids.tolist() for s in states_in_order(hands)] == [[1, 2]] * 5
    hands.viewer.add_labels(np.zeros((2, 200, 260), int), name="other")
    hands.settle()
    hands.workbench.use_labels_layer("other")
    assert "2 x 200 x 260" in hands.dock.banner.text()


def test_a_removed_stack_takes_its_slices_along_unless_labelled(
    series: Any, frames: np.ndarray
) -> None:
    hands = series
    image = hands.viewer.layers["series"]
    find_all(hands)
    settings = replace(hands.panel("Particles").settings(), smoothing=1.5)
    hands.workbench.stack_work.find_in_all(settings)
    hands.dock.show_message("before")
    hands.viewer.layers.remove(image)
    hands.wait(lambda: not hands.workbench.jobs.running("find in all"))
    assert hands.dock.banner.text() == "before"  # nothing is said of a stack that is gone
    assert hands.session.micrographs == {}
    assert not [x for x in hands.viewer.layers if x.name.startswith("series")]
    hands.viewer.add_image(frames, name="again")
    hands.wait(lambda: hands.session.active is not None)
    hands.viewer.dims.set_current_step(0, 3)
    hands.find()
    hands.click_particle(by_area(hands)[0])
    hands.viewer.layers.remove("again")
    hands.settle()
    assert "1 hand labels are kept" in hands.dock.banner.text()
    hands.workbench.activate(hands.session.active_key)
    hands.settle()
    assert hands.viewer.dims.current_step[0] == 3
    assert hands.session.active.micrograph.name == "again [3]"
    assert len(hands.session.active.hand_labels) == 1


# -- several micrographs ----------------------------------------------------------------------
def test_micrographs_beside_a_stack(series: Any) -> None:
    hands = series
    hands.find()
    for size in (1.0, 4.0):
        hands.viewer.add_image(frame(30), name="series", scale=(size, size), units=("nm", "nm"))
        hands.wait(lambda: hands.session.active.micrograph.pixel_size == size)  # noqa: B023
    chooser = hands.panel("Micrograph").chooser
    assert chooser.count() == 3
    assert len({chooser.itemText(i) for i in range(3)}) == 3
    assert [layer.name for layer in hands.viewer.layers if layer.visible] == ["series [2]"]
    width = np.asarray(hands.canvas.width())
    left, right = hands.on_canvas(0, 0).x(), hands.on_canvas(0, 259).x()
    assert 0.5 * width < right - left <= width  # it fills the canvas beside the stack
    hands.find()
    here = by_area(hands)[0]
    hands.click_particle(here)
    assert hands.session.active.hand_labels == {here: 1}
    step(hands, 4)  # the stack is hidden: nothing of it comes up
    assert hands.session.active.hand_labels == {here: 1}
    row = next(i for i in range(3) if "slices" in chooser.itemText(i))
    chooser.setCurrentIndex(row)
    chooser.activated.emit(row)
    hands.settle()
    assert hands.session.active.micrograph.name == "series [2]"
    assert hands.session.active.particle_ids.size == 12
    assert hands.viewer.dims.current_step[0] == 2
    assert not hands.viewer.layers["series [1]"].visible


def test_the_pixel_size_of_a_stack_is_one_and_undo_shows_it(series: Any) -> None:
    hands = series
    find_all(hands)
    hands.type_into(hands.panel("Micrograph").size, "5")
    assert {s.micrograph.pixel_size for s in hands.session.micrographs.values()} == {5.0}
    np.testing.assert_allclose(hands.viewer.layers["series"].scale, (1, 5, 5))
    np.testing.assert_allclose(layers_of(hands).particles.scale, (5, 5))
    hands.workbench.picker.undo()
    assert {s.micrograph.pixel_size for s in hands.session.micrographs.values()} == {2.0}
    np.testing.assert_allclose(hands.viewer.layers["series"].scale, (1, 2, 2))


def test_a_pixel_size_corrected_in_a_slice_that_was_only_looked_at_is_undone(series: Any) -> None:
    hands = series
    hands.type_into(hands.panel("Micrograph").size, "5")
    step(hands, 0)
    assert hands.session.active.micrograph.pixel_size == 5.0
    hands.workbench.picker.undo()
    assert {s.micrograph.pixel_size for s in hands.session.micrographs.values()} == {2.0}


def test_a_selection_in_another_slice_is_labelled_there(series: Any) -> None:
    hands = series
    find_all(hands)
    key = hands.session.active_key
    step(hands, 0)
    hands.session.select(Selection.of([(key, 1), (key, 2)]))
    hands.workbench.picker.mean_selection()
    hands.key(Qt.Key.Key_2)
    assert hands.session.micrographs[key].hand_labels == {1: 2, 2: 2}
    assert not layers_of(hands).hand.data.any()


# -- without a window -------------------------------------------------------------------------
def test_slices_are_found_by_name(frames: np.ndarray) -> None:
    reader = SliceReader(frames[None], "a [1]")
    assert reader.name_of((0, 3)) == "a [1] [0, 3]"
    assert reader.index_named("a [1] [0, 3]") == (0, 3)
    for wrong in ("a [1]", "a [1] [0, 5]", "a [1] [3]", "b [0, 3]", "a [1] [0, x]"):
        assert reader.index_named(wrong) is None
    assert len(list(reader.indices())) == len(reader) == 5

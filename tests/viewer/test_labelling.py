"""Labelling with mouse and keyboard on the canvas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QMenu, QWidget

from napari_ssrvae.library.selection import Selection

Key, Control, Shift = (
    Qt.Key,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
)


def yellow(marks: QWidget) -> int:
    """Count the pixels of the outlines of what is selected."""
    red, green, blue = painted(marks)
    return int(((red > 200) & (green > 200) & (blue < 60)).sum())


def white(marks: QWidget) -> int:
    """Count the pixels of the outline of what is hovered, and of the word beside it."""
    return int((painted(marks).min(axis=0) > 200).sum())


def painted(marks: QWidget) -> np.ndarray:
    picture = marks.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits = picture.constBits()
    flat = np.frombuffer(
        bits if isinstance(bits, memoryview) else bits.asarray(picture.sizeInBytes()), np.uint8
    )
    rows = flat.reshape(picture.height(), picture.bytesPerLine())[:, : 3 * picture.width()]
    return rows.reshape(picture.height(), -1, 3).transpose(2, 0, 1).astype(int)


@pytest.fixture
def labelling(hands: Any, spheres: np.ndarray) -> Any:
    hands.viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    assert hands.find() == 35
    return hands


def test_nothing_there_until_it_makes_sense(hands: Any) -> None:
    visible = [type(p).__name__ for p in hands.dock.panels.values() if p.isVisible()]
    assert visible == ["MicrographPanel"]
    assert "Drop a micrograph" in hands.dock.next.text()


def test_hover_outlines_and_a_click_labels(labelling: Any) -> None:
    labelling.hover(3)
    outlines = labelling.workbench.mirror.outlines
    assert yellow(outlines.marks) == 0
    assert white(outlines.marks) > 50
    assert "particle 3" in labelling.panel("Classes").under_mouse.text()
    labelling.click_particle(3)
    assert labelling.session.active.hand_labels == {3: 1}
    hand = labelling.workbench.mirror.groups[labelling.session.active_key].hand
    y, x = (int(v) for v in labelling.inside(3))
    assert hand.data[y, x] == 1
    assert set(np.unique(hand.data)) == {0, 1}


def test_a_click_gives_the_class_chosen_in_the_table(labelling: Any) -> None:
    labelling.choose_class(2)
    labelling.click_particle(5)
    assert labelling.session.active.hand_labels == {5: 2}
    assert labelling.panel("Classes").table.item(1, 3).text() == "1"


def test_a_drag_never_labels(labelling: Any) -> None:
    place = labelling.hover(3)
    before = labelling.viewer.scene.camera.center
    labelling.drag(place, place + QPoint(60, 20))
    assert labelling.session.active.hand_labels == {}
    assert labelling.viewer.scene.camera.center != before


@pytest.mark.parametrize("active", ["image", "particles", "hand", "none"])
def test_hotkeys_and_undo_with_any_layer_active(labelling: Any, active: str) -> None:
    group = labelling.workbench.mirror.groups[labelling.session.active_key]
    layers = labelling.viewer.layers
    layers.selection.active = None if active == "none" else getattr(group, active)
    labelling.settle()
    for particle, key in ((2, Key.Key_1), (4, Key.Key_2)):
        labelling.hover(particle)
        labelling.key(key)
    assert labelling.session.active.hand_labels == {2: 1, 4: 2}
    assert labelling.session.current_class == 2
    labelling.key(Key.Key_0)
    assert labelling.session.active.hand_labels == {2: 1}
    labelling.key(Key.Key_Z, Control)
    assert labelling.session.active.hand_labels == {2: 1, 4: 2}
    labelling.key(Key.Key_Z, Control)
    assert labelling.session.active.hand_labels == {2: 1}
    labelling.key(Key.Key_Z, Control | Shift)
    assert labelling.session.active.hand_labels == {2: 1, 4: 2}


def test_painting_over_a_particle_labels_all_of_it_as_one_step(labelling: Any) -> None:
    group = labelling.workbench.mirror.groups[labelling.session.active_key]
    labelling.viewer.layers.selection.active = group.hand
    group.hand.mode, group.hand.selected_label, group.hand.brush_size = "paint", 2, 3
    place = labelling.hover(7)
    labelling.drag(place, place + QPoint(4, 0))
    assert labelling.session.active.hand_labels == {7: 2}
    state = labelling.session.active
    np.testing.assert_array_equal(group.hand.data == 2, state.labels == 7)
    labelling.key(Key.Key_Z, Control)
    assert labelling.session.active.hand_labels == {}
    assert not group.hand.data.any()


def test_painting_with_a_number_that_is_no_class_says_so(labelling: Any) -> None:
    group = labelling.workbench.mirror.groups[labelling.session.active_key]
    labelling.viewer.layers.selection.active = group.hand
    group.hand.mode, group.hand.selected_label, group.hand.brush_size = "paint", 9, 3
    place = labelling.hover(7)
    labelling.drag(place, place + QPoint(4, 0))
    assert "no class 9" in labelling.dock.banner.text()
    assert not group.hand.data.any()


def test_selecting_only_when_labelling_is_off(labelling: Any) -> None:
    labelling.click(labelling.panel("Classes").armed)
    labelling.click_particle(3)
    assert labelling.session.active.hand_labels == {}
    assert labelling.session.selection.focus.particle == 3


def test_shift_click_selects_several_and_a_key_labels_them_all(labelling: Any) -> None:
    labelling.click(labelling.panel("Classes").armed)
    labelling.click_particle(3)
    one = yellow(labelling.workbench.mirror.outlines.marks)
    for particle in (5, 8, 12, 13):
        labelling.click_particle(particle, Shift)
    key = labelling.session.active_key
    assert labelling.session.selection.of_micrograph(key) == {3, 5, 8, 12, 13}
    assert yellow(labelling.workbench.mirror.outlines.marks) > 3 * one > 0
    labelling.click_particle(5, Shift)  # out of it again
    labelling.hover(8)
    labelling.key(Key.Key_2)
    assert labelling.session.active.hand_labels == dict.fromkeys((3, 8, 12, 13), 2)
    labelling.hover(20)  # not selected: only this one is meant
    labelling.key(Key.Key_1)
    assert labelling.session.active.hand_labels[20] == 1
    labelling.key(Key.Key_Z, Control)
    labelling.key(Key.Key_Z, Control)
    assert labelling.session.active.hand_labels == {}


def test_a_key_over_nothing_does_not_change_the_particle_that_was_clicked(labelling: Any) -> None:
    labelling.click_particle(3)
    assert labelling.session.active.hand_labels == {3: 1}
    empty = labelling.on_canvas(78, 77)  # between four particles
    QTest.mouseMove(labelling.canvas, empty)
    labelling.settle()
    assert labelling.workbench.picker.under_mouse == 0
    labelling.key(Key.Key_2)
    labelling.key(Key.Key_0)
    assert labelling.session.active.hand_labels == {3: 1}


def test_a_lasso_with_shift_selects_what_it_surrounds(labelling: Any) -> None:
    index = labelling.workbench.mirror.index(labelling.session.active_key)
    camera = labelling.viewer.scene.camera
    before, panned = camera.center, camera.mouse_pan
    corners = [labelling.on_canvas(y, x) for y, x in ((2, 2), (2, 205), (357, 205), (357, 2))]
    labelling.draw([*corners, corners[0]], Shift)
    expected = {
        p for p in labelling.session.active.particle_ids.tolist() if index.center(p)[1] < 205
    }
    chosen = labelling.session.selection.of_micrograph(labelling.session.active_key)
    assert 5 < len(expected) < 35
    assert chosen == expected
    assert camera.center == before
    assert camera.mouse_pan == panned
    assert labelling.session.active.hand_labels == {}
    labelling.draw([labelling.on_canvas(y, x) for y, x in ((1, 1), (1, 3), (3, 3), (1, 1))], Shift)
    assert labelling.session.selection.of_micrograph(labelling.session.active_key) == expected
    labelling.key(Key.Key_2)  # where the mouse lies does not matter right after a lasso
    assert labelling.session.active.hand_labels == dict.fromkeys(expected, 2)
    assert yellow(labelling.workbench.mirror.outlines.marks) > 100
    labelling.session.select(None)
    assert yellow(labelling.workbench.mirror.outlines.marks) == 0


def test_the_rims_of_a_selection_of_many_are_shown(labelling: Any) -> None:
    labels = np.kron(np.arange(1, 101, dtype=np.int32).reshape(10, 10), np.ones((30, 30), np.int32))
    key = labelling.session.active_key
    labelling.session.set_particles(key, np.pad(labels, ((0, 60), (0, 180))))
    labelling.session.select(Selection.of((key, particle) for particle in range(1, 81)))
    labelling.settle()
    many = labelling.workbench.mirror.outlines.many
    assert many.visible
    assert np.unique(labels[np.asarray(many.data)[:300, :300] > 0]).tolist() == list(range(1, 81))
    assert many.data[31, 31] == 1
    assert many.data[45, 45] == 0  # the middle stays clear
    labelling.session.select(None)
    assert not many.visible


def test_keys_follow_the_rows_of_the_table(labelling: Any) -> None:
    session, panel = labelling.session, labelling.panel("Classes")
    third = session.add_class("trimer").id
    labelling.settle()
    menu = panel.menu_of(third)
    up, _ = (a for a in menu.actions() if a.text().startswith("Move"))
    up.trigger()
    labelling.settle()
    assert [panel.table.item(row, 2).text() for row in range(3)] == ["class 1", "trimer", "class 2"]
    labelling.hover(3)
    labelling.key(Key.Key_2)
    assert session.active.hand_labels == {3: third}
    menu = panel.menu_of(third)
    merge = menu.findChild(QMenu)
    assert merge.title() == "Merge into"
    assert [a.text() for a in merge.actions()] == ["class 1", "class 2"]
    merge.actions()[1].trigger()
    labelling.settle()
    assert session.active.hand_labels == {3: 2}
    assert panel.table.rowCount() == 2


def test_help_shows_every_key_and_gesture(labelling: Any) -> None:
    from napari_ssrvae.viewer.panels.keys import KeysDialog
    from napari_ssrvae.viewer.picking import GESTURES, SHORTCUTS

    labelling.key(Key.Key_F1)
    (dialog,) = labelling.panel("Classes").findChildren(KeysDialog)
    text = dialog.list.text()
    assert dialog.isVisible()
    for shortcut in SHORTCUTS:
        assert shortcut.argument or shortcut.does in text
    assert all(gesture.does in text for gesture in GESTURES)
    assert "1 – 9" in text
    dialog.close()
    labelling.settle()
    assert not labelling.panel("Classes").findChildren(KeysDialog)
    labelling.click(labelling.panel("Classes").keys)
    assert labelling.panel("Classes").findChildren(KeysDialog)


def test_other_methods_keep_the_labels(labelling: Any) -> None:
    labelling.click_particle(3)
    labelling.panel("Particles").method.setCurrentText("otsu")  # live: finds again by itself
    labelling.wait(lambda: labelling.session.active.recipe.method == "otsu")
    assert list(labelling.session.active.hand_labels.values()) == [1]


def test_a_labels_layer_made_elsewhere(labelling: Any) -> None:
    labels = np.zeros((360, 480), np.int32)
    labels[20:70, 20:70] = 7
    labels[90:140, 20:70] = 3
    labelling.viewer.add_labels(labels, name="cellpose")
    labelling.settle()
    chooser = labelling.panel("Particles").elsewhere
    assert chooser.isVisible()
    chooser.activated.emit(chooser.findText("cellpose"))
    labelling.settle()
    assert labelling.session.active.particle_ids.tolist() == [3, 7]
    assert not labelling.viewer.layers["cellpose"].visible
    ours = labelling.viewer.layers["spheres particles"]
    np.testing.assert_array_equal(ours.data, labels)
    # The person's own arrays stay as they are, whatever is undone, found or corrected.
    other = np.zeros_like(labels)
    other[200:250, 20:70] = 4
    other.flags.writeable = False  # a file that is only read, say
    layer = labelling.viewer.add_labels(other, name="sam")
    labelling.settle()
    assert labelling.viewer.layers.selection.active == layer
    labelling.workbench.use_labels_layer("sam")
    assert labelling.viewer.layers.selection.active == ours
    labelling.hover(4)
    labelling.key(Key.Key_Delete)
    assert labelling.session.active.particle_ids.size == 0
    assert labelling.session.history.undo_names[0] == "delete particle 4"
    for expected in ([4], [3, 7]):
        labelling.workbench.picker.undo()
        assert labelling.session.active.particle_ids.tolist() == expected
    assert labelling.find() == 35
    assert np.unique(layer.data).tolist() == [0, 4]
    assert np.unique(labels).tolist() == [0, 3, 7]


def test_an_empty_labels_layer_takes_no_particles_away(labelling: Any) -> None:
    chooser, banner = labelling.panel("Particles").elsewhere, labelling.dock.banner
    before = labelling.session.active.labels
    for name, value in (("empty", 0), ("full", 1)):
        labelling.viewer.add_labels(np.full((360, 480), value, np.int32), name=name)
    labelling.settle()
    chooser.activated.emit(chooser.findText("empty"))
    labelling.settle()
    assert "empty is empty, so the particles stay" in banner.text()
    assert labelling.session.active.labels is before
    assert labelling.viewer.layers["empty"].visible
    chooser.activated.emit(chooser.findText("full"))  # at once, and the old message is over
    labelling.settle()
    assert banner.text().startswith("The particles of full were taken")
    assert labelling.session.active.particle_ids.tolist() == [1]


def test_a_labels_layer_of_another_shape_is_refused_with_a_sentence(labelling: Any) -> None:
    labelling.viewer.add_labels(np.ones((50, 60), np.int32), name="small")
    labelling.settle()
    chooser = labelling.panel("Particles").elsewhere
    chooser.activated.emit(chooser.findText("small"))
    labelling.settle()
    assert "50 x 60 but the micrograph 360 x 480" in labelling.dock.banner.text()
    assert labelling.session.active.particle_ids.size == 35


def test_a_deleted_hand_label_layer_loses_no_label(labelling: Any) -> None:
    labelling.click_particle(3)
    group = labelling.workbench.mirror.groups[labelling.session.active_key]
    labelling.viewer.layers.remove(group.hand)
    labelling.click_particle(5)
    assert labelling.session.active.hand_labels == {3: 1, 5: 1}
    assert set(np.unique(group.hand.data)) == {0, 1}
    assert group.hand in labelling.viewer.layers


def test_a_deleted_image_with_labels_comes_back(labelling: Any) -> None:
    labelling.click_particle(3)
    key = labelling.session.active_key
    labelling.viewer.layers.remove("spheres")
    labelling.settle()
    assert "hand labels are kept" in labelling.dock.banner.text()
    labelling.workbench.activate(key)
    assert labelling.viewer.layers[0].name == "spheres"
    assert labelling.session.active.hand_labels == {3: 1}


def test_renamed_and_reordered_layers_change_nothing(labelling: Any) -> None:
    group = labelling.workbench.mirror.groups[labelling.session.active_key]
    group.particles.name = "something else"
    labelling.viewer.layers.reverse()
    labelling.click_particle(3)
    assert labelling.session.active.hand_labels == {3: 1}


def test_classes_are_added_renamed_and_removed_in_the_table(labelling: Any) -> None:
    panel = labelling.panel("Classes")
    labelling.click(panel.add)
    assert [c.id for c in labelling.session.classes] == [1, 2, 3]
    panel.table.item(2, 2).setText("debris")
    labelling.settle()
    assert labelling.session.class_name(3) == "debris"
    panel.table.item(2, 2).setText("class 1")
    labelling.settle()
    assert "already a class" in labelling.dock.banner.text()
    assert panel.table.item(2, 2).text() == "debris"
    labelling.click(panel.remove)
    assert [c.id for c in labelling.session.classes] == [1, 2]
    labelling.click(panel.undo)
    assert labelling.session.class_name(3) == "debris"


def test_pixel_size_corrected_by_hand_reaches_the_layers(labelling: Any) -> None:
    panel = labelling.panel("Micrograph")
    assert "unknown" in panel.warning.text()
    labelling.type_into(panel.size, "2.5")
    group = labelling.workbench.mirror.groups[labelling.session.active_key]
    np.testing.assert_allclose(group.hand.scale, 2.5)
    assert labelling.session.active.micrograph.pixel_size == 2.5
    labelling.click_particle(4)
    assert labelling.session.active.hand_labels == {4: 1}

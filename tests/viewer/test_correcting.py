"""Correcting particles with keys, buttons, a drawn line, and napari's own brush."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

Key, Control, Shift = (
    Qt.Key,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
)
DUMBBELL, LEFT, RIGHT, ROUND = 1, 2, 3, 5


def drawn_particles() -> np.ndarray:
    """A dumbbell, a disc in two halves with a line between, and a round particle."""
    yy, xx = np.mgrid[:200, :300]
    labels = np.zeros((200, 300), np.int32)

    def disc(y: int, x: int, radius: int) -> np.ndarray:
        return (yy - y) ** 2 + (xx - x) ** 2 < radius**2

    labels[disc(50, 50, 22) | disc(50, 88, 20)] = DUMBBELL
    whole = disc(140, 60, 26)
    labels[whole & (xx < 59)], labels[whole & (xx > 61)] = LEFT, RIGHT
    labels[disc(100, 200, 30)] = ROUND
    return labels


@pytest.fixture
def correcting(hands: Any) -> Any:
    labels = drawn_particles()
    hands.viewer.add_image((60 + 100 * (labels > 0)).astype(np.uint8), name="drawn")
    hands.wait(lambda: hands.session.active is not None)
    hands.session.set_particles(hands.session.active_key, labels)
    hands.settle()
    return hands


def ids(hands: Any) -> list[int]:
    return hands.session.active.particle_ids.tolist()


def in_step(hands: Any) -> None:
    """The layers, the index and the session say the same."""
    state, key = hands.session.active, hands.session.active_key
    group = hands.workbench.mirror.groups[key]
    np.testing.assert_array_equal(group.particles.data, state.labels)
    found = np.unique(state.labels)
    assert found[found > 0].tolist() == ids(hands)
    labelled = np.unique(state.labels[np.asarray(group.hand.data) > 0])
    assert labelled.tolist() == sorted(state.hand_labels)
    for particle in ids(hands):
        box = group.index.box(particle)
        assert (state.labels[box] == particle).sum() == (state.labels == particle).sum()
    assert group.index.box(max(ids(hands)) + 1) is None


def test_keys_buttons_and_a_line_and_undo_of_all_of_it(correcting: Any) -> None:
    session, key, panel = (
        correcting.session,
        correcting.session.active_key,
        correcting.panel("Particles"),
    )
    first = session.active.labels
    session.label(key, {DUMBBELL: 2, LEFT: 1, ROUND: 1})
    assert not panel.merge.isEnabled()
    assert not panel.delete.isEnabled()
    # merge: the halves, with the key
    correcting.click(correcting.panel("Classes").armed)
    correcting.click_particle(LEFT)
    correcting.click_particle(RIGHT, Shift)
    assert panel.merge.isEnabled()
    correcting.key(Key.Key_M)
    (kept,) = {LEFT, RIGHT} & set(ids(correcting))
    assert session.active.hand_labels == {DUMBBELL: 2, kept: 1, ROUND: 1}
    assert list(session.selection) == [(key, kept)]
    assert session.history.undo_names[0] == "merge 2 particles"
    in_step(correcting)
    # split: what the mouse is over, with the key
    correcting.hover(DUMBBELL)
    correcting.key(Key.Key_S)
    assert ids(correcting) == [DUMBBELL, kept, ROUND, 6]
    assert "label of particle 1 (class 2)" in correcting.dock.banner.text()
    assert session.active.hand_labels == {kept: 1, ROUND: 1}
    in_step(correcting)
    # a round one has no neck; a line goes through it all the same
    correcting.click_particle(ROUND)
    correcting.click(panel.divide)
    assert "no neck" in correcting.dock.banner.text()
    panned = correcting.viewer.scene.camera.center
    corners = [correcting.on_canvas(y, x) for y, x in ((60, 190), (100, 200), (140, 205))]
    correcting.draw(corners, Control)
    assert correcting.viewer.scene.camera.center == panned
    assert ids(correcting) == [DUMBBELL, kept, ROUND, 6, 7]
    in_step(correcting)
    # delete: the selection (both halves of the round one), with the button
    assert session.selection.of_micrograph(key) == {ROUND, 7}
    correcting.click(panel.delete)
    assert ids(correcting) == [DUMBBELL, kept, 6]
    assert session.selection is None
    correcting.hover(6)
    correcting.key(Key.Key_Backspace)
    assert ids(correcting) == [DUMBBELL, kept]
    in_step(correcting)
    assert "corrected by hand" in panel.count.text()
    # what is under the mouse is gone: a key means nothing any more, and harms nothing
    correcting.key(Key.Key_1)
    correcting.key(Key.Key_Delete)
    assert ids(correcting) == [DUMBBELL, kept]
    for _ in range(5):
        correcting.key(Key.Key_Z, Control)
    np.testing.assert_array_equal(session.active.labels, first)
    assert session.active.hand_labels == {DUMBBELL: 2, LEFT: 1, ROUND: 1}
    assert not session.active.corrected
    in_step(correcting)
    for _ in range(5):
        correcting.key(Key.Key_Z, Control | Shift)
    assert ids(correcting) == [DUMBBELL, kept]
    in_step(correcting)


def test_brush_and_eraser_correct_particles_too(correcting: Any) -> None:
    session, mirror = correcting.session, correcting.workbench.mirror
    layer = mirror.groups[session.active_key].particles
    first = session.active.labels
    correcting.viewer.layers.selection.active = layer
    assert layer.selected_label == 6  # nothing is selected: a new particle is drawn
    correcting.hover(ROUND)
    correcting.key(Key.Key_M)  # while no tool is active, ours: but there is nothing to merge
    assert "Select two or more" in correcting.dock.banner.text()
    layer.mode, layer.brush_size = "paint", 12
    empty = correcting.on_canvas(30, 250)
    correcting.drag(empty, empty + QPoint(40, 0))
    correcting.wait(lambda: 6 in ids(correcting))
    assert ids(correcting) == [1, 2, 3, 5, 6]
    in_step(correcting)
    # another stroke elsewhere is another particle, and the next one goes on with that
    other = correcting.on_canvas(170, 250)
    correcting.drag(other, other + QPoint(40, 0))
    correcting.wait(lambda: 7 in ids(correcting))
    in_step(correcting)
    assert layer.selected_label == 7
    area = (session.active.labels == 7).sum()
    correcting.drag(other, other + QPoint(40, 30))
    correcting.key(Key.Key_M)  # napari's own key while its brush is active: a new label
    assert layer.selected_label == 8
    correcting.wait(lambda: (session.active.labels == 7).sum() > area)
    # the eraser through the round one makes two, the largest keeps the id
    session.label(session.active_key, {ROUND: 1, LEFT: 2})
    layer.mode, layer.brush_size = "erase", 6
    correcting.drag(correcting.on_canvas(60, 205), correcting.on_canvas(140, 205))
    correcting.key(Key.Key_Z, Control)  # at once: the stroke itself is taken back, whole
    assert ids(correcting) == [1, 2, 3, 5, 6, 7]
    assert session.active.hand_labels == {ROUND: 1, LEFT: 2}
    in_step(correcting)
    correcting.key(Key.Key_Z, Control | Shift)
    assert ids(correcting) == [1, 2, 3, 5, 6, 7, 8]
    assert session.active.hand_labels == {LEFT: 2}
    assert session.active.labels[100, 180] == ROUND
    assert session.active.labels[100, 222] == 8
    in_step(correcting)
    # back to moving about: the keys are ours again, and the label to paint follows the selection
    layer.mode = "pan_zoom"
    correcting.click_particle(LEFT)
    assert layer.selected_label == LEFT
    for _ in range(6):
        correcting.key(Key.Key_Z, Control)
    np.testing.assert_array_equal(session.active.labels, first)
    in_step(correcting)


def test_points_keep_their_own_keys(correcting: Any) -> None:
    points = correcting.viewer.add_points([[100.0, 200.0]])
    correcting.settle()
    points.selected_data = {0}
    points.mode = "select"
    place = correcting.on_canvas(100, 200)
    QTest.mouseMove(correcting.canvas, place)
    correcting.settle()
    correcting.key(Key.Key_Delete)
    assert len(points.data) == 0
    assert ids(correcting) == [1, 2, 3, 5]


def test_only_what_was_corrected_is_classified_again(trained: Any) -> None:
    session, key = trained.session, trained.session.active_key
    before = session.active.predictions
    gone, cut = ids(trained)[4:6]
    y, x = trained.inside(cut)
    asked: list[list[int]] = []
    start = trained.workbench.jobs.start

    def spy(kind: str, function: Any, *args: Any, **options: Any) -> Any:
        if kind.startswith("classify corrected"):
            asked.append(args[2].tolist())
        return start(kind, function, *args, **options)

    trained.workbench.jobs.start = spy
    said: list[list[int]] = []
    session.particles_edited.connect(
        lambda *_: said.append(session.active.predictions.particle_ids.tolist())
    )
    trained.draw([trained.on_canvas(y - 25, x), trained.on_canvas(y + 25, x)], Control)
    new = max(ids(trained))
    assert not {cut, new} & set(said[0])  # unclassified, until the job is done
    trained.wait(lambda: new in session.active.predictions.particle_ids)
    assert asked == [[cut, new]]
    after = session.active.predictions
    assert after.particle_ids.tolist() == ids(trained)
    same = np.isin(before.particle_ids, [cut], invert=True)
    others = np.isin(after.particle_ids, [cut, new], invert=True)
    np.testing.assert_array_equal(after.z[others], before.z[same])
    overlay = trained.workbench.mirror.groups[key].overlay.data
    shown = {p: int(overlay[session.active.labels == p].max()) for p in (cut, new)}
    rows = dict(zip(after.particle_ids.tolist(), after.class_ids.tolist(), strict=True))
    hand = session.active.hand_labels
    assert shown == {p: hand.get(p, rows[p]) for p in (cut, new)}
    trained.hover(gone)
    trained.key(Key.Key_Delete)
    assert gone not in session.active.predictions.particle_ids
    trained.key(Key.Key_Z, Control)
    trained.key(Key.Key_Z, Control)
    assert session.active.predictions is before


# -- beside other work ------------------------------------------------------------------------
def without(hands: Any, *gone: int) -> np.ndarray:
    labels = hands.session.active.labels
    return np.where(np.isin(labels, gone), 0, labels).astype(np.int32)


def test_what_is_corrected_while_particles_are_looked_for_stays(correcting: Any) -> None:
    session, key, panel = (
        correcting.session,
        correcting.session.active_key,
        correcting.panel("Particles"),
    )
    correcting.workbench.find_particles(panel.settings())
    session.edit_particles(key, without(correcting, ROUND), "delete")
    correcting.wait(lambda: not correcting.workbench.jobs.running("find"))
    assert ids(correcting) == [DUMBBELL, LEFT, RIGHT]
    assert "corrected while" in correcting.dock.banner.text()
    # Who asks for it now gets it.
    correcting.find()
    assert session.active.recipe == panel.settings()
    # A changed setting would find again by itself: not what was corrected before it does.
    panel.smoothing.setValue(2.5)
    assert panel.again.isActive()
    kept = without(correcting, ids(correcting)[0])
    session.edit_particles(key, kept, "delete")
    correcting.wait(lambda: not panel.again.isActive())
    assert not correcting.workbench.jobs.running("find")
    np.testing.assert_array_equal(session.active.labels, kept)


def test_a_removed_image_keeps_its_corrected_particles(correcting: Any) -> None:
    session, key = correcting.session, correcting.session.active_key
    session.edit_particles(key, without(correcting, ROUND), "delete")
    image = correcting.viewer.layers["drawn"]
    correcting.viewer.layers.remove(image)
    correcting.settle()
    assert "corrected particles are kept" in correcting.dock.banner.text()
    correcting.workbench.activate(key)
    assert image in correcting.viewer.layers
    assert ids(correcting) == [DUMBBELL, LEFT, RIGHT]
    session.history.undo()
    # One without any work of a person goes, and what listened to its image with it.
    session.remove_micrograph(key)
    before = len(image.events.scale.callbacks)
    correcting.workbench.mirror.detach(key)
    assert len(image.events.scale.callbacks) < before


def test_a_particle_that_came_under_the_resting_mouse_can_be_deleted(correcting: Any) -> None:
    session, picker = correcting.session, correcting.workbench.picker
    y, x = (round(v) for v in correcting.viewer.cursor.position)
    labels = session.active.labels.copy()
    labels[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4] = 9
    session.set_particles(session.active_key, labels)
    session.active_changed.emit()
    assert picker.under_mouse == 9
    correcting.key(Key.Key_Delete)
    assert 9 not in ids(correcting)
    assert picker.under_mouse == 0


def drawn_as_if_anew(hands: Any) -> None:
    """The screen shows what it would if every layer were drawn from the start."""
    hands.settle()
    shown = hands.viewer.screenshot(flash=False)
    for layer in hands.viewer.layers:
        layer.refresh()
    hands.settle()
    np.testing.assert_array_equal(shown, hands.viewer.screenshot(flash=False))


def test_the_screen_follows_corrections_and_those_of_hidden_micrographs(correcting: Any) -> None:
    session, first = correcting.session, correcting.session.active_key
    session.label(first, {DUMBBELL: 1, LEFT: 2, ROUND: 1})
    before = correcting.viewer.screenshot(flash=False)
    session.edit_particles(first, without(correcting, ROUND, LEFT), "delete")
    drawn_as_if_anew(correcting)
    assert (correcting.viewer.screenshot(flash=False) != before).any()
    session.history.undo()
    drawn_as_if_anew(correcting)
    np.testing.assert_array_equal(correcting.viewer.screenshot(flash=False), before)
    # Layers that were hidden from their first moment on have nothing drawn yet.
    second = session.add_micrograph(session.active.micrograph, activate=False)
    image = correcting.viewer.layers["drawn"]
    other = type(image)(image.data, name="other")
    correcting.workbench.mirror.attach(second, other)
    correcting.viewer.layers.append(other)
    correcting.settle()
    session.activate(first)
    session.set_particles(second, drawn_particles())
    session.label(second, {LEFT: 2})
    hidden = session.micrographs[second]
    session.edit_particles(second, np.where(hidden.labels == ROUND, 0, hidden.labels), "delete")
    session.activate(second)
    drawn_as_if_anew(correcting)
    in_step(correcting)

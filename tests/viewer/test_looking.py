"""While particles are looked for: a first look, Stop, and what must not be left behind."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from scipy import ndimage as ndi

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging import first_look, segmentation


@pytest.fixture
def discs(hands: Any) -> Any:
    """A picture large enough for a first look, with 20 x 15 discs on it."""
    image = np.zeros((900, 1200), np.float32)
    image[30::60, 30::60] = 1
    image = 255.0 * (ndi.distance_transform_edt(image == 0) < 14)
    image = ndi.gaussian_filter(image, 1) + np.random.default_rng(0).normal(80, 8, image.shape)
    hands.viewer.add_image(image.astype(np.float32), name="discs")
    hands.wait(lambda: hands.session.active is not None)
    hands.settle()
    return hands


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The answer waits until a person has seen the first look."""
    gate, real = threading.Event(), segmentation.segment_with
    assert first_look.segment_with is real  # the first look does not wait

    def waits(image: Any, settings: Any, **options: Any) -> Any:
        gate.wait(60)
        if getattr(gate, "broken", False):
            raise InputError("It broke.")
        return real(image, settings, **options)

    monkeypatch.setattr(segmentation, "segment_with", waits)
    yield gate
    gate.set()


def test_a_first_look_comes_and_goes(discs: Any, gate: Any) -> None:
    panel, finding = discs.panel("Particles"), discs.workbench.finding
    discs.click(panel.find)
    discs.wait(lambda: finding.first.visible)
    shown = ndi.label(np.asarray(finding.first.layer.data), np.ones((3, 3)))[1]
    assert shown == pytest.approx(300, abs=15)
    assert discs.session.active.labels is None
    assert not discs.workbench.adoption.labels_layers()  # nothing to choose as particles
    assert discs.viewer.layers.selection.active.name == "discs"
    gate.set()
    discs.wait(lambda: not finding.busy)
    assert discs.session.active.particle_ids.size == 300
    assert not finding.first.visible
    assert not [x for x in discs.viewer.layers if "first look" in x.name]


def test_what_is_in_view_comes_first(discs: Any, gate: Any) -> None:
    finding = discs.workbench.finding
    discs.viewer.scene.camera.zoom *= 5
    discs.settle()
    discs.click(discs.panel("Particles").find)
    discs.wait(lambda: finding.first.visible)
    image = discs.workbench.mirror.groups[discs.session.active_key].image
    (top, left), (bottom, right) = image.corner_pixels
    seen = np.asarray(finding.first.layer.data) > 0
    assert seen[top : bottom + 1, left : right + 1].any()
    assert seen.sum() == seen[top : bottom + 1, left : right + 1].sum()
    gate.set()
    discs.wait(lambda: not finding.busy)


def test_stop_leaves_everything_as_it_was(discs: Any, gate: Any) -> None:
    panel, finding = discs.panel("Particles"), discs.workbench.finding
    discs.click(panel.find)
    discs.wait(lambda: finding.first.visible)
    assert panel.find.text() == "Stop"
    discs.click(panel.find)
    discs.settle()
    assert not finding.busy
    assert not finding.first.visible
    assert panel.find.text() == "Find particles"
    gate.set()
    discs.settle()
    assert discs.session.active.labels is None
    assert discs.find() == 300


@pytest.mark.parametrize(
    "end", ["done", "error", "stop", "napari's own stop", "elsewhere", "close"]
)
def test_old_outlines_are_out_of_sight_during_a_first_look(discs: Any, gate: Any, end: str) -> None:
    panel, finding = discs.panel("Particles"), discs.workbench.finding
    gate.set()
    discs.find()
    old = discs.viewer.layers["discs particles"]
    before = old.opacity
    assert before > 0
    gate.clear()
    discs.click(panel.find)
    discs.wait(lambda: finding.first.visible)
    assert old.opacity == 0
    if end == "stop":
        discs.click(panel.find)
    elif end == "napari's own stop":
        discs.workbench.jobs._current["find"].worker.quit()
        gate.set()
        discs.wait(lambda: not finding.busy)
    elif end == "elsewhere":
        discs.viewer.add_image(np.eye(40, dtype=np.float32), name="other")
        discs.wait(lambda: len(discs.session.micrographs) == 2)
    elif end == "close":
        gate.set()
        discs.dock.shutdown()
    else:
        gate.broken = end == "error"
        gate.set()
        discs.wait(lambda: not finding.busy)
    assert old.opacity == before
    assert not finding.first.visible


def test_finding_that_began_by_itself_is_not_stopped_by_who_wants_to_find(
    discs: Any, gate: Any
) -> None:
    panel, finding = discs.panel("Particles"), discs.workbench.finding
    gate.set()
    discs.find()
    gate.clear()
    panel.smoothing.setValue(2)
    discs.wait(lambda: finding.busy)
    discs.click(panel.find)  # which says Stop since a moment ago
    assert finding.busy
    discs.qtbot.wait(1100)
    discs.click(panel.find)
    assert not finding.busy
    assert "300</b> particles. They follow the settings before" in panel.count.text()
    gate.set()
    discs.find()
    assert panel.count.text() == "<b>300</b> particles"


def test_filtered_particles_say_how_changed_settings_are_applied(discs: Any) -> None:
    panel, finding = discs.panel("Particles"), discs.workbench.finding
    discs.find()
    discs.session.edit_particles(
        discs.session.active_key,
        np.where(discs.session.active.labels == 1, 0, discs.session.active.labels),
        "delete particle 1",
    )
    discs.settle()
    assert panel.count.text() == "<b>299</b> particles, corrected by hand"
    panel.smoothing.setValue(1.5)
    assert "applies the changed settings; corrections go" in panel.count.text()
    discs.find()
    box = panel.filters
    QTest.keyClick(box.title, Qt.Key.Key_Space)
    discs.wait(lambda: discs.workbench.filtering.seen is not None)
    box.circularity.setValue(0.99)
    discs.wait(box.apply.isEnabled)
    discs.click(box.apply)
    left = discs.session.active.particle_ids.size
    assert panel.count.text() == f"<b>{left}</b> particles, filtered"
    panel.smoothing.setValue(2)
    discs.qtbot.wait(2 * panel.again.interval())
    assert not finding.busy
    assert "what was filtered out comes back" in panel.count.text()
    discs.find()
    assert panel.count.text() == "<b>300</b> particles"
    discs.session.history.undo()
    discs.settle()
    assert f"<b>{left}</b> particles, filtered" in panel.count.text()
    discs.session.history.undo()
    discs.settle()
    assert panel.count.text() == "<b>300</b> particles"


def test_what_the_border_cuts_is_counted(hands: Any) -> None:
    yy, xx = np.mgrid[:120, :160]
    image = np.full((120, 160), 60.0)
    for y, x in ((60, 40), (60, 100), (0, 30), (119, 90), (40, 159)):
        image[(yy - y) ** 2 + (xx - x) ** 2 < 14**2] = 200
    image += np.random.default_rng(0).normal(0, 3, image.shape)
    hands.viewer.add_image(image.astype(np.float32), name="cut")
    hands.wait(lambda: hands.session.active is not None)
    panel = hands.panel("Particles")
    for split in (False, True):
        panel.split.setChecked(split)
        assert hands.find() == 2
        assert panel.count.text() == "<b>2</b> particles; 3 on the border left out"
    hands.session.set_particles(1, (hands.session.active.labels == 1).astype(np.int32))
    hands.settle()
    assert panel.count.text() == "<b>1</b> particle"
    hands.session.history.undo()
    hands.settle()
    assert "3 on the border left out" in panel.count.text()
    panel.border.setChecked(False)
    hands.wait(lambda: hands.session.active.particle_ids.size == 5)
    assert panel.count.text() == "<b>5</b> particles"


def test_a_dock_closed_right_after_a_change_looks_no_more(labelled: Any) -> None:
    hands = labelled
    panel = hands.panel("Particles")
    panel.smoothing.setValue(panel.smoothing.value() + 0.5)
    assert panel.again.isActive()
    hands.dock.shutdown()
    hands.qtbot.wait(2 * panel.again.interval())  # what fails in a timer fails the test
    assert not hands.workbench.finding.busy

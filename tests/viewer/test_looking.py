"""While particles are looked for: a first look, Stop, and what must not be left behind."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from scipy import ndimage as ndi

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


def test_a_dock_closed_right_after_a_change_looks_no_more(labelled: Any) -> None:
    hands = labelled
    panel = hands.panel("Particles")
    panel.smoothing.setValue(panel.smoothing.value() + 0.5)
    assert panel.again.isActive()
    hands.dock.shutdown()
    hands.qtbot.wait(2 * panel.again.interval())  # what fails in a timer fails the test
    assert not hands.workbench.finding.busy

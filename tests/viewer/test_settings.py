"""What a person changes in the dock is there again the next time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from napari import settings as napari_settings
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_ssrvae.viewer.settings import read_settings
from napari_ssrvae.viewer.workbench import Settings


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where napari keeps the settings in this test."""
    return tmp_path / "napari-ssrvae.yaml"


def test_settings_are_found_again_by_the_next_dock_and_the_next_start(
    make_napari_viewer: Any, make_hands: Any, spheres: Any, store: Path
) -> None:
    viewer = make_napari_viewer(show=True)
    hands = make_hands(viewer)
    viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    particles = hands.panel("Particles")
    assert not particles.strength.isEnabled()
    hands.click(particles.split)
    QTest.keyClick(particles.strength, Qt.Key.Key_PageUp)
    QTest.keyClick(particles.polarity, Qt.Key.Key_Down)
    QTest.keyClick(particles.smoothing, Qt.Key.Key_Up)
    particles.min_area.setFocus()
    QTest.keyClick(particles.min_area, Qt.Key.Key_Up)
    hands.click(hands.panel("Classes").armed)
    hands.wait(store.exists)
    written = yaml.safe_load(store.read_text())
    assert written["segmentation"]["split_touching"] is True
    assert written["segmentation"]["polarity"] == "bright"
    export, result = hands.panel("Export"), hands.panel("Result")
    for combo in (export.format, result.mode):  # hidden as yet, but the keyboard does not care
        QTest.keyClick(combo, Qt.Key.Key_Down)
    hands.workbench.retraining.give_up(True, ValueError())  # is not what the person wants for good
    viewer.window.remove_dock_widget(hands.dock_widget)  # what waits is written at once
    hands.settle()

    again = make_hands(viewer)
    particles = again.panel("Particles")
    assert particles.settings() == hands.panel("Particles").settings()
    assert particles.settings().smoothing == 1.5
    assert particles.settings().min_area == 1
    assert particles.settings().split_strength == 0.6
    assert not again.panel("Classes").armed.isChecked()
    assert not again.workbench.picker.armed
    assert again.panel("Export").format.currentData() == "csv"
    assert again.panel("Result").mode.currentData() == "confidence"
    assert again.workbench.mirror.overlay_mode == "confidence"
    again.dock.shutdown()

    napari_settings._clear_plugin_settings_cache()  # as in a new process: from the file
    read = read_settings()
    assert read.segmentation == particles.settings()
    assert (read.click_labels, read.overlay, read.export_format) == (False, "confidence", "csv")
    assert read.retrain


def test_a_damaged_file_gives_the_defaults(store: Path) -> None:
    store.write_text("segmentation: {method: magic}\n")
    assert read_settings() == Settings()

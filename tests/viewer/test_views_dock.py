"""The views below the micrograph: opened from the dock, closed by their own cross."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_ssrvae.viewer.dock_frame import frame_of
from napari_ssrvae.viewer.tabs.gallery import GalleryTab


@pytest.fixture
def working(hands: Any, spheres: np.ndarray) -> Any:
    hands.viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    return hands


def test_the_cross_of_the_dock_hides_it_and_loses_nothing(working: Any) -> None:
    from napari_ssrvae.viewer.commands import open_dock

    dock, session, image = working.dock, working.session, working.viewer.layers[0]
    working.click_particle(3)
    working.click(working.panel("Classes").gallery)
    working.click(frame_of(dock).title.close_button)
    assert not dock.isVisible()
    assert not dock.views.isVisible()
    working.click_particle(4)  # the canvas is napari's own again
    assert session.active.hand_labels == {3: 1}
    assert working.workbench.picker._on_press not in working.viewer.mouse_drag_callbacks
    assert image.keymap == {}
    assert open_dock(working.viewer) is dock
    working.settle()
    assert dock.isVisible()
    working.click_particle(4)
    assert session.active.hand_labels == {3: 1, 4: 1}


def test_escape_selects_nothing_and_a_labelled_particle_is_no_part_of_a_lasso(
    working: Any,
) -> None:
    session = working.session
    working.click_particle(3)
    working.click_particle(20, Qt.KeyboardModifier.ShiftModifier)
    working.click_particle(21, Qt.KeyboardModifier.ShiftModifier)
    assert session.selection.of_micrograph(session.active_key) == {20, 21}
    working.key(Qt.Key.Key_2)
    assert session.active.hand_labels == {3: 1, 20: 2, 21: 2}
    working.key(Qt.Key.Key_Escape)
    assert session.selection is None


def test_the_gallery_opens_before_any_training_and_again_after_its_cross(working: Any) -> None:
    dock = working.dock
    working.click(working.panel("Classes").gallery)
    first = dock.views
    assert first.isVisible()
    assert isinstance(first.book.currentWidget(), GalleryTab)
    working.wait(lambda: len(first.tab(GalleryTab).gallery.shown_rows()) == 35)
    working.click(frame_of(first).title.close_button)
    assert not first.isVisible()
    working.click(working.panel("Classes").gallery)
    assert dock.views is first
    assert first.isVisible()
    dock.shutdown()  # with the views open
    assert dock.views is None


def test_the_eraser_takes_labels_away_with_each_click(working: Any) -> None:
    panel, session = working.panel("Classes"), working.session
    working.click_particle(3)
    working.click_particle(4)
    working.click(panel.eraser)
    working.click_particle(3)
    assert session.active.hand_labels == {4: 1}
    assert not panel.remove.isEnabled()
    working.choose_class(2)
    assert not panel.eraser.isChecked()
    working.click_particle(3)
    assert session.active.hand_labels == {3: 2, 4: 1}
    working.click(panel.eraser)
    working.click(panel.eraser)  # and off again
    assert session.current_class == 1


def test_the_inspector_leaves_its_room_to_the_report_while_nothing_is_selected(
    working: Any,
) -> None:
    from napari_ssrvae.viewer.tabs.report import ReportTab

    working.click(working.panel("Classes").gallery)
    views = working.dock.views
    working.wait(views.inspector.isVisible)
    views.book.setCurrentWidget(views.tab(ReportTab))
    working.settle()
    assert not views.inspector.isVisible()
    working.click_particle(3)
    working.wait(views.inspector.isVisible)
    working.key(Qt.Key.Key_Escape)
    assert not views.inspector.isVisible()
    views.book.setCurrentWidget(views.tab(GalleryTab))
    working.settle()
    assert views.inspector.isVisible()

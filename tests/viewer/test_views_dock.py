"""The views below the micrograph: opened from the dock, closed by their own cross."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QDockWidget

from napari_ssrvae.viewer.tabs.gallery import GalleryTab


@pytest.fixture
def working(hands: Any, spheres: np.ndarray) -> Any:
    hands.viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    return hands


def frame_of(views: Any) -> Any:
    frame = views.parentWidget()
    while not isinstance(frame, QDockWidget):
        frame = frame.parentWidget()
    return frame


def test_the_gallery_opens_before_any_training_and_again_after_its_cross(working: Any) -> None:
    dock = working.dock
    working.click(working.panel("Classes").gallery)
    first = dock.views
    assert first.isVisible()
    assert isinstance(first.book.currentWidget(), GalleryTab)
    working.wait(lambda: len(first.tab(GalleryTab).gallery.shown_rows()) == 35)
    working.click(frame_of(first).title.close_button)
    assert dock.views is None
    working.click(working.panel("Classes").gallery)
    assert dock.views.isVisible()
    assert dock.views is not first
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

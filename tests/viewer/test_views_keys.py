"""The views in their dock: keys act on what is selected, and nobody is moved away from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox
from skimage.measure import label

from napari_ssrvae.library.predictions import Predictions
from napari_ssrvae.library.selection import Place
from napari_ssrvae.viewer.tabs.gallery import GalleryTab
from napari_ssrvae.viewer.tabs.latent import LatentTab

LEFT, Key = Qt.MouseButton.LeftButton, Qt.Key
NONE, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier


def many() -> np.ndarray:
    """240 small discs on dark ground: more tiles than the gallery has room for."""
    yy, xx = np.mgrid[:480, :640]
    far = np.hypot(yy % 40 - 20, xx % 32 - 16)
    return np.where(far < 7, 200, 40).astype(np.uint8)


@pytest.fixture
def views(hands: Any, qtbot: Any) -> Any:
    """The dock with the views, its window active, and all particles classified."""
    hands.viewer.add_image(many(), name="many")
    hands.wait(lambda: hands.session.active is not None)
    key = hands.session.active_key
    hands.session.set_particles(key, label(many() > 120))
    ids = hands.session.active.particle_ids
    n, rng = ids.size, np.random.default_rng(0)
    classes, sure = np.arange(n) % 2 + 1, rng.uniform(0.55, 0.95, n)
    first = np.where(classes == 1, sure, 1 - sure)
    said = Predictions(
        ids,
        classes,
        np.stack([first, 1 - first], axis=1),
        np.array([1, 2]),
        rng.normal(size=(n, 2)),
        np.zeros(n),
        np.zeros((n, 2)),
        np.ones(n),
    )
    hands.session.set_predictions(key, said)
    hands.dock.show_views("Gallery")
    window = hands.viewer.window._qt_window
    with qtbot.waitActive(window):
        window.activateWindow()
    hands.wait(lambda: not hands.workbench.jobs.running("pictures"))
    return hands.dock.views


def press(hands: Any, key: Any) -> None:
    """Press a key where the focus is."""
    QTest.keyClick(QApplication.focusWidget(), key)
    hands.settle()


def test_keys_in_the_gallery_act_on_its_tiles_and_leave_the_person_there(
    hands: Any, views: Any
) -> None:
    gallery, session = views.tab(GalleryTab).gallery, hands.session
    grid, bar = gallery.grid, gallery.grid.verticalScrollBar()
    key, count = session.active_key, session.active.particle_ids.size

    def click(position: int, modifier: Any = NONE) -> int:
        row = int(gallery.shown_rows()[position])
        QTest.mouseClick(gallery.viewport(), LEFT, modifier, gallery.tile_position(row))
        return int(session.active.particle_ids[row])

    # A label: the tile may be out of sight, and the person stays where they look.
    first = click(0)
    bar.setValue(bar.maximum())
    hands.settle()
    looked_at = bar.value()
    assert looked_at > 0

    press(hands, Key.Key_2)
    assert session.active.hand_labels == {first: 2}
    assert bar.value() == looked_at

    # Delete: what comes next takes the place of what is gone, and the keys go on there.
    last = len(gallery.shown_rows()) - 5
    gone = click(last)
    looked_at = bar.value()
    press(hands, Key.Key_Delete)
    hands.wait(lambda: not hands.workbench.jobs.running("pictures"))
    assert gone not in session.active.particle_ids
    assert len(gallery.shown_rows()) == count - 1
    assert abs(bar.value() - looked_at) <= grid._cell
    assert grid.currentIndex().row() == last
    assert session.selection is None

    # Enter looks at one of several, which stay selected; A takes the model's word for them.
    one, other = click(last), click(last - 1, CTRL)
    hands.viewer.scene.camera.center = (0, 0, 0)
    press(hands, Key.Key_Return)
    assert len(session.selection) == 2
    middle = hands.workbench.mirror.index(key).center(other)
    assert np.allclose(hands.viewer.scene.camera.center[-2:], middle)
    before = session.selection
    press(hands, Key.Key_A)
    said = session.active.predictions
    taken = dict(zip(said.particle_ids.tolist(), said.class_ids.tolist(), strict=True))
    assert session.active.hand_labels == {first: 2, one: taken[one], other: taken[other]}
    assert session.selection == before
    assert session.history.undo_names[0] == "accept the model's classes for 2 particles"


def test_what_is_typed_into_a_list_of_choices_stays_there(hands: Any, views: Any) -> None:
    session, plot = hands.session, views.tab(LatentTab).plot
    session.select(session.selection or hands.workbench.catalogue.current().selection([0, 1]))
    views.show_tab("Latent plot")
    hands.settle()
    steps, ids = session.history.undo_names[0], session.active.particle_ids
    color = plot.findChild(QComboBox, "color by")
    color.setFocus()
    press(hands, Key.Key_M)
    assert color.currentText() == "micrograph"
    color.showPopup()
    hands.settle()
    for key in (Key.Key_M, Key.Key_1, Key.Key_Delete):
        QTest.keyClick(color.view(), key)
    hands.settle()
    QTest.keyClick(color.view(), Key.Key_Escape)
    hands.settle()
    assert session.history.undo_names[0] == steps
    assert session.active.particle_ids is ids
    assert not session.active.hand_labels
    assert hands.dock.banner.text() == ""


def test_the_latent_plot_stays_where_it_was_panned_to(hands: Any, views: Any) -> None:
    session, tab = hands.session, views.tab(LatentTab)
    views.show_tab("Latent plot")
    hands.settle()
    session.select(hands.workbench.catalogue.current().selection([0]))
    focus = session.selection.focus
    box = tab.plot._box
    box.setRange(xRange=(50, 51), yRange=(50, 51), padding=0)
    hands.settle()
    before = box.viewRange()
    session.label(focus.key, {focus.particle: 1})
    hands.settle()
    assert box.viewRange() == before
    other = int(session.active.particle_ids[7])
    session.select(hands.workbench.catalogue.current().selection([7]))
    hands.settle()
    at = tab.plot.point_position(tab.point_of(Place(focus.key, other)))
    assert tab.plot.viewport().rect().contains(at)

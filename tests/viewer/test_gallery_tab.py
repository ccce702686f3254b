"""The gallery in the window: what is selected there is so everywhere, and is labelled by key."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_ssrvae.library.predictions import Predictions
from napari_ssrvae.library.selection import Place, Selection
from napari_ssrvae.viewer.tabs.gallery import GalleryTab

LEFT = Qt.MouseButton.LeftButton


def predicted(ids, class_ids, confidence):
    n, sure = len(ids), np.asarray(confidence)
    first = np.where(np.asarray(class_ids) == 1, sure, 1 - sure)
    return Predictions(
        particle_ids=ids,
        class_ids=np.asarray(class_ids),
        probabilities=np.stack([first, 1 - first], axis=1),
        model_classes=np.array([1, 2]),
        z=np.zeros((n, 2)),
        angle=np.zeros(n),
        shift=np.zeros((n, 2)),
        scale=np.ones(n),
    )


def test_the_gallery_selects_labels_and_goes_to_particles(hands, spheres):
    tab = GalleryTab(hands.workbench)
    dock = hands.viewer.window.add_dock_widget(tab, name="Gallery", area="bottom")
    hands.settle()
    gallery = tab.gallery
    assert "Find particles" in gallery._message.text()

    hands.viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    hands.wait(lambda: not hands.workbench.jobs.running("pictures"))
    key, ids = hands.session.active_key, hands.session.active.particle_ids
    assert gallery.line.text() == f"{ids.size} particles"
    assert gallery.viewport().grab().toImage().pixelColor(gallery.tile_position(0)).lightness() > 99

    # Predictions come: the least sure first; its tile is clicked, and another one with Ctrl.
    sure = np.linspace(0.95, 0.55, ids.size)
    hands.session.set_predictions(key, predicted(ids, np.arange(ids.size) % 2 + 1, sure))
    hands.settle()
    QTest.mouseClick(gallery.again, LEFT)
    first, second = gallery.shown_rows()[:2].tolist()
    assert (first, second) == (ids.size - 1, ids.size - 2)
    QTest.mouseClick(gallery.viewport(), LEFT, pos=gallery.tile_position(first))
    assert hands.session.selection == Selection.one(key, int(ids[first]))
    at = gallery.tile_position(second)
    QTest.mouseClick(gallery.viewport(), LEFT, Qt.KeyboardModifier.ControlModifier, at)
    assert hands.session.selection.focus == Place(key, int(ids[second]))
    assert len(hands.session.selection) == 2

    # A label that is given changes the tiles and moves none of them.
    hands.session.label_selected(1)
    hands.settle()
    assert gallery.shown_rows()[:2].tolist() == [first, second]
    assert "(by hand)" in gallery.grid.tiles.index(0).data(Qt.ItemDataRole.ToolTipRole)

    # What is selected elsewhere is marked here; a double click goes to the particle.
    hands.session.select(Selection.one(key, int(ids[0])))
    assert gallery.line.text() == f"{ids.size} particles · 1 selected"
    at = gallery.tile_position(0)
    hands.viewer.scene.camera.center = (0, 0, 0)
    QTest.mouseClick(gallery.viewport(), LEFT, pos=at)
    QTest.mouseDClick(gallery.viewport(), LEFT, pos=at)
    middle = hands.workbench.mirror.index(key).center(int(ids[0]))
    assert np.allclose(hands.viewer.scene.camera.center[-2:], middle)

    # Other particles: a look at the gallery before it is drawn anew asks for none that are gone.
    labels = hands.session.active.labels
    hands.session.set_particles(key, np.where(labels == ids[0], labels, 0))
    gallery.refresh_pictures()
    gallery.viewport().grab()
    hands.settle()
    assert gallery.line.text() == "1 particle"
    hands.wait(lambda: not hands.workbench.jobs.running("pictures"))
    tab.shutdown()
    hands.viewer.window.remove_dock_widget(dock)


def test_the_order_survives_a_pixel_size_that_gives_measures_another_unit(hands, spheres, qtbot):
    hands.viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    tab = GalleryTab(hands.workbench)
    qtbot.addWidget(tab, before_close_func=lambda tab: tab.shutdown())
    tab.show()
    qtbot.waitExposed(tab)
    hands.wait(lambda: not hands.workbench.jobs.running("pictures"))
    sort, gallery = tab.gallery.bar.sort, tab.gallery
    sort.setCurrentText("by diameter (px)")
    hands.settle()
    rows = gallery.shown_rows().tolist()
    diameters = hands.workbench.catalogue.current().sizes["diameter (px)"]
    assert (np.diff(diameters[rows]) >= 0).all()
    assert rows != sorted(rows)
    hands.workbench.set_pixel_size(2.0)
    hands.settle()
    assert sort.currentText() == "by diameter (nm)"
    assert gallery.shown_rows().tolist() == rows
    assert "sorted before" not in gallery.line.text()
    hands.session.history.undo()
    hands.settle()
    assert sort.currentText() == "by diameter (px)"

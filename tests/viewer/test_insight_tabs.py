"""Class images, their manifold and the inspector, beside a viewer."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_ssrvae.library.selection import Selection
from napari_ssrvae.viewer.tabs.inspector import InspectorTab
from napari_ssrvae.viewer.tabs.manifold import ClassImagesTab
from napari_ssrvae.viewer.views.class_images import ClassCard


def shown(hands, tab, qtbot):
    qtbot.addWidget(tab)
    tab.resize(900, 280)
    tab.show()
    hands.settle()
    return tab


def test_before_there_is_a_model(hands, spheres, qtbot):
    hands.viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    tab = shown(hands, InspectorTab(hands.workbench), qtbot)
    assert tab.view.EMPTY_TEXT in tab.view._message.text()
    hands.session.select(Selection.one(hands.session.active_key, 3))
    hands.wait(lambda: not tab.waiting())
    assert tab.view.title.text() == "Particle 3, spheres"
    assert tab.view.note.text().startswith("Not classified yet")
    assert "diameter" in tab.view.facts()
    tab.shutdown()


def test_what_was_learned_and_what_is_seen(trained, qtbot):
    hands = trained
    key, predictions = hands.session.active_key, hands.session.active.predictions
    inspector = shown(hands, InspectorTab(hands.workbench), qtbot)
    tab = shown(hands, ClassImagesTab(hands.workbench), qtbot)
    names = [c.name for c in hands.session.classes]
    assert tab.overview.names() == names

    # a class is opened, and its particles lie beside what is drawn
    card = tab.overview.findChildren(ClassCard)[1]
    card.setFocus()
    QTest.keyClick(card, Qt.Key.Key_Return)
    hands.wait(lambda: not tab.waiting())
    assert tab.pages.currentWidget() is tab.manifold
    assert tab.manifold.classes.currentText() == names[1]
    of_class = predictions.particle_ids[predictions.class_ids == 2]
    buttons = tab.manifold.neighbours()
    assert len(buttons) == min(8, len(of_class))

    # a real particle is chosen there, seen everywhere, and inspected
    QTest.mouseClick(buttons[0], Qt.MouseButton.LeftButton)
    hands.wait(lambda: not inspector.waiting())
    focus = hands.session.selection.focus
    assert focus.particle in of_class
    assert buttons[0].is_marked()
    row = int(np.flatnonzero(predictions.particle_ids == focus.particle)[0])
    cell = tab.manifold.grid.marked()
    assert cell == tuple(tab._drawn.grid.cells(predictions.z[row])[0])
    assert inspector.view.title.text() == f"Particle {focus.particle}, spheres"
    bars = {bar.name: bar.probability for bar in inspector.view.bars.bars()}
    assert bars == dict(zip(names, predictions.probabilities[row], strict=True))
    assert not any(picture.is_empty() for picture in inspector.view.pictures.values())

    # several in a row: the last one counts
    for particle in (1, 2, 5):
        hands.session.select(Selection.one(key, particle))
    hands.wait(lambda: not inspector.waiting())
    assert inspector.view.title.text() == "Particle 5, spheres"
    hands.session.select(None)
    hands.settle()
    assert inspector.view._stack.currentWidget() is inspector.view._message

    hands.click(tab.manifold.back)
    assert tab.pages.currentWidget() is tab.overview
    tab.shutdown()
    inspector.shutdown()

"""One key to the particle that is most worth a label, one to agree with the model."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Qt

from napari_ssrvae.library.selection import Selection

Key, Control = Qt.Key, Qt.KeyboardModifier.ControlModifier


def test_n_leads_from_one_particle_to_the_next_and_a_accepts(trained: Any) -> None:
    panel, session = trained.panel("Suggestion"), trained.session
    trained.hover(1)  # where the mouse lies is not what is meant once the camera has moved
    before, labelled = trained.viewer.scene.camera.zoom, len(session.active.hand_labels)
    trained.key(Key.Key_N)
    first = trained.workbench.suggesting.current
    assert first.place.particle not in session.active.hand_labels
    assert session.selection.focus == first.place
    assert trained.viewer.scene.camera.zoom > before
    assert f"Particle {first.place.particle}: the model" in panel.why.text()
    marks = trained.workbench.mirror.outlines.marks
    assert marks.word().startswith("the model")
    trained.key(Key.Key_A)
    assert session.active.hand_labels[first.place.particle] == first.class_id
    assert "accept" in session.history.undo_names[0]
    second = trained.workbench.suggesting.current
    assert second.place != first.place
    # Looking at another particle is no answer, and A does not label what is out of sight.
    labels = dict(session.active.hand_labels)
    trained.session.select(Selection.one(first.place.key, first.place.particle))
    assert trained.workbench.suggesting.current is None
    assert session.active.hand_labels == labels
    trained.key(Key.Key_N)
    second = trained.workbench.suggesting.current
    # Another class by its key: labelled, and no longer the question.
    trained.key(Key.Key_2)
    assert session.active.hand_labels[second.place.particle] == 2
    assert trained.workbench.suggesting.current is None
    assert not panel.accept.isEnabled()
    assert not marks.word().startswith("the model")
    trained.click(panel.go_on)
    assert trained.workbench.suggesting.current.place not in {first.place, second.place}
    for _ in range(2):
        trained.key(Key.Key_Z, Control)
    assert len(session.active.hand_labels) == labelled


def test_the_end_is_said_and_new_particles_are_no_longer_asked_for(trained: Any) -> None:
    session = trained.session
    everything = dict.fromkeys(session.active.particle_ids.tolist(), 1)
    session.label(session.active_key, everything)
    trained.key(Key.Key_N)
    trained.wait(lambda: "has a label" in trained.dock.banner.text())
    trained.key(Key.Key_Z, Control)
    trained.key(Key.Key_N)
    trained.wait(lambda: trained.workbench.suggesting.current is not None)
    labels = session.active.labels.copy()
    session.set_particles(session.active_key, labels)
    assert trained.workbench.suggesting.current is None


def test_a_merged_class_is_no_longer_suggested(trained: Any) -> None:
    session = trained.session
    trained.key(Key.Key_N)
    assert trained.workbench.suggesting.current is not None
    third = session.add_class("other").id
    session.merge_class(1, third)
    session.merge_class(2, third)
    assert trained.workbench.suggesting.current is None
    trained.key(Key.Key_N)
    trained.wait(lambda: not trained.workbench.jobs.running("suggest"))
    assert trained.workbench.suggesting.current is None
    assert not any(p in session.active.hand_labels.values() for p in (1, 2))


def test_without_a_model_the_key_says_what_is_missing(hands: Any, spheres: np.ndarray) -> None:
    hands.viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    assert not hands.panel("Suggestion").isVisible()
    hands.key(Key.Key_N)
    assert "Train a model first" in hands.dock.banner.text()

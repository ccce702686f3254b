"""Opening and closing the dock leaves nothing behind, however often."""

from __future__ import annotations

import gc
import threading
import weakref
from collections import Counter
from typing import Any

import numpy as np
import pytest
from napari.layers import Layer
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QApplication

from napari_ssrvae.library.predictions import Predictions
from napari_ssrvae.library.session import Session
from napari_ssrvae.viewer.dock import ParticleClassifier

TIMES = 20


def callbacks(model: Any) -> dict[str, int]:
    """Count what is connected to each signal of one of napari's models."""
    return {name: len(emitter.callbacks) for name, emitter in model.events.emitters.items()}


def left_over(viewer: Any) -> dict[str, Any]:
    """Count everything that a closed dock could have left."""
    gc.collect()
    kinds = Counter(map(type, gc.get_objects()))
    ours = {k: n for k, n in kinds.items() if str(k.__module__).startswith("napari_ssrvae")}
    return {
        "threads": threading.active_count(),
        "windows": len(QApplication.topLevelWidgets()),
        "ours": {k.__name__: n for k, n in ours.items() if issubclass(k, (QObject, Session))},
        "layers": sum(n for k, n in kinds.items() if issubclass(k, Layer)),
        "mouse": (len(viewer.mouse_drag_callbacks), len(viewer.mouse_move_callbacks)),
        "keys": sorted(map(str, viewer.keymap)),
        "viewer": callbacks(viewer),
        "list": callbacks(viewer.layers),
        "selection": callbacks(viewer.layers.selection),
        "dims": callbacks(viewer.dims),
        "camera": callbacks(viewer.scene.camera),
        "docks": list(viewer.window.dock_widgets),
    }


def predictions(ids: np.ndarray) -> Predictions:
    n = len(ids)
    p = np.full((n, 2), 0.5)
    z = np.random.default_rng(0).normal(size=(n, 2))
    return Predictions(
        ids, np.ones(n, np.int64), p, np.array([1, 2]), z, np.zeros(n), np.zeros((n, 2)), np.ones(n)
    )


def open_work_close(viewer: Any, qtbot: Any, image: np.ndarray) -> list[Any]:
    """Use the dock a little and close it; return weak references to what should be gone."""
    frame, dock = viewer.window.add_plugin_dock_widget("napari-ssrvae", "Particle classifier")
    assert isinstance(dock, ParticleClassifier)
    layer = viewer.add_image(image)
    qtbot.waitUntil(lambda: dock.session.active is not None)
    session, key = dock.session, dock.session.active_key
    labels = np.zeros(image.shape, np.int32)
    labels[5:20, 5:20], labels[30:50, 30:60] = 1, 2
    session.set_particles(key, labels)
    session.label(key, {1: 1, 2: 2})
    session.set_predictions(key, predictions(session.active.particle_ids))
    dock.show_views()
    session.select(None)
    qtbot.wait(5)
    gone = [
        weakref.ref(x)
        for x in (dock, dock.views, session, dock.workbench, layer, session.active.labels)
    ]
    gone += [weakref.ref(x.data) for x in viewer.layers[1:] if isinstance(x.data, np.ndarray)]
    viewer.window.remove_dock_widget(frame)
    viewer.layers.clear()
    qtbot.wait(5)
    return gone


@pytest.mark.slow
def test_a_dock_that_was_closed_twenty_times_left_nothing(
    make_napari_viewer: Any, qtbot: Any
) -> None:
    viewer = make_napari_viewer(show=True)
    image = np.random.default_rng(0).integers(0, 255, (90, 120), dtype=np.uint8)
    _, dock = viewer.window.add_plugin_dock_widget("napari-ssrvae", "Particle classifier")
    open_now = left_over(viewer)
    viewer.window.remove_dock_widget(dock)
    del dock
    qtbot.wait(50)
    first = None
    for _ in range(TIMES):
        gone = open_work_close(viewer, qtbot, image)
        if first is None:
            qtbot.wait(50)
            first = left_over(viewer)
    qtbot.wait(50)
    last = left_over(viewer)
    # napari's pool ends threads that had nothing to do for long: fewer are no leak
    assert last.pop("threads") <= first.pop("threads")
    assert last == first
    assert first["ours"] == {}
    # What is counted is there while a dock is open.
    assert "ParticleClassifier" in open_now["ours"]
    assert all(open_now[what] != first[what] for what in ("mouse", "keys", "list", "docks"))
    assert [x() for x in gone if x() is not None] == []

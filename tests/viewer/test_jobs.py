"""Background jobs: errors reach the person, Stop keeps the model, closing leaves nothing behind."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import torch
from qtpy.QtCore import Qt, QTimer
from superqt.utils import WorkerBase

from napari_ssrvae.errors import InputError
from napari_ssrvae.viewer.jobs import Jobs, readable


@pytest.fixture
def jobs(hands: Any) -> Jobs:
    return hands.workbench.jobs


def run(hands: Any, jobs: Jobs, job: Any, *args: Any) -> dict[str, list[Any]]:
    seen: dict[str, list[Any]] = {"yields": [], "done": [], "errors": []}
    jobs.start(
        "test",
        job,
        *args,
        title="a test job",
        on_yield=seen["yields"].append,
        on_done=seen["done"].append,
        on_error=seen["errors"].append,
    )
    hands.wait(lambda: not jobs.running("test"))
    return seen


def counts_to(n: int) -> Generator[int, None, str]:
    yield from range(n)
    return "done"


def shape_error() -> Generator[int, None, None]:
    yield 1
    torch.ones(2, 3) @ torch.ones(2, 3)


def out_of_memory() -> Generator[int, None, None]:
    yield 1
    torch.empty(2**60)


def refuses() -> Generator[int, None, None]:
    yield 1
    raise InputError("Particle 3 is too small: choose another.")


def test_yields_and_result_arrive_on_the_main_thread(hands: Any, jobs: Jobs) -> None:
    threads = []
    jobs.start(
        "test",
        counts_to,
        3,
        title="t",
        on_yield=lambda _: threads.append(threading.current_thread()),
    )
    hands.wait(lambda: not jobs.running("test"))
    assert threads == [threading.main_thread()] * 3
    assert run(hands, jobs, counts_to, 2)["done"] == ["done"]


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (shape_error, "Nothing was lost"),
        (out_of_memory, "ran out of memory"),
        (refuses, "Particle 3 is too small: choose another."),
    ],
)
def test_an_error_in_a_worker_reaches_the_person(
    hands: Any, jobs: Jobs, job: Any, words: str
) -> None:
    seen = run(hands, jobs, job)
    assert seen["done"] == []
    assert len(seen["errors"]) == 1
    assert words in hands.dock.banner.text()
    assert hands.dock.banner.isVisible()
    assert "Traceback" not in hands.dock.banner.text()
    hands.click(hands.dock.dismiss)
    assert not hands.dock.banner.isVisible()


def test_a_newer_job_drops_the_older_ones_result(hands: Any, jobs: Jobs) -> None:
    gate, done = threading.Event(), []

    def waits(name: str) -> Generator[int, None, str]:
        yield 1
        gate.wait(20)
        return name

    jobs.start("test", waits, "old", title="t", on_done=done.append)
    jobs.start("test", waits, "new", title="t", on_done=done.append)
    gate.set()
    hands.wait(lambda: bool(done) and not jobs.running("test"))
    assert done == ["new"]


def test_readable_names_the_remedy() -> None:
    assert "writable" in readable(PermissionError("no"))
    assert "memory" in readable(MemoryError())


@pytest.fixture
def labelled(hands: Any, spheres: np.ndarray) -> Any:
    hands.viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    key, ids = hands.session.active_key, hands.session.active.particle_ids.tolist()
    area = {p: int((hands.session.active.labels == p).sum()) for p in ids}
    small, large = sorted(ids, key=area.get)[:3], sorted(ids, key=area.get)[-3:]
    hands.session.label(key, dict.fromkeys(small, 1) | dict.fromkeys(large, 2))
    hands.settle()
    return hands


def test_a_torch_error_in_training_gives_the_buttons_back(
    labelled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_ssrvae.learning import networks

    encoder = next(
        v for v in vars(networks).values() if isinstance(v, type) and "ClassEncoder" in v.__name__
    )

    def broken(self: Any, x: Any) -> Any:
        return torch.ones(2, 3) @ torch.ones(2, 3)

    monkeypatch.setattr(encoder, "forward", broken)
    labelled.train()
    assert labelled.dock.banner.isVisible()
    assert labelled.dock.banner.text()
    assert labelled.panel("Train").train.isEnabled()
    assert not labelled.panel("Train").stop.isVisible()
    assert labelled.session.hand_counts() == {1: 3, 2: 3}
    assert labelled.session.workflow is None


def test_stop_keeps_the_best_model_so_far(labelled: Any) -> None:
    epochs: list[Any] = []
    labelled.workbench.epoch.connect(epochs.append)
    labelled.click(labelled.panel("Train").train)
    labelled.wait(lambda: len(epochs) >= 2)
    labelled.click(labelled.panel("Train").stop)
    labelled.wait(lambda: not labelled.workbench.jobs.running("train"))
    assert len(epochs) < epochs[0].n_epochs
    assert labelled.session.workflow is not None
    assert labelled.session.active.predictions is not None
    assert labelled.panel("Train").train.isEnabled()


def test_the_viewer_stays_usable_while_it_trains(labelled: Any) -> None:
    epochs: list[Any] = []
    labelled.workbench.epoch.connect(epochs.append)
    labelled.click(labelled.panel("Train").train)
    labelled.wait(lambda: len(epochs) >= 1)
    particle = next(
        p
        for p in labelled.session.active.particle_ids.tolist()
        if p not in labelled.session.active.hand_labels
    )
    labelled.click_particle(particle)
    assert labelled.workbench.jobs.running("train")
    assert particle in labelled.session.active.hand_labels
    labelled.click(labelled.panel("Train").stop)
    labelled.wait(lambda: not labelled.workbench.jobs.running("train"))


def start_training(hands: Any, image: np.ndarray) -> None:
    hands.viewer.add_image(image, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    ids = hands.session.active.particle_ids.tolist()
    hands.session.label(hands.session.active_key, {ids[0]: 1, ids[1]: 2})
    hands.settle()
    epochs: list[Any] = []
    hands.workbench.epoch.connect(epochs.append)
    hands.click(hands.panel("Train").train)
    hands.wait(lambda: len(epochs) >= 1)


@pytest.mark.parametrize("how", ["dock", "viewer"])
def test_closing_during_training_leaves_nothing_behind(
    make_napari_viewer: Any, make_hands: Any, spheres: np.ndarray, how: str
) -> None:
    viewer = make_napari_viewer(show=True)
    callbacks = (len(viewer.mouse_move_callbacks), len(viewer.mouse_drag_callbacks))
    keymap = dict(viewer.keymap)
    hands = make_hands(viewer)
    start_training(hands, spheres)
    dock, workbench = hands.dock, hands.workbench
    if how == "dock":
        viewer.window.remove_dock_widget(dock)
    else:
        viewer.window._qt_window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        viewer.window._qt_window.close(quit_app=False, confirm_need=False)
        dock.setParent(None)
    hands.settle()
    assert not workbench.jobs._current
    assert not any(t.isActive() for t in dock.findChildren(QTimer))
    assert not [w for w in WorkerBase._worker_set if w.is_running]
    assert (len(viewer.mouse_move_callbacks), len(viewer.mouse_drag_callbacks)) == callbacks
    assert dict(viewer.keymap) == keymap
    assert dock.views is None
    dock.deleteLater()
    hands.settle()


def use_and_close(viewer: Any, make_hands: Any, image: np.ndarray) -> weakref.ref[Any]:
    """Work in the dock and close it; in a frame of its own, which keeps nothing when it ends."""
    hands = make_hands(viewer)
    viewer.add_image(image, name="spheres")
    hands.settle()
    hands.find()
    hands.click_particle(3)
    viewer.window.remove_dock_widget(hands.dock)
    hands.dock.deleteLater()
    hands.settle()
    return weakref.ref(hands.session)


def test_a_closed_dock_is_collected(
    make_napari_viewer: Any, make_hands: Any, spheres: np.ndarray, qtbot: Any
) -> None:
    kept = use_and_close(make_napari_viewer(show=True), make_hands, spheres)

    def is_gone() -> bool:
        gc.collect()
        return kept() is None

    qtbot.waitUntil(is_gone, timeout=5000)  # Qt drops connections when it is idle

"""A real viewer with the real dock, and hands for its mouse and keyboard."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QToolTip, QWidget

from napari_ssrvae.viewer import steps


@pytest.fixture
def hover(qtbot: Any) -> Callable[[QWidget, Callable[[], QPoint], str], None]:
    """Move the mouse onto a place of a plot until its tooltip says a text."""

    def until(viewport: QWidget, place: Callable[[], QPoint], text: str) -> None:
        def said() -> bool:
            # pyqtgraph drops a move that comes within 10 ms of the last; a person moves again
            QTest.mouseMove(viewport, QPoint(2, 2))
            QTest.qWait(30)
            QTest.mouseMove(viewport, place())
            QTest.qWait(30)
            return text in QToolTip.text()

        qtbot.waitUntil(said, timeout=5000)

    return until


class Hands:
    """Drives the dock in its viewer as a person would: mouse and key events on real widgets."""

    def __init__(self, viewer: Any, qtbot: Any) -> None:
        from napari_ssrvae.viewer.dock import ParticleClassifier
        from napari_ssrvae.viewer.legend import canvas_of

        self.viewer, self.qtbot = viewer, qtbot
        self.dock_widget, self.dock = viewer.window.add_plugin_dock_widget(
            "napari-ssrvae", "Particle classifier"
        )
        assert isinstance(self.dock, ParticleClassifier)
        self.session, self.workbench = self.dock.session, self.dock.workbench
        # Tests ask for it: a training that begins by itself would be in the way of the others.
        self.panel("Train").by_itself.setChecked(False)
        canvas = canvas_of(self.dock.window())
        assert canvas is not None
        self.canvas: QWidget = canvas

    def panel(self, name: str) -> Any:
        return next(p for p in self.dock.panels.values() if type(p).__name__ == f"{name}Panel")

    def settle(self) -> None:
        """Let queued events, deletions and the dock's zero timers run.

        In an event loop, as in the application: vispy puts a loop over `processEvents` in the
        place of PySide6's `QTest.qWait`, and that leaves undone what `deleteLater` asks for.
        """
        for _ in range(3):
            self.qtbot.wait(5)

    def wait(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        self.qtbot.waitUntil(condition, timeout=int(seconds * 1000))
        self.settle()

    def click(self, widget: QWidget) -> None:
        assert widget.isVisible(), f"{widget} cannot be clicked: it is hidden"
        assert widget.isEnabled(), f"{widget} cannot be clicked: it is disabled"
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton)
        self.settle()

    def type_into(self, field: Any, text: str) -> None:
        """Type over what a field says, and press Enter."""
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, text)
        QTest.keyClick(field, Qt.Key.Key_Return)
        self.settle()

    def open(self, path: Path, plugin: str = "napari") -> None:
        """Open a file with a reader, as a drop and the choice in napari's dialog do."""
        before = len(self.session.micrographs)
        self.viewer.open(str(path), plugin=plugin)
        self.wait(lambda: len(self.session.micrographs) > before)

    def find(self) -> int:
        self.click(self.panel("Particles").find)
        self.wait(lambda: not self.workbench.jobs.running("find"))
        return int(self.session.active.particle_ids.size)

    # -- on the canvas ---------------------------------------------------------------------
    def on_canvas(self, y: float, x: float) -> QPoint:
        """Return where a pixel of the active micrograph lies on the canvas."""
        image = self.workbench.mirror.groups[self.session.active_key].image
        world = np.asarray(image.data_to_world((y, x)))[-2:]
        camera = self.viewer.scene.camera
        offset = (world - np.asarray(camera.center)[-2:]) * camera.zoom
        return QPoint(
            round(self.canvas.width() / 2 + offset[1]), round(self.canvas.height() / 2 + offset[0])
        )

    def inside(self, particle: int) -> tuple[float, float]:
        """Return a pixel that surely lies in a particle: the one deepest inside."""
        from scipy.ndimage import distance_transform_edt

        index = self.workbench.mirror.index(self.session.active_key)
        box = index.box(particle)
        depth = distance_transform_edt(np.pad(index.labels[box] == particle, 1))
        y, x = np.unravel_index(np.argmax(depth), depth.shape)
        return float(y + box[0].start - 1), float(x + box[1].start - 1)

    def hover(self, particle: int) -> QPoint:
        place = self.on_canvas(*self.inside(particle))
        QTest.mouseMove(self.canvas, place - QPoint(1, 1))
        QTest.mouseMove(self.canvas, place)
        self.settle()
        return place

    def click_particle(self, particle: int, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
        place = self.hover(particle)
        QTest.mouseClick(self.canvas, Qt.MouseButton.LeftButton, modifier, pos=place)
        self.settle()

    def drag(self, start: QPoint, end: QPoint) -> None:
        self.draw([start, end])

    def draw(
        self, corners: Sequence[QPoint], modifier: Any = Qt.KeyboardModifier.NoModifier
    ) -> None:
        """Drag from corner to corner."""
        QTest.mousePress(self.canvas, Qt.MouseButton.LeftButton, modifier, pos=corners[0])
        for start, end in itertools.pairwise(corners):
            for step in np.linspace(0, 1, 8)[1:]:
                QTest.mouseMove(self.canvas, start + (end - start) * float(step))
                QApplication.processEvents()
        QTest.mouseRelease(self.canvas, Qt.MouseButton.LeftButton, modifier, pos=corners[-1])
        self.settle()

    def key(self, key: Any, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
        self.canvas.setFocus()
        QTest.keyClick(self.canvas, key, modifier)
        self.settle()

    def choose_class(self, class_id: int) -> None:
        """Click the row of a class in the table."""
        table = self.panel("Classes").table
        row = [c.id for c in self.session.classes].index(class_id)
        place = table.visualItemRect(table.item(row, 1)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
        self.settle()

    def train(self, seconds: float = 180) -> None:
        self.click(self.panel("Train").train)
        self.wait(lambda: not self.workbench.jobs.running("train"), seconds)


@pytest.fixture(scope="session", autouse=True)
def loaded() -> None:
    """Load the slow modules before the first viewer.

    torch parses sources while it loads, and so does napari for its menus: in two threads at once
    Python 3.11 fails with "AST constructor recursion depth mismatch".
    """
    from napari_ssrvae.viewer.warm_up import warm_up

    warm_up().join()


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every test begin with the plugin's defaults, and write its settings into its folder."""
    from napari import settings

    monkeypatch.setattr(settings, "_CFG_PATH", str(tmp_path / "settings.yaml"))
    settings._clear_plugin_settings_cache()
    yield
    settings._clear_plugin_settings_cache()


@pytest.fixture
def make_hands(qtbot: Any) -> Callable[[Any], Hands]:
    """Open the dock in a viewer."""

    def make(viewer: Any) -> Hands:
        viewer.window.resize(1500, 950)
        hands = Hands(viewer, qtbot)
        hands.settle()
        return hands

    return make


@pytest.fixture
def hands(make_napari_viewer: Any, make_hands: Callable[[Any], Hands]) -> Iterator[Hands]:
    hands = make_hands(make_napari_viewer(show=True))
    yield hands
    hands.dock.shutdown()
    hands.settle()


@pytest.fixture
def spheres() -> np.ndarray:
    """Dark ground with bright discs in three sizes, far apart: quick to find, easy to tell."""
    rng = np.random.default_rng(0)
    image = rng.normal(60, 4, (360, 480))
    yy, xx = np.mgrid[:360, :480]
    for row in range(5):
        for column in range(7):
            radius = (8, 13, 18)[(row + column) % 3]
            cy, cx = 45 + 66 * row, 45 + 64 * column
            image[(yy - cy) ** 2 + (xx - cx) ** 2 < radius**2] += 120
    return image.clip(0, 255).astype(np.uint8)


@pytest.fixture
def labelled(hands: Any, spheres: np.ndarray) -> Any:
    """Three small and three large discs with labels."""
    hands.viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    key, labels = hands.session.active_key, hands.session.active.labels
    by_area = sorted(
        hands.session.active.particle_ids.tolist(), key=lambda p: int((labels == p).sum())
    )
    hands.session.label(key, dict.fromkeys(by_area[:3], 1) | dict.fromkeys(by_area[-3:], 2))
    hands.settle()
    hands.workbench.settings.max_seconds = 3
    return hands


@pytest.fixture(scope="session")
def trainings() -> list[Any]:
    """The training of `trained`, which is done once for all tests."""
    return []


@pytest.fixture
def trained(labelled: Any, trainings: list[Any]) -> Any:
    """A model of small and large discs, trained for three seconds in the window.

    For the first test that asks; later ones get what that training had returned.
    """
    workbench = labelled.workbench
    if not trainings:
        done = workbench._on_trained
        workbench._on_trained = lambda *args: (trainings.append(args[-1]), done(*args))
        labelled.train()
    else:
        frozen = [steps.FrozenMicrograph.of(labelled.session.active_key, labelled.session.active)]
        workbench._on_trained(frozen, None, trainings[0])
        labelled.wait(lambda: labelled.dock.views is not None)
    labelled.wait(labelled.dock.views.isVisible)
    labelled.wait(lambda: not workbench.jobs.running("suggest"))
    return labelled

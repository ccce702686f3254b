"""How quick the dock is: opening, finding, clicks, recolouring, a lasso, stalls while it works.

Needs a display (or ``xvfb-run -a -s "-screen 0 1600x1000x24"``). ``--part`` runs one part; each
part runs in a process of its own, so that none profits from what another has loaded.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

import numpy as np

from _common import machine, table, write_json

TARGETS = {
    "open the dock, napari is up (s)": 1.0,
    "find in 1280x960, first look (s)": 1.0,
    "find in 1280x960, all (s)": 5.0,
    "recolour 1,000 particles, 2048x2048 (ms)": 30.0,
    "recolour 60,000 particles, 2048x2048 (ms)": 30.0,
    "click to new colour, 2,000 particles (ms)": 50.0,
    "lasso over 50,000 points, release to selection drawn (ms)": 100.0,
    "stalls from Train to overlay, 99th percentile (ms)": 50.0,
    "stalls from Train to overlay, longest (ms)": 250.0,
    "stalls classifying 20,000 particles, 99th percentile (ms)": 50.0,
    "stalls classifying 20,000 particles, longest (ms)": 250.0,
}


def spin(seconds: float) -> None:
    """Let Qt work for a while."""
    from qtpy.QtWidgets import QApplication

    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.001)


def new_viewer() -> Any:
    """Open napari and let it settle."""
    import napari

    viewer = napari.Viewer()
    spin(1.0)
    return viewer


def open_dock(viewer: Any) -> Any:
    """Open our dock; return the widget."""
    return viewer.window.add_plugin_dock_widget("napari-ssrvae", "Particle classifier")[1]


def opening() -> dict[str, float]:
    """Time the dock's opening until it is painted, everything of ours unloaded before."""
    from qtpy.QtWidgets import QApplication

    viewer = new_viewer()
    start = time.perf_counter()
    dock = open_dock(viewer)
    QApplication.processEvents()
    seconds = time.perf_counter() - start
    assert dock.isVisible()
    return {"open the dock, napari is up (s)": seconds}


def finding() -> dict[str, float]:
    """Time finding particles that touch: what is on the screen first, and all; medium and large."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    from napari_ssrvae.datasets import simulated_micrograph
    from napari_ssrvae.viewer.panels.particles import ParticlesPanel

    figures: dict[str, float] = {}
    for shape, n in (((960, 1280), 300), ((4096, 4096), 5_000)):
        viewer = new_viewer()
        dock = open_dock(viewer)
        micrograph, _, _ = simulated_micrograph(0, shape=shape, n_particles=n)
        viewer.add_image(micrograph.image, name="simulated")
        spin(1.0)
        dock.warming.join()
        spin(1.0)
        panel, work = dock.panels[ParticlesPanel], dock.workbench.finding
        panel.split.setChecked(True)
        spin(1.0)
        beats = Heartbeat()
        QTest.mouseClick(panel.find, Qt.MouseButton.LeftButton)
        first = None
        while work.busy:
            spin(0.01)
            if first is None and work.first.visible:
                first = time.perf_counter() - beats.start
        size = f"find in {shape[1]}x{shape[0]}"
        assert first is not None
        assert dock.session.active.particle_ids.size > 0.9 * n
        figures[f"{size}, first look (s)"] = first
        figures[f"{size}, all (s)"] = time.perf_counter() - beats.start
        spin(0.5)
        figures |= {k: ms for k, ms in beats.stalls(size).items() if "longest" in k}
        viewer.close()
    return figures


def recolouring() -> dict[str, float]:
    """Time from predictions to the overlay's new data, and to the picture, apart."""
    figures = {}
    for n, side in ((1_000, 32), (60_000, 245)):
        viewer = new_viewer()
        dock = open_dock(viewer)
        labels = grid_labels(n, side)
        viewer.add_image(np.random.default_rng(0).random(labels.shape, dtype=np.float32))
        spin(1.0)
        key = dock.session.active_key
        dock.session.set_particles(key, labels)
        ids = dock.session.active.particle_ids
        assert len(ids) == n
        dock.warming.join()  # what is recoloured was trained before
        spin(2.0)
        data, drawn = [], []
        for run in range(8):
            predictions = made_up_predictions(ids, run)
            start = time.perf_counter()
            dock.session.set_predictions(key, predictions)
            data.append(time.perf_counter() - start)
            viewer.screenshot(flash=False)
            drawn.append(time.perf_counter() - start)
            spin(0.2)
        # The first run makes the layer; a recolouring is every later one.
        figures[f"recolour {n:,} particles, 2048x2048 (ms)"] = 1e3 * float(np.median(data[1:]))
        figures[f"  and drawn, {n:,} particles (ms)"] = 1e3 * float(np.median(drawn[1:]))
        viewer.close()
    return figures


def made_up_predictions(ids: np.ndarray, seed: int) -> Any:
    """Return predictions of two classes at random."""
    from napari_ssrvae.library import Predictions

    rng, n = np.random.default_rng(seed), len(ids)
    p, classes = rng.dirichlet([1, 1], n), rng.integers(1, 3, n)
    p.sort(axis=1)
    zeros = np.zeros(n)
    return Predictions(
        ids, classes, p, np.array([1, 2]), rng.normal(size=(n, 2)), zeros, np.zeros((n, 2)), zeros
    )


def grid_labels(n: int, side: int) -> np.ndarray:
    """Return n square particles on a 2048x2048 grid."""
    step = 2048 // side
    yy, xx = np.mgrid[:2048, :2048]
    cell = (yy // step) * side + xx // step
    inside = (yy % step < step - 2) & (xx % step < step - 2)
    inside &= (yy // step < side) & (xx // step < side) & (cell < n)
    return np.where(inside, cell + 1, 0).astype(np.int32)


def clicks() -> dict[str, float]:
    """Time from a click on a particle to its new colour, in the layer and on the screen."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    from napari_ssrvae.viewer.legend import canvas_of

    viewer = new_viewer()
    viewer.window.resize(1500, 950)
    dock = open_dock(viewer)
    labels = grid_labels(2_000, 45)
    viewer.add_image(np.random.default_rng(0).random(labels.shape, dtype=np.float32))
    spin(1.0)
    key = dock.session.active_key
    dock.session.set_particles(key, labels)
    dock.session.set_predictions(key, made_up_predictions(dock.session.active.particle_ids, 0))
    dock.show_views()
    spin(2.0)
    canvas, camera = canvas_of(dock.window()), viewer.scene.camera
    hand = dock.workbench.mirror.groups[key].hand
    index = dock.workbench.mirror.index(key)
    shown, drawn = [], []
    for particle in range(500, 512):
        y, x = index.center(particle)
        down, right = (np.array([y, x]) - np.asarray(camera.center)[-2:]) * camera.zoom
        place = QPoint(round(canvas.width() / 2 + right), round(canvas.height() / 2 + down))
        QTest.mouseMove(canvas, place)
        spin(0.3)
        start = time.perf_counter()
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=place)
        assert hand.data[round(y), round(x)] == dock.session.current_class
        shown.append(time.perf_counter() - start)
        canvas.repaint()
        QApplication.processEvents()
        drawn.append(time.perf_counter() - start)
        spin(0.3)
    viewer.close()
    # The first two load what every later click finds loaded.
    return {
        "click to new colour, 2,000 particles (ms)": 1e3 * float(np.median(shown[2:])),
        "  and all of the window drawn (ms)": 1e3 * float(np.median(drawn[2:])),
    }


def lasso() -> dict[str, float]:
    """Time from the release of a lasso in the latent plot until what it selects is drawn."""
    from qtpy.QtCore import QPoint
    from qtpy.QtWidgets import QApplication

    from napari_ssrvae.viewer.views import LatentPlot

    _application = QApplication.instance() or QApplication([])
    rng, n = np.random.default_rng(0), 50_000
    plot = LatentPlot()
    plot.resize(1000, 400)
    plot.show()
    legend = [(f"class {i}", color, n // 3) for i, color in enumerate(("#e69f00", "#56b4e9"))]
    plot.set_points(rng.normal(size=(n, 2)), rng.integers(0, 2, n), np.arange(n), legend=legend)
    selected: list[int] = []

    def select(ids: np.ndarray, adds: bool) -> None:
        selected.append(len(ids))
        plot.select(int(ids[-1]), others=ids)

    plot.points_lassoed.connect(select)
    spin(0.5)
    middle = plot.viewport().rect().center()
    drawing, drawn = [], []
    for run in range(10):
        plot.select(None)
        spin(0.1)
        angles = np.linspace(0, 6, 60)
        radius = 60 + 8 * run
        corners = [
            middle + QPoint(int(2 * radius * c), int(radius * s))
            for c, s in zip(np.cos(angles), np.sin(angles), strict=True)
        ]
        moves, release = draw_lasso(plot.viewport(), corners)
        drawing.append(moves)
        drawn.append(release)
    plot.close()
    return {
        "lasso over 50,000 points, release to selection drawn (ms)": 1e3 * float(np.median(drawn)),
        "  a move of the mouse while it is drawn, longest (ms)": 1e3 * float(np.max(drawing)),
        "  points in it": float(np.median(selected)),
    }


def draw_lasso(viewport: Any, corners: list[Any]) -> tuple[float, float]:
    """Drag with Shift; return the seconds of the longest move and of the release, till painted."""
    from qtpy.QtCore import QEvent, QObject, QPointF, Qt
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    class Paints(QObject):
        count = 0

        def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
            self.count += event.type() == QEvent.Type.Paint
            return False

    paints = Paints()
    viewport.installEventFilter(paints)
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton

    def send(kind: Any, place: Any, button: Any, buttons: Any, painted: bool = True) -> float:
        shift = Qt.KeyboardModifier.ShiftModifier
        where = QPointF(place), QPointF(viewport.mapToGlobal(place))
        event = QMouseEvent(kind, *where, button, buttons, shift)
        before, start = paints.count, time.perf_counter()
        QApplication.sendEvent(viewport, event)
        while painted and paints.count == before and time.perf_counter() < start + 1:
            QApplication.processEvents()
        return time.perf_counter() - start

    send(QEvent.Type.MouseButtonPress, corners[0], left, left, painted=False)
    moves = []
    for corner in corners[1:]:
        spin(0.012)  # pyqtgraph follows 100 times a second
        moves.append(send(QEvent.Type.MouseMove, corner, none, left))
    release = send(QEvent.Type.MouseButtonRelease, corners[-1], left, none)
    viewport.removeEventFilter(paints)
    return max(moves[2:]), release


class Heartbeat:
    """Beats every 10 ms of the event loop, from now on."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self.beats: list[float] = []
        self.timer = QTimer(interval=10)
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(lambda: self.beats.append(time.perf_counter()))
        self.timer.start()
        spin(0.1)
        self.start = time.perf_counter()

    def stalls(self, when: str) -> dict[str, float]:
        """Stop, and return how long beats were late since the start, and the seconds it took."""
        seconds = time.perf_counter() - self.start
        self.timer.stop()
        gaps = 1e3 * np.diff([beat for beat in self.beats if beat >= self.start])
        return {
            f"stalls {when}, 99th percentile (ms)": float(np.percentile(gaps, 99)),
            f"stalls {when}, longest (ms)": float(gaps.max()),
            f"  {when} (s)": seconds,
        }


def stalls() -> dict[str, float]:
    """Beat every 10 ms from the click on Train until the overlay is on the screen."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    from napari_ssrvae.datasets import simulated_micrograph
    from napari_ssrvae.viewer.dock import TrainPanel

    viewer = new_viewer()
    dock = open_dock(viewer)
    micrograph, labels, classes = simulated_micrograph(seed=0)
    viewer.add_image(micrograph.image, name="simulated", scale=(10, 10), units=("nm", "nm"))
    spin(1.0)
    key = dock.session.active_key
    dock.session.set_particles(key, labels)
    while len(dock.session.classes) < 4:
        dock.session.add_class()
    hand: dict[int, int] = {}
    for class_id in range(1, 5):
        members = [p for p, c in dict(classes).items() if c == class_id]
        hand.update(dict.fromkeys(members[:8], class_id))
    dock.session.label(key, hand)
    dock.warming.join()  # a person takes longer to label than this takes
    spin(2.0)
    epochs: list[Any] = []
    dock.workbench.epoch.connect(epochs.append)
    beats = Heartbeat()
    QTest.mouseClick(dock.panels[TrainPanel].train, Qt.MouseButton.LeftButton)
    while dock.session.active.predictions is None:
        spin(0.1)
    spin(1.0)
    return beats.stalls("from Train to overlay") | {"  epochs": float(len(epochs))}


def sheet_of_cards(n: int, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a micrograph of n card suits in a square of 4096, its labels, and their classes."""
    from napari_ssrvae.datasets import cards

    images, classes, _ = cards(250, max_angle=180, size=side, seed=0)
    columns = 4096 // side
    micrograph, labels = np.zeros((4096, 4096), np.float32), np.zeros((4096, 4096), np.int32)
    for i in range(n):
        y, x = side * (i // columns), side * (i % columns)
        card = images[i % len(images)]
        micrograph[y : y + side, x : x + side] = card
        labels[y : y + side, x : x + side][card > 0.3] = i + 1
    return micrograph, labels, np.resize(classes, n)


def predicting() -> dict[str, float]:
    """Beat every 10 ms while 20,000 particles are classified, until they are coloured."""
    from napari_ssrvae import SSRVAE, Workflow, extract_particles
    from napari_ssrvae.imaging import PatchSettings, SegmentationSettings

    side, patches = 28, PatchSettings(48, 28 / 48)
    micrograph, labels, classes = sheet_of_cards(20_000, side)
    few = extract_particles(micrograph[: 4 * side], labels[: 4 * side], 48, scale=patches.scale)
    y = np.where(np.arange(len(few)) % 8, -1, classes[few.table["label"] - 1] + 1)
    model = SSRVAE(seed=0).fit(few.patches, y, max_seconds=10)
    viewer = new_viewer()
    dock = open_dock(viewer)
    viewer.add_image(micrograph)
    spin(1.0)
    session = dock.session
    session.set_particles(session.active_key, labels)
    while len(session.classes) < 4:
        session.add_class()
    session.set_workflow(Workflow(SegmentationSettings(), patches, None, session.classes, model))
    dock.warming.join()
    spin(2.0)
    beats = Heartbeat()
    dock.workbench.classifying.active()
    while session.active.predictions is None:
        spin(0.1)
    spin(1.0)
    assert len(session.active.predictions) == 20_000
    return beats.stalls("classifying 20,000 particles")


PARTS = {
    "opening": (opening, 5),
    "finding": (finding, 3),
    "recolouring": (recolouring, 1),
    "clicks": (clicks, 3),
    "lasso": (lasso, 3),
    "stalls": (stalls, 3),
    "predicting": (predicting, 3),
}


def main() -> int:
    """Run all parts, each in a fresh process, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, help="run one part here and print JSON")
    part = parser.parse_args().part
    if part is not None:
        print("RESULT", json.dumps(PARTS[part][0]()))
        return 0
    runs: dict[str, list[float]] = {}
    for name, (_, repeats) in PARTS.items():
        for _ in range(repeats):
            output = subprocess.run(
                [sys.executable, __file__, "--part", name],
                check=False,
                capture_output=True,
                text=True,
            )
            if output.returncode or "RESULT" not in output.stdout:
                print(output.stdout, output.stderr, sep="\n")
                return 1
            for key, value in json.loads(output.stdout.split("RESULT")[1]).items():
                runs.setdefault(key, []).append(value)
    rows = [
        {
            "what": key,
            "median": f"{np.median(values):.3g}",
            "runs": ", ".join(f"{v:.3g}" for v in values),
            "target": TARGETS.get(key, ""),
        }
        for key, values in runs.items()
    ]
    print(table(rows))
    write_json("viewer_speed", {"machine": machine(), "runs": runs, "targets": TARGETS})
    missed = [k for k, t in TARGETS.items() if np.median(runs[k]) > t]
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())

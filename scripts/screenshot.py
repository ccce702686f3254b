"""Make docs/images/screenshot.png: the dock on the simulated micrograph, trained and overlaid.

Run with a display, or ``xvfb-run -a -s "-screen 0 1600x1000x24" python scripts/screenshot.py``.
"""

from __future__ import annotations

import time
from pathlib import Path

import napari
from qtpy.QtWidgets import QApplication

from napari_ssrvae.datasets import SIMULATED_CLASSES, simulated_micrograph
from napari_ssrvae.library.session import Selection

TARGET = Path(__file__).parents[1] / "docs" / "images" / "screenshot.png"
LABELS_PER_CLASS = 5


def spin(seconds: float) -> None:
    """Let Qt work."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.005)


def main() -> None:
    """Do the job as a person would and take the picture."""
    viewer = napari.Viewer()
    viewer.window.resize(1560, 960)
    viewer.open_sample("napari-ssrvae", "simulated_micrograph")
    dock = viewer.window.add_plugin_dock_widget("napari-ssrvae", "Particle classifier")[1]
    spin(2)
    session, workbench = dock.session, dock.workbench
    workbench.find_particles(workbench.settings.segmentation)
    while workbench.jobs.running("find"):
        spin(0.1)
    key = session.active_key
    for number, name in enumerate(SIMULATED_CLASSES, 1):
        if number > 2:
            session.add_class(name)
        else:
            session.edit_class(number, name=name)
    _, truth, classes = simulated_micrograph(seed=0)
    index = workbench.mirror.index(key)
    hand: dict[int, int] = {}
    for particle, class_id in dict(classes).items():
        inside = index.labels[truth == particle]
        found = int(inside[inside > 0].min(initial=1 << 30)) if (inside > 0).any() else 0
        if found and list(hand.values()).count(int(class_id)) < LABELS_PER_CLASS:
            hand[found] = int(class_id)
    session.label(key, hand)
    session.set_current_class(1)
    workbench.train()
    while workbench.jobs.running("train"):
        spin(0.1)
    spin(1)
    session.select(Selection(key, next(p for p, c in hand.items() if c == 3)))
    dock.warming.join()
    spin(1)
    TARGET.parent.mkdir(exist_ok=True)
    viewer.screenshot(str(TARGET), canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    main()

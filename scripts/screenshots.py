"""Make the pictures of the tutorial: each step of the work, done in the real window.

Run with a display, or ``xvfb-run -a -s "-screen 0 1600x1000x24" python scripts/screenshots.py``.
On the simulated micrograph they go to docs/images. With ``--micrograph FILE --out FOLDER`` the same
pictures are made of a micrograph of your own; its classes are the particles' sizes, four kinds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import napari
from napari.settings import get_settings
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_ssrvae.datasets import SIMULATED_CLASSES, simulated_micrograph
from napari_ssrvae.imaging import measure_shapes
from napari_ssrvae.library.selection import Selection
from napari_ssrvae.viewer.dock_frame import frame_of

IMAGES = Path(__file__).parents[1] / "docs" / "images"
LABELS_PER_CLASS = 6


def spin(seconds: float, until: Callable[[], bool] | None = None) -> None:
    """Let Qt work for a while, or until something is so."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end and not (until and until()):
        QApplication.processEvents()
        time.sleep(0.005)


class Photographer:
    """Does the work in the window, as a person would, and takes a picture after each step."""

    def __init__(self, out: Path, size: tuple[int, int]) -> None:
        self.out = out
        out.mkdir(parents=True, exist_ok=True)
        self.viewer = napari.Viewer()
        self.viewer.window.resize(*size)

    def window(self, name: str) -> None:
        """Take a picture of the whole window."""
        spin(0.6)
        picture = self.viewer.screenshot(canvas_only=False, flash=False)
        imageio.imwrite(self.out / f"{name}.jpg", picture[..., :3], quality=88)

    def widget(self, widget: Any, name: str) -> None:
        """Take a picture of one widget."""
        spin(0.6)
        widget.grab().save(str(self.out / f"{name}.png"))

    def idle(self, kind: str) -> None:
        """Wait until a job has ended."""
        spin(600, until=lambda: not self.dock.workbench.jobs.running(kind))
        spin(0.5)

    def open(self, micrograph: Path | None) -> None:
        """Open the dock and the micrograph."""
        if micrograph is None:
            self.viewer.open_sample("napari-ssrvae", "simulated_micrograph")
        else:
            self.viewer.open(str(micrograph), plugin="napari-ssrvae")
        self.dock = self.viewer.window.add_plugin_dock_widget(
            "napari-ssrvae", "Particle classifier"
        )[1]
        spin(30, until=lambda: self.dock.warming is not None)
        self.dock.warming.join()
        spin(1)

    def find_and_label(self, truth: Callable[[Any], dict[int, int]]) -> None:
        """Find the particles and label a few of each class."""
        session, workbench = self.dock.session, self.dock.workbench
        workbench.find_particles(workbench.settings.segmentation)
        self.idle("find")
        self.window("2-particles")
        for number, name in enumerate(SIMULATED_CLASSES, 1):
            if number > len(session.classes):
                session.add_class(name)
            else:
                session.edit_class(number, name=name)
        session.label(session.active_key, truth(session.active))
        session.set_current_class(1)
        self.window("3-labels")

    def train(self) -> None:
        """Train, and look at the overlay with the latent plot."""
        workbench, session = self.dock.workbench, self.dock.session
        workbench.train()
        self.idle("train")
        spin(60, until=lambda: self.dock.views is not None)
        self.idle("suggest")
        key = session.active_key
        focus = next(p for p, c in session.active.hand_labels.items() if c == 3)
        session.select(Selection.one(key, focus))
        self.idle("pictures")
        spin(2)
        self.window("screenshot")

    def views(self) -> None:
        """Look at each view."""
        views, workbench = self.dock.views, self.dock.workbench
        # The views large, as a person draws them.
        views.window().resizeDocks([frame_of(views)], [430], Qt.Orientation.Vertical)
        for title in (views.book.tabText(i) for i in range(views.book.count())):
            views.show_tab(title)
            spin(3)
            self.idle("pictures")
            self.widget(views, "view-" + title.lower().replace(" ", "-"))
        workbench.suggesting.go_on()
        self.idle("suggest")
        spin(2)
        self.window("6-next")


def simulated_truth(state: Any) -> dict[int, int]:
    """Return a few labels of each class of the simulated micrograph."""
    _, truth, classes = simulated_micrograph(seed=0)
    hand: dict[int, int] = {}
    for particle, class_id in dict(classes).items():
        inside = state.labels[truth == particle]
        found = int(inside[inside > 0].min(initial=1 << 30)) if (inside > 0).any() else 0
        if found and list(hand.values()).count(int(class_id)) < LABELS_PER_CLASS:
            hand[found] = int(class_id)
    return hand


def sizes_as_classes(state: Any) -> dict[int, int]:
    """Return a few labels of four classes of area: of one, two, three and four spheres."""
    table = measure_shapes(state.labels)
    single = table[(table.circularity > 0.8) & (table.solidity > 0.93)].area.median()
    hand: dict[int, int] = {}
    for n in range(1, 5):
        nearest = (table.area / single - n).abs().sort_values().index[:LABELS_PER_CLASS]
        hand.update(dict.fromkeys(table.label[nearest].tolist(), n))
    return hand


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--micrograph", type=Path)
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("--size", default="1560x960")
    parser.add_argument("--theme", default="dark", choices=("dark", "light"))
    wanted = parser.parse_args()
    get_settings(path=None)  # napari's and ours as they come, not as somebody left them
    width, height = (int(v) for v in wanted.size.split("x"))
    photographer = Photographer(wanted.out, (width, height))
    photographer.viewer.theme = wanted.theme
    photographer.open(wanted.micrograph)
    photographer.window("1-micrograph")
    truth = simulated_truth if wanted.micrograph is None else sizes_as_classes
    photographer.find_and_label(truth)
    photographer.train()
    photographer.views()
    photographer.viewer.close()


if __name__ == "__main__":
    main()

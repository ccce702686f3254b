"""The views below the micrograph: latent plot and learned class images."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut, QSplitter, QVBoxLayout, QWidget

from napari_ssrvae.library.selection import Place, Selection
from napari_ssrvae.library.session import shown_classes
from napari_ssrvae.viewer.picking import SHORTCUTS
from napari_ssrvae.viewer.views import ClassImages, LatentPlot

if TYPE_CHECKING:
    from napari_ssrvae.viewer.workbench import Workbench


class ParticleViews(QWidget):
    """Shows predictions of all micrographs; a click selects the particle everywhere."""

    def __init__(self, workbench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.workbench, self.session = workbench, workbench.session
        self.plot, self.images = LatentPlot(), ClassImages()
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self.plot)
        split.addWidget(self.images)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(split)
        self.setMinimumHeight(180)
        self._places: list[Place] = []
        self._rows: dict[Place, int] = {}
        # Many signals follow one action (labels, predictions, classes): draw once after them.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.refresh)
        self.plot.point_clicked.connect(self._on_point)
        self.plot.point_toggled.connect(self._on_toggled)
        self.plot.points_lassoed.connect(self._on_lasso)
        self._bind_keys()
        self._signals = (
            self.session.predictions_changed,
            self.session.hand_labels_changed,
            self.session.classes_changed,
            self.session.micrographs_changed,
        )
        for signal in self._signals:
            signal.connect(self._later)
        self.session.selection_changed.connect(self._show_selection)
        workbench.class_images_changed.connect(self._later)
        self.refresh()

    def _bind_keys(self) -> None:
        """Let the canvas's keys work here too, on the selection."""
        for shortcut in SHORTCUTS:
            keys = QKeySequence(shortcut.keys.replace("Control", "Ctrl").replace("-", "+"))
            binding = QShortcut(keys, self)
            binding.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            binding.activated.connect(partial(self.workbench.picker.press_elsewhere, shortcut))

    def _later(self, *_: object) -> None:
        self._soon.start()

    def refresh(self) -> None:
        """Draw everything anew from the session."""
        order = {c.id: i for i, c in enumerate(self.session.classes)}
        points, colors, labelled, details = [], [], [], []
        self._places = []
        for key, state in self.session.micrographs.items():
            if state.predictions is None or not len(state.predictions):
                continue
            shown = shown_classes(state)
            z = state.predictions.z
            points.append(z[:, :2] if z.shape[1] > 1 else np.c_[z, state.predictions.confidence])
            for particle, sure in zip(
                state.predictions.particle_ids.tolist(),
                state.predictions.confidence.tolist(),
                strict=True,
            ):
                by_hand = particle in state.hand_labels
                self._places.append(Place(key, particle))
                colors.append(order.get(shown[particle], -1))
                labelled.append(by_hand)
                name = self.session.class_name(shown[particle])
                details.append(f"{name} ({'by hand' if by_hand else f'{sure:.0%}'})")
        self._rows = {place: row for row, place in enumerate(self._places)}
        if not self._places:
            self.plot.clear()
        else:
            counts = self.session.predicted_counts()
            self.plot.set_points(
                np.concatenate(points),
                np.array(colors),
                np.arange(len(self._places)),
                np.array(labelled),
                legend=[(c.name, c.color, counts[c.id]) for c in self.session.classes],
                details=details,
            )
        self._show_images()
        self._show_selection()

    def _show_images(self) -> None:
        classes = {c.id: c for c in self.session.classes}
        images = [
            (classes[i].name, classes[i].color, image)
            for i, image in self.workbench.class_images.items()
            if i in classes
        ]
        if images:
            self.images.set_images(images)
        else:
            self.images.clear()

    def _show_selection(self) -> None:
        selection = self.session.selection
        if selection is None:
            self.plot.select(None)
            return
        others = [self._rows[p] for p in selection if p in self._rows] if len(selection) > 1 else []
        self.plot.select(self._rows.get(selection.focus), others=others)

    def _on_toggled(self, row: int) -> None:
        self.session.toggle(self._places[row])

    def _on_lasso(self, rows: Any, adds: bool) -> None:
        found = Selection.of(self._places[row] for row in rows.tolist())
        if not adds:
            self.session.select(found)
        elif found is not None:
            self.session.select_also(found)

    def _on_point(self, row: int) -> None:
        place = self._places[row]
        self.workbench.select(place.key, place.particle, center=True)

    def point_of(self, place: Place) -> int | None:
        """Return the id that the plot gives to a particle's point."""
        return self._rows.get(place)

    def shutdown(self) -> None:
        """Disconnect from the session."""
        self._soon.stop()
        for signal in self._signals:
            signal.disconnect(self._later)
        self.session.selection_changed.disconnect(self._show_selection)

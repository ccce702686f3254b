"""Commands for napari's menus and its command palette (Ctrl+Shift+P).

Each acts on the dock that is open, and opens it first where it is not. What cannot be done yet is
said in the dock, in one sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari.viewer
from qtpy.QtCore import Qt

from napari_ssrvae.viewer.dock_frame import frame_of

if TYPE_CHECKING:
    from napari_ssrvae.viewer.dock import ParticleClassifier

PLUGIN, WIDGET = "napari-ssrvae", "Particle classifier"


def open_dock(napari_viewer: napari.viewer.Viewer) -> ParticleClassifier:
    """Return the dock of a viewer, on the screen; it is opened if it is not there."""
    from napari_ssrvae.viewer.dock import ParticleClassifier

    docks = (w for w in napari_viewer.window.dock_widgets.values())
    dock = next((w for w in docks if isinstance(w, ParticleClassifier)), None)
    if dock is None:
        _, dock = napari_viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    if (frame := frame_of(dock)) is not None:
        frame.show()
        frame.raise_()
    return dock


def find_particles(napari_viewer: napari.viewer.Viewer) -> None:
    """Find the particles of the active micrograph with the settings in the dock."""
    from napari_ssrvae.viewer.panels.particles import ParticlesPanel

    dock = open_dock(napari_viewer)
    dock.workbench.find_particles(dock.panels[ParticlesPanel].settings())


def train(napari_viewer: napari.viewer.Viewer) -> None:
    """Train on the labelled and unlabelled particles of all micrographs."""
    workbench = open_dock(napari_viewer).workbench
    if workbench.jobs.running("train"):
        workbench.tell("The model is being trained already: Stop ends it early.")
    else:
        workbench.train()


def next_to_label(napari_viewer: napari.viewer.Viewer) -> None:
    """Go to the next particle that is worth a label."""
    open_dock(napari_viewer).workbench.suggesting.go_on()


def accept(napari_viewer: napari.viewer.Viewer) -> None:
    """Label the particle in question as what the model takes it for, and go on."""
    open_dock(napari_viewer).workbench.suggesting.accept()


def classify(napari_viewer: napari.viewer.Viewer) -> None:
    """Classify the particles of the active micrograph with the trained model."""
    open_dock(napari_viewer).workbench.classifying.active()


def export(napari_viewer: napari.viewer.Viewer) -> None:
    """Go to the export in the dock, where a person says what to write, and where."""
    from napari_ssrvae.viewer.panels.export import ExportPanel

    dock = open_dock(napari_viewer)
    panel = dock.panels[ExportPanel]
    if not panel.makes_sense():
        dock.show_message("No particle is classified yet: train a model or open one, then export.")
        return
    dock.scroll.ensureWidgetVisible(panel)
    panel.export.setFocus(Qt.FocusReason.ShortcutFocusReason)


def show_views(napari_viewer: napari.viewer.Viewer) -> None:
    """Open the views below the micrograph."""
    open_dock(napari_viewer).show_views()


def show_keys(napari_viewer: napari.viewer.Viewer) -> None:
    """List what the keys and the mouse do."""
    open_dock(napari_viewer).workbench.picker.ask_help()

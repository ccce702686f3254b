"""Opening napari with the dock, for ``napari-ssrvae demo``."""

from __future__ import annotations

from pathlib import Path

DISPLAY_NAME = "Particle classifier"


def open_demo(image: Path | None = None) -> None:
    """Open napari on a micrograph (None: the simulated one) with the dock open, until it closes."""
    import napari

    viewer = napari.Viewer()
    if image is None:
        viewer.open_sample("napari-ssrvae", "simulated_micrograph")
    else:
        viewer.open(str(image), plugin="napari-ssrvae")
    viewer.window.add_plugin_dock_widget("napari-ssrvae", DISPLAY_NAME)
    napari.run()

"""Load what the later steps need while the person looks at the micrograph.

Loading torch takes seconds and holds Python's interpreter lock for tenths of a second at a time.
Done right after the dock is up, nobody waits for it later, and nothing stutters during training.
"""

from __future__ import annotations

import importlib
import threading

MODULES = (
    "scipy.ndimage",
    "skimage.measure",
    "napari_ssrvae.imaging.segmentation",
    "napari_ssrvae.viewer.views_dock",
    "napari_ssrvae.viewer.views.training_curve",
    "napari_ssrvae.learning.estimator",
    "napari_ssrvae.library.workflow",
    "napari_ssrvae.library.particle_library",
)


def warm_up() -> threading.Thread:
    """Import the slow modules in a daemon thread, which touches nothing else of ours."""
    thread = threading.Thread(target=_load, name="napari-ssrvae warm-up", daemon=True)
    thread.start()
    return thread


def _load() -> None:
    for module in MODULES:
        importlib.import_module(module)

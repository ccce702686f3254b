"""Load what the later steps need while the person looks at the micrograph.

Loading torch takes seconds and holds Python's interpreter lock for tenths of a second at a time.
Done right after the dock is up, nobody waits for it later, and little stutters during training.
"""

from __future__ import annotations

import importlib
import threading
from functools import cache

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
    """Load the slow modules in a thread that touches nothing else of ours.

    The interpreter waits for it at its end: torch must not be cut off in the middle of its import.
    """
    thread = threading.Thread(target=_load, name="napari-ssrvae warm-up")
    thread.start()
    return thread


@cache
def _load() -> None:
    for module in MODULES:
        importlib.import_module(module)
    _train_once()


def _train_once() -> None:
    """Take two training steps on noise: torch and Pyro load and set up much at their first use."""
    import numpy as np

    from napari_ssrvae.learning import SSRVAE

    noise = np.random.default_rng(0).random((8, 28, 28), dtype=np.float32)
    model = SSRVAE(seed=0, epochs=2, steps_per_epoch=2, batch_size=4, labelled_batch_size=4)
    model.fit(noise, [1, 1, 2, 2, -1, -1, -1, -1])
    model.encode(noise)

"""A saved particle library comes back into the session, with its micrographs and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ssrvae.imaging import Micrograph

if TYPE_CHECKING:
    from napari_ssrvae.library.particle_library import ParticleLibrary
    from napari_ssrvae.viewer.workbench import Workbench


def restore_library(library: ParticleLibrary, workbench: Workbench) -> str:
    """Put a library's classes, micrographs, particles, labels and predictions into the session.

    A micrograph of the same name and size that is open already is used, or the slice of a stack
    that is; else the one that was
    saved with the library is shown.

    Returns
    -------
    str
        One sentence that says what came back.
    """
    session = workbench.session
    session.set_classes(library.classes)
    restored = 0
    for name, source in library.micrographs.items():
        if (scene := source.scene) is None:
            continue
        key = _key_of(name, scene.labels.shape, workbench)
        if key is None:
            key = _show(Micrograph(scene.image, source.pixel_size, name), workbench)
        session.set_particles(key, scene.labels, name=f"open the library of {name}")
        session.label(key, library.labels_of(name), name="labels of the library")
        session.set_predictions(key, library.predictions_of(name))
        restored += 1
    if not restored:
        return (
            f"The library holds {len(library)} particles but no label images (it was exported by "
            "a script or cut down), so there is nothing to show on a micrograph."
        )
    return f"{len(library)} particles of {restored} micrograph{'s' * (restored > 1)} came back."


def _key_of(name: str, shape: tuple[int, ...], workbench: Workbench) -> int | None:
    for key, state in workbench.session.micrographs.items():
        if state.micrograph.name == name and state.micrograph.shape == shape:
            return key
    return workbench.stacks.named(name, shape)


def _show(micrograph: Micrograph, workbench: Workbench) -> int:
    size = micrograph.pixel_size
    armed, workbench.armed = workbench.armed, False  # it is classified already
    layer = workbench.viewer.add_image(
        np.asarray(micrograph.image),
        name=micrograph.name,
        scale=(size or 1.0,) * 2,
        units=("nm", "nm") if size else ("pixel", "pixel"),
    )
    key = workbench.adoption.adopt(layer)
    workbench.armed = armed
    assert key is not None
    return key

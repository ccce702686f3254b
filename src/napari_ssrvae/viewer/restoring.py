"""A saved particle library comes back into the session, with its micrographs and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ssrvae.imaging import Micrograph
from napari_ssrvae.library.classes import joined_classes
from napari_ssrvae.library.history import Whole

if TYPE_CHECKING:
    from napari_ssrvae.library.particle_library import ParticleLibrary
    from napari_ssrvae.library.session import Session
    from napari_ssrvae.viewer.workbench import Workbench


def restore_library(library: ParticleLibrary, workbench: Workbench) -> str:
    """Put a library's classes, micrographs, particles, labels and predictions into the session.

    A micrograph of the same name and size that is open already is used, or the slice of a stack
    that is; else the one that was saved with the library is shown. Classes are the same when their
    names are; labels that are there already stay, but where the library has others. All of it is
    one step of the history. Where there is a model that did not make the library, it classifies
    the particles anew: what two models said does not mix.

    Returns
    -------
    str
        One sentence that says what came back.
    """
    with workbench.session.history.part_of(Whole("open a particle library")):
        return _restore(library, workbench)


def _restore(library: ParticleLibrary, workbench: Workbench) -> str:
    session = workbench.session
    numbers = _take_classes(library, session)
    restored = 0
    for name, source in library.micrographs.items():
        if (scene := source.scene) is None:
            continue
        key = _key_of(name, scene.labels.shape, workbench)
        if key is None:
            key = _show(Micrograph(scene.image, source.pixel_size, name), workbench)
        session.set_particles(key, scene.labels, name=f"open the library of {name}")
        labels = {p: numbers[c] for p, c in library.labels_of(name).items()}
        session.label(key, labels, name="labels of the library")
        session.set_predictions(key, library.predictions_of(name).merged(numbers))
        if session.micrographs[key].predictions is None:
            workbench.classifying.again(key)
        restored += 1
    if not restored:
        return (
            f"The library holds {len(library)} particles but no label images (it was exported by "
            "a script or cut down), so there is nothing to show on a micrograph."
        )
    return f"{len(library)} particles of {restored} micrograph{'s' * (restored > 1)} came back."


def _take_classes(library: ParticleLibrary, session: Session) -> dict[int, int]:
    """Put the library's classes into the table; return its numbers → those of the table."""
    used = session.workflow is not None or any(
        state.hand_labels or state.predictions for state in session.micrographs.values()
    )
    classes, numbers = library.classes, {c.id: c.id for c in library.classes}
    if used:
        classes, numbers = joined_classes(
            session.classes, library.classes, session.numbers_in_use()
        )
    if classes != session.classes:
        session.set_classes(classes)
    return numbers


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

"""What the model sees, and has learned, as generators for `jobs.Jobs`: no napari, no Qt."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.viewer.steps import FrozenMicrograph

if TYPE_CHECKING:
    import pandas as pd

    from napari_ssrvae.imaging import PatchSettings
    from napari_ssrvae.library.insight import ModelView
    from napari_ssrvae.library.manifold import ManifoldGrid
    from napari_ssrvae.library.workflow import Workflow


@dataclass(frozen=True, eq=False)
class Look:
    """One particle looked at.

    Attributes
    ----------
    patch : (s, s) float32
        As it was cut out.
    measures : Series
        Its row of `measure_shapes`.
    view : ModelView or None
        What the model sees in it; None where there is no model, or no class yet.
    """

    patch: NDArray[np.float32]
    measures: pd.Series
    view: ModelView | None


@dataclass(frozen=True, eq=False)
class DrawnManifold:
    """The manifold of a class: where, and (r, c, h, w) float32 images."""

    class_id: int
    grid: ManifoldGrid
    images: NDArray[np.float32]


def look_at(
    workflow: Workflow | None,
    patches: PatchSettings,
    micrograph: FrozenMicrograph,
    particle: int,
) -> Generator[None, None, Look]:
    """Cut out one particle as the model knows it, and let the model look, where it is classified.

    Without a workflow it is cut out with `patches`.
    """
    yield
    from napari_ssrvae.library.alike import extract_alike
    from napari_ssrvae.library.insight import what_the_model_sees

    if workflow is None:
        alike, pixel_size = patches, micrograph.micrograph.pixel_size
    else:
        alike, pixel_size = workflow.patches, workflow.pixel_size
    cut = extract_alike(
        micrograph.micrograph,
        micrograph.labels,
        alike,
        pixel_size,
        ids=[particle],
        grey_levels=micrograph.grey_levels,
    )
    yield
    view = None
    if workflow is not None and micrograph.predictions is not None:
        view = what_the_model_sees(workflow.model, cut.patches[0])
    return Look(cut.patches[0], cut.table.iloc[0], view)


def draw_manifold(
    workflow: Workflow, class_id: int, z: NDArray[np.float64]
) -> Generator[None, None, DrawnManifold]:
    """Draw the manifold of a class whose particles have latents z (n, d)."""
    yield
    from napari_ssrvae.library.manifold import drawn_manifold, manifold_grid

    grid = manifold_grid(z)
    return DrawnManifold(class_id, grid, drawn_manifold(workflow.model, class_id, grid))


def cut_upright(
    workflow: Workflow, micrographs: Sequence[FrozenMicrograph], places: Sequence[tuple[int, int]]
) -> Generator[None, None, NDArray[np.float32]]:
    """Cut out a few particles (key, id) and turn them upright: (n, s, s), in their order."""
    yield
    from napari_ssrvae.library.insight import upright

    size = workflow.patches.size
    images = np.zeros((len(places), size, size), np.float32)
    keys, ids = np.array(places, np.int64).reshape(-1, 2).T
    for m in micrographs:
        mine, predictions = np.flatnonzero(keys == m.key), m.predictions
        if not mine.size or predictions is None:
            continue
        cut = workflow.particles(m.micrograph, m.labels, ids[mine], m.grey_levels)
        at = np.searchsorted(cut.table["label"].to_numpy(), ids[mine])
        row = {int(p): i for i, p in enumerate(predictions.particle_ids)}
        rows = [row[int(p)] for p in ids[mine]]
        images[mine] = upright(
            cut.patches[at],
            predictions.angle[rows],
            predictions.shift[rows],
            predictions.scale[rows],
        )
        yield
    return images

"""How many pixels the model's pictures of particles have, and how much a pixel shows."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from numpy.typing import NDArray

if TYPE_CHECKING:
    import numpy as np

    from napari_ssrvae.imaging import PatchSettings
    from napari_ssrvae.library.micrograph_state import LabelImage


def extents_of(labels: LabelImage) -> Generator[None, None, NDArray[np.float64]]:
    """Measure how wide a frame each particle needs, (n,) px; a step for `Jobs`."""
    from napari_ssrvae.imaging.shape import frame_extents

    yield
    return frame_extents(labels)


def fitted(patches: PatchSettings, extents: NDArray[np.float64], *, finely: bool) -> PatchSettings:
    """Return the patches that a training would have, with side and scale chosen as it does."""
    from napari_ssrvae.imaging.particles import choose_scale, propose_size

    size = max(patches.size, propose_size(extents)) if finely else patches.size
    return replace(patches, size=size, scale=choose_scale(extents, size))


def in_words(patches: PatchSettings, pixel_size: float | None) -> str:
    """Say what patches are: "48 × 48 px, 12.3 nm per px".

    Parameters
    ----------
    patches : PatchSettings
        With a scale, for micrographs of that pixel size.
    pixel_size : float or None
        nm per pixel of the micrograph, None where unknown.
    """
    from napari_ssrvae.imaging.facts import length_text

    side = f"{patches.size} × {patches.size} px"
    if not patches.common_scale:
        return f"{side}, filled by each particle"
    scale = patches.scale or 1.0
    if pixel_size is None:
        return f"{side}, {scale:.3g} px of the micrograph per px"
    return f"{side}, {length_text(float(f'{scale * pixel_size:.3g}'))} per px"

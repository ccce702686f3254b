"""How a layer of ours is put upon a micrograph's image layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.components import Dims, ViewerModel
    from napari.layers import Image, Layer

PLACEMENT = ("scale", "translate", "rotate", "shear", "affine", "units")
"""What places a layer in the world."""


def place(layer: Layer, image: Image) -> None:
    """Lay a 2-D layer over an image, or over the last two axes of a stack.

    However that is scaled, turned and moved. What is in place already is left alone: napari looks
    at all layers anew for each part that is set.
    """
    for name in PLACEMENT:
        wanted = _in_the_plane(name, getattr(image, name))
        if not np.array_equal(_in_the_plane(name, getattr(layer, name)), wanted):
            setattr(layer, name, wanted)


def _in_the_plane(name: str, value: Any) -> Any:
    """Return a part of a placement for the last two axes."""
    if name == "affine":
        return value.affine_matrix[-3:, -3:]
    if name == "units":
        return value[-2:]
    if name == "rotate" or (name == "shear" and np.ndim(value) == 2):
        return np.asarray(value)[-2:, -2:]
    return np.asarray(value)[-1:] if name == "shear" else np.asarray(value)[-2:]


def obstacle(dims: Dims) -> str | None:
    """Return why particles cannot be seen and labelled in this view, None where they can."""
    if dims.ndisplay != 2:
        return (
            "Particles are seen and labelled in the 2-D view: go back to it with the button "
            "2D/3D below the list of layers."
        )
    if set(dims.displayed) != {dims.ndim - 2, dims.ndim - 1}:
        return (
            "Particles are seen and labelled in the image plane: put the last two axes of the "
            "stack back on the screen with the button that rolls the axes, below the list of "
            "layers."
        )
    return None


@contextmanager
def keeping_active_layer(viewer: ViewerModel) -> Iterator[None]:
    """Adding a layer selects it; the person keeps the layer that they worked with."""
    active = viewer.layers.selection.active
    yield
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active

"""How a layer of ours is put upon a micrograph's image layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari.components import Dims, ViewerModel
    from napari.layers import Image, Layer

PLACEMENT = ("scale", "translate", "rotate", "shear", "affine", "units")
"""What places a layer in the world."""


def place(layer: Layer, image: Image) -> None:
    """Lay a 2-D layer over an image, or over the last two axes of a stack.

    However that is scaled, turned and moved.
    """
    for name in PLACEMENT:
        value = getattr(image, name)
        if name == "affine":
            layer.affine = value.affine_matrix[-3:, -3:]
        elif name == "rotate":
            layer.rotate = np.asarray(value)[-2:, -2:]
        elif name == "shear":
            turned = np.asarray(value)
            layer.shear = turned[-1:] if turned.ndim == 1 else turned[-2:, -2:]
        elif name == "units":
            layer.units = value[-2:]
        else:
            setattr(layer, name, np.asarray(value)[-2:])


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

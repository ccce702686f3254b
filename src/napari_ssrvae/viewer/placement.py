"""How a layer of ours is put upon a micrograph's image layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

PLACEMENT = ("scale", "translate", "rotate", "shear", "affine", "units")
"""What places a layer in the world."""


def place(layer: Layer, image: Image) -> None:
    """Lay a layer over an image, however that is scaled, turned and moved."""
    for name in PLACEMENT:
        value = getattr(image, name)
        if name == "affine":
            layer.affine = value.affine_matrix
        elif name in ("shear", "rotate", "scale", "translate"):
            setattr(layer, name, np.asarray(value)[-2:] if name != "rotate" else value)
        else:
            setattr(layer, name, value)


@contextmanager
def keeping_active_layer(viewer: ViewerModel) -> Iterator[None]:
    """Adding a layer selects it; the person keeps the layer that they worked with."""
    active = viewer.layers.selection.active
    yield
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active

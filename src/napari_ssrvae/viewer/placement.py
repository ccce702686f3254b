"""How a layer of ours is put upon a micrograph's image layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

PLACEMENT = ("scale", "translate", "rotate", "shear", "affine", "units")
"""What places a layer in the world."""


def place(layer: Layer, image: Image) -> None:
    """Lay a layer over an image, however that is scaled, turned and moved.

    What is in place already is left alone: napari looks at all layers anew for each that is set.
    """
    for name in PLACEMENT:
        wanted = _flat(name, getattr(image, name))
        if not np.array_equal(_flat(name, getattr(layer, name)), wanted):
            setattr(layer, name, wanted)


def _flat(name: str, value: Any) -> Any:
    """Return a part of a placement as an array or a tuple for the last two axes."""
    if name == "affine":
        return value.affine_matrix
    return value if name in ("rotate", "units") else np.asarray(value)[-2:]


@contextmanager
def keeping_active_layer(viewer: ViewerModel) -> Iterator[None]:
    """Adding a layer selects it; the person keeps the layer that they worked with."""
    active = viewer.layers.selection.active
    yield
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active

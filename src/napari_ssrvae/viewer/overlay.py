"""A Labels layer of ours that shows something for a while, and that nobody works in.

It holds bytes: napari sends those to the screen as they are, while it takes 15 s to look up the
colors and outlines of 16 million 32-bit labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_ssrvae.viewer.placement import keeping_active_layer, place

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer


class Overlay:
    """One color over a part of a micrograph; the layer is made when first shown.

    Parameters
    ----------
    viewer : ViewerModel
        Where it is shown.
    name : str
        Of the layer.
    color : str
        Of whatever is not 0.
    opacity : float
        0 to 1.
    """

    def __init__(self, viewer: ViewerModel, name: str, color: str, *, opacity: float) -> None:
        self.viewer, self.name, self.color, self.opacity = viewer, name, color, opacity
        self.layer: Labels | None = None
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def visible(self) -> bool:
        """Whether it is among the viewer's layers."""
        return self.layer is not None

    def is_ours(self, layer: Any) -> bool:
        """Say whether this is the layer."""
        return layer is not None and layer is self.layer

    def show(self, mask: NDArray[np.bool_], image: Image, below: Layer | None = None) -> None:
        """Show a (H, W) mask over an image layer, under another layer where one is named."""
        data = mask.view(np.uint8)
        if self.layer is not None and self.layer.data.shape != data.shape:
            self.hide()
        if self.layer is not None:
            self.layer.data = data
            place(self.layer, image)
            return
        colors: dict[int | None, str] = {None: self.color, 0: "transparent", 1: self.color}
        layer = Labels(
            data,
            name=self.name,
            colormap=DirectLabelColormap(color_dict=colors),
            opacity=self.opacity,
        )
        place(layer, image)
        self.layer = layer
        layers = self.viewer.layers
        with keeping_active_layer(self.viewer):
            self.viewer.add_layer(layer)
            if below is not None and below in layers:
                layers.move(len(layers) - 1, layers.index(below))

    def hide(self) -> None:
        """Take the layer away."""
        if self.layer is not None and self.layer in self.viewer.layers:
            self.viewer.layers.remove(self.layer)
        self.layer = None

    def _on_removed(self, event: Any) -> None:
        if event.value is self.layer:
            self.layer = None

    def shutdown(self) -> None:
        """Disconnect."""
        self.viewer.layers.events.removed.disconnect(self._on_removed)

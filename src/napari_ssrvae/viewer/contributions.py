"""What the plugin gives to napari: readers, a writer, sample data."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_ssrvae.errors import InputError

LayerData = tuple[Any, dict[str, Any], str]
PathOrPaths = str | os.PathLike[str] | Sequence[str]


def get_reader(path: PathOrPaths) -> Callable[[PathOrPaths], list[LayerData]] | None:
    """Return the reader of micrographs, or None for what is no single file."""
    if not isinstance(path, str | os.PathLike) or not Path(path).is_file():
        return None
    return read_layers


def read_layers(path: PathOrPaths) -> list[LayerData]:
    """Read a micrograph as an image layer in nm, without its info bar."""
    from napari_ssrvae.imaging import read_micrograph

    if not isinstance(path, str | os.PathLike):
        raise InputError("Open micrographs one by one, not as a stack.")
    return [image_layer(read_micrograph(path))]


def image_layer(micrograph: Any) -> LayerData:
    """Return a micrograph as napari layer data: in nm where the pixel size is known.

    What the file says of the microscope is in the layer's metadata.
    """
    options: dict[str, Any] = {"name": micrograph.name, "colormap": "gray"}
    options["metadata"] = layer_metadata(micrograph)
    if micrograph.pixel_size is not None:
        options.update(scale=(micrograph.pixel_size,) * 2, units=("nm", "nm"))
    return micrograph.image, options, "image"


def layer_metadata(micrograph: Any) -> dict[str, Any]:
    """Return what the file of a micrograph says, for its layer, with the pixel size in nm."""
    return {**micrograph.metadata, "pixel_size_nm": micrograph.pixel_size}


def write_table(path: str, layers: list[LayerData]) -> list[str]:
    """Write the shape measures of the particles in a Labels layer as a CSV table.

    With the micrograph's image layer selected too, the table has the mean intensities; with a
    scale in nm it has the sizes in nm.
    """
    from napari_ssrvae.imaging import length_in_nm
    from napari_ssrvae.imaging.shape import measure_shapes

    labels = next((layer for layer in layers if layer[2] == "labels"), None)
    image = next((layer for layer in layers if layer[2] == "image"), None)
    if labels is None:
        raise InputError("Select the Labels layer with the particles, then save.")
    data, meta, _ = labels
    unit = str((meta.get("units") or ("pixel",))[-1])
    size = None if unit == "pixel" else length_in_nm(float(meta["scale"][-1]), unit)
    picture = None if image is None else np.asarray(image[0])
    measure_shapes(np.asarray(data), picture, size).to_csv(path, index=False)
    return [path]


def simulated_sample() -> list[LayerData]:
    """Return a simulated SEM micrograph of agglomerates of 1-4 spheres."""
    from napari_ssrvae.datasets import simulated_micrograph

    micrograph, _, _ = simulated_micrograph(seed=0)
    return [image_layer(micrograph)]


def cards_sample() -> list[LayerData]:
    """Return the cards, laid out as one large picture and its label image.

    Card suits, the synthetic data of Ziatdinov et al. (2024), turned and shifted at random.
    """
    from napari_ssrvae.datasets import cards

    images, _, _ = cards(100, max_angle=180)
    columns = 20
    n, height, width = images.shape
    grid = images.reshape(n // columns, columns, height, width).swapaxes(1, 2)
    picture = grid.reshape(n // columns * height, columns * width)
    number = np.arange(1, n + 1, dtype=np.int32)[:, None, None] * (images > 0.5)
    labels = number.reshape(n // columns, columns, height, width).swapaxes(1, 2)
    return [
        (picture, {"name": "cards", "colormap": "gray"}, "image"),
        (labels.reshape(picture.shape), {"name": "card suits", "visible": False}, "labels"),
    ]

"""PNG, JPEG and BMP: pixels only; their dots an inch are not the sample's scale."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.errors import ReadError
from napari_ssrvae.imaging.micrograph import luminance
from napari_ssrvae.imaging.planes import check_claim
from napari_ssrvae.imaging.vendors import FileFacts, sidecar_facts

PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP"}
"""Endings of file names, and what such a file is called."""


def read_picture(path: Path) -> tuple[NDArray[Any], FileFacts]:
    """Return the grey values of a picture, and what a microscope's text file beside it says."""
    data = path.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, on size and on odd metadata
            with iio.imopen(data, "r", plugin="pillow") as file:
                check_claim(path, file.properties(index=0).shape, 1)
                image = np.asarray(file.read(index=0))
    except Exception as error:
        if type(error).__name__ != "DecompressionBombError":
            raise
        raise ReadError(
            f"{path.name} has too many pixels for a {PICTURES[path.suffix.lower()]}; "
            "save it as a TIFF, or copy it again if it is no large picture."
        ) from error
    if image.ndim == 3:
        image = image[..., 0] if image.shape[-1] < 3 else luminance(image)
    facts = sidecar_facts(path, image.shape)
    return image, facts or FileFacts(PICTURES[path.suffix.lower()])

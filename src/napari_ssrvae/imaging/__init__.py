"""Micrographs, vendor readers, segmentation, patches and shape measures with units.

This room knows neither napari nor torch; what it makes is plain arrays and tables.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=[
        "candidates",
        "infobar",
        "micrograph",
        "objects",
        "outline",
        "particles",
        "patch_shape",
        "reading",
        "segmentation",
        "settings",
        "shape",
        "slices",
        "units",
        "vendors",
    ],
    submod_attrs={
        "micrograph": ["Micrograph", "as_micrograph"],
        "particles": [
            "GreyLevels",
            "Particles",
            "PatchSettings",
            "choose_scale",
            "extract_particles",
        ],
        "reading": ["SUFFIXES", "read_micrograph"],
        "segmentation": ["segment_particles", "segment_progressively", "segment_with"],
        "settings": ["METHODS", "SegmentationSettings"],
        "shape": ["measure_shapes"],
        "slices": ["SliceReader"],
        "units": ["length_in_nm"],
    },
)

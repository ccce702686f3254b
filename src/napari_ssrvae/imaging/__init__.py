"""Micrographs, vendor readers, segmentation, patches and shape measures with units.

This room knows neither napari nor torch; what it makes is plain arrays and tables.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=[
        "candidates",
        "facts",
        "hulls",
        "infobar",
        "micrograph",
        "objects",
        "outline",
        "particles",
        "patch_shape",
        "pictures",
        "planes",
        "perimeters",
        "reading",
        "runs",
        "segmentation",
        "settings",
        "shape",
        "signals",
        "slices",
        "tag_trees",
        "tiff_pixels",
        "units",
        "vendors",
        "velox",
    ],
    submod_attrs={
        "facts": ["micrograph_facts"],
        "micrograph": ["Micrograph", "as_micrograph"],
        "particles": [
            "GreyLevels",
            "Particles",
            "PatchSettings",
            "choose_scale",
            "extract_particles",
            "iter_extract_particles",
            "propose_size",
        ],
        "reading": ["SUFFIXES", "read_micrograph"],
        "segmentation": ["segment_particles", "segment_progressively", "segment_with"],
        "settings": ["METHODS", "SegmentationSettings"],
        "shape": ["measure_shapes"],
        "slices": ["SliceReader"],
        "units": ["length_in_nm"],
    },
)

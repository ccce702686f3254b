"""Micrographs, vendor readers, segmentation, patches and shape measures with units.

This room knows neither napari nor torch; what it makes is plain arrays and tables.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=[
        "candidates",
        "guided",
        "infobar",
        "micrograph",
        "objects",
        "outline",
        "particle_filter",
        "particles",
        "patch_shape",
        "pixel_classifier",
        "pixel_features",
        "reading",
        "segment_shapes",
        "segmentation",
        "settings",
        "shape",
        "slices",
        "units",
        "vendors",
    ],
    submod_attrs={
        "micrograph": ["Micrograph", "as_micrograph"],
        "particle_filter": ["ParticleFilter"],
        "particles": [
            "GreyLevels",
            "Particles",
            "PatchSettings",
            "choose_scale",
            "extract_particles",
        ],
        "pixel_classifier": ["PixelClassifier"],
        "reading": ["SUFFIXES", "read_micrograph"],
        "segmentation": ["segment_particles", "segment_with"],
        "settings": ["METHODS", "SegmentationSettings"],
        "shape": ["measure_shapes"],
        "slices": ["SliceReader"],
        "units": ["length_in_nm"],
    },
)

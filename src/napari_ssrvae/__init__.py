"""Classified particle libraries from electron micrographs with a handful of labels.

Importing this package loads neither torch nor Qt; the public names below are resolved on first use.
"""

import lazy_loader as _lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=["datasets", "errors"],
    submod_attrs={
        "imaging": [
            "Micrograph",
            "Particles",
            "PatchSettings",
            "SegmentationSettings",
            "extract_particles",
            "read_micrograph",
            "segment_particles",
        ],
        "learning": ["Latents", "SSRVAE"],
        "library": ["ParticleClass", "ParticleLibrary", "Session", "Workflow"],
    },
)

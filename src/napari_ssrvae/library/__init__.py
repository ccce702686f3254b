"""What a person made of the particles: classes, hand labels, session, workflow, library."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "classes": ["ParticleClass", "default_color"],
        "history": ["History"],
        "particle_library": ["ParticleLibrary"],
        "predictions": ["Predictions", "predict_particles"],
        "session": ["MicrographState", "Session"],
        "workflow": ["Workflow", "training_arrays"],
    },
)

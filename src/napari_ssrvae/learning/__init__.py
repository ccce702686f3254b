"""The semi-supervised, rotationally invariant VAE: model, training, estimator, evaluation."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "classifier": ["Classifier"],
        "estimator": ["SSRVAE"],
        "evaluation": ["QualityReport"],
        "inference": ["Latents"],
        "training": ["EpochState"],
    },
)

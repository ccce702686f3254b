"""The paper's figures and films, drawn with our data beside the paper's own numbers.

Ziatdinov et al., Digital Discovery 2024, 3, 1213: Figures 3 to 6 and S3, Videos S1 to S3.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "baselines": ["pixel_baselines"],
        "films": ["training_frames"],
        "reproduce": ["reproduce"],
        "table": ["comparison_table"],
    },
)

"""Images with a known truth, drawn by this package: playing-card suits and a micrograph."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "card_suits": ["CARD_CLASSES", "cards"],
        "simulation": ["SIMULATED_CLASSES", "simulated_micrograph"],
    },
)

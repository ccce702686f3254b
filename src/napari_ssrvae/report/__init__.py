"""The report: one HTML page with its pictures inside."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={"html": ["build_report", "write_report"]},
)

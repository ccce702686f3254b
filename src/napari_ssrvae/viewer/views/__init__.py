"""Views: widgets that take arrays and emit signals, and know neither napari nor our session."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "class_images": ["ClassImages"],
        "gallery": ["Gallery", "GalleryItems"],
        "latent_plot": ["LatentPlot"],
        "legend": ["ClassLegend", "LegendRow"],
        "report": ["ReportView"],
        "training_curve": ["TrainingCurve"],
    },
)

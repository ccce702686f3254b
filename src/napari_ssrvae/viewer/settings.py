"""What a person may change for good, in napari's preferences under this plugin's name."""

from __future__ import annotations

from typing import Any

from napari_ssrvae.imaging import SegmentationSettings
from napari_ssrvae.viewer.workbench import Settings

PLUGIN = "napari-ssrvae"


def read_settings() -> Settings:
    """Return the plugin's settings."""
    from napari.settings import get_plugin_settings

    try:
        values: Any = get_plugin_settings(PLUGIN)
    except KeyError:
        return Settings()  # a widget made in code, with the plugin not registered
    finding, training = values.segmentation, values.training
    return Settings(
        segmentation=SegmentationSettings(
            method=finding.method,
            smoothing=finding.smoothing,
            exclude_border=finding.exclude_border,
        ),
        patch_size=training.patch_size,
        max_seconds=training.max_seconds or None,
        retrain=training.retrain,
    )

"""What a person finds again next time, in napari's preferences under this plugin's name."""

from __future__ import annotations

import logging
from typing import Any

from qtpy.QtCore import QObject, QTimer

from napari_ssrvae.imaging import SegmentationSettings
from napari_ssrvae.viewer.workbench import Settings, Workbench

PLUGIN = "napari-ssrvae"
SAVE_MS = 400
"""A wheel over a number changes it many times: the file is written once it rests."""


def plugin_settings() -> Any:
    """Return napari's store of the plugin's settings; None where the plugin is not registered."""
    from napari.settings import get_plugin_settings

    try:
        return get_plugin_settings(PLUGIN)
    except KeyError:
        return None  # a widget made in code
    except Exception:  # of a damaged file napari raises what it meets: the dock opens without it
        logging.getLogger(__name__).warning("The settings could not be read.", exc_info=True)
        return None


def read_settings() -> Settings:
    """Return the settings as they were left."""
    stored = plugin_settings()
    if stored is None:
        return Settings()
    finding, training, dock = stored.segmentation, stored.training, stored.dock
    return Settings(
        segmentation=SegmentationSettings(
            method=finding.method,
            smoothing=finding.smoothing,
            min_area=finding.min_area or None,
            split_touching=finding.split_touching,
            exclude_border=finding.exclude_border,
            polarity=finding.polarity,
            split_strength=finding.split_strength,
        ),
        patch_size=training.patch_size,
        common_scale=training.common_scale,
        fine_patches=training.fine_patches,
        max_seconds=training.max_seconds or None,
        retrain=training.retrain,
        click_labels=dock.click_labels,
        overlay=dock.overlay,
        export_format=dock.export_format,
        facts_open=dock.facts_open,
        bar_length=dock.bar_length,
    )


def stored_values(settings: Settings, name: str) -> dict[tuple[str, str], Any]:
    """Return a field of `Settings` as napari's store has it: (section, property) → value."""
    if name == "segmentation":
        values = settings.segmentation.to_dict()
        values["min_area"] = int(values["min_area"] or 0)
        return {("segmentation", key): value for key, value in values.items()}
    value = getattr(settings, name)
    if name in ("patch_size", "common_scale", "fine_patches", "max_seconds", "retrain"):
        return {("training", name): value or 0 if name == "max_seconds" else value}
    return {("dock", name): value}


class SettingsKeeper(QObject):
    """Writes what a person changes in the dock into napari's store, and so into its file.

    Parameters
    ----------
    workbench : Workbench
        Its `settings` are written, those fields that `settings_changed` names.
    """

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench = workbench
        self._changed: set[str] = set()
        self._soon = QTimer(self, singleShot=True, interval=SAVE_MS)
        self._soon.timeout.connect(self.save)
        workbench.settings_changed.connect(self._later)

    def _later(self, name: str) -> None:
        self._changed.add(name)
        self._soon.start()

    def save(self) -> None:
        """Write what has changed now."""
        self._soon.stop()
        changed, self._changed = self._changed, set()
        stored = plugin_settings() if changed else None
        if stored is None:
            return
        try:
            for name in sorted(changed):
                for (section, key), value in stored_values(self.workbench.settings, name).items():
                    setattr(getattr(stored, section), key, value)  # napari writes its file
        except OSError as error:
            # A full or locked home folder must not get in the way of the work.
            logging.getLogger(__name__).warning("The settings could not be saved: %s", error)

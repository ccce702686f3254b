"""What the plugin gives to napari, through napari's own doors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from npe2 import PluginManager

from napari_ssrvae.viewer.contributions import get_reader


def zeiss_like(path: Path) -> Path:
    """Write a TIFF with ImageJ's pixel size: 0.02 µm."""
    image = np.random.default_rng(0).integers(0, 255, (90, 120), dtype=np.uint8)
    tifffile.imwrite(path, image, imagej=True, resolution=(50, 50), metadata={"unit": "um"})
    return path


def test_the_reader_gives_an_image_in_nm(make_napari_viewer: Any, tmp_path: Path) -> None:
    viewer = make_napari_viewer()
    viewer.open(str(zeiss_like(tmp_path / "a.tif")), plugin="napari-ssrvae")
    layer = viewer.layers[0]
    np.testing.assert_allclose(layer.scale, 20.0)
    assert {str(u) for u in layer.units} == {"nanometer"}


def test_the_reader_leaves_folders_and_stacks_alone(tmp_path: Path) -> None:
    assert get_reader(str(tmp_path)) is None
    assert get_reader([str(tmp_path / "a.tif")]) is None


def test_a_file_that_is_no_image_is_refused_with_a_sentence(
    make_napari_viewer: Any, tmp_path: Path
) -> None:
    (tmp_path / "broken.tif").write_bytes(b"not a tiff at all")
    viewer = make_napari_viewer()
    with pytest.raises(Exception, match=r"broken\.tif"):
        viewer.open(str(tmp_path / "broken.tif"), plugin="napari-ssrvae")


@pytest.mark.parametrize(("sample", "layers"), [("simulated_micrograph", 1), ("cards", 2)])
def test_samples_open(make_napari_viewer: Any, sample: str, layers: int) -> None:
    viewer = make_napari_viewer()
    viewer.open_sample("napari-ssrvae", sample)
    assert len(viewer.layers) == layers
    if sample == "cards":
        assert len(np.unique(viewer.layers["card suits"].data)) == 401


def test_the_writer_saves_the_shape_table(make_napari_viewer: Any, tmp_path: Path) -> None:
    viewer = make_napari_viewer()
    labels = np.zeros((40, 50), np.int32)
    labels[5:15, 5:15] = 3
    viewer.add_labels(labels, scale=(2, 2), units=("nm", "nm"))
    path = tmp_path / "table.csv"
    viewer.layers.save(str(path), plugin="napari-ssrvae")
    table = pd.read_csv(path)
    assert table.label.tolist() == [3]
    assert table.area.tolist() == [100]
    assert table.area_nm2.tolist() == [400]


def test_the_manifest_is_complete() -> None:
    manifest = PluginManager.instance().get_manifest("napari-ssrvae")
    assert [w.display_name for w in manifest.contributions.widgets] == ["Particle classifier"]
    for command in manifest.contributions.commands:
        assert command.exec is not None


def test_settings_reach_the_dock(
    plugin_settings: Any, npe2pm: Any, make_napari_viewer: Any, make_hands: Any
) -> None:
    from napari.settings import get_plugin_settings

    with npe2pm.tmp_plugin(package="napari-ssrvae"):
        settings = get_plugin_settings("napari-ssrvae")
        settings.segmentation.method = "otsu"
        settings.training.patch_size = 32
        hands = make_hands(make_napari_viewer(show=True))
        assert hands.panel("Particles").method.currentText() == "otsu"
        assert hands.workbench.settings.patch_size == 32
        hands.dock.shutdown()

"""The main job in a real viewer on a real micrograph, with mouse and key events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_ssrvae.imaging import measure_shapes
from napari_ssrvae.library import ParticleLibrary
from napari_ssrvae.library.selection import Place
from napari_ssrvae.library.session import shown_classes
from napari_ssrvae.viewer.tabs.latent import LatentTab
from napari_ssrvae.viewer.tabs.manifold import ClassImagesTab

CLASS_NAMES = ("1", "2", "3", "4", "many")


def typical_clumps(labels: np.ndarray, each: int = 4) -> dict[int, list[int]]:
    """Return class → clumps whose area is most clearly that many spheres (5: six and more)."""
    table = measure_shapes(labels)
    single = table[(table.circularity > 0.8) & (table.solidity > 0.93)].area.median()
    spheres = table.area / single
    chosen: dict[int, list[int]] = {}
    for n in range(1, 5):
        distance = (spheres - n).abs() + (0.1 if n == 1 else 0) * (1 - table.circularity)
        chosen[n] = table.label[distance.sort_values().index[:each]].tolist()
    chosen[5] = table.label[(spheres > 6).to_numpy()][:each].tolist()
    return chosen


def name_classes(hands: Any) -> None:
    panel = hands.panel("Classes")
    while len(hands.session.classes) < len(CLASS_NAMES):
        hands.click(panel.add)
    for row, name in enumerate(CLASS_NAMES):
        panel.table.item(row, 2).setText(name)
        hands.settle()


@pytest.mark.realdata
def test_from_a_micrograph_to_a_library_and_back(
    hands: Any, realdata: Path, tmp_path: Path, make_napari_viewer: Any, make_hands: Any, qtbot: Any
) -> None:
    # Open: pixel size from the file, info bar left out, scale bar in nm.
    hands.open(realdata / "sem" / "B-2h07.tif")
    state = hands.session.active
    assert state.micrograph.pixel_size == 10.0
    assert state.micrograph.shape == (960, 1280)
    image = hands.viewer.layers[0]
    assert image.data.shape == (960, 1280)
    np.testing.assert_allclose(image.scale, 10.0)
    assert {str(u) for u in image.units} == {"nanometer"}
    assert hands.viewer.canvas.overlays.scale_bar.visible

    # Find.
    found = hands.find()
    assert 40 <= found <= 120
    assert str(found) in hands.panel("Particles").count.text()

    # Label by clicking, a class after the other.
    name_classes(hands)
    clumps = typical_clumps(hands.session.active.labels)
    for class_id, particles in clumps.items():
        hands.choose_class(class_id)
        for particle in particles:
            hands.click_particle(particle)
    by_hand = {p: c for c, particles in clumps.items() for p in particles}
    assert hands.session.active.hand_labels == by_hand

    # Train, and see the overlay.
    hands.train()
    state = hands.session.active
    assert state.predictions is not None, hands.dock.banner.text()
    shown = shown_classes(state)
    assert set(shown) == set(state.particle_ids.tolist())
    overlay = hands.workbench.mirror.groups[hands.session.active_key].overlay
    for particle in list(by_hand)[:3] + state.particle_ids.tolist()[:10]:
        y, x = (int(v) for v in hands.inside(particle))
        assert overlay.data[y, x] == shown[particle]
    agree = [
        c == state.predictions.class_ids[state.predictions.particle_ids == p][0]
        for p, c in by_hand.items()
    ]
    assert np.mean(agree) >= 0.8
    counts = hands.session.predicted_counts()
    table = hands.panel("Classes").table
    assert [int(table.item(r, 4).text()) for r in range(5)] == [counts[c] for c in range(1, 6)]
    assert hands.dock.legend.isVisible()
    hands.session.edit_class(2, counted=False)
    hands.wait(lambda: hands.dock.legend.rows()[1].name.endswith("(left out)"))
    hands.session.history.undo()

    # A click on a point of the scatter selects and centres the particle; and back.
    hands.wait(hands.dock.views.isVisible)
    views = hands.dock.views
    views.show_tab(ClassImagesTab.title)
    assert views.tab(ClassImagesTab).overview.names()
    views.show_tab(LatentTab.title)
    target = clumps[2][0]
    latent = views.tab(LatentTab)
    plot, point = latent.plot, latent.point_of(Place(hands.session.active_key, target))
    QTest.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=plot.point_position(point))
    hands.settle()
    chosen = hands.session.selection
    assert chosen is not None
    chosen = chosen.focus
    z = state.predictions.z[:, :2]
    of = {p: z[i] for i, p in enumerate(state.predictions.particle_ids.tolist())}
    np.testing.assert_allclose(of[chosen.particle], of[target], atol=0.2)
    center = hands.workbench.mirror.index(chosen.key).center(chosen.particle)
    world = hands.workbench.mirror.groups[chosen.key].image.data_to_world(center)
    np.testing.assert_allclose(hands.viewer.scene.camera.center[-2:], world, atol=1)
    hands.click(hands.panel("Classes").armed)
    other = clumps[1][1]
    hands.viewer.reset_view()
    hands.settle()
    hands.click_particle(other)
    assert plot.selected() == latent.point_of(Place(hands.session.active_key, other))

    # A second micrograph, opened after the model is armed, is classified by itself.
    first = hands.session.active_key
    hands.click(hands.panel("Live").armed)
    hands.open(realdata / "sem" / "GM59_20.tif")
    second = hands.session.active_key
    assert second != first
    hands.wait(lambda: hands.session.micrographs[second].predictions is not None, 120)
    n_second = len(hands.session.micrographs[second].predictions)
    assert n_second > 0
    assert hands.session.predicted_counts().total() == found + n_second

    # Export.
    panel = hands.panel("Export")
    panel.path.clear()
    qtbot.keyClicks(panel.path, str(tmp_path / "library"))
    hands.click(panel.export)
    hands.wait(lambda: "written" in panel.result.text() or hands.dock.banner.isVisible())
    library = ParticleLibrary.load(tmp_path / "library")

    # The table says what the screen says.
    table_csv = pd.read_csv(tmp_path / "library" / "table.csv")
    assert len(library) == len(table_csv) == found + n_second
    assert table_csv["class"].astype(str).value_counts().to_dict() == {
        hands.session.class_name(c): n for c, n in hands.session.predicted_counts().items()
    }
    rows = library.table[library.table.micrograph == "B-2h07"].set_index("label")
    assert {p: int(c) for p, c in rows.class_id.items()} == shown_classes(
        hands.session.micrographs[first]
    )
    assert set(rows.index[rows.source == "hand"]) == set(by_hand)
    assert rows.equivalent_diameter_nm.between(50, 10_000).all()

    # Load it in a fresh session.
    before = {key: shown_classes(state) for key, state in hands.session.micrographs.items()}
    hands.dock.shutdown()
    fresh = make_hands(make_napari_viewer(show=True))
    fresh.workbench.files.open_library(str(tmp_path / "library"))
    fresh.wait(lambda: len(fresh.session.micrographs) == 2)
    after = {s.micrograph.name: s for s in fresh.session.micrographs.values()}
    assert shown_classes(after["B-2h07"]) == before[first]
    assert after["B-2h07"].hand_labels == by_hand
    assert shown_classes(after["GM59_20"]) == before[second]
    assert [c.name for c in fresh.session.classes] == list(CLASS_NAMES)
    np.testing.assert_array_equal(after["B-2h07"].micrograph.image, image.data)
    fresh.workbench.files.export(str(tmp_path / "again.csv"), "csv")
    assert "no model here" in fresh.dock.banner.text()
    fresh.dock.shutdown()

"""Images that people have: each becomes a micrograph or gets one clear sentence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    image = np.full((80, 100), 40, np.uint8)
    image[20:40, 20:40] = 200
    image[50:65, 60:80] = 220
    return image


@pytest.mark.parametrize("kind", ["rgb", "rgba", "uint16", "float", "bool", "some nan"])
def test_kinds_of_images_that_become_micrographs(
    hands: Any, picture: np.ndarray, kind: str
) -> None:
    options = {}
    if kind in ("rgb", "rgba"):
        data = np.stack([picture] * (3 if kind == "rgb" else 4), axis=-1)
        options = {"rgb": True}
    elif kind == "bool":
        data = picture > 100
    elif kind == "some nan":
        data = picture.astype(float)
        data[0, :5] = np.nan
    else:
        data = picture.astype({"uint16": np.uint16, "float": np.float32}[kind]) * 7
    hands.viewer.add_image(data, **options)
    hands.wait(lambda: hands.session.active is not None)
    assert hands.session.active.micrograph.shape == (80, 100)
    assert hands.find() == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((60, 60)), "constant|one grey level|same value"),
        (np.full((60, 60), np.nan), "NaN|finite"),
        (np.zeros((1, 1)), "small|pixel"),
        (np.random.default_rng(0).random((5, 60, 4)), "slices|small|few"),
    ],
    ids=["constant", "all-nan", "one-pixel", "stack of stripes"],
)
@pytest.mark.filterwarnings("ignore:All-NaN slice:RuntimeWarning")
def test_images_that_cannot_be_micrographs_are_refused(
    hands: Any, data: np.ndarray, words: str
) -> None:
    hands.viewer.add_image(data, name="odd", contrast_limits=(0, 1))
    hands.wait(hands.dock.banner.isVisible)
    assert re.search(words, hands.dock.banner.text()), hands.dock.banner.text()
    assert "odd" in hands.dock.banner.text()
    assert hands.session.active is None


def test_no_particles_found_says_what_to_do(hands: Any) -> None:
    rng = np.random.default_rng(0)
    hands.viewer.add_image(rng.normal(100, 1, (120, 120)).astype(np.float32))
    hands.wait(lambda: hands.session.active is not None)
    hands.panel("Particles").min_area.setValue(5000)
    assert hands.find() == 0
    assert "No particles" in hands.panel("Particles").count.text()
    assert "another method" in hands.dock.next.text()
    assert not hands.panel("Train").isVisible()


def test_one_class_only_is_not_enough_and_said(hands: Any, picture: np.ndarray) -> None:
    hands.viewer.add_image(picture)
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    hands.click_particle(1)
    train = hands.panel("Train")
    assert not train.train.isEnabled()
    assert "at least two classes" in train.remark.text()
    hands.choose_class(2)
    hands.click_particle(2)
    assert train.train.isEnabled()
    assert "single label" in train.remark.text()


def test_an_unwritable_place_is_named(hands: Any, picture: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file of somebody's")
    hands.workbench.open_library(str(tmp_path / "nothing here"))
    hands.wait(hands.dock.banner.isVisible)
    assert "nothing here" in hands.dock.banner.text()
    hands.click(hands.dock.dismiss)
    hands.workbench.open_workflow(str(tmp_path / "taken"))
    hands.wait(hands.dock.banner.isVisible)
    assert "taken" in hands.dock.banner.text()


def test_images_open_before_the_dock_are_taken_in(
    make_napari_viewer: Any, make_hands: Any, picture: np.ndarray
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.add_image(picture, name="first")
    viewer.add_image(picture, name="second")
    viewer.layers.selection.active = viewer.layers["first"]
    hands = make_hands(viewer)
    names = [s.micrograph.name for s in hands.session.micrographs.values()]
    assert names == ["first", "second"]
    assert hands.session.active.micrograph.name == "first"
    assert viewer.layers["first"].visible
    assert not viewer.layers["second"].visible
    hands.dock.shutdown()


def test_a_smaller_micrograph_fills_the_canvas_too(hands: Any, picture: np.ndarray) -> None:
    hands.viewer.add_image(np.kron(picture, np.ones((8, 8), np.uint8)), name="large")
    hands.wait(lambda: len(hands.session.micrographs) == 1)
    zoom = hands.viewer.scene.camera.zoom
    hands.viewer.add_image(picture, name="small")
    hands.wait(lambda: len(hands.session.micrographs) == 2)
    assert hands.viewer.scene.camera.zoom > 4 * zoom
    hands.workbench.activate(1)
    assert hands.viewer.scene.camera.zoom == pytest.approx(zoom)

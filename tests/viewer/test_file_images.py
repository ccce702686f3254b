"""A file of several detectors: each of its images can be opened in the window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

BAR_ROWS = 40


@pytest.fixture
def detectors(spheres: np.ndarray, tmp_path: Path) -> Path:
    """Three images of one field, above an info bar, as a microscope of FEI writes them."""
    rows, columns = spheres.shape
    text = (
        f"[Scan]\r\nPixelWidth=4e-9\r\n[Image]\r\nResolutionX={columns}\r\nResolutionY={rows}\r\n\0"
    )
    images = np.stack([spheres, 255 - spheres, spheres // 2])
    bar = np.full((3, BAR_ROWS, columns), 7, np.uint8)
    tag = (34682, 2, len(text), text.encode(), True)
    path = tmp_path / "three.tif"
    tifffile.imwrite(
        path, np.concatenate([images, bar], axis=1), extratags=[tag], photometric="minisblack"
    )
    return path


def choose(hands: Any, row: int) -> None:
    images = hands.panel("Micrograph").images
    images.setCurrentIndex(row)
    images.activated.emit(row)
    hands.wait(lambda: not hands.workbench.jobs.running("image of a file"))


def test_another_image_of_the_file_is_chosen(
    hands: Any, detectors: Path, spheres: np.ndarray
) -> None:
    hands.open(detectors, "napari-ssrvae")
    images, session = hands.panel("Micrograph").images, hands.session
    assert images.isVisible()
    assert [images.itemText(i) for i in range(3)] == [f"Image {n} of 3" for n in (1, 2, 3)]
    assert images.currentIndex() == 0
    choose(hands, 1)
    # The first was only looked at: it leaves, and nothing of it stays.
    assert list(session.micrographs) == [session.active_key]
    assert [layer.name for layer in hands.viewer.layers] == ["three, image 2"]
    micrograph = session.active.micrograph
    np.testing.assert_array_equal(micrograph.image, 255 - spheres)
    assert micrograph.pixel_size == pytest.approx(4)
    assert micrograph.path == detectors
    assert images.currentIndex() == 1
    # What is cut off comes from the same image.
    hands.click(hands.panel("Micrograph").keep)
    hands.wait(lambda: session.active.micrograph.shape[0] == spheres.shape[0] + BAR_ROWS)
    np.testing.assert_array_equal(session.active.micrograph.image[:-BAR_ROWS], 255 - spheres)
    hands.workbench.info_bars.cut(BAR_ROWS)


def test_an_image_with_particles_stays_and_is_found_again(hands: Any, detectors: Path) -> None:
    hands.open(detectors, "napari-ssrvae")
    first, n = hands.session.active_key, hands.find()
    choose(hands, 2)
    third = hands.session.active_key
    assert third != first
    assert hands.session.micrographs[first].particle_ids.size == n
    choose(hands, 0)
    assert hands.session.active_key == first
    choose(hands, 2)
    assert hands.session.active_key == third
    assert len(hands.session.micrographs) == 2


def test_a_file_of_one_image_offers_nothing(hands: Any, spheres: np.ndarray) -> None:
    hands.viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    assert not hands.panel("Micrograph").images.isVisible()

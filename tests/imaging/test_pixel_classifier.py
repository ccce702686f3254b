"""From strokes to particles, on textures that no threshold tells apart, and on real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_ssrvae.errors import InputError, ReadError
from napari_ssrvae.imaging import Micrograph, PixelClassifier, SegmentationSettings
from napari_ssrvae.imaging.pixel_features import NAMES, PixelFeatures, enlarge, shrink

SPOTS = [(y, x) for y in (45, 105, 165) for x in (45, 115, 185, 255)]
SPLIT = SegmentationSettings(split_touching=True)


def texture(seed: int = 0, scale: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Twelve discs that differ from the background in texture only; the ninth touches a twin."""
    draw = np.random.default_rng(seed)
    yy, xx = np.mgrid[: 210 * scale, : 300 * scale] / scale
    truth = np.zeros(yy.shape, np.int32)
    for number, (y, x) in enumerate(SPOTS, start=1):
        truth[(yy - y) ** 2 + (xx - x) ** 2 < 20**2] = number
    truth[((yy - 165) ** 2 + (xx - 83) ** 2 < 20**2) & (truth == 0)] = 13
    image = draw.normal(100, 3, truth.shape)
    image[truth > 0] += draw.normal(0, 25, np.count_nonzero(truth))
    return image.astype(np.float32), truth


def painted(scale: int = 1) -> np.ndarray:
    strokes = np.zeros((210 * scale, 300 * scale), np.uint8)
    for y, x in (SPOTS[0], SPOTS[6], SPOTS[11]):
        strokes[(y - 9) * scale : (y + 9) * scale, x * scale : (x + 3) * scale] = 2
    for x in (80, 150, 220):
        strokes[20 * scale : 130 * scale, x * scale] = 1
    return strokes


@pytest.fixture(scope="module")
def taught() -> PixelClassifier:
    return PixelClassifier.fit(texture()[0], painted())


def test_pixels_and_particles_are_right(taught: PixelClassifier) -> None:
    image, truth = texture()
    probability = taught.probability(image)
    assert probability.dtype == np.float32
    assert 0 <= probability.min() <= probability.max() <= 1
    assert ((probability > 0.5) == (truth > 0)).mean() > 0.95
    labels = taught.segment(image, SPLIT, strokes=painted())
    assert labels.dtype == np.int32
    assert labels.max() == 13
    for number in range(1, 14):
        found = np.bincount(labels[truth == number]).argmax()
        both = np.count_nonzero((labels == found) & (truth == number))
        assert both / np.count_nonzero((labels == found) | (truth == number)) > 0.7
    assert taught.segment(image).max() == 11  # the three that touch are one clump


def test_another_image_of_the_same_kind_needs_no_strokes(taught: PixelClassifier) -> None:
    image, truth = texture(seed=1)
    assert (((taught.probability(3 * image + 50)) > 0.5) == (truth > 0)).mean() > 0.95


def test_saved_and_loaded_it_says_the_same(taught: PixelClassifier, tmp_path: Path) -> None:
    path = taught.save(tmp_path / "gold")
    assert path.name == "gold.strokes"
    image = texture(seed=2)[0]
    again = PixelClassifier.load(path)
    np.testing.assert_array_equal(again.probability(image), taught.probability(image))


def test_damaged_files_are_refused(taught: PixelClassifier, tmp_path: Path) -> None:
    data = taught.save(tmp_path / "whole.strokes").read_bytes()
    path = tmp_path / "broken.strokes"
    for end in range(0, len(data), len(data) // 25):
        path.write_bytes(data[:end])
        with pytest.raises(ReadError, match=r"broken\.strokes is no pixel classifier"):
            PixelClassifier.load(path)
    path.write_bytes(data.replace(b"classifier 1", b"classifier 9"))
    with pytest.raises(ReadError):
        PixelClassifier.load(path)
    with pytest.raises(ReadError, match="could not be read"):
        PixelClassifier.load(tmp_path / "absent.strokes")


def test_strokes_of_several_images_are_joined() -> None:
    image, truth = texture()
    particles, background = (np.where(painted() == kind, kind, 0) for kind in (2, 1))
    both = PixelClassifier.fit([image, image], [particles, background])
    assert len(both.examples.kinds) == np.count_nonzero(painted())
    assert ((both.probability(image) > 0.5) == (truth > 0)).mean() > 0.95
    more = PixelClassifier.fit(image, particles, before=both)
    assert len(more.examples.kinds) > len(both.examples.kinds)


def test_the_scales_follow_the_magnification(taught: PixelClassifier) -> None:
    image, _ = texture()
    known = PixelClassifier.fit(Micrograph(image, pixel_size=2.0), painted())
    assert known.pixel_size == 2.0
    assert known.features(Micrograph(image, pixel_size=1.0)).zoom == 2
    assert known.features(Micrograph(image, pixel_size=2.0)).zoom == 1
    assert known.features(image).zoom == 1


def test_a_coarser_grid_has_nearly_the_same_features() -> None:
    draw = np.random.default_rng(0)
    rough = draw.normal(0, 1, (120, 130)).astype(np.float32)
    smooth = enlarge(shrink(rough, 10), 10, rough.shape)
    fine, coarse = (PixelFeatures.of(smooth, max_pixels=n) for n in (None, 4000))
    assert coarse.step == 2
    assert coarse.values.shape == (60, 65, len(NAMES))
    for sigma in ("4", "8", "16"):
        k = NAMES.index(f"brightness {sigma}")
        back = coarse.enlarge(np.ascontiguousarray(coarse.values[..., k]))
        assert np.abs(back - fine.values[..., k]).max() < 0.15


def test_strokes_that_make_no_sense_are_refused() -> None:
    image = texture()[0]
    with pytest.raises(InputError, match="both are needed"):
        PixelClassifier.fit(image, np.where(painted() == 2, 2, 0))
    with pytest.raises(InputError, match="The strokes are 5 x 5 but"):
        PixelClassifier.fit(image, np.zeros((5, 5), int))
    with pytest.raises(InputError, match="paint with these two"):
        PixelClassifier.fit(image, 3 * painted())
    with pytest.raises(InputError, match="give each its own"):
        PixelClassifier.fit([image, image], [painted()])


def test_noise_ends_in_labels_and_a_flat_image_in_a_sentence(taught: PixelClassifier) -> None:
    with pytest.raises(InputError, match="same value"):
        taught.segment(np.full((64, 80), 7.0, np.float32), SPLIT)
    noise = np.random.default_rng(0).random((90, 70)).astype(np.float32)
    for settings in (SPLIT, SegmentationSettings()):
        labels = taught.segment(noise, settings)
        assert set(np.unique(labels)) == set(range(labels.max() + 1))


def test_a_large_image_gets_whole_outlines(taught: PixelClassifier) -> None:
    image, truth = texture(scale=4)
    big = PixelClassifier.fit(image, painted(scale=4))
    labels = big.segment(image, SPLIT, strokes=painted(scale=4))
    assert labels.shape == truth.shape
    assert labels.max() == 13
    overlap = np.count_nonzero((labels > 0) & (truth > 0)) / np.count_nonzero((labels + truth) > 0)
    assert overlap > 0.85


@pytest.mark.realdata
def test_strokes_on_a_journal_figure(realdata: Path) -> None:
    import imageio.v3 as iio

    from napari_ssrvae import read_micrograph

    image = read_micrograph(realdata / "emps" / "images" / "47286679c2.png")
    truth = iio.imread(realdata / "emps" / "instances" / "47286679c2.png").astype(np.int32)
    truth = truth[: image.shape[0]]
    draw = np.random.default_rng(0)
    strokes = np.zeros(image.shape, np.uint8)
    for kind, where in ((2, truth > 0), (1, truth == 0)):
        for y, x in draw.permutation(np.argwhere(where))[:5]:
            part = np.s_[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 2]
            strokes[part] = np.where(where[part], kind, 0)
    settings = SegmentationSettings(split_touching=True, exclude_border=False)
    labels = PixelClassifier.fit(image, strokes).segment(image, settings, strokes=strokes)
    hits = 0
    for number in np.unique(truth)[1:]:
        inside = truth == number
        found = np.bincount(labels[inside]).argmax()
        union = np.count_nonzero((labels == found) | inside)
        hits += found > 0 and np.count_nonzero((labels == found) & inside) > 0.5 * union
    assert 2 * hits / (labels.max() + len(np.unique(truth)) - 1) > 0.6

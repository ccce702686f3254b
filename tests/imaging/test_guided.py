"""Finding from strokes: what they say of segments, and what a person may rely on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_ssrvae.imaging import Micrograph, PixelClassifier, SegmentationSettings
from napari_ssrvae.imaging.guided import Groundwork, pool_guided

SPLIT = SegmentationSettings(split_touching=True, exclude_border=False)
SPOTS = [(y, x) for y in (40, 100, 160) for x in (40, 110, 180, 250)]


def discs(spots: list[tuple[int, int]] = SPOTS, radius: float = 18) -> np.ndarray:
    yy, xx = np.mgrid[:200, :290]
    truth = np.zeros(yy.shape, np.int32)
    for number, (y, x) in enumerate(spots, start=1):
        truth[(yy - y) ** 2 + (xx - x) ** 2 < radius**2] = number
    return truth


def picture(truth: np.ndarray, height: float = 60) -> Micrograph:
    draw = np.random.default_rng(0)
    soft = ndi.gaussian_filter((truth > 0).astype(float), 1)
    return Micrograph((100 + height * soft + draw.normal(0, 8, truth.shape)).astype(np.float32))


def painted(particles: list[tuple[int, int]], background: list[tuple[int, int]]) -> np.ndarray:
    strokes = np.zeros((200, 290), np.uint8)
    for kind, spots in ((2, particles), (1, background)):
        for y, x in spots:
            strokes[y - 1 : y + 2, x - 8 : x + 9] = kind
    return strokes


GAPS = [(70, 75), (130, 145), (70, 215), (130, 40)]


@pytest.fixture(scope="module")
def micrograph() -> Micrograph:
    return picture(discs())


@pytest.fixture(scope="module")
def groundwork(micrograph: Micrograph) -> Groundwork:
    return Groundwork.of(micrograph, SPLIT)


def test_evidence_is_what_is_measured_on_the_pixels(
    micrograph: Micrograph, groundwork: Groundwork
) -> None:
    strokes = painted(SPOTS[:3], GAPS)
    probability = PixelClassifier.fit(micrograph, strokes).probability(micrograph)
    found = pool_guided(groundwork, *groundwork.shrunk(probability, strokes))
    assert found is not None
    pool, told = found
    strokes_of, _ = ndi.label(strokes == 2, np.ones((3, 3)))
    assert told.held.shape == (len(pool.area), 3)
    for k in np.random.default_rng(0).permutation(len(pool.area))[:20]:
        pixels = pool.pixels(int(k))
        under = strokes.ravel()[pixels]
        assert told.probable[k] == pytest.approx(probability.ravel()[pixels].mean(), abs=1e-4)
        assert told.refused[k] == (np.count_nonzero(under == 1) > np.count_nonzero(under == 2))
        held = np.bincount(strokes_of.ravel()[pixels], minlength=4)[1:]
        np.testing.assert_allclose(told.held[k], held / np.bincount(strokes_of.ravel())[1:])
    # the segment that is the first disc has its stroke and no other, and stands out
    first = discs() == 1
    same = [
        np.count_nonzero(first.ravel()[pool.pixels(k)]) / max(area, 1009)
        for k, area in enumerate(pool.area)
    ]
    one = int(np.argmax(same))
    assert same[one] > 0.9
    np.testing.assert_array_equal(told.held[one], [1, 0, 0])
    assert told.contrast[one] > 0.3


def test_groundwork_changes_nothing_but_the_time(
    micrograph: Micrograph, groundwork: Groundwork
) -> None:
    for more in (3, 5):
        strokes = painted(SPOTS[:more], GAPS)
        classifier = PixelClassifier.fit(micrograph, strokes)
        np.testing.assert_array_equal(
            classifier.segment(micrograph, SPLIT, strokes=strokes, groundwork=groundwork),
            classifier.segment(micrograph, SPLIT, strokes=strokes),
        )


def test_groundwork_of_another_image_or_recipe_is_not_used(
    micrograph: Micrograph, groundwork: Groundwork
) -> None:
    assert groundwork.serves(micrograph, SPLIT)
    assert not groundwork.serves(picture(discs()), SPLIT)
    dark = SegmentationSettings(split_touching=True, polarity="dark")
    assert not groundwork.serves(micrograph, dark)
    strokes = painted(SPOTS[:3], GAPS)
    other = picture(discs(SPOTS[:6]))
    labels = PixelClassifier.fit(micrograph, strokes).segment(other, SPLIT, groundwork=groundwork)
    assert labels.max() == 6


def test_what_is_painted_as_background_is_no_particle(micrograph: Micrograph) -> None:
    strokes = painted(SPOTS[:3], GAPS)
    classifier = PixelClassifier.fit(micrograph, strokes)
    assert classifier.segment(micrograph, SPLIT, strokes=strokes).max() == 12
    strokes |= painted([], [SPOTS[11]])  # the classifier has not learnt this one
    labels = classifier.segment(micrograph, SPLIT, strokes=strokes)
    assert labels.max() == 11
    assert not labels[discs() == 12].any()


def test_what_is_painted_as_particle_is_found() -> None:
    truth = discs()
    micrograph = picture(truth)
    image = micrograph.image.copy()
    image[truth == 6] -= 55  # hardly brighter than the background
    micrograph = Micrograph(image)
    strokes = painted(SPOTS[:3], GAPS)
    before = PixelClassifier.fit(micrograph, strokes).segment(micrograph, SPLIT, strokes=strokes)
    assert before[SPOTS[5]] == 0
    strokes |= painted([SPOTS[5]], [])
    after = PixelClassifier.fit(micrograph, strokes).segment(micrograph, SPLIT, strokes=strokes)
    assert after[SPOTS[5]] > 0


def test_clumps_stay_whole_unless_they_are_to_be_taken_apart() -> None:
    spots = [*SPOTS[:11], (160, 214)]  # the last touches the eleventh
    micrograph = picture(discs(spots))
    strokes = painted(SPOTS[:4], GAPS[:3])
    classifier = PixelClassifier.fit(micrograph, strokes)
    labels = classifier.segment(micrograph, SPLIT, strokes=strokes)
    assert labels.max() == 12
    together = SegmentationSettings(exclude_border=False)
    clumps = classifier.segment(micrograph, together, strokes=strokes)
    assert clumps.max() == 11
    assert len(np.unique(clumps[np.isin(discs(spots), (11, 12))])) <= 2
    small = SegmentationSettings(exclude_border=False, min_area=1400)
    assert classifier.segment(micrograph, small, strokes=strokes).max() == 1

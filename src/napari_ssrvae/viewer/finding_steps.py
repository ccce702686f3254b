"""Steps of finding with strokes and of filtering, as generators like those of `steps`."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.micrograph import Micrograph

if TYPE_CHECKING:
    import pandas as pd

    from napari_ssrvae.imaging import ParticleFilter, PixelClassifier, SegmentationSettings
    from napari_ssrvae.imaging.guided import Groundwork
    from napari_ssrvae.imaging.pixel_classifier import Examples
    from napari_ssrvae.imaging.pixel_features import PixelFeatures

OUTLINE = 2  # px


@dataclass(frozen=True, eq=False)
class Painted:
    """One micrograph with what was painted on it.

    Attributes
    ----------
    key : int
        Of the micrograph.
    micrograph : Micrograph
        The image.
    strokes : (H, W) uint8
        0 nothing, 1 background, 2 particle.
    features : PixelFeatures or None
        Where they are known already.
    examples : Examples or None
        What lies under the strokes, where they did not change.
    groundwork : Groundwork or None
        What no stroke changes, where it is known already.
    """

    key: int
    micrograph: Micrograph
    strokes: NDArray[np.uint8]
    features: PixelFeatures | None = None
    examples: Examples | None = None
    groundwork: Groundwork | None = None


@dataclass(frozen=True, eq=False)
class Learnt:
    """What strokes taught; first with a quick answer, then with the particles.

    Attributes
    ----------
    classifier : PixelClassifier
        As it is now.
    features : PixelFeatures
        Of the active micrograph.
    examples : mapping of int to Examples
        Micrograph key → what lies under its strokes.
    labels : (H, W) int32
        Particles, or 1 where a particle is likely as long as `quick`.
    outlines : (H, W) bool
        Of them.
    quick : bool
        Whether the particles are still being told apart.
    groundwork : Groundwork or None
        Of the active micrograph, once it is known.
    """

    classifier: PixelClassifier
    features: PixelFeatures
    examples: Mapping[int, Examples]
    labels: NDArray[np.int32]
    outlines: NDArray[np.bool_]
    quick: bool
    groundwork: Groundwork | None = None


def learn_strokes(
    active: Painted,
    others: Sequence[Painted],
    before: PixelClassifier | None,
    settings: SegmentationSettings,
) -> Generator[Learnt | None, None, Learnt]:
    """Learn what was painted, and find the particles of the active micrograph with it.

    `before` was loaded from a file: what it learnt from counts too.
    """
    yield None
    from napari_ssrvae.imaging.filters import rims
    from napari_ssrvae.imaging.guided import Groundwork
    from napari_ssrvae.imaging.pixel_classifier import (
        DETAIL_PIXELS,
        Examples,
        PixelClassifier,
        zoom_for,
    )
    from napari_ssrvae.imaging.pixel_features import PixelFeatures

    size = before.pixel_size if before is not None else active.micrograph.pixel_size
    everything = Examples.none() if before is None else before.examples
    examples, shown = {}, active.features
    for painted in (active, *others):
        found, zoom = painted.examples, zoom_for(painted.micrograph.pixel_size, size)
        features = painted.features
        if features is not None and features.zoom != zoom:
            features = found = None
        if features is None and (found is None or painted is active):
            features = PixelFeatures.of(painted.micrograph, zoom=zoom, max_pixels=DETAIL_PIXELS)
            yield None
        if found is None:
            assert features is not None
            found = Examples.under(painted.strokes, features)
        if painted is active:
            shown = features
        examples[painted.key] = found
        everything = everything.joined(found)
    assert shown is not None
    classifier = PixelClassifier.of_examples(everything, size)
    yield None
    probability = classifier.probability(shown)
    likely = (probability > 0.5).astype(np.int32)
    outlines = rims(likely, OUTLINE)
    groundwork = active.groundwork
    yield Learnt(classifier, shown, examples, likely, outlines, True, groundwork)
    if groundwork is None or not groundwork.serves(active.micrograph, settings):
        groundwork = Groundwork.of(active.micrograph, settings)
        # the next stroke has it even if it comes before the particles
        yield Learnt(classifier, shown, examples, likely, outlines, True, groundwork)
    labels = classifier.segment(
        active.micrograph,
        settings,
        strokes=active.strokes,
        probability=probability,
        groundwork=groundwork,
    )
    return Learnt(classifier, shown, examples, labels, rims(labels, OUTLINE), False, groundwork)


def save_classifier(classifier: PixelClassifier, path: Path) -> Generator[None, None, Path]:
    """Write a pixel classifier."""
    yield
    saved: Path = classifier.save(path)
    return saved


def load_classifier(path: Path) -> Generator[None, None, PixelClassifier]:
    """Read a pixel classifier."""
    yield
    from napari_ssrvae.imaging.pixel_classifier import PixelClassifier

    return PixelClassifier.load(path)


@dataclass(frozen=True, eq=False)
class Filtered:
    """What a filter makes of the particles of one micrograph.

    Attributes
    ----------
    of : (H, W) int32
        The label image that was looked at.
    table : DataFrame
        Its measures, from `measure_shapes`.
    gone : (m,) int64
        Ids of the particles that would go.
    """

    of: NDArray[np.int32]
    table: pd.DataFrame
    gone: NDArray[np.int64]

    @property
    def total(self) -> int:
        """How many particles there are."""
        return len(self.table)


def filter_particles(
    labels: NDArray[np.int32],
    pixel_size: float | None,
    wanted: ParticleFilter,
    table: Any = None,
) -> Generator[None, None, Filtered]:
    """Measure the particles, unless that was done, and say which would go."""
    yield
    from napari_ssrvae.imaging import measure_shapes

    if not labels.any():
        raise InputError("There are no particles to filter: find them first.")
    if table is None:
        table = measure_shapes(labels, pixel_size=pixel_size)
        yield
    gone = table["label"].to_numpy()[~wanted.keeps(table)]
    return Filtered(labels, table, gone.astype(np.int64))

"""Trainable segmentation: from a few strokes of particle and background to every pixel.

A forest of extremely randomised trees on features at several scales (`pixel_features`), the way
of ilastik and Trainable Weka Segmentation. What is kept and saved is not the forest but what it
learnt from, the features under the strokes: they are small, can be joined with more strokes,
hold nothing that could run, and the forest grows from them again in a fraction of a second.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.errors import InputError, ReadError
from napari_ssrvae.imaging.micrograph import Micrograph, as_micrograph
from napari_ssrvae.imaging.pixel_features import NAMES, PixelFeatures

if TYPE_CHECKING:
    from napari_ssrvae.imaging.guided import Groundwork
    from napari_ssrvae.imaging.settings import SegmentationSettings

BACKGROUND, PARTICLE = 1, 2
"""Values of a stroke image; 0 is where nothing was painted."""

SUFFIX = ".strokes"
TREES = 60
MOST_PIXELS = 2_000  # of each kind and image that the forest learns from
DETAIL_PIXELS = 700_000  # larger images are classified on a coarser grid
_FORMAT = "napari-ssrvae pixel classifier 1"
_CHUNK = 200_000
_ZOOMS = (0.25, 4.0)


@dataclass(frozen=True, eq=False)
class Examples:
    """Pixels that a person painted, as the classifier sees them.

    Attributes
    ----------
    features : (n, len(NAMES)) float32
        A row a pixel.
    kinds : (n,) uint8
        `BACKGROUND` or `PARTICLE`.
    """

    features: NDArray[np.float32]
    kinds: NDArray[np.uint8]

    @classmethod
    def none(cls) -> Examples:
        """Return no examples."""
        return cls(np.empty((0, len(NAMES)), np.float32), np.empty(0, np.uint8))

    @classmethod
    def under(cls, strokes: ArrayLike, features: PixelFeatures) -> Examples:
        """Take what lies under the strokes of one image.

        Parameters
        ----------
        strokes
            (H, W) whole numbers: 0 nothing, 1 background, 2 particle.
        features
            Of that image.
        """
        painted = check_strokes(strokes, features.shape)
        chosen, kinds = [], []
        draw = np.random.default_rng(0)
        for kind in (BACKGROUND, PARTICLE):
            y, x = np.nonzero(painted == kind)
            points = np.unique(y // features.step * features.values.shape[1] + x // features.step)
            if len(points) > MOST_PIXELS:  # a painted area is no better than a sample of it
                points = draw.choice(points, MOST_PIXELS, replace=False)
            chosen.append(features.rows()[points])
            kinds.append(np.full(len(points), kind, np.uint8))
        return cls(np.concatenate(chosen), np.concatenate(kinds))

    def joined(self, more: Examples) -> Examples:
        """Return these and others."""
        return Examples(
            np.concatenate([self.features, more.features]),
            np.concatenate([self.kinds, more.kinds]),
        )

    def complete(self) -> bool:
        """Say whether there is particle and background to tell apart."""
        return bool((self.kinds == PARTICLE).any() and (self.kinds == BACKGROUND).any())


def check_strokes(strokes: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return a stroke image as an array, or say what is wrong with it."""
    painted = np.asarray(strokes)
    if painted.dtype.kind not in "uib" or painted.ndim != 2:
        raise InputError(
            "Strokes must be a 2-D image of whole numbers: 0 nothing, 1 background, 2 particle."
        )
    if painted.shape != tuple(shape):
        raise InputError(
            f"The strokes are {painted.shape[0]} x {painted.shape[1]} but the image "
            f"{shape[0]} x {shape[1]}: use strokes that were painted on this image."
        )
    if painted.size and (painted.min() < 0 or painted.max() > PARTICLE):
        raise InputError(
            "Strokes may hold 0 (nothing), 1 (background) and 2 (particle); paint with these two."
        )
    return painted


@dataclass(frozen=True, eq=False)
class PixelClassifier:
    """Tells particle from background at every pixel, as a person's strokes taught it.

    Attributes
    ----------
    examples : Examples
        What it learnt from.
    forest : ExtraTreesClassifier
        Grown from them; the same examples grow the same one.
    pixel_size : float or None
        nm per pixel of the image that the strokes were painted on. In an image of another
        magnification the scales of the features follow, where both are known.
    """

    examples: Examples
    forest: Any
    pixel_size: float | None = None

    @classmethod
    def fit(
        cls,
        image: ArrayLike | Micrograph | Sequence[ArrayLike | Micrograph],
        strokes: ArrayLike | Sequence[ArrayLike],
        *,
        before: PixelClassifier | None = None,
    ) -> PixelClassifier:
        """Learn from strokes.

        Parameters
        ----------
        image
            (H, W) image or `Micrograph`, or a list of them.
        strokes
            (H, W) whole numbers: 0 nothing, 1 background, 2 particle; or a list of such images.
        before
            A classifier whose examples are learnt as well.

        Raises
        ------
        InputError
            If the strokes do not fit the image, or one of the two kinds is missing.
        """
        images: list[Any] = list(image) if isinstance(image, (list, tuple)) else [image]
        painted: list[Any] = list(strokes) if isinstance(strokes, (list, tuple)) else [strokes]
        if len(images) != len(painted):
            raise InputError(
                f"There are {len(images)} images but strokes for {len(painted)}: give each its own."
            )
        micrographs = [as_micrograph(one) for one in images]
        size = before.pixel_size if before is not None else None
        size = size or next((m.pixel_size for m in micrographs if m.pixel_size), None)
        examples = Examples.none() if before is None else before.examples
        for micrograph, lines in zip(micrographs, painted, strict=True):
            check_strokes(lines, micrograph.shape)
            features = PixelFeatures.of(
                micrograph, zoom=zoom_for(micrograph.pixel_size, size), max_pixels=DETAIL_PIXELS
            )
            examples = examples.joined(Examples.under(lines, features))
        return cls.of_examples(examples, size)

    @classmethod
    def of_examples(cls, examples: Examples, pixel_size: float | None = None) -> PixelClassifier:
        """Grow the forest from examples.

        Raises
        ------
        InputError
            If particle or background is missing.
        """
        from sklearn.ensemble import ExtraTreesClassifier

        if not examples.complete():
            raise InputError(
                "Paint at least one stroke on particles and one on background: both are needed."
            )
        forest = ExtraTreesClassifier(TREES, class_weight="balanced", random_state=0)
        forest.fit(examples.features, examples.kinds == PARTICLE)
        # the window needs a core of its own
        forest.set_params(n_jobs=max(1, (os.cpu_count() or 1) - 1))
        return cls(examples, forest, pixel_size)

    def features(
        self, image: ArrayLike | Micrograph, *, max_pixels: int | None = DETAIL_PIXELS
    ) -> PixelFeatures:
        """Return the features of an image at the magnification that the classifier knows."""
        micrograph = as_micrograph(image)
        zoom = zoom_for(micrograph.pixel_size, self.pixel_size)
        return PixelFeatures.of(micrograph, zoom=zoom, max_pixels=max_pixels)

    def probability(self, image: ArrayLike | Micrograph | PixelFeatures) -> NDArray[np.float32]:
        """Return how sure it is, at every pixel, to see a particle.

        Parameters
        ----------
        image
            (H, W) image or `Micrograph`, or its features, where they are known already.

        Returns
        -------
        (H, W) float32
            0 to 1.
        """
        features = image if isinstance(image, PixelFeatures) else self.features(image)
        rows = features.rows()
        sure = [
            self.forest.predict_proba(rows[at : at + _CHUNK])[:, 1].astype(np.float32)
            for at in range(0, len(rows), _CHUNK)
        ]
        coarse = np.concatenate(sure).reshape(features.values.shape[:2])
        return features.enlarge(coarse)

    def segment(
        self,
        image: ArrayLike | Micrograph,
        settings: SegmentationSettings | None = None,
        *,
        strokes: ArrayLike | None = None,
        probability: NDArray[np.float32] | None = None,
        groundwork: Groundwork | None = None,
    ) -> NDArray[np.int32]:
        """Find the particles of an image.

        Parameters
        ----------
        image
            (H, W) image or `Micrograph`.
        settings
            Smallest area, polarity, whether and how readily touching particles are taken apart,
            whether those on the border are left out. Method and smoothing do not matter here.
        strokes
            (H, W) painted on this very image: what was painted as background is none.
        probability
            From `probability`, where it is known already.
        groundwork
            Of this image, where it is known already: what no stroke changes, and what most of the
            time goes into.

        Returns
        -------
        (H, W) int32
            As from `segment_particles`.
        """
        from napari_ssrvae.imaging.guided import segment_guided
        from napari_ssrvae.imaging.settings import SegmentationSettings

        micrograph = as_micrograph(image)
        if strokes is not None:
            strokes = check_strokes(strokes, micrograph.shape)
        if probability is None:
            probability = self.probability(micrograph)
        return segment_guided(
            micrograph,
            probability,
            settings or SegmentationSettings(),
            strokes=strokes,
            groundwork=groundwork,
        )

    # -- files -----------------------------------------------------------------------------
    def save(self, path: str | Path) -> Path:
        """Write what it learnt from into one file; nothing in it can run.

        Returns
        -------
        Path
            With the suffix ``.strokes`` if it had none.
        """
        from safetensors.numpy import save

        path = Path(path).expanduser()
        if not path.suffix:
            path = path.with_suffix(SUFFIX)
        note: dict[str, Any] = {
            "format": _FORMAT,
            "pixel_size": self.pixel_size,
            "features": list(NAMES),
        }
        arrays: dict[str, NDArray[Any]] = {
            "features": self.examples.features,
            "kinds": self.examples.kinds,
        }
        data = save(arrays, metadata={"classifier": json.dumps(note)})
        fresh = path.with_name(path.name + ".part")  # whole or not at all
        fresh.write_bytes(data)
        fresh.replace(path)
        return path

    @classmethod
    def load(cls, path: str | Path) -> PixelClassifier:
        """Read a saved classifier and grow its forest.

        Raises
        ------
        ReadError
            If the file cannot be read or is no pixel classifier.
        """
        path = Path(path).expanduser()
        try:
            examples, size = _read(path.read_bytes())
        except OSError as error:
            raise ReadError(f"{path.name} could not be read: {error.strerror or error}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ReadError(
                f"{path.name} is no pixel classifier of this plugin: choose a file that "
                '"Save" wrote here.'
            ) from error
        return cls.of_examples(examples, size)


def zoom_for(pixel_size: float | None, known: float | None) -> float:
    """Return what scales learnt at `known` nm/px are multiplied by at `pixel_size` nm/px."""
    if not pixel_size or not known:
        return 1.0
    return float(np.clip(known / pixel_size, *_ZOOMS))


def _read(data: bytes) -> tuple[Examples, float | None]:
    """Return examples and pixel size of a file's bytes; ValueError where they make no sense."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(data)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    length = int.from_bytes(data[:8], "little")
    note = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["classifier"])
    features, kinds, size = arrays["features"], arrays["kinds"], note["pixel_size"]
    if note["format"] != _FORMAT or note["features"] != list(NAMES):
        raise ValueError("made for other features")
    if features.dtype != np.float32 or features.shape != (len(kinds), len(NAMES)):
        raise ValueError("features of another shape")
    if kinds.dtype != np.uint8 or kinds.ndim != 1 or not np.isin(kinds, (1, 2)).all():
        raise ValueError("kinds that are none")
    if not np.isfinite(features).all() or len(np.unique(kinds)) < 2:
        raise ValueError("nothing to tell apart")
    if size is not None and not 0 < float(size) < np.inf:
        raise ValueError("an impossible pixel size")
    return Examples(features, kinds), None if size is None else float(size)

"""Particles found in a micrograph without training."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage as ndi

from napari_ssrvae.imaging.annotations import find_annotations, inpaint
from napari_ssrvae.imaging.blobs import find_blobs
from napari_ssrvae.imaging.candidates import (
    THRESHOLDS,
    Criterion,
    Image,
    Recipe,
    flatten,
    local_contrast,
    recipes,
)
from napari_ssrvae.imaging.clumps import agreement, with_chosen
from napari_ssrvae.imaging.filters import fill_all_holes, gaussian, mean_around
from napari_ssrvae.imaging.finding import find_roughly, find_separate_particles
from napari_ssrvae.imaging.micrograph import Micrograph, as_micrograph
from napari_ssrvae.imaging.objects import (
    SADDLE,
    close_clumps,
    cut_threads,
    fill_holes,
    number_objects,
    renumber,
    typical_radius,
)
from napari_ssrvae.imaging.resolution import nearest_pixels
from napari_ssrvae.imaging.settings import SegmentationSettings

_AGREES = 0.8  # agreement with particles found one by one beyond which more counts no more
_GUIDED_PIXELS = 2_500_000  # of an image whose clumps are checked by particles found one by one
_CANDIDATE_PIXELS = 400_000  # candidates are compared on an image shrunk to about this


def segment_particles(
    image_or_micrograph: ArrayLike | Micrograph,
    method: str = "auto",
    split_touching: bool = False,
    min_area: float | None = None,
    *,
    smoothing: float = 1.0,
    exclude_border: bool | None = None,
    polarity: str = "auto",
    split_strength: float = 0.5,
) -> NDArray[np.int32]:
    """Find the particles of a micrograph.

    Parameters
    ----------
    image_or_micrograph
        (H, W) image or `Micrograph`.
    method, split_touching, min_area, smoothing, polarity, split_strength
        See `SegmentationSettings`.
    exclude_border
        Whether particles that touch the edge of the image are left out. None leaves out clumps,
        of which a part may be missing, but not particles that are taken apart.

    Returns
    -------
    (H, W) int32
        0 = background, particles 1 to n in the order of their topmost pixel. All 0 where nothing
        was found.

    Raises
    ------
    InputError
        If the image or a setting cannot be used.
    """
    if exclude_border is None:
        exclude_border = not split_touching
    settings = SegmentationSettings(
        method, smoothing, min_area, split_touching, exclude_border, polarity, split_strength
    )
    return segment_with(image_or_micrograph, settings)


def segment_with(
    image_or_micrograph: ArrayLike | Micrograph,
    settings: SegmentationSettings,
    *,
    guided: bool = True,
) -> NDArray[np.int32]:
    """Find the particles of a micrograph as `SegmentationSettings` say.

    Parameters
    ----------
    image_or_micrograph
        (H, W) image or `Micrograph`.
    settings
        The recipe.
    guided
        Whether the method "auto" takes its time: a network looks at the particles that are taken
        apart, and clumps are checked by particles found one by one where the image has no more
        than 2.5 million pixels.

    Returns
    -------
    (H, W) int32
        As from `segment_particles`.
    """
    given = as_micrograph(image_or_micrograph).image
    if settings.method == "auto" and settings.split_touching:
        return _separate(given, settings, network=guided)
    annotations = find_annotations(given)
    image = inpaint(given.astype(np.float32), annotations)
    plain = gaussian(image, settings.smoothing)
    if settings.method == "log":
        return _blobs(plain, settings)
    guide = None
    if guided and settings.method == "auto" and image.size <= _GUIDED_PIXELS:
        guide = find_roughly(image, annotations, settings.signs)
    return _by_threshold(plain, settings, guide if guide is not None and guide.any() else None)


def _separate(
    image: NDArray[Any], settings: SegmentationSettings, *, network: bool
) -> NDArray[np.int32]:
    """Particles one by one, the best of many proposals."""
    labels = find_separate_particles(
        image.astype(np.float32), settings.signs, settings.depth_factor, network=network
    )
    return renumber(labels, settings.min_area or 0, settings.exclude_border)


def _blobs(image: Image, settings: SegmentationSettings) -> NDArray[np.int32]:
    """Small round particles, in the polarity in which they stand out more."""
    found = [find_blobs(image, sign) for sign in settings.signs]
    labels = max(found, key=lambda pair: pair[1])[0]
    if not settings.split_touching:
        labels = np.asarray(ndi.label(labels > 0)[0], dtype=np.int32)
    return renumber(labels, settings.min_area or 0, settings.exclude_border)


def _by_threshold(
    plain: Image, settings: SegmentationSettings, chosen: NDArray[np.int32] | None = None
) -> NDArray[np.int32]:
    """One threshold, given or the best of several, beside particles that were found one by one."""
    if settings.method == "local":
        plain = flat = local_contrast(plain)
    else:
        flat = flatten(plain)
    recipe = _choose(plain, flat, settings, chosen)
    if recipe is None:
        return np.zeros(plain.shape, dtype=np.int32)
    mask = recipe.mask(plain, flat)
    contrast = recipe.contrast(plain, flat)
    # dim middles of bright-rimmed particles count, the background inside a ring of them does not
    radius = typical_radius(mask | (fill_all_holes(mask) & (contrast > 0.5)))
    if not settings.split_touching:
        mask = close_clumps(mask, contrast, radius)
    mask = fill_holes(mask, contrast, radius)
    mask = cut_threads(mask, radius)
    if chosen is not None:
        mask = with_chosen(mask, _at(chosen, mask.shape), only=settings.min_area is None)
    depth = -np.log(SADDLE) * settings.depth_factor
    return number_objects(
        mask,
        radius=radius,
        min_area=settings.min_area,
        split=settings.split_touching,
        exclude_border=settings.exclude_border,
        saddle=float(np.exp(-depth)),
    )


def _at(labels: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Labels at another resolution, without care for their outlines."""
    return np.asarray(labels[np.ix_(*nearest_pixels(shape, labels.shape))])


def _choose(
    plain: Image,
    flat: Image,
    settings: SegmentationSettings,
    chosen: NDArray[np.int32] | None = None,
) -> Recipe | None:
    """Score every candidate on a shrunk image; None where none is worth anything."""
    step = int(np.ceil(np.sqrt(plain.size / _CANDIDATE_PIXELS)))
    if step > 1:
        plain, flat = (mean_around(a, step)[::step, ::step] for a in (plain, flat))
    one = "otsu" if settings.method == "local" else settings.method
    names = tuple(THRESHOLDS) if settings.method == "auto" else (one,)
    criterion = Criterion(plain)
    best, best_score = None, 0.0
    particles = None if chosen is None else _at(chosen, plain.shape) > 0
    for recipe in recipes(plain, flat, settings.signs, names):
        mask = recipe.mask(plain, flat)
        score = criterion.score(mask, recipe.sign)
        if particles is not None:
            # masks that agree well enough are told apart by their outlines
            score *= min(agreement(mask, particles), _AGREES) ** 2
        if score > best_score:
            best, best_score = recipe, score
    return best

"""Correcting particles: merge, split, cut and delete them in a label image; and what follows.

Pure functions: they return new label images and change none in place. Particles that are not named
keep their ids and their pixels. New particles get ids above all others, so ids may have gaps.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_ssrvae.errors import InputError
from napari_ssrvae.library.changes import Box, Changes, LabelImage, Mask, bounds, ids_in, is_any

_EIGHT = np.ones((3, 3), dtype=bool)
_BRIDGE = (0.15, 2.0, 8.0)
"""Half the widest gap that a merge closes: share of the smallest particle's radius, px from, to."""
_SADDLES = (0.88, 0.94, 0.97)
"""How shallow a neck may be: the first that gives two parts counts."""
_PART = 0.1  # of the largest part's area: smaller is no part of its own
_CRUMB = 9  # px²: what an eraser or a knife leaves behind by accident
_OVERSHOOT = 5.0  # px by which the ends of a cut are lengthened: a hand stops a little short
_TOO_FAR = (
    "These particles lie too far apart to be one: only particles that touch, or nearly so, can be "
    "merged. Paint what lies between them first."
)


def merge_particles(labels: LabelImage, ids: Collection[int]) -> LabelImage:
    """Make one particle of several; it keeps the id of the largest.

    A narrow gap between them is closed, as wide as a fraction of the smallest one's radius.

    Parameters
    ----------
    labels : (H, W) int32 array
        Label image.
    ids : collection of int
        Two or more particles.

    Raises
    ------
    InputError
        They are fewer than two, or lie too far apart.
    """
    from scipy import ndimage as ndi

    box = _box_of(labels, ids)
    crop = labels[box]
    boxes = {i: b for i, b in enumerate(ndi.find_objects(crop), 1) if i in ids and b is not None}
    masks = {i: crop[own] == i for i, own in boxes.items()}
    area = {i: int(mask.sum()) for i, mask in masks.items()}
    if len(area) < 2:
        raise InputError("Select two or more particles to merge them.")
    reach = float(np.clip(_BRIDGE[0] * np.sqrt(min(area.values()) / np.pi), *_BRIDGE[1:]))
    # First by their boxes, which takes a hundredth of the time that their pixels take.
    if not _connect(boxes.values(), int(reach) + 1, crop.shape):
        raise InputError(_TOO_FAR)
    box = _grown(box, int(reach) + 2, labels.shape)
    crop = labels[box].copy()
    mask = np.isin(crop, list(area))
    mask |= _bridges(mask, reach) & (crop == 0)
    parts = max(ndi.label(own, structure=_EIGHT)[1] for own in masks.values())
    if ndi.label(mask, structure=_EIGHT)[1] > parts:
        raise InputError(_TOO_FAR)
    crop[mask] = max(area, key=lambda i: area[i])
    return _with_crop(labels, box, crop)


def split_particle(labels: LabelImage, particle: int) -> LabelImage:
    """Take a particle apart at its necks, into as many parts as it clearly has, at least two.

    The largest part keeps the id.

    Parameters
    ----------
    labels : (H, W) int32 array
        Label image.
    particle : int
        Which one.

    Raises
    ------
    InputError
        It is not there, or has no neck.
    """
    result, whole = split_particles(labels, [particle])
    if whole:
        raise InputError(
            f"Particle {particle} has no neck to split at: draw a line through it with Ctrl + drag."
        )
    return result


def split_particles(labels: LabelImage, ids: Collection[int]) -> tuple[LabelImage, list[int]]:
    """Take each of several particles apart, as `split_particle` does.

    Returns
    -------
    labels : (H, W) int32 array
        A new label image; the same one where none could be split.
    whole : list of int
        Those that have no neck, and stayed as they were.
    """
    from scipy import ndimage as ndi

    box = _box_of(labels, ids)
    crop, fresh = labels[box].copy(), int(labels.max()) + 1
    boxes = ndi.find_objects(crop)
    whole = []
    for particle in sorted(set(ids)):
        own = boxes[particle - 1]
        pieces = _at_necks(crop[own] == particle)
        if pieces.max() < 2:
            whole.append(particle)
        else:
            fresh = _put_pieces(crop[own], particle, pieces, fresh)
    return _with_crop(labels, box, crop), whole


def _at_necks(mask: Mask) -> NDArray[np.int32]:
    """Return the parts of one particle, numbered from 1."""
    from scipy import ndimage as ndi

    from napari_ssrvae.imaging.objects import split_touching, typical_radius

    mask = np.pad(mask, 1)  # what lies outside is background to it
    pieces, count = ndi.label(mask, structure=_EIGHT)
    if count < 2:
        radius = typical_radius(mask)
        for saddle in _SADDLES:
            pieces = _without_small(split_touching(mask, radius, saddle), mask)
            if pieces.max() > 1:
                break
    return np.asarray(pieces[1:-1, 1:-1], dtype=np.int32)


def split_along(labels: LabelImage, path: ArrayLike) -> LabelImage:
    """Cut every particle that a line crosses from side to side; no pixel is lost.

    The largest part of each keeps the id. The parts touch each other.

    Parameters
    ----------
    labels : (H, W) int32 array
        Label image.
    path : (m, 2) float
        Corners of the line in pixels (y, x).

    Raises
    ------
    InputError
        The line cuts through no particle.
    """
    from scipy import ndimage as ndi

    rows, columns = _line(np.asarray(path, dtype=np.float64), labels.shape)
    result, fresh = labels.copy(), int(labels.max()) + 1
    first, boxes = fresh, ndi.find_objects(labels)
    for particle in np.unique(labels[rows, columns]).tolist():
        if particle == 0:
            continue
        box = boxes[particle - 1]
        mask = labels[box] == particle
        before = ndi.label(mask, structure=_EIGHT)[1]
        knife = np.zeros(mask.shape, dtype=bool)
        inside = (_within(rows, box[0])) & (_within(columns, box[1]))
        knife[rows[inside] - box[0].start, columns[inside] - box[1].start] = True
        pieces, _ = ndi.label(mask & ~knife)  # four neighbours: a line of pixels lets nothing by
        pieces = _without_small(pieces, mask)
        if pieces.max() > max(before, 1):
            fresh = _put_pieces(result[box], particle, pieces, fresh)
    if fresh == first:
        raise InputError(
            "The line cuts through no particle: draw it from one side of a particle to the other."
        )
    return result


def delete_particles(labels: LabelImage, ids: Collection[int]) -> LabelImage:
    """Take particles out.

    Parameters
    ----------
    labels : (H, W) int32 array
        Label image.
    ids : collection of int
        Which; all must be there.

    Raises
    ------
    InputError
        One of them is not there.
    """
    box = _box_of(labels, ids)
    crop = labels[box]
    return _with_crop(labels, box, np.where(is_any(crop, list(ids)), 0, crop))


def number_pieces(old: LabelImage, new: LabelImage, changes: Changes) -> LabelImage:
    """Give pieces ids of their own, where painting or erasing left one id in several places.

    The piece that is most of the old particle keeps the id. Crumbs go.

    Parameters
    ----------
    old, new : (H, W) int32 array
        Label images before and after a person painted.
    changes : Changes
        What `compare_labels` found.

    Returns
    -------
    (H, W) int32 array
        `new` itself where every particle is in one piece.
    """
    from scipy import ndimage as ndi

    before, crop = old[changes.region], new[changes.region].copy()
    fresh = int(new.max(initial=0)) + 1
    boxes = ndi.find_objects(crop)
    for particle in sorted(changes.after):
        box = boxes[particle - 1]
        pieces, count = ndi.label(crop[box] == particle, structure=_EIGHT)
        was = before == particle
        if count < 2 or count <= ndi.label(was, structure=_EIGHT)[1]:
            continue
        size = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
        shared = np.bincount(pieces[was[box]], minlength=count + 1)[1:]
        first = int(np.lexsort((size, shared))[-1]) + 1
        for piece in range(1, count + 1):
            if piece == first:
                continue
            crumb = size[piece - 1] < _CRUMB and size[piece - 1] * 10 < size.max()
            crop[box][pieces == piece] = 0 if crumb else fresh
            fresh += not crumb
    return _with_crop(new, changes.region, crop)


# -- pixels ----------------------------------------------------------------------------------
def _box_of(labels: LabelImage, ids: Collection[int]) -> Box:
    found = is_any(labels, list(ids))
    box = bounds(found)
    present = ids_in(np.unique(labels[box][found[box]])) if box is not None else frozenset()
    if absent := set(ids) - present:
        raise InputError(f"There is no particle {min(absent)} any more: select another one.")
    if box is None:
        raise InputError("No particle is selected: click one first.")
    return box


def _grown(box: Box, by: int, shape: tuple[int, ...]) -> Box:
    rows, columns = (
        slice(max(s.start - by, 0), min(s.stop + by, n)) for s, n in zip(box, shape, strict=True)
    )
    return rows, columns


def _connect(boxes: Iterable[Box], by: int, shape: tuple[int, ...]) -> bool:
    """Say whether boxes in an image of this shape make one area once they have grown."""
    from scipy import ndimage as ndi

    cover = np.zeros(shape, dtype=bool)
    for box in boxes:
        cover[_grown(box, by, shape)] = True
    return int(ndi.label(cover, structure=_EIGHT)[1]) == 1


def _within(places: NDArray[np.int64], s: slice) -> Mask:
    inside: Mask = (places >= s.start) & (places < s.stop)
    return inside


def _with_crop(labels: LabelImage, box: Box, crop: NDArray[np.int32]) -> LabelImage:
    """Return a copy with a part replaced; the image itself where that changes nothing."""
    if np.array_equal(labels[box], crop):
        return labels
    result = labels.copy()
    result[box] = crop
    return result


def _put_pieces(crop: LabelImage, particle: int, pieces: NDArray[np.int32], fresh: int) -> int:
    """Write pieces (1…) of a particle into a crop; return the next id that is free.

    The largest keeps the particle's id, the others get new ones.
    """
    size = np.bincount(pieces.ravel())
    order = np.argsort(-size[1:], kind="stable") + 1
    number = np.zeros(len(size), dtype=np.int32)
    number[order[0]] = particle
    number[order[1:]] = fresh + np.arange(len(order) - 1)
    inside = pieces > 0
    crop[inside] = number[pieces[inside]]
    return fresh + len(order) - 1


def _bridges(mask: Mask, reach: float) -> Mask:
    """Return where a mask is closed between two of its objects, over gaps up to twice `reach`."""
    from scipy import ndimage as ndi

    side = int(reach) + 2
    padded = np.pad(mask, side)  # the frame of the image is no end of the background
    wide = ndi.distance_transform_edt(~padded) <= reach
    closed = ndi.distance_transform_edt(wide) > reach
    added, count = ndi.label((closed & ~padded)[side:-side, side:-side], structure=_EIGHT)
    objects, _ = ndi.label(mask, structure=_EIGHT)
    largest = ndi.grey_dilation(objects, footprint=_EIGHT)
    smallest = ndi.grey_erosion(np.where(mask, objects, objects.max() + 1), footprint=_EIGHT)
    numbers = np.arange(1, count + 1)
    joins = ndi.maximum(largest, added, numbers) > ndi.minimum(smallest, added, numbers)
    return np.asarray(np.concatenate([[False], np.atleast_1d(joins)])[added], dtype=bool)


def _without_small(pieces: NDArray[np.int32], mask: Mask) -> NDArray[np.int32]:
    """Return pieces from 1, what is small or has no piece given to those beside it."""
    from skimage.segmentation import relabel_sequential, watershed

    size = np.bincount(pieces.ravel())
    small = size < max(_PART * size[1:].max(initial=0), _CRUMB)
    small[0] = True
    if small.all():
        return np.asarray(mask, dtype=np.int32)
    kept = relabel_sequential(np.where(small[pieces], 0, pieces))[0]
    grown = watershed(np.zeros(mask.shape), kept, connectivity=_EIGHT, mask=mask)
    return np.asarray(grown, dtype=np.int32)


def _line(
    path: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of the pixels of a line within an image, its ends lengthened."""
    from skimage.draw import line

    moved = np.r_[True, (np.diff(path, axis=0) != 0).any(axis=1)]
    path = path[moved]
    if len(path) < 2:
        raise InputError("The line is too short: draw it from one side of a particle to the other.")
    for end, beside in ((0, 1), (-1, -2)):
        along = path[end] - path[beside]
        path[end] += along / np.linalg.norm(along) * _OVERSHOOT
    corners = path.round().astype(np.int64)
    pixels = [line(*start, *stop) for start, stop in itertools.pairwise(corners)]
    rows, columns = (np.concatenate(axis) for axis in zip(*pixels, strict=True))
    inside = _within(rows, slice(0, shape[0])) & _within(columns, slice(0, shape[1]))
    return rows[inside], columns[inside]

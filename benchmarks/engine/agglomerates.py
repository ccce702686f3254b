"""Real agglomerates of 1 to 4 touching particles, cut from micrographs by their instance maps.

Two data sets, neither of which may be redistributed, so both are read from a folder of the person
who runs this (`SSRVAE_REALDATA`, or ``shared/data`` beside the checkout):

``bam_tio2``
    Five SEM micrographs of TiO2, 7.344 nm/px, the particles outlined by hand (BAMresearch,
    automatic-sem-image-segmentation). One scale for all patches: the magnification is one.
``emps``
    48 SEM and TEM figures from journals with instance maps (by256/emps), of unknown and different
    magnification: each has its own scale, as `extract_particles` chooses it.

Particles touch where at most one pixel is between them (the maps part touching particles by a line
of one pixel). A clump of up to four is an agglomerate as it lies there. Nearly all particles of
``bam_tio2`` hang together in clumps of up to seventeen; larger clumps are therefore cut into groups
of one to four particles that touch each other, at random and without overlap: no particle is in two
patches. What belongs to another group is masked out, as `extract_particles` does with every
neighbour. Particles below 12 px, agglomerates at the rim of the micrograph, and those of which more
than a tenth lies outside the frame of their patch are left out.
"""

from __future__ import annotations

import os
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_ssrvae import Particles, extract_particles
from napari_ssrvae.imaging.particles import choose_scale

NAMES = ("bam_tio2", "emps")
CACHE = Path(__file__).parents[1] / "cache" / "agglomerates"

LARGEST = 4  # particles in an agglomerate
_VERSION = 1  # of this way of cutting; a new one is cut anew
_GAP = 2  # px from a particle's pixels to those of one that touches it
_SMALLEST = 12.0  # px, diameter of the circle of a particle's area
_SEEN = 0.9  # share of an agglomerate that its frame must hold; others are left out
_INFO_BAR = {"bam_tio2": 704}  # first row of the bar

Labels = NDArray[np.int32]


def realdata() -> Path | None:
    """Folder of the real micrographs, None where there is none."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("SSRVAE_REALDATA", beside))
    return folder if all((folder / name / "instances").is_dir() for name in NAMES) else None


def agglomerates(name: str, size: int = 48) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Patches of all agglomerates of a data set, cut once and kept in `benchmarks/cache`.

    Parameters
    ----------
    name
        One of `NAMES`.
    size
        Side of the patches in pixels.

    Returns
    -------
    images : (n, size, size) float32
        In [0, 1]; 0 outside the agglomerate.
    labels : (n,) int64
        Touching particles in each, 1 to 4.

    Raises
    ------
    FileNotFoundError
        Where the real micrographs are not on this computer.
    """
    kept = CACHE / f"{name}-{size}-v{_VERSION}.npz"
    if not kept.exists():
        folder = realdata()
        if folder is None:
            raise FileNotFoundError("The real micrographs are missing; set SSRVAE_REALDATA.")
        images, labels = _cut_all(folder / name, name, size)
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(kept, images=images, labels=labels)
    with np.load(kept) as stored:
        return stored["images"], stored["labels"]


def _cut_all(folder: Path, name: str, size: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    maps = []
    for path in sorted((folder / "instances").iterdir()):
        image = _grey(iio.imread(folder / "images" / path.name))
        instances = _numbered(iio.imread(path))
        rows = slice(0, _INFO_BAR.get(name))
        groups, counts = _groups(instances[rows], rng)
        if len(counts):
            maps.append((image[rows], groups, counts))
    scale = None
    if name == "bam_tio2":
        scale = float(np.median([choose_scale(groups, size) for _, groups, _ in maps]))
    parts = [extract_particles(image, groups, size, scale=scale) for image, groups, _ in maps]
    together = Particles.concatenate(parts)
    labels = np.concatenate([counts for _, _, counts in maps])
    scales = np.repeat([part.scale for part in parts], [len(part) for part in parts])
    seen = together.masks.sum((1, 2)) * scales**2 / together.table["area"].to_numpy()
    whole = seen > _SEEN
    return together.patches[whole], labels[whole]


def _grey(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    image = image.astype(np.float32)
    return image[..., :3].mean(-1) if image.ndim == 3 else image


def _numbered(instances: NDArray[np.integer]) -> Labels:
    """Instance numbers; where the file is a mask, of its 4-connected components."""
    if len(np.unique(instances)) > 2 or instances.max() < 255:
        return instances.astype(np.int32)
    return np.asarray(ndi.label(instances)[0], dtype=np.int32)


def _groups(instances: Labels, rng: np.random.Generator) -> tuple[Labels, NDArray[np.int64]]:
    """Label image of agglomerates (ids from 1) and the number of particles in each."""
    areas = np.bincount(instances.ravel())
    rim = np.concatenate([instances[0], instances[-1], instances[:, 0], instances[:, -1]])
    cut_off = set(np.unique(rim).tolist())
    large = np.flatnonzero(areas >= np.pi / 4 * _SMALLEST**2)
    neighbours = _neighbours(instances, set(large.tolist()) - {0})
    groups = np.zeros_like(instances)
    counts: list[int] = []
    for clump in _clumps(neighbours):
        if len(clump) <= LARGEST:
            members = [] if clump & cut_off else [sorted(clump)]
        else:
            members = _divided(clump - cut_off, neighbours, rng)
        for group in members:
            counts.append(len(group))
            groups[_silhouette(instances, group)] = len(counts)
    return groups, np.array(counts, dtype=np.int64)


def _neighbours(instances: Labels, particles: set[int]) -> dict[int, set[int]]:
    """Which particles touch which."""
    touching: dict[int, set[int]] = {particle: set() for particle in particles}
    reach = np.ones((2 * _GAP + 1,) * 2, dtype=bool)
    boxes = ndi.find_objects(instances)
    for particle in particles:
        rows, columns = boxes[particle - 1]
        window = (
            slice(max(rows.start - _GAP, 0), rows.stop + _GAP),
            slice(max(columns.start - _GAP, 0), columns.stop + _GAP),
        )
        near = ndi.binary_dilation(instances[window] == particle, reach)
        touching[particle] = set(np.unique(instances[window][near]).tolist()) & particles
        touching[particle].discard(particle)
    return touching


def _clumps(neighbours: dict[int, set[int]]) -> list[set[int]]:
    left, clumps = set(neighbours), []
    while left:
        clump, edge = set(), {min(left)}
        while edge:
            clump |= edge
            edge = set().union(*(neighbours[particle] for particle in edge)) - clump
        clumps.append(clump)
        left -= clump
    return clumps


def _divided(
    clump: set[int], neighbours: dict[int, set[int]], rng: np.random.Generator
) -> list[list[int]]:
    """Cut a clump into connected groups of at most four, without overlap."""
    left, groups = set(clump), []
    while left:
        group = [int(rng.choice(sorted(left)))]
        wanted = int(rng.integers(1, LARGEST + 1))
        left.remove(group[0])
        while len(group) < wanted:
            near = sorted(set().union(*(neighbours[particle] for particle in group)) & left)
            if not near:
                break
            group.append(int(rng.choice(near)))
            left.remove(group[-1])
        groups.append(group)
    return groups


def _silhouette(instances: Labels, group: list[int]) -> NDArray[np.bool_]:
    """Where the group is, with the thin lines between its particles."""
    alone = np.isin(instances, group)
    return np.asarray(alone | (ndi.binary_closing(alone, np.ones((3, 3)), 1) & (instances == 0)))

"""Hand labels without a viewer: from a table of a person's, or from a simulation's truth."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_ssrvae.errors import InputError, ReadError
from napari_ssrvae.library.classes import ParticleClass, default_color

ENOUGH_OVERLAP = 0.5


@dataclass(frozen=True)
class HandLabels:
    """Labels for the particles of one micrograph.

    Parameters
    ----------
    labels : dict
        {particle id: class id}.
    classes : tuple of ParticleClass
        In the order in which the table names them.
    notes : tuple of str
        Sentences about rows that could not be used.
    """

    labels: dict[int, int]
    classes: tuple[ParticleClass, ...]
    notes: tuple[str, ...] = ()


def read_label_table(path: str | os.PathLike[str], particles: npt.NDArray[Any]) -> HandLabels:
    """Read hand labels from a CSV file.

    Parameters
    ----------
    path : path
        Columns `label`, `class` (particle id as `napari-ssrvae segment` numbers them), or `x`,
        `y`, `class` (pixels, a point inside the particle; x to the right, y down, the centre of
        the first pixel is 0, 0). Classes are names, rows with an empty one are left out; further
        columns do not matter.
    particles : (H, W) int
        Label image of the particles.

    Returns
    -------
    HandLabels
        Classes are numbered from 1 in the order in which the table names them.

    Raises
    ------
    ReadError
        The file is missing or no table.
    InputError
        Columns are missing, a row contradicts another, or no row meets a particle.
    """
    table = _read(Path(path))
    ids = _particle_ids(table, particles, Path(path))
    names = table["class"].str.strip()
    used = (ids > 0) & (names != "").to_numpy()
    classes = {name: i for i, name in enumerate(dict.fromkeys(names[used]), start=1)}
    labels: dict[int, int] = {}
    for particle, name in zip(ids[used].tolist(), names[used], strict=True):
        if labels.setdefault(particle, classes[name]) != classes[name]:
            raise InputError(f"{path} gives particle {particle} two different classes.")
    if not labels:
        raise InputError(
            f"No row of {path} meets a particle: the ids or points must be those of this image, "
            "found with the same settings."
        )
    missed = int(((names != "").to_numpy() & (ids == 0)).sum())
    note = f"{missed} of {len(table)} rows of {Path(path).name} meet no particle and were left out."
    return HandLabels(
        labels=labels,
        classes=tuple(ParticleClass(i, n, default_color(i - 1)) for n, i in classes.items()),
        notes=(note,) if missed else (),
    )


def match_truth(
    found: npt.NDArray[Any], truth: npt.NDArray[Any], classes: Mapping[int, int]
) -> dict[int, int]:
    """Give found particles the class of the true particle that they overlap.

    Parameters
    ----------
    found, truth : (H, W) int
        Label images.
    classes : mapping of true id to class id
        The truth.

    Returns
    -------
    dict
        {found id: class id} of the particles whose intersection over union with a true particle
        is above 0.5, which no second one can reach.
    """
    both = (found > 0) & (truth > 0)
    pairs, overlap = np.unique(np.stack([found[both], truth[both]]), axis=1, return_counts=True)
    found_area, true_area = np.bincount(found.ravel()), np.bincount(truth.ravel())
    union = found_area[pairs[0]] + true_area[pairs[1]] - overlap
    good = overlap / union > ENOUGH_OVERLAP
    return {int(f): int(classes[int(t)]) for f, t in pairs[:, good].T}


def _read(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ReadError(f"There is no table of labels at {path}.") from error
    except (OSError, ValueError) as error:
        raise ReadError(f"{path} is not a table that can be read ({error}).") from error
    table.columns = table.columns.str.strip().str.lower()
    has = set(table.columns)
    if "class" not in has or not ("label" in has or {"x", "y"} <= has):
        raise InputError(
            f"{path} needs the columns label and class, or x, y and class, in its first row."
        )
    if not table.columns.is_unique:
        raise InputError(f"{path} names a column twice.")
    return table


def _particle_ids(
    table: pd.DataFrame, particles: npt.NDArray[Any], path: Path
) -> npt.NDArray[np.int64]:
    """Particle of each row, 0 where there is none."""
    if "label" in table:
        given = _numbers(table["label"], path, "label")
        if (given % 1).any():
            raise InputError(f"{path} has particle ids that are not whole numbers.")
        return np.where(np.isin(given, np.unique(particles)), given, 0).astype(np.int64)
    x = np.floor(_numbers(table["x"], path, "x") + 0.5).astype(np.int64)
    y = np.floor(_numbers(table["y"], path, "y") + 0.5).astype(np.int64)
    height, width = particles.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    ids = np.zeros(len(table), dtype=np.int64)
    ids[inside] = particles[y[inside], x[inside]]
    return ids


def _numbers(column: pd.Series[str], path: Path, name: str) -> npt.NDArray[np.float64]:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InputError(f"{path} has no number in column {name} of row {row + 2}.")
    return values

"""A particle library as a folder: `library.json`, `table.csv`, `patches.npz`, `micrographs/`.

The table opens in a spreadsheet; `library.json` keeps the types of its columns, so that it comes
back exactly as it was. Nothing in the folder is ever executed: no pickle.
"""

from __future__ import annotations

import csv
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_ssrvae import __version__
from napari_ssrvae.errors import ParticleError, ReadError
from napari_ssrvae.library.classes import ParticleClass
from napari_ssrvae.library.particle_library import ParticleLibrary, Source
from napari_ssrvae.library.scene import Scene
from napari_ssrvae.library.storage import read_document, replaced_folder, write_document

FORMAT = "napari-ssrvae particle library"
FORMAT_VERSION = 1
DOCUMENT = "library.json"
TABLE = "table.csv"
PATCHES = "patches.npz"
SCENES = "micrographs"

# What numpy and zipfile raise for a file that is no whole npz archive.
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    TypeError,
    AttributeError,
    zipfile.BadZipFile,
    zlib.error,
)


def save_library(library: ParticleLibrary, folder: str | os.PathLike[str]) -> Path:
    """Save a library to a folder, whole or not at all.

    Parameters
    ----------
    library : ParticleLibrary
        What to save.
    folder : path
        A new or empty folder, or one that holds a library, which is replaced; files that
        somebody else put there stay.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    WriteError
        The folder holds something else or cannot be written; nothing was changed.
    """
    target = Path(folder).expanduser().absolute()
    with replaced_folder(target, DOCUMENT, own=[SCENES]) as temporary:
        write_table(library.table, temporary / TABLE)
        np.savez_compressed(temporary / PATCHES, patches=library.patches, masks=library.masks)
        scenes = _scene_stems(library.micrographs)
        for name, stem in scenes.items():
            library.micrographs[name].scene.save(temporary / SCENES / stem)  # type: ignore[union-attr]
        content = {
            "written_by": f"napari-ssrvae {__version__}",
            "particles": len(library),
            "classes": [c.to_dict() for c in library.classes],
            "micrographs": {
                name: {**s.to_dict(), "scene": scenes.get(name)}
                for name, s in library.micrographs.items()
            },
            "notes": list(library.notes),
            "columns": [
                {"name": str(name), "type": _type_name(library.table[name])}
                for name in library.table.columns
            ],
        }
        write_document(temporary / DOCUMENT, FORMAT, FORMAT_VERSION, content)
    return target


def load_library(folder: str | os.PathLike[str]) -> ParticleLibrary:
    """Load a saved library.

    Raises
    ------
    ReadError
        The folder holds no library, or a file of it is missing, truncated or damaged.
    VersionError
        A newer version of this package wrote it.
    """
    source = Path(folder).expanduser().absolute()
    if not source.is_dir():
        raise ReadError(f"{source} is not a folder with a particle library.")
    document = read_document(source, DOCUMENT, FORMAT, FORMAT_VERSION)
    try:
        n = int(document["particles"])
        types = {str(c["name"]): str(c["type"]) for c in document["columns"]}
        classes = tuple(ParticleClass.from_dict(c) for c in document["classes"])
        micrographs = {
            str(name): _read_source(source, s) for name, s in document["micrographs"].items()
        }
        notes = tuple(str(note) for note in document["notes"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReadError(f"{source / DOCUMENT} is damaged: an entry is missing or wrong.") from error
    table = _read_table(source / TABLE, types, n)
    patches, masks = _read_patches(source / PATCHES, n)
    try:
        return ParticleLibrary(table, patches, masks, classes, micrographs, notes)
    except ParticleError as error:
        raise ReadError(f"{source} is damaged: {error}") from error


def _scene_stems(micrographs: Mapping[str, Source]) -> dict[str, str]:
    """Return micrograph name → file stem, for those with a scene; any name makes a safe file."""
    kept = [name for name, s in micrographs.items() if s.scene is not None]
    return {name: f"{number:04d}" for number, name in enumerate(kept, 1)}


def _read_source(folder: Path, content: Mapping[str, Any]) -> Source:
    source, stem = Source.from_dict(content), content.get("scene")
    if stem is None:
        return source
    return replace(source, scene=Scene.load(folder / SCENES / Path(str(stem)).name))


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV that spreadsheets and pandas read: UTF-8 with a mark, full digits."""
    # The byte-order mark is what makes Excel read UTF-8; pandas and Python skip it.
    table.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\n")


def _type_name(column: pd.Series[Any]) -> str:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return str(column.dtype)
    return "text"


def _parser(type_name: str) -> Callable[[list[str]], npt.NDArray[Any] | pd.Series[str]]:
    if type_name == "text":
        return lambda cells: pd.Series(cells, dtype="str")
    dtype = np.dtype(type_name)
    if dtype.kind == "b":
        return lambda cells: np.array([_truth(c) for c in cells], dtype=bool)
    if dtype.kind in "iu":
        return lambda cells: np.array([int(c) for c in cells], dtype=dtype)
    if dtype.kind == "f":
        return lambda cells: np.array([float(c) if c else np.nan for c in cells], dtype=dtype)
    raise ValueError(f"unknown type {type_name}")


def _truth(cell: str) -> bool:
    # A spreadsheet writes TRUE where pandas wrote True.
    return {"true": True, "false": False}[cell.lower()]


def _read_table(path: Path, types: dict[str, str], n: int) -> pd.DataFrame:
    if not path.is_file():
        raise ReadError(f"{path} is missing: the library is not complete.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        header, *rows = [
            row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row
        ]
    except (OSError, ValueError, csv.Error) as error:
        raise ReadError(f"{path} is damaged and cannot be read ({error}).") from error
    if header != list(types):
        raise ReadError(f"{path} does not have the columns that {DOCUMENT} names.")
    # Whoever writes a table ends its last line: a cut in the last cell shows by that alone.
    if len(rows) != n or not text.endswith("\n") or any(len(row) != len(header) for row in rows):
        raise ReadError(f"{path} is truncated: {n} whole rows should be there.")
    columns: dict[str, Any] = {}
    for i, (name, type_name) in enumerate(types.items()):
        try:
            columns[name] = _parser(type_name)([row[i] for row in rows])
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ReadError(f"{path} is damaged: column {name} cannot be read.") from error
    return pd.DataFrame(columns)


def _read_patches(path: Path, n: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    if not path.is_file():
        raise ReadError(f"{path} is missing: the library is not complete.")
    try:
        # Opened here: what numpy opens itself stays open when it then gives up.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            patches, masks = archive["patches"], archive["masks"]
    except _UNREADABLE as error:
        raise ReadError(f"{path} is damaged and cannot be read.") from error
    if (
        patches.ndim != 3
        or len(patches) != n
        or masks.shape != patches.shape
        or patches.dtype != np.float32
        or masks.dtype != bool
    ):
        raise ReadError(f"{path} is damaged: it does not hold {n} patches with their masks.")
    return patches, masks

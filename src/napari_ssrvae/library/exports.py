"""Particle libraries for other programs: one CSV, folders of pictures, COCO."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import numpy.typing as npt
from skimage import measure

from napari_ssrvae import __version__
from napari_ssrvae.errors import InputError
from napari_ssrvae.library.library_files import write_table
from napari_ssrvae.library.particle_library import ParticleLibrary
from napari_ssrvae.library.storage import replaced_file, replaced_folder

FOLDERS_TABLE = "particles.csv"
# Names that Windows keeps for devices, whatever follows the dot.
_RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{i}" for d in ("com", "lpt") for i in range(10))}


def export_library(
    library: ParticleLibrary,
    path: str | os.PathLike[str],
    format: str = "csv",
) -> Path:
    """Write a library for other programs, whole or not at all.

    Parameters
    ----------
    library : ParticleLibrary
        What to write.
    path : path
        A file for "csv" and "coco", a new or empty folder for "folders".
    format : {"csv", "folders", "coco"}
        "csv": the table. "folders": one folder a class with a PNG a particle, and
        ``particles.csv`` with a column `file`. "coco": one JSON file with the categories
        (classes), images (micrographs) and annotations (particles) of the COCO format;
        outlines are polygons, see `coco_document`.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    InputError
        Unknown format.
    WriteError
        `path` cannot be written or holds something else.
    """
    writers: dict[str, Callable[[ParticleLibrary, Path], None]] = {
        "csv": _write_csv,
        "folders": _write_folders,
        "coco": _write_coco,
    }
    if format not in writers:
        raise InputError(f"There is no export format {format!r}: choose {', '.join(writers)}.")
    target = Path(path).expanduser().absolute()
    writers[format](library, target)
    return target


def coco_document(library: ParticleLibrary) -> dict[str, Any]:
    """Return the library as a COCO "instances" document.

    `bbox` (x, y, width, height) and `area` are those of the label image, in micrograph pixels.
    `segmentation` holds polygons (x, y, x, y, …) with pixel edges at whole numbers as COCO has
    them, from `outlines` (which says how true they are); holes are filled. `score` is the
    probability of the predicted class.

    Micrographs whose size was not kept with the library get the smallest size that holds their
    particles.
    """
    images = []
    numbers: dict[str, int] = {}
    for number, (name, source) in enumerate(library.micrographs.items(), start=1):
        numbers[name] = number
        height, width = source.shape or _smallest_shape(library, name)
        file_name = Path(source.path).name if source.path else name
        image: dict[str, Any] = {
            "id": number,
            "file_name": file_name,
            "height": height,
            "width": width,
        }
        if source.pixel_size is not None:
            image["pixel_size_nm"] = source.pixel_size
        images.append(image)
    return {
        "info": {"description": "Particle library", "version": f"napari-ssrvae {__version__}"},
        "licenses": [],
        "images": images,
        "categories": [
            {"id": c.id, "name": c.name, "supercategory": "particle"} for c in library.classes
        ],
        "annotations": [_annotation(library, row, numbers) for row in range(len(library))],
    }


def outlines(library: ParticleLibrary, row: int) -> list[npt.NDArray[np.float64]]:
    """Outer outlines of one particle in its micrograph.

    From the label image where the library kept it, else from the patch mask: then they are true
    to about half a patch pixel, and a particle larger than its frame is cut to the frame.

    Parameters
    ----------
    library : ParticleLibrary
        The particles.
    row : int
        Row number in its table.

    Returns
    -------
    list of (m, 2) float64
        Closed polygons of (y, x) in micrograph pixels, pixel centres at whole numbers; holes
        are left out.
    """
    record = library.table.iloc[row]
    source = library.micrographs[str(record["micrograph"])]
    if source.scene is not None:
        top, left, bottom, right = (int(record[c]) for c in ("top", "left", "bottom", "right"))
        mask = source.scene.labels[top:bottom, left:right] == record["label"]
        corner = np.array([top, left], dtype=np.float64)
        return [outline + corner for outline in _outer_contours(mask)]
    mask = library.masks[row]
    centre = np.array([record["y"], record["x"]], dtype=np.float64)
    middle = (mask.shape[-1] - 1) / 2
    return [(outline - middle) * source.scale + centre for outline in _outer_contours(mask)]


def _outer_contours(mask: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.float64]]:
    # The ring of zeros closes outlines that touch the edge.
    contours = measure.find_contours(np.pad(mask, 1).astype(np.float64), 0.5)
    return [contour - 1 for contour in contours if len(contour) > 3 and _is_outer(contour)]


def _is_outer(contour: npt.NDArray[np.float64]) -> bool:
    # find_contours winds around high values one way and around holes the other way: the sign
    # of the shoelace area tells them apart.
    y, x = contour[:, 0], contour[:, 1]
    return bool(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1]) > 0)


def safe_names(names: Sequence[str]) -> list[str]:
    """Names that every file system takes, different from each other whatever its case.

    Parameters
    ----------
    names : sequence of str
        Any text.
    """
    safe: list[str] = []
    taken: set[str] = set()
    for name in names:
        base = re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", name).strip(" .")[:80] or "_"
        if base.split(".")[0].lower() in _RESERVED:
            base = f"_{base}"
        candidate, number = base, 2
        while candidate.casefold() in taken:
            candidate, number = f"{base} ({number})", number + 1
        taken.add(candidate.casefold())
        safe.append(candidate)
    return safe


def _write_csv(library: ParticleLibrary, target: Path) -> None:
    with replaced_file(target) as temporary:
        write_table(library.table, temporary)


def _write_coco(library: ParticleLibrary, target: Path) -> None:
    text = json.dumps(coco_document(library), ensure_ascii=False, allow_nan=False)
    with replaced_file(target) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _write_folders(library: ParticleLibrary, target: Path) -> None:
    names = library.class_names
    # The table lies beside the class folders, so its name is taken.
    folders = dict(zip(names, safe_names([FOLDERS_TABLE, *names])[1:], strict=True))
    stems = safe_names(_particle_names(library))
    files = [
        f"{folders[name]}/{stem}.png"
        for name, stem in zip(library.table["class"], stems, strict=True)
    ]
    with replaced_folder(target, None) as temporary:
        for folder in folders.values():
            (temporary / folder).mkdir()
        for file, patch in zip(files, library.patches, strict=True):
            pixels = np.round(np.clip(patch, 0, 1) * 255).astype(np.uint8)
            imageio.imwrite(temporary / file, pixels, extension=".png")
        write_table(library.table.assign(file=files), temporary / FOLDERS_TABLE)


def _particle_names(library: ParticleLibrary) -> list[str]:
    pairs = zip(library.table["micrograph"], library.table["label"], strict=True)
    return [f"{micrograph}_{label:05d}" for micrograph, label in pairs]


def _annotation(library: ParticleLibrary, row: int, numbers: dict[str, int]) -> dict[str, Any]:
    record = library.table.iloc[row]
    top, left, bottom, right = (float(record[c]) for c in ("top", "left", "bottom", "right"))
    polygons = [
        # From (y, x) at pixel centres to (x, y) with pixel edges at whole numbers.
        np.round(outline[:, ::-1] + 0.5, 2).ravel().tolist()
        for outline in outlines(library, row)
    ]
    annotation: dict[str, Any] = {
        "id": row + 1,
        "image_id": numbers[str(record["micrograph"])],
        "category_id": int(record["class_id"]),
        "bbox": [left, top, right - left, bottom - top],
        "area": float(record["area"]),
        "segmentation": polygons,
        "iscrowd": 0,
        "particle": int(record["label"]),
        "source": str(record["source"]),
    }
    if np.isfinite(record["confidence"]):
        annotation["score"] = float(record["confidence"])
    return annotation


def _smallest_shape(library: ParticleLibrary, name: str) -> tuple[int, int]:
    rows = library.table[library.table["micrograph"] == name]
    if not len(rows):
        return 1, 1
    return int(rows["bottom"].max()), int(rows["right"].max())

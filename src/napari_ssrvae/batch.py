"""Jobs over files without a viewer: find, train, classify, report; what the command line calls."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_ssrvae.demo import Progress, image_job, prepare_folder, train_and_classify
from napari_ssrvae.errors import InputError, ParticleError, ReadError, WriteError
from napari_ssrvae.imaging.micrograph import Micrograph
from napari_ssrvae.imaging.reading import read_micrograph
from napari_ssrvae.imaging.segmentation import segment_with
from napari_ssrvae.imaging.settings import SegmentationSettings
from napari_ssrvae.imaging.shape import measure_shapes
from napari_ssrvae.library.exports import safe_names
from napari_ssrvae.library.library_files import DOCUMENT as LIBRARY_DOCUMENT
from napari_ssrvae.library.library_files import write_table
from napari_ssrvae.library.particle_library import ParticleLibrary
from napari_ssrvae.library.storage import replaced_file
from napari_ssrvae.library.workflow import DOCUMENT as WORKFLOW_DOCUMENT
from napari_ssrvae.library.workflow import ScaleWarning, Workflow

Failed = list[dict[str, str]]
"""One entry with `image` and `error` (a sentence) for each file that could not be treated."""


def segment_files(
    images: Sequence[Path], out: Path, settings: SegmentationSettings, progress: Progress
) -> tuple[list[dict[str, Any]], Failed]:
    """Find the particles of micrographs; write ``<name>_labels.tif`` and ``<name>_particles.csv``.

    A file that cannot be treated does not keep the others from it.

    Parameters
    ----------
    images : sequence of Path
        Micrographs.
    out : Path
        Folder; files of these names are replaced.
    settings : SegmentationSettings
        How to find them.
    progress : callable
        Called as (step, fraction, words).

    Returns
    -------
    done : list of dict
        `image`, `labels`, `table` (paths), `particles` (int), `pixel_size_nm`.
    failed : list of dict
        See `Failed`.

    Raises
    ------
    WriteError
        The folder cannot be written.
    """
    folder = prepare_folder(out)
    done: list[dict[str, Any]] = []
    failed: Failed = []
    for i, (image, name) in enumerate(zip(images, safe_names(_stems(images)), strict=True)):
        progress("find", i / len(images), image.name)
        try:
            micrograph = read_micrograph(image)
            labels = segment_with(micrograph, settings)
        except ParticleError as error:
            failed.append({"image": str(image), "error": _about(image, error)})
            continue
        table = measure_shapes(labels, micrograph.image, micrograph.pixel_size)
        labels_path = folder / f"{name}_labels.tif"
        table_path = folder / f"{name}_particles.csv"
        _write_labels(labels, labels_path)
        with replaced_file(table_path) as temporary:
            write_table(table, temporary)
        done.append(
            {
                "image": str(image),
                "labels": str(labels_path),
                "table": str(table_path),
                "particles": len(table),
                "pixel_size_nm": micrograph.pixel_size,
            }
        )
    progress("find", 1.0, f"{sum(d['particles'] for d in done)} particles")
    return done, failed


def train_from_file(
    image: Path,
    labels: Path,
    out: Path,
    settings: SegmentationSettings,
    *,
    hold_back_share: float,
    seed: int,
    max_seconds: float | None,
    progress: Progress,
) -> dict[str, Any]:
    """Train a workflow on one micrograph and a table of labels, and save it.

    Parameters
    ----------
    image, labels : Path
        Micrograph, and table for `label_tables.read_label_table`.
    out : Path
        Folder of the workflow; a former workflow is replaced.
    settings : SegmentationSettings
        How to find particles.
    hold_back_share : float
        Part of the labels of each class to test with.
    seed : int
        Of the split and the training.
    max_seconds : float or None
        Of the training.
    progress : callable
        Called as (step, fraction, words).

    Returns
    -------
    dict
        `workflow` (path), `classes`, `labels`, `held_back_n`, `held_back_accuracy`, `notes`.
    """
    _check_workflow_folder(out)
    job = image_job(image, labels, seed, settings, progress, hold_back_share=hold_back_share)
    workflow, _ = train_and_classify(job, settings, seed, max_seconds, progress)
    folder = workflow.save(out)
    held_back = workflow.held_back
    return {
        "workflow": str(folder),
        "classes": workflow.class_names,
        "labels": len(job.training),
        "held_back_n": 0 if held_back is None else held_back.n,
        "held_back_accuracy": None if held_back is None else held_back.accuracy,
        "notes": list(job.notes),
    }


def classify_files(
    workflow_folder: Path, images: Sequence[Path], out: Path, progress: Progress
) -> dict[str, Any]:
    """Classify micrographs with a saved workflow.

    Leaves ``library/``, ``particles.csv`` and ``labels/<name>_labels.tif`` in the folder. A file
    that cannot be treated does not keep the others from it.

    Parameters
    ----------
    workflow_folder : Path
        A saved workflow.
    images : sequence of Path
        Micrographs.
    out : Path
        Folder; a former library in it is replaced.
    progress : callable
        Called as (step, fraction, words).

    Returns
    -------
    dict
        `files`, `particles`, `counts`, `images` (particles of each), `notes`, `failed`.

    Raises
    ------
    ReadError
        The workflow cannot be read, or none of the micrographs.
    WriteError
        The folder cannot be written.
    """
    folder = prepare_folder(out)
    workflow = Workflow.load(workflow_folder)
    library: ParticleLibrary | None = None
    found: list[dict[str, Any]] = []
    failed: Failed = []
    for i, (image, name) in enumerate(zip(images, safe_names(_stems(images)), strict=True)):
        progress("classify", i / len(images), image.name)
        try:
            # Two files of one name from two folders are two micrographs.
            micrograph = replace(read_micrograph(image), name=name)
            labels, part = _classified(workflow, micrograph)
        except ParticleError as error:
            failed.append({"image": str(image), "error": _about(image, error)})
            continue
        (folder / "labels").mkdir(exist_ok=True)
        _write_labels(labels, folder / "labels" / f"{name}_labels.tif")
        found.append({"image": str(image), "particles": len(part), "counts": part.counts()})
        library = part if library is None else library.merge(part)
    progress("classify", 1.0, "")
    if library is None:
        raise ReadError("None of the images could be used: " + " ".join(f["error"] for f in failed))
    return {
        "files": {
            "library": str(library.save(folder / "library")),
            "table": str(library.export(folder / "particles.csv", "csv")),
        },
        "particles": len(library),
        "counts": library.counts(),
        "images": found,
        "notes": [*library.notes, *_empty_notes(found)],
        "failed": failed,
    }


def report_on(
    source: Path,
    out: Path,
    *,
    workflow: Path | None = None,
    images: Iterable[Path] = (),
    title: str = "Particle report",
) -> Path:
    """Write the report of a saved library.

    Parameters
    ----------
    source : Path
        A library's folder, or a folder that holds it as ``library/``.
    out : Path
        HTML file.
    workflow : Path, optional
        The workflow that classified it; None: ``workflow/`` beside the library, if there.
    images : iterable of Path
        Micrographs that are no longer where the library remembers them; names must be the same.
    title : str
        Heading.
    """
    from napari_ssrvae.report.html import write_report

    folder = source
    if not (folder / LIBRARY_DOCUMENT).is_file() and (folder / "library").is_dir():
        folder = folder / "library"
    library = ParticleLibrary.load(folder)
    if workflow is None and (folder.absolute().parent / "workflow" / WORKFLOW_DOCUMENT).is_file():
        workflow = folder.absolute().parent / "workflow"
    micrographs = [read_micrograph(image) for image in images]
    strangers = [m.name for m in micrographs if m.name not in library.micrographs]
    if strangers:
        raise InputError(
            f"{strangers[0]} is not a micrograph of this library, which has "
            f"{', '.join(library.micrographs)}."
        )
    return write_report(
        out,
        library,
        title=title,
        micrographs=micrographs,
        workflow=None if workflow is None else Workflow.load(workflow),
    )


def _classified(
    workflow: Workflow, micrograph: Micrograph
) -> tuple[npt.NDArray[np.int32], ParticleLibrary]:
    with warnings.catch_warnings():
        # The sentence is also in the library's notes.
        warnings.simplefilter("ignore", ScaleWarning)
        labels = workflow.segment(micrograph)
        return labels, workflow.classify(micrograph, labels)


def _empty_notes(found: Iterable[Mapping[str, Any]]) -> list[str]:
    names = [Path(str(f["image"])).name for f in found if not f["particles"]]
    return [f"No particles were found in {name}." for name in names]


def _check_workflow_folder(out: Path) -> None:
    """Refuse before the training what saving would refuse after it."""
    folder = prepare_folder(out)
    if any(folder.iterdir()) and not (folder / WORKFLOW_DOCUMENT).is_file():
        raise WriteError(
            f"{folder} already holds other files and would be overwritten: "
            "choose a new or an empty folder."
        )


def _write_labels(labels: npt.NDArray[np.int32], path: Path) -> None:
    # ImageJ and most viewers know uint16, not int32; more than 65,535 particles need more.
    narrow = labels.astype(np.uint16) if labels.max(initial=0) <= 65_535 else labels
    with replaced_file(path) as temporary:
        tifffile.imwrite(temporary, narrow, compression="zlib")


def _stems(images: Iterable[str | os.PathLike[str]]) -> list[str]:
    return [Path(image).stem for image in images]


def _about(image: Path, error: ParticleError) -> str:
    """Name the file in a sentence that may not."""
    sentence = str(error)
    return sentence if image.name in sentence else f"{image.name}: {sentence}"

"""The whole job without a viewer: find, label, train, classify, a second micrograph, export.

`run_demo` is what ``napari-ssrvae demo --headless`` calls; its steps are plain functions.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ssrvae.errors import InputError, WriteError
from napari_ssrvae.imaging.micrograph import Micrograph
from napari_ssrvae.imaging.particles import PatchSettings
from napari_ssrvae.imaging.reading import read_micrograph
from napari_ssrvae.imaging.segmentation import segment_with
from napari_ssrvae.imaging.settings import SegmentationSettings
from napari_ssrvae.label_tables import match_truth, read_label_table
from napari_ssrvae.library.alike import extract_alike
from napari_ssrvae.library.classes import ParticleClass, default_color
from napari_ssrvae.library.held_back import HeldBack, few_per_class, hold_back
from napari_ssrvae.library.particle_library import ParticleLibrary
from napari_ssrvae.library.workflow import ScaleWarning, Workflow, train_workflow

if TYPE_CHECKING:
    from napari_ssrvae.learning.estimator import SSRVAE
    from napari_ssrvae.learning.training import EpochState

Labels = npt.NDArray[np.int32]
Progress = Callable[[str, float, str], object]
"""Called with the step's name, how much of it is done (0 to 1), and a word on it."""

STEPS = ("find", "label", "train", "classify", "second", "export")
LABELS_PER_CLASS = 8
MAX_TRAINING_SECONDS = 80.0
"""Leaves time for everything else within two minutes on two cores."""


@dataclass(frozen=True)
class Labelled:
    """A micrograph, its particles, and classes of some of them.

    Parameters
    ----------
    micrograph : Micrograph
        The picture.
    labels : (H, W) int32
        The particles found in it.
    training, held_back : dict
        {particle id: class id} to train on, and to test with.
    classes : tuple of ParticleClass
        All classes.
    source : str
        Where the labels are from, as part of a sentence.
    notes : tuple of str
        What the person should know.
    """

    micrograph: Micrograph
    labels: Labels
    training: dict[int, int]
    held_back: dict[int, int]
    classes: tuple[ParticleClass, ...]
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DemoResult:
    """What the job found and left behind.

    Parameters
    ----------
    files : dict
        Paths of `library`, `workflow`, `report`, `table`.
    particles : int
        In all micrographs.
    counts : dict
        Particles of each class.
    labels : int
        Labels that the training saw.
    held_back_accuracy, held_back_n
        On labels that the training did not see; None and 0 where there were none.
    second_accuracy, second_n
        On the second micrograph, where its truth is known; else None and 0.
    notes : list of str
        Sentences to the person.
    seconds : float
        Wall-clock time of the job.
    """

    files: dict[str, str]
    particles: int
    counts: dict[str, int]
    labels: int
    held_back_accuracy: float | None
    held_back_n: int
    second_accuracy: float | None
    second_n: int
    notes: list[str]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)


def run_demo(
    out: str | os.PathLike[str],
    *,
    image: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    second: str | os.PathLike[str] | None = None,
    seed: int = 0,
    max_seconds: float | None = None,
    segmentation: SegmentationSettings | None = None,
    progress: Progress | None = None,
) -> DemoResult:
    """Do the whole job and leave its results in a folder.

    Parameters
    ----------
    out : path
        Folder for ``library/``, ``workflow/``, ``report.html``, ``particles.csv`` (and
        ``micrographs/`` of a simulation). Results of a former run are replaced.
    image : path, optional
        A micrograph; None: a simulated one, labelled from its truth.
    labels : path, optional
        Table of hand labels, needed with `image`; see `label_tables.read_label_table`.
    second : path, optional
        A second micrograph to classify, with `image`; a simulation makes its own.
    seed : int
        Of the simulation, the choice of labels and the training.
    max_seconds : float, optional
        Of training; None: 80 s.
    segmentation : SegmentationSettings, optional
        How to find particles; None: the defaults.
    progress : callable, optional
        Called as (step, fraction, words).

    Raises
    ------
    InputError
        `image` without `labels` and the other way round; labels of fewer than two classes.
    ReadError, WriteError
        A file that cannot be read, a folder that cannot be written.
    """
    started = time.monotonic()
    tell = progress or (lambda step, done, words: None)
    folder = prepare_folder(out)
    settings = segmentation or SegmentationSettings()
    if image is None:
        if labels is not None or second is not None:
            raise InputError("Labels and a second image belong to an IMAGE of yours: name it too.")
        job = simulated_job(folder, seed, settings, tell)
    else:
        job = image_job(image, labels, seed, settings, tell)
    workflow, library = train_and_classify(job, settings, seed, max_seconds, tell)

    tell("second", 0.0, "")
    micrographs, checks, notes = [job.micrograph], [], list(job.notes)
    other, check = second_micrograph(workflow, folder, image is None, second, seed)
    if other is None:
        notes.append("No second micrograph was given, so only the first one was classified.")
    else:
        micrographs.append(other[0])
        library = library.merge(other[1])
        if not len(other[1]):
            notes.append(f"No particles were found in {other[0].name}.")
        if check is not None:
            checks.append((f"Second micrograph, {other[0].name}, not seen in training", check))
    tell("second", 1.0, "" if other is None else f"{len(other[1])} particles")

    tell("export", 0.0, "")
    files = leave_results(
        folder, library, workflow, micrographs=micrographs, checks=checks, notes=notes
    )
    tell("export", 1.0, str(folder))
    held_back = workflow.held_back
    return DemoResult(
        files=files,
        particles=len(library),
        counts=library.counts(),
        labels=len(job.training),
        held_back_accuracy=None if held_back is None else held_back.accuracy,
        held_back_n=0 if held_back is None else held_back.n,
        second_accuracy=None if check is None else check.accuracy,
        second_n=0 if check is None else check.n,
        notes=list(dict.fromkeys([*notes, *library.notes])),
        seconds=time.monotonic() - started,
    )


def prepare_folder(out: str | os.PathLike[str]) -> Path:
    """Make the folder and see that it can be written, before minutes of work.

    Raises
    ------
    WriteError
        It cannot.
    """
    folder = Path(out).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise WriteError(f"{folder} is a file: choose the name of a folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError(f"{folder} cannot be written ({reason}): choose another one.") from error
    return folder


def simulated_job(
    folder: Path, seed: int, settings: SegmentationSettings, tell: Progress
) -> Labelled:
    """Simulate a micrograph, find its particles, and label a few of each class from the truth.

    The rest of the truth is held back.
    """
    from napari_ssrvae.datasets.simulation import SIMULATED_CLASSES

    tell("find", 0.0, "")
    micrograph, truth, true_classes = _simulated(folder, seed)
    found = segment_with(micrograph, settings)
    tell("find", 1.0, f"{len(np.unique(found)) - 1} particles")
    classes = tuple(
        ParticleClass(i, name, default_color(i - 1))
        for i, name in enumerate(SIMULATED_CLASSES, start=1)
    )
    known = match_truth(found, truth, true_classes)
    training = few_per_class(known, LABELS_PER_CLASS, seed=seed)
    held_back = {i: c for i, c in known.items() if i not in training}
    tell("label", 1.0, f"{len(training)} labels from the simulation's truth")
    return Labelled(micrograph, found, training, held_back, classes, "the simulation's truth")


def image_job(
    image: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None,
    seed: int,
    settings: SegmentationSettings,
    tell: Progress,
    *,
    hold_back_share: float = 0.3,
) -> Labelled:
    """Read a micrograph, find its particles, and label them from a table.

    Of classes with more than five labels a part is held back.

    Raises
    ------
    InputError
        No table, or one that does not fit.
    ReadError
        A file that cannot be read.
    """
    if labels is None:
        raise InputError(
            f"To learn from {Path(image).name}, its particles need classes: give a table with "
            "--labels (columns label,class or x,y,class; `napari-ssrvae segment` lists the ids)."
        )
    tell("find", 0.0, "")
    micrograph = read_micrograph(Path(image))
    found = segment_with(micrograph, settings)
    tell("find", 1.0, f"{len(np.unique(found[found > 0]))} particles")
    if not found.any():
        raise InputError(
            f"No particles were found in {micrograph.name}: try another --method or --min-area."
        )
    given = read_label_table(labels, found)
    training, held_back = hold_back(given.labels, fraction=hold_back_share, seed=seed)
    notes = list(given.notes)
    if held_back:
        notes.append(
            f"{len(held_back)} of {len(given.labels)} labels were held back to test the model."
        )
    elif hold_back_share > 0:
        notes.append(
            "No labels were held back to test the model, because no class has more than five."
        )
    tell("label", 1.0, f"{len(training)} labels, {len(held_back)} more held back")
    return Labelled(
        micrograph, found, training, held_back, given.classes, "your labels", tuple(notes)
    )


def train_and_classify(
    job: Labelled,
    settings: SegmentationSettings,
    seed: int,
    max_seconds: float | None,
    tell: Progress,
    *,
    model: SSRVAE | None = None,
) -> tuple[Workflow, ParticleLibrary]:
    """Train on the labels of a job, test on those held back, and classify its micrograph.

    Parameters
    ----------
    job : Labelled
        The micrograph with its labels.
    settings : SegmentationSettings
        How the particles were found.
    seed : int
        Of the training.
    max_seconds : float or None
        Of the training; None: 80 s.
    tell : callable
        As in `run_demo`.
    model : SSRVAE, optional
        An untrained estimator; None: the defaults.
    """
    from napari_ssrvae.learning.estimator import SSRVAE

    limit = MAX_TRAINING_SECONDS if max_seconds is None else max_seconds

    def epoch_ended(state: EpochState) -> None:
        done = max(state.epoch / state.n_epochs, state.seconds / limit)
        words = f"epoch {state.epoch} of {state.n_epochs}, loss {state.loss:.1f}"
        tell("train", min(done, 1.0), words)

    tell("train", 0.0, "")
    particles = extract_alike(job.micrograph, job.labels, PatchSettings(), None)
    workflow = train_workflow(
        [particles],
        [job.training],
        job.classes,
        settings,
        model=SSRVAE(seed=seed) if model is None else model,
        max_seconds=limit,
        progress=epoch_ended,
    )
    tell("train", 1.0, "")
    tell("classify", 0.0, "")
    library = ParticleLibrary.from_predictions(
        particles,
        workflow.model,
        job.classes,
        job.training,
        micrograph=job.micrograph,
        label_image=job.labels,
    )
    workflow = replace(workflow, held_back=compare(library, job.held_back, job.source))
    tell("classify", 1.0, _counts_in_words(library.counts()))
    return workflow, library


def compare(library: ParticleLibrary, classes: Mapping[int, int], source: str) -> HeldBack | None:
    """Compare predictions of one micrograph with known classes; None where none is known.

    Parameters
    ----------
    library : ParticleLibrary
        Particles of one micrograph.
    classes : mapping of particle id to class id
        Known classes.
    source : str
        Where they are from.
    """
    numbers = {c.name: c.id for c in library.classes}
    rows = library.table[library.table["label"].isin(list(classes))]
    if not len(rows):
        return None
    true = [classes[int(i)] for i in rows["label"]]
    return HeldBack.compare(true, [numbers[n] for n in rows["predicted"]], source)


def second_micrograph(
    workflow: Workflow,
    folder: Path,
    simulated: bool,
    second: str | os.PathLike[str] | None,
    seed: int,
) -> tuple[tuple[Micrograph, ParticleLibrary] | None, HeldBack | None]:
    """Classify a micrograph that the training did not see.

    Returns
    -------
    (Micrograph, ParticleLibrary) or None
        None where the person gave none.
    HeldBack or None
        Against the truth, where there is one.
    """
    if not simulated and second is None:
        return None, None
    with warnings.catch_warnings():
        # The sentence is also in the library's notes, which reach the report and the result.
        warnings.simplefilter("ignore", ScaleWarning)
        if second is not None:
            micrograph = read_micrograph(Path(second))
            return (micrograph, workflow.classify(micrograph)), None
        micrograph, truth, classes = _simulated(folder, seed + 1)
        found = workflow.segment(micrograph)
        library = workflow.classify(micrograph, found)
    known = match_truth(found, truth, classes)
    return (micrograph, library), compare(library, known, "the simulation's truth")


def leave_results(
    folder: Path,
    library: ParticleLibrary,
    workflow: Workflow,
    *,
    micrographs: Sequence[Micrograph],
    checks: Sequence[tuple[str, HeldBack]],
    notes: Sequence[str],
) -> dict[str, str]:
    """Write library, workflow, table and report; returns their paths."""
    from napari_ssrvae.report.html import write_report

    report = write_report(
        folder / "report.html",
        library,
        title="Particle report",
        micrographs=micrographs,
        workflow=workflow,
        checks=checks,
        notes=notes,
    )
    return {
        "library": str(library.save(folder / "library")),
        "workflow": str(workflow.save(folder / "workflow")),
        "table": str(library.export(folder / "particles.csv", "csv")),
        "report": str(report),
    }


def save_micrograph(micrograph: Micrograph, path: Path) -> Micrograph:
    """Write a micrograph as TIFF with its pixel size, and return it with its path.

    Raises
    ------
    WriteError
        The file cannot be written.
    """
    import tifffile

    options: dict[str, Any] = {}
    if micrograph.pixel_size is not None:
        # ImageJ's tags: what most microscopy programs, and our reader, take the scale from.
        per_unit = 1000.0 / micrograph.pixel_size
        options = {
            "imagej": True,
            "resolution": (per_unit, per_unit),
            "metadata": {"unit": "um", "axes": "YX"},
        }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, micrograph.image, **options)
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError(f"{path} cannot be written ({reason}): choose another folder.") from error
    return replace(micrograph, path=path)


def _simulated(folder: Path, seed: int) -> tuple[Micrograph, Labels, Mapping[int, int]]:
    from napari_ssrvae.datasets.simulation import simulated_micrograph

    micrograph, truth, classes = simulated_micrograph(seed)
    saved = save_micrograph(micrograph, folder / "micrographs" / f"{micrograph.name}.tif")
    ids, numbers = classes.index.to_numpy().tolist(), classes.to_numpy().tolist()
    return saved, truth, dict(zip(ids, numbers, strict=True))


def _counts_in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items())

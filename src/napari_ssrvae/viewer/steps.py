"""The slow steps of the work, as plain generators for `jobs.Jobs`: no napari, no Qt, no session.

Each runs in another thread on what it is given; yields are where it can be stopped and where the
progress is told: a number from 0 to 1 is the share of the job that is done.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_ssrvae.errors import InputError
from napari_ssrvae.imaging.micrograph import Micrograph
from napari_ssrvae.imaging.slices import Index, SliceReader
from napari_ssrvae.library.session import MicrographState
from napari_ssrvae.viewer.beside_a_window import beside_a_window

if TYPE_CHECKING:
    import pandas as pd

    from napari_ssrvae.imaging import GreyLevels, Particles, PatchSettings, SegmentationSettings
    from napari_ssrvae.learning.evaluation import QualityProgress
    from napari_ssrvae.library.classes import ParticleClass
    from napari_ssrvae.library.label_test import LabelTest
    from napari_ssrvae.library.particle_library import ParticleLibrary
    from napari_ssrvae.library.predictions import Predictions
    from napari_ssrvae.library.suggestions import Suggestion
    from napari_ssrvae.library.workflow import Workflow
    from napari_ssrvae.report.sheets import Sheet


# Images drawn of each class.
CLASS_IMAGES = 5
# Pixels across the part in view for each of an outline's width: two or so on the screen.
PIXELS_A_LINE = 500


@dataclass(frozen=True)
class FrozenMicrograph:
    """What a job may know of one micrograph: arrays that nobody changes any more."""

    key: int
    micrograph: Micrograph
    labels: NDArray[np.int32]
    hand_labels: Mapping[int, int]
    predictions: Predictions | None = None
    become: Mapping[int, int] = field(default_factory=dict)  # as in MicrographState

    @classmethod
    def of(cls, key: int, state: MicrographState) -> FrozenMicrograph:
        """Take what a job needs; the session replaces its arrays and never changes them."""
        if state.labels is None:
            raise InputError(f"Find the particles of {state.micrograph.name} first.")
        return cls(
            key,
            state.micrograph,
            state.labels,
            dict(state.hand_labels),
            state.predictions,
            state.become,
        )

    @cached_property
    def grey_levels(self) -> GreyLevels:
        """Found when some particles are first cut out, and kept for the next."""
        from napari_ssrvae.imaging import GreyLevels

        return GreyLevels.of(self.micrograph.image, self.labels)


@dataclass(frozen=True)
class Trained:
    """What training returns: the workflow and what it says of every micrograph.

    `note` is a sentence where the micrographs could not be brought to one scale.
    """

    workflow: Workflow
    predictions: Mapping[int, Predictions]
    class_images: Mapping[int, NDArray[np.float32]]
    note: str | None = None


@dataclass(frozen=True, eq=False)
class CutOut:
    """The particles of one micrograph, to be looked at.

    Attributes
    ----------
    micrograph : FrozenMicrograph
        Where they are.
    patches : (n, s, s) uint8
        Grey pictures.
    measures : DataFrame
        From `measure_shapes`, a row a particle, by ascending id.
    alike : (PatchSettings, float or None)
        How other particles are cut out at the same scale: settings, and the pixel size (nm) that
        they are for.
    """

    micrograph: FrozenMicrograph
    patches: NDArray[np.uint8]
    measures: pd.DataFrame
    alike: tuple[PatchSettings, float | None]

    def without(self, ids: Iterable[int], now: FrozenMicrograph) -> CutOut:
        """Return these but for some particles, for the micrograph as it is now."""
        stay = ~np.isin(self.measures["label"].to_numpy(), np.fromiter(ids, np.int64))
        return CutOut(now, self.patches[stay], self.measures[stay], self.alike)

    def joined(self, more: CutOut) -> CutOut:
        """Return these and others of the same micrograph, in the order of the ids."""
        import pandas as pd

        measures = pd.concat([self.measures, more.measures], ignore_index=True)
        order = np.argsort(measures["label"].to_numpy(), kind="stable")
        patches = np.concatenate([self.patches, more.patches])[order]
        return CutOut(more.micrograph, patches, measures.iloc[order], more.alike)


@dataclass(frozen=True, eq=False)
class Found:
    """The particles of one micrograph, and how many on its border were left out."""

    labels: NDArray[np.int32]
    left_out: int


def find(
    micrograph: Micrograph,
    settings: SegmentationSettings,
    seen: tuple[slice, slice] | None = None,
) -> Generator[NDArray[np.bool_] | None, None, Found]:
    """Segment one micrograph; outlines of a first look are yielded where it takes a while."""
    yield None
    from napari_ssrvae.imaging.filters import rims
    from napari_ssrvae.imaging.first_look import first_look
    from napari_ssrvae.imaging.objects import without_border
    from napari_ssrvae.imaging.segmentation import segment_with

    first = first_look(micrograph, settings, seen)
    if first is not None:
        rows, columns = seen or (slice(0, first.shape[0]), slice(0, first.shape[1]))
        wide = max(rows.stop - rows.start, columns.stop - columns.start)
        yield rims(first, max(1, round(wide / PIXELS_A_LINE)))
    if not settings.exclude_border:
        return Found(segment_with(micrograph, settings), 0)
    labels = segment_with(micrograph, replace(settings, exclude_border=False))
    return Found(*without_border(labels))


@dataclass(frozen=True)
class FoundSlice:
    """One slice of a stack, as a job over all of them goes on."""

    index: Index
    micrograph: Micrograph
    labels: NDArray[np.int32] | None  # None where nothing could be found
    done: int
    total: int


def find_in_slices(
    stop: threading.Event,
    reader: SliceReader,
    indices: Sequence[Index],
    settings: SegmentationSettings,
) -> Generator[FoundSlice | None, None, int]:
    """Segment slices of a stack one by one; returns how many were, which `stop` ends early."""
    yield None
    from napari_ssrvae.imaging.segmentation import segment_with

    done = 0
    for done, index in enumerate(indices, start=1):
        micrograph = reader.read(index)
        try:
            labels = segment_with(micrograph, settings)
        except InputError:  # an empty slice, which says so itself when it is looked at
            labels = None
        yield FoundSlice(index, micrograph, labels, done, len(indices))
        if stop.is_set():
            break
    return done


def take_slices(
    stop: threading.Event, reader: SliceReader, indices: Sequence[Index], labels: Any
) -> Generator[FoundSlice | None, None, int]:
    """Read the particles of slices of a stack from labels made elsewhere, (..., H, W)."""
    yield None
    done = 0
    for done, index in enumerate(indices, start=1):
        of_slice = np.asarray(labels[index], dtype=np.int32)
        found = of_slice if of_slice.any() else None
        yield FoundSlice(index, reader.read(index), found, done, len(indices))
        if stop.is_set():
            break
    return done


def train(
    stop: threading.Event,
    micrographs: Sequence[FrozenMicrograph],
    classes: tuple[ParticleClass, ...],
    settings: SegmentationSettings,
    patches: PatchSettings,
    finely: bool,
    max_seconds: float | None,
    before: Workflow | None = None,
) -> Generator[Any, None, Trained]:
    """Cut the particles out, train on them, and classify them; yields one `EpochState` an epoch.

    `stop` ends the training early; the best model so far is used as if it had finished. Goes on
    from the model of `before`, if given, with patches as that one knows them. `finely`: patches
    have as many pixels as the small particles need, and not fewer than `patches` say.
    """
    yield None
    from napari_ssrvae.library.workflow import iter_train_workflow

    particles = yield from _cut_for_training(micrographs, patches, finely, before)
    training = iter_train_workflow(
        particles,
        [m.hand_labels for m in micrographs],
        classes,
        settings,
        before=before,
        max_seconds=max_seconds,
        stop=stop.is_set,
    )
    with beside_a_window():
        workflow = yield from training
        predictions = yield from classify(workflow, micrographs)
        images = class_images(workflow, list(predictions.values()))
    return Trained(workflow, predictions, images, _scale_note(micrographs, before))


def hold_labels_back(
    micrographs: Sequence[FrozenMicrograph],
    patches: PatchSettings,
    finely: bool,
    max_seconds: float | None,
    workflow: Workflow | None = None,
) -> Generator[QualityProgress | float | None, None, LabelTest]:
    """Train without some labels and ask for them, in turn; yields one `QualityProgress` an epoch.

    With the settings of the workflow's model, if given, and patches as that one knows them.
    """
    yield None
    from napari_ssrvae.library.label_test import iter_label_test

    particles = yield from _cut_for_training(micrographs, patches, finely, workflow)
    keys = [m.key for m in micrographs]
    with beside_a_window():
        return (
            yield from iter_label_test(
                dict(zip(keys, particles, strict=True)),
                {m.key: m.hand_labels for m in micrographs},
                model=None if workflow is None else workflow.model,
                max_seconds=max_seconds,
            )
        )


def _cut_for_training(
    micrographs: Sequence[FrozenMicrograph],
    patches: PatchSettings,
    finely: bool,
    before: Workflow | None,
) -> Generator[float, None, list[Particles]]:
    """Cut the particles of all micrographs out at one scale in nm: the model's, or the first's."""
    from napari_ssrvae.imaging import propose_size
    from napari_ssrvae.library.alike import common_pixel_size

    pixel_size = common_pixel_size(m.micrograph.pixel_size for m in micrographs)
    if before is not None:
        patches, pixel_size = before.patches, before.pixel_size
    elif finely:
        needed = propose_size(micrographs[0].labels)
        patches = replace(patches, size=max(patches.size, needed))
    particles = []
    for number, m in enumerate(micrographs):
        part = yield from _cut(m, patches, pixel_size, part=(number, len(micrographs)))
        if patches.scale is None:
            own = m.micrograph.pixel_size or pixel_size
            in_common = 1.0 if pixel_size is None or own is None else own / pixel_size
            patches = replace(patches, scale=part.scale * in_common)
        particles.append(part)
    return particles


def _cut(
    m: FrozenMicrograph,
    patches: PatchSettings,
    pixel_size: float | None,
    ids: NDArray[np.int64] | None = None,
    *,
    part: tuple[int, int] = (0, 1),
) -> Generator[float, None, Particles]:
    """Cut particles of a micrograph out as others were; yields the share done of the whole job.

    `part` says which micrograph of how many this one is.
    """
    from napari_ssrvae.library.alike import iter_extract_alike

    cutting = iter_extract_alike(m.micrograph, m.labels, patches, pixel_size, ids=ids)
    while True:
        try:
            share = next(cutting)
        except StopIteration as finished:
            return cast("Particles", finished.value)
        yield (part[0] + share) / part[1]


def _scale_note(micrographs: Sequence[FrozenMicrograph], before: Workflow | None) -> str | None:
    """Say which micrographs could not be brought to one scale, None where all could.

    Nothing where a training goes on by itself: it was said when the model was made, or when it
    first classified the micrograph.
    """
    from napari_ssrvae.library.alike import training_scale_note

    if before is not None:
        return None
    return training_scale_note([(m.micrograph.name, m.micrograph.pixel_size) for m in micrographs])


def save_sheet(sheet: Sheet, path: Path) -> Generator[None, None, Path]:
    """Write a page of the report as a picture or a table."""
    yield
    from napari_ssrvae.report.sheets import save_sheet

    return save_sheet(sheet, path)


def cut_out(
    micrographs: Sequence[tuple[FrozenMicrograph, CutOut | None]],
    alike: tuple[PatchSettings, float | None],
) -> Generator[CutOut | float | None, None, None]:
    """Cut out and measure particles to be looked at, one micrograph after the other.

    With patches of this size and scale in micrographs of that pixel size (nm); where there is no
    scale yet, the first micrograph sets it. Beside a micrograph stands what is cut out of it
    already: after a correction, only the others are.
    """
    yield None
    patches, pixel_size = alike
    for m, known in micrographs:
        ids = None
        if known is not None:
            patches, pixel_size = known.alike
            ids = np.setdiff1d(np.unique(m.labels), [0, *known.measures["label"]])
        elif patches.scale is None:
            pixel_size = m.micrograph.pixel_size
        particles = yield from _cut(m, patches, pixel_size, ids)
        patches = replace(patches, scale=patches.scale or particles.scale)
        grey = (255 * particles.patches).astype(np.uint8)
        made = CutOut(m, grey, particles.table, (patches, pixel_size))
        yield made if known is None else known.joined(made)


def classify(
    workflow: Workflow, micrographs: Sequence[FrozenMicrograph]
) -> Generator[float | None, None, dict[int, Predictions]]:
    """Classify particles that are already found."""
    from napari_ssrvae.library.predictions import predict_particles

    predictions = {}
    for number, m in enumerate(micrographs):
        particles = yield from _cut(
            m, workflow.patches, workflow.pixel_size, part=(number, len(micrographs))
        )
        predictions[m.key] = predict_particles(particles, workflow.model)
        yield None
    return predictions


def classify_some(
    workflow: Workflow, micrograph: FrozenMicrograph, ids: NDArray[np.int64]
) -> Generator[None, None, Predictions]:
    """Classify some particles of a micrograph; only these are cut out."""
    yield None
    from napari_ssrvae.library.predictions import predict_particles

    particles = workflow.particles(micrograph.micrograph, micrograph.labels, ids)
    yield None
    return predict_particles(particles, workflow.model)


def split(
    labels: NDArray[np.int32], ids: Iterable[int]
) -> Generator[None, None, tuple[NDArray[np.int32], list[int]]]:
    """Take many particles apart at their necks."""
    yield
    from napari_ssrvae.library.editing import split_particles

    return split_particles(labels, list(ids))


def suggest(
    workflow: Workflow, micrographs: Sequence[FrozenMicrograph]
) -> Generator[float | None, None, list[Suggestion]]:
    """Choose what to label next among the classified particles."""
    from napari_ssrvae.library.suggestions import suggest_labels

    particles, predictions = {}, {}
    for m in micrographs:
        if m.predictions is not None:
            particles[m.key] = yield from _cut(m, workflow.patches, workflow.pixel_size)
            predictions[m.key] = m.predictions
        yield None
    hand_labels = {m.key: m.hand_labels for m in micrographs}
    with beside_a_window():
        return suggest_labels(workflow.model, particles, predictions, hand_labels)


def find_and_classify(
    workflow: Workflow, key: int, micrograph: Micrograph
) -> Generator[float | None, None, tuple[NDArray[np.int32], Predictions]]:
    """Treat a new micrograph exactly as the workflow does."""
    labels = workflow.segment(micrograph)
    yield None
    frozen = FrozenMicrograph(key, micrograph, labels, {})
    with beside_a_window():
        predictions = yield from classify(workflow, [frozen])
    return labels, predictions[key]


def open_workflow(path: Path) -> Generator[None, None, tuple[Workflow, Any]]:
    """Load a saved workflow and decode its class images."""
    yield
    from napari_ssrvae.library.workflow import Workflow

    workflow = Workflow.load(path)
    yield
    return workflow, class_images(workflow)


def save_workflow(workflow: Workflow, path: Path) -> Generator[None, None, Path]:
    """Save a workflow."""
    yield
    workflow.save(path)
    return path


def class_images(
    workflow: Workflow, predictions: Iterable[Predictions] = ()
) -> dict[int, NDArray[np.float32]]:
    """Decode each class where its particles lie: class id → (m, h, w) images, by z1."""
    from napari_ssrvae.library.predictions import decoded_strip

    model = workflow.model
    images = {}
    for class_id in model.classes_.tolist():
        members = [p.z[p.class_ids == class_id] for p in predictions]
        z = np.concatenate([np.empty((0, model.latent_dim)), *members])
        images[class_id] = decoded_strip(model, class_id, z, n=CLASS_IMAGES)
    return images


def export(
    micrographs: Sequence[FrozenMicrograph],
    workflow: Workflow,
    classes: tuple[ParticleClass, ...],
    path: Path,
    form: str,
) -> Generator[float | None, None, tuple[Path, int]]:
    """Make the library of all classified micrographs, as the screen shows them, and write it."""
    from napari_ssrvae.library.particle_library import ParticleLibrary

    library: ParticleLibrary | None = None
    for number, m in enumerate(micrographs):
        particles = yield from _cut(
            m, workflow.patches, workflow.pixel_size, part=(number, len(micrographs))
        )
        note = workflow.scale_note(m.micrograph)
        part = ParticleLibrary.from_predictions(
            particles,
            workflow.model,
            names=classes,
            labels=m.hand_labels,
            predictions=_of_all(particles, workflow, m),
            micrograph=m.micrograph,
            label_image=m.labels,
            notes=[note] if note else [],
        )
        library = part if library is None else library.merge(part)
        yield None
    if library is None:
        raise InputError("There is nothing to export yet: train a model first.")
    if form == "library":
        library.save(path)
    else:
        library.export(path, format=form)
    return path, len(library)


def _of_all(particles: Particles, workflow: Workflow, m: FrozenMicrograph) -> Predictions:
    """Return predictions of all particles: those that were corrected may have none yet."""
    from napari_ssrvae.library.predictions import predict_particles

    said, ids = m.predictions, particles.table["label"].to_numpy()
    missing = ~np.isin(ids, [] if said is None else said.particle_ids)
    if said is not None and not missing.any():
        return said
    more = predict_particles(particles.subset(missing), workflow.model).merged(m.become)
    return more if said is None else said.updated(more)


def open_library(path: Path) -> Generator[None, None, ParticleLibrary]:
    """Load a particle library."""
    yield
    from napari_ssrvae.library.particle_library import ParticleLibrary

    return ParticleLibrary.load(path)

"""`Workflow`: everything needed to treat a new micrograph as the first one was treated."""

from __future__ import annotations

import copy
import os
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from napari_ssrvae import __version__
from napari_ssrvae.errors import InputError, ReadError
from napari_ssrvae.imaging.micrograph import Micrograph, as_micrograph
from napari_ssrvae.imaging.particles import GreyLevels, Particles, PatchSettings
from napari_ssrvae.imaging.reading import read_micrograph
from napari_ssrvae.imaging.segmentation import segment_with
from napari_ssrvae.imaging.settings import SegmentationSettings
from napari_ssrvae.library.alike import extract_alike, training_scale_note
from napari_ssrvae.library.classes import ParticleClass
from napari_ssrvae.library.held_back import HeldBack
from napari_ssrvae.library.particle_library import ParticleLibrary
from napari_ssrvae.library.storage import read_document, replaced_folder, write_document

if TYPE_CHECKING:
    from napari_ssrvae.learning.estimator import SSRVAE
    from napari_ssrvae.learning.training import EpochState

FORMAT = "napari-ssrvae workflow"
FORMAT_VERSION = 1
DOCUMENT = "workflow.json"
MODEL = "model"

# Beyond this a particle has either too few pixels to tell its class or is mostly cut away.
LARGE_RATIO = 4.0


class ScaleWarning(UserWarning):
    """The scale of a micrograph cannot be trusted."""


@dataclass(frozen=True, eq=False)
class Workflow:
    """A recipe from micrograph to classified particles.

    Parameters
    ----------
    segmentation : SegmentationSettings
        In pixels of the training micrographs. A trained workflow names the polarity of their
        particles, so that no other micrograph is taken for its own negative.
    patches : PatchSettings
        Size of the patches, and micrograph pixels per patch pixel in the training micrographs
        (the median, where each patch has its own scale).
    pixel_size : float or None
        nm per pixel that `segmentation` and `patches` are for, None where unknown.
    classes : tuple of ParticleClass
        Every class of the model, and possibly more.
    model : SSRVAE
        Trained with the class ids as `y`.
    held_back : HeldBack or None
        How the model did on labels that it was not trained on.
    """

    segmentation: SegmentationSettings
    patches: PatchSettings
    pixel_size: float | None
    classes: tuple[ParticleClass, ...]
    model: SSRVAE
    held_back: HeldBack | None = None

    def __post_init__(self) -> None:
        if self.patches.scale is None:
            raise InputError("A workflow needs the scale of its patches: take Particles.scale.")
        unnamed = {int(i) for i in self.model.classes_} - {c.id for c in self.classes}
        if unnamed:
            raise InputError(f"Class {min(unnamed)} of the model has no name: name every class.")

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, in their order."""
        return [c.name for c in self.classes]

    def factor(self, micrograph: Micrograph) -> float:
        """How many pixels of `micrograph` make one pixel of the training micrographs.

        1 where one of the two pixel sizes is unknown; `scale_note` then says so.
        """
        if self.pixel_size is None or micrograph.pixel_size is None:
            return 1.0
        return self.pixel_size / micrograph.pixel_size

    def scale_note(self, micrograph: Micrograph) -> str | None:
        """Return a sentence where the scale of `micrograph` cannot be trusted, else None."""
        name = micrograph.name or "The micrograph"
        if (self.pixel_size is None) != (micrograph.pixel_size is None):
            whose = "the training micrographs" if self.pixel_size is None else name
            return (
                f"The pixel size of {whose} is unknown: {name} was treated as if it had the "
                "pixels of the training micrographs, so sizes and classes may be wrong."
            )
        factor = self.factor(micrograph)
        if not 1 / LARGE_RATIO <= factor <= LARGE_RATIO:
            return (
                f"{name} has {micrograph.pixel_size:.3g} nm per pixel, the training micrographs "
                f"{self.pixel_size:.3g}: classes may be wrong at so different a magnification."
            )
        return None

    def segment(self, micrograph: Micrograph) -> npt.NDArray[np.int32]:
        """Find particles with the settings of the training micrographs, scaled to this one.

        Returns
        -------
        (H, W) int32
            0 = background, ids 1..n.
        """
        settings = self.segmentation.scaled(self.factor(micrograph))
        return segment_with(micrograph.image, settings)

    def particles(
        self,
        micrograph: Micrograph,
        labels: npt.NDArray[Any],
        ids: npt.ArrayLike | None = None,
        grey_levels: GreyLevels | None = None,
    ) -> Particles:
        """Extract patches with the physical field of view of the training patches.

        `ids` chooses particles, None takes all; see `extract_particles`.
        """
        return extract_alike(
            micrograph, labels, self.patches, self.pixel_size, ids=ids, grey_levels=grey_levels
        )

    def classify(
        self,
        micrograph: Micrograph | npt.ArrayLike | str | os.PathLike[str],
        labels: npt.NDArray[Any] | None = None,
    ) -> ParticleLibrary:
        """Find, extract and classify the particles of a micrograph.

        Parameters
        ----------
        micrograph : Micrograph, (H, W) array, or path
            A path is read with `read_micrograph`; an array has no pixel size.
        labels : (H, W) int, optional
            Particles found elsewhere, in place of `segment`.

        Returns
        -------
        ParticleLibrary
            Empty where no particle was found.

        Warns
        -----
        ScaleWarning
            The scale cannot be trusted (see `scale_note`); the sentence is also in `notes`.
        """
        if isinstance(micrograph, (str, os.PathLike)):
            micrograph = read_micrograph(Path(micrograph))
        elif not isinstance(micrograph, Micrograph):
            micrograph = as_micrograph(micrograph)
        if labels is None:
            labels = self.segment(micrograph)
        note = self.scale_note(micrograph)
        if note:
            warnings.warn(note, ScaleWarning, stacklevel=2)
        return ParticleLibrary.from_predictions(
            self.particles(micrograph, labels),
            self.model,
            names=self.classes,
            micrograph=micrograph,
            label_image=labels,
            notes=[note] if note else [],
        )

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Save to a folder, whole or not at all: ``workflow.json`` and the model.

        Parameters
        ----------
        folder : path
            A new or empty folder, or one that holds a workflow, which is replaced.

        Raises
        ------
        WriteError
            The folder holds something else or cannot be written; nothing was changed.
        """
        target = Path(folder).expanduser().absolute()
        with replaced_folder(target, DOCUMENT) as temporary:
            self.model.save(temporary / MODEL)
            content = {
                "written_by": f"napari-ssrvae {__version__}",
                "segmentation": self.segmentation.to_dict(),
                "patches": self.patches.to_dict(),
                "pixel_size_nm": self.pixel_size,
                "classes": [c.to_dict() for c in self.classes],
                "held_back": None if self.held_back is None else self.held_back.to_dict(),
            }
            write_document(temporary / DOCUMENT, FORMAT, FORMAT_VERSION, content)
        return target

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Workflow:
        """Load a saved workflow; nothing in the folder is executed.

        Raises
        ------
        ReadError
            The folder holds no workflow, or a file of it is missing, truncated or damaged.
        VersionError
            A newer version of this package wrote it.
        """
        from napari_ssrvae.learning.estimator import SSRVAE

        source = Path(folder).expanduser().absolute()
        if not source.is_dir():
            raise ReadError(f"{source} is not a folder with a workflow.")
        document = read_document(source, DOCUMENT, FORMAT, FORMAT_VERSION)
        model = SSRVAE.load(source / MODEL)
        size, held_back = document.get("pixel_size_nm"), document.get("held_back")
        try:
            return cls(
                segmentation=SegmentationSettings.from_dict(document["segmentation"]),
                patches=PatchSettings.from_dict(document["patches"]),
                pixel_size=None if size is None else float(size),
                classes=tuple(ParticleClass.from_dict(c) for c in document["classes"]),
                model=model,
                held_back=None if held_back is None else HeldBack.from_dict(held_back),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ReadError(f"{source / DOCUMENT} is damaged: an entry is wrong.") from error


def training_arrays(
    particles: Sequence[Particles], hand_labels: Sequence[Mapping[int, int]]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Patches and labels of one or more micrographs, as `SSRVAE.fit` wants them.

    Parameters
    ----------
    particles : sequence of Particles
        All of one patch size and one physical scale.
    hand_labels : sequence of mapping of particle id to class id
        One for each micrograph; particles that are not in it are unlabelled.

    Returns
    -------
    X : (n, size, size) float32
        Patches of all micrographs, one after the other.
    y : (n,) int64
        Class ids, -1 = unlabelled.

    Raises
    ------
    InputError
        No particles, no labels, labels of fewer than two classes, or patches that do not fit
        together. The message says what to do.
    """
    if len(particles) != len(hand_labels):
        raise InputError("Each micrograph needs its own hand labels, even if it has none.")
    if not any(len(p.table) for p in particles):
        raise InputError("There are no particles to train on: find particles first.")
    _check_same_scale([p for p in particles if len(p.table)])
    X = np.concatenate([p.patches for p in particles if len(p.table)])
    y = np.concatenate([_targets(p, h) for p, h in zip(particles, hand_labels, strict=True)])
    labelled = np.unique(y[y > 0])
    if not len(labelled):
        raise InputError("No particle has a label: label a few of each class first.")
    if len(labelled) < 2:
        raise InputError(
            "Only one class has labelled particles: label particles of at least two classes."
        )
    return X, y


def train_workflow(
    particles: Sequence[Particles],
    hand_labels: Sequence[Mapping[int, int]],
    classes: Sequence[ParticleClass],
    segmentation: SegmentationSettings,
    *,
    model: SSRVAE | None = None,
    max_seconds: float | None = None,
    progress: Callable[[Any], object] | None = None,
) -> Workflow:
    """Train a model on the labelled and unlabelled particles of one or more micrographs.

    The parameters and errors are those of `iter_train_workflow`; `progress` is called with the
    `EpochState` of each epoch.

    Warns
    -----
    ScaleWarning
        The pixel sizes of some micrographs are unknown and those of others are not.
    """
    note = training_scale_note([(p.name, p.pixel_size) for p in particles if len(p.table)])
    if note:
        warnings.warn(note, ScaleWarning, stacklevel=2)
    training = iter_train_workflow(
        particles, hand_labels, classes, segmentation, model=model, max_seconds=max_seconds
    )
    while True:
        try:
            state = next(training)
        except StopIteration as finished:
            return cast(Workflow, finished.value)
        if progress is not None:
            progress(state)


def iter_train_workflow(
    particles: Sequence[Particles],
    hand_labels: Sequence[Mapping[int, int]],
    classes: Sequence[ParticleClass],
    segmentation: SegmentationSettings,
    *,
    model: SSRVAE | None = None,
    before: Workflow | None = None,
    max_seconds: float | None = None,
    stop: Callable[[], bool] | None = None,
) -> Generator[EpochState, None, Workflow]:
    """Train as `train_workflow` does, an epoch at a time.

    Parameters
    ----------
    particles : sequence of Particles
        Those of further micrographs extracted with `extract_alike`. The first one with a known
        pixel size gives the workflow that and its scale.
    hand_labels : sequence of mapping of particle id to class id
        One for each micrograph.
    classes : sequence of ParticleClass
        Names of all classes in the labels.
    segmentation : SegmentationSettings
        How the particles were found. Where it leaves the polarity open, the workflow gets that
        of most of the particles.
    model : SSRVAE, optional
        An untrained estimator; None: the defaults.
    before : Workflow, optional
        Go on from its model, with its settings, scale and pixel size; it is not changed. The
        particles were extracted with its patches.
    max_seconds : float, optional
        Stop training after this time.
    stop : callable, optional
        Asked after each epoch; True ends the training, with the best model so far.

    Yields
    ------
    EpochState
        After each epoch.

    Returns
    -------
    Workflow
        The generator's return value.

    Raises
    ------
    InputError
        See `training_arrays`; also classes without a name.
    TrainingError
        Training could not go on.
    """
    from napari_ssrvae.learning.estimator import SSRVAE

    X, y = training_arrays(particles, hand_labels)
    unnamed = set(y[y > 0].tolist()) - {c.id for c in classes}
    if unnamed:
        raise InputError(f"Class {min(unnamed)} of the labels has no name: name every class.")
    if before is not None:
        model = copy.copy(before.model)  # training leaves the old state alone: a new one is put in
    elif model is None:
        model = SSRVAE(seed=0)
    # Closed here and now, not when it is collected: closing is what puts the best model in place.
    training = model.iter_fit(X, y, resume=before is not None, max_seconds=max_seconds)
    with closing(training) as epochs:
        for state in epochs:
            yield state
            if stop is not None and stop():
                break
    if before is not None:
        return replace(before, model=model, classes=tuple(classes), held_back=None)
    first = _reference(particles)
    return Workflow(
        segmentation=_with_polarity(segmentation, particles),
        patches=PatchSettings(first.patches.shape[-1], float(first.scale), first.common_scale),
        pixel_size=first.pixel_size,
        classes=tuple(classes),
        model=model,
    )


def _targets(particles: Particles, labels: Mapping[int, int]) -> npt.NDArray[np.int64]:
    ids = particles.table["label"].to_numpy(dtype=np.int64)
    y = np.array([int(labels.get(int(i), -1)) for i in ids], dtype=np.int64)
    y[y < 1] = -1
    return y


def _reference(particles: Sequence[Particles]) -> Particles:
    """Return the particles whose scale and pixel size count for all: the first with both."""
    filled = [p for p in particles if len(p.table)]
    return next((p for p in filled if p.pixel_size is not None), filled[0])


def _with_polarity(
    segmentation: SegmentationSettings, particles: Sequence[Particles]
) -> SegmentationSettings:
    """Settle the polarity that the settings leave open, by the particles.

    Left open, it is chosen anew in each micrograph: among crowded bright spheres, the dark gaps
    between them may look more like particles than the spheres do.
    """
    if segmentation.polarity != "auto":
        return segmentation
    counts: Counter[str] = Counter()
    for part in particles:
        if part.polarity is not None:
            counts[part.polarity] += len(part.table)
    if not counts:
        return segmentation
    return replace(segmentation, polarity=counts.most_common(1)[0][0])


def _check_same_scale(particles: Sequence[Particles]) -> None:
    reference = _reference(particles)
    for other in particles:
        ratio = other.scale / reference.scale
        if reference.pixel_size is not None and other.pixel_size is not None:
            ratio *= other.pixel_size / reference.pixel_size
        alike = abs(ratio - 1) <= 0.01 or not reference.common_scale
        same_kind = other.common_scale == reference.common_scale
        if other.patches.shape[1:] != reference.patches.shape[1:] or not alike or not same_kind:
            raise InputError(
                "The particles of the micrographs have patches of different size or scale: "
                "extract all of them with the settings of the first micrograph."
            )

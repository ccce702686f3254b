"""`ParticleLibrary`: classified particles of one or more micrographs, with their pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_ssrvae.errors import InputError
from napari_ssrvae.library.classes import ParticleClass, default_color
from napari_ssrvae.library.predictions import Predictions, model_mark, predict_particles
from napari_ssrvae.library.scene import Scene

if TYPE_CHECKING:
    from napari_ssrvae.imaging.micrograph import Micrograph
    from napari_ssrvae.imaging.particles import Particles
    from napari_ssrvae.learning.estimator import SSRVAE

Names = Sequence[str] | Mapping[int, str] | Sequence[ParticleClass]
HandLabels = Mapping[int, int] | npt.ArrayLike

FIRST_COLUMNS = (
    "micrograph",
    "label",
    "class_id",
    "class",
    "confidence",
    "source",
    "hand_label",
    "predicted",
)


@dataclass(frozen=True)
class Source:
    """Where particles come from: one micrograph.

    Parameters
    ----------
    pixel_size : float or None
        nm per pixel of the micrograph, None where unknown.
    scale : float
        Micrograph pixels per patch pixel.
    path : str or None
        The file, where there is one.
    shape : (int, int) or None
        Rows and columns of the micrograph without its info bar, where known.
    model : str or None
        Tells models apart: latents of two models have nothing to do with each other.
    scene : Scene or None
        The micrograph and its label image, where they were kept.
    """

    pixel_size: float | None
    scale: float
    path: str | None = None
    shape: tuple[int, int] | None = None
    model: str | None = None
    scene: Scene | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it, without the scene."""
        return {
            "pixel_size_nm": self.pixel_size,
            "scale": self.scale,
            "path": self.path,
            "shape": None if self.shape is None else list(self.shape),
            "model": self.model,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild from `to_dict`."""
        size, shape = content["pixel_size_nm"], content.get("shape")
        return cls(
            pixel_size=None if size is None else float(size),
            scale=float(content["scale"]),
            path=content.get("path"),
            shape=None if shape is None else (int(shape[0]), int(shape[1])),
            model=content.get("model"),
        )

    def patch_ratio(self, other: Source) -> float:
        """How large one patch pixel is in patch pixels of `other`.

        Physical where both pixel sizes are known, else as if the micrographs had equal pixels.
        """
        ratio = self.scale / other.scale
        if self.pixel_size is None or other.pixel_size is None:
            return ratio
        return ratio * self.pixel_size / other.pixel_size


@dataclass(frozen=True, eq=False)
class ParticleLibrary:
    """Classified particles: one table row, one patch and one mask each.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a particle; (`micrograph`, `label`) is unique. Columns: `micrograph` (name),
        `label` (id in its label image), `class_id`, `class` (name; the hand label where there
        is one, else the prediction), `confidence` (probability of the predicted class),
        `source` ("hand" or "model"), `hand_label` and `predicted` (class names; "" where no
        hand label), `p_<class name>`…, `z1`…, `angle` (radians), `shift_y`, `shift_x`
        (fractions of the frame), `pose_scale`, then the shape measures of
        `extract_particles`.
    patches : (n, s, s) float32
        Pictures of the particles in [0, 1].
    masks : (n, s, s) bool
        True on the particle.
    classes : tuple of ParticleClass
        In the order in which a person sees them.
    micrographs : mapping of str to Source
        By name, one for each name in the table (and for micrographs without particles).
    notes : tuple of str
        Sentences that a reader of the table should know (rescaled patches, a guessed scale).
    """

    table: pd.DataFrame
    patches: npt.NDArray[np.float32]
    masks: npt.NDArray[np.bool_]
    classes: tuple[ParticleClass, ...]
    micrographs: Mapping[str, Source] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.table)
        if self.patches.shape[:1] != (n,) or self.masks.shape != self.patches.shape:
            raise InputError("A particle library needs one patch and one mask for each table row.")
        names = [c.name for c in self.classes]
        ids = [c.id for c in self.classes]
        if len(set(names)) < len(names) or len(set(ids)) < len(ids):
            raise InputError("Each class needs its own name and number: rename one of them.")
        missing = [c for c in FIRST_COLUMNS if c not in self.table]
        if missing:
            raise InputError(f"The table of a particle library lacks {', '.join(missing)}.")
        if self.table.duplicated(["micrograph", "label"]).any():
            raise InputError("The table of a particle library holds a particle twice.")

    def __len__(self) -> int:
        return len(self.table)

    @classmethod
    def from_predictions(
        cls,
        particles: Particles,
        model: SSRVAE,
        names: Names | None = None,
        labels: HandLabels | None = None,
        *,
        predictions: Predictions | None = None,
        micrograph: Micrograph | None = None,
        label_image: npt.NDArray[np.int32] | None = None,
        notes: Iterable[str] = (),
    ) -> ParticleLibrary:
        """Classify particles with a model; hand labels beat its predictions.

        Parameters
        ----------
        particles : Particles
            From `extract_particles`.
        model : SSRVAE
            A trained model that knows classes.
        names : sequence of str, mapping of class id to name, or sequence of ParticleClass
            A sequence of names goes by the order of `model.classes_`; the other two may also
            hold classes that the model never saw. None: "class 1", "class 2", …
        labels : mapping of particle id to class id, or (n,) ints, optional
            Hand labels; an array goes by the rows of `particles.table`. Values below 1 mean
            "no label".
        predictions : Predictions, optional
            What `predict_particles(particles, model)` said before, so that it is not done
            again and the library says what the screen said.
        micrograph : Micrograph, optional
            Where the particles are from: its path and shape are kept for reports and exports.
        label_image : (H, W) int32, optional
            With `micrograph`: both are kept, so that the library can be shown on it again.
        notes : iterable of str
            Sentences to keep with the library.

        Raises
        ------
        InputError
            Names or labels that do not fit the model or the particles.
        """
        if predictions is None:
            predictions = predict_particles(particles, model)
        ids = particles.table["label"].to_numpy(dtype=np.int64)
        if not np.array_equal(ids, predictions.particle_ids):
            raise InputError("The predictions belong to other particles: predict again.")
        classes = named_classes(names, predictions.model_classes)
        hand = hand_labels(labels, ids, classes)
        # Particles of several micrographs carry their names row by row.
        origins = particles.table.get("micrograph", [particles.name] * len(particles))
        source = Source(
            pixel_size=particles.pixel_size,
            scale=float(particles.scale),
            path=_path_text(micrograph),
            shape=None if micrograph is None else micrograph.shape,
            model=model_mark(model),
            scene=None
            if micrograph is None or label_image is None
            else Scene(micrograph.image, label_image),
        )
        return cls(
            table=_classified_table(list(origins), particles.table, predictions, classes, hand),
            patches=np.ascontiguousarray(particles.patches, dtype=np.float32),
            masks=np.ascontiguousarray(particles.masks, dtype=bool),
            classes=classes,
            micrographs=dict.fromkeys(map(str, origins), source) or {particles.name: source},
            notes=tuple(notes),
        )

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, in their order."""
        return [c.name for c in self.classes]

    def counts(self) -> dict[str, int]:
        """Particles of each class, 0 for classes without any."""
        found = self.table["class"].value_counts()
        return {name: int(found.get(name, 0)) for name in self.class_names}

    @property
    def counted(self) -> npt.NDArray[np.bool_]:
        """(n,) which particles count in shares and sizes: those of no class that is left out."""
        left_out = [c.id for c in self.classes if not c.counted]
        return ~self.table["class_id"].isin(left_out).to_numpy(dtype=bool)

    def summary(self) -> pd.DataFrame:
        """Count and size of each class.

        Returns
        -------
        pandas.DataFrame
            Index `class`; columns `count`, `by_hand`, `measured` (how many the size is
            from), `mean`, `median`, `sd` of the equivalent diameter, and `unit`: "nm" where
            the pixel size of at least one particle of the class is known (the others are then
            left out of the size), else "px". `sd` (n - 1) is NaN below two particles. `counted`
            is False for classes that are left out of shares and sizes: theirs are not measured.
        """
        rows = []
        for particle_class in self.classes:
            members = self.table[self.table["class"] == particle_class.name]
            unit, sizes = _sizes(members if particle_class.counted else members.iloc[:0])
            rows.append(
                {
                    "class": particle_class.name,
                    "count": len(members),
                    "by_hand": int((members["source"] == "hand").sum()),
                    "measured": len(sizes),
                    "mean": sizes.mean(),
                    "median": sizes.median(),
                    "sd": sizes.std(),
                    "unit": unit,
                    "counted": particle_class.counted,
                }
            )
        return pd.DataFrame(rows).set_index("class")

    def labels_of(self, micrograph: str) -> dict[int, int]:
        """Hand labels of one micrograph as {particle id: class id}, to train on again."""
        ids = {c.name: c.id for c in self.classes}
        rows = self.table[
            (self.table["micrograph"] == micrograph) & (self.table["source"] == "hand")
        ]
        return {
            int(label): ids[name]
            for label, name in zip(rows["label"], rows["hand_label"], strict=True)
        }

    def predictions_of(self, micrograph: str) -> Predictions:
        """Return what the model said of one micrograph, as it was when the library was made."""
        rows = self.table[self.table["micrograph"] == micrograph]
        ids = {c.name: c.id for c in self.classes}
        known = [
            c for c in self.classes if f"p_{c.name}" in rows and rows[f"p_{c.name}"].notna().all()
        ]
        latents = rows.columns[rows.columns.str.fullmatch(r"z\d+")]
        return Predictions(
            particle_ids=rows["label"].to_numpy(np.int64),
            class_ids=np.array([ids[name] for name in rows["predicted"]], dtype=np.int64),
            probabilities=rows[[f"p_{c.name}" for c in known]].to_numpy(np.float64),
            model_classes=np.array([c.id for c in known], dtype=np.int64),
            z=rows[latents].to_numpy(np.float64),
            angle=rows["angle"].to_numpy(np.float64),
            shift=rows[["shift_y", "shift_x"]].to_numpy(np.float64),
            scale=rows["pose_scale"].to_numpy(np.float64),
            model=self.micrographs[micrograph].model,
        )

    def select(self, rows: npt.ArrayLike) -> ParticleLibrary:
        """Return a library of some of the particles.

        Parameters
        ----------
        rows : (n,) bool or (m,) int
            A mask over the rows, or row numbers.
        """
        index = np.asarray(rows)
        if index.dtype != bool:
            index = index.astype(np.intp)
        return replace(
            self,
            table=self.table.loc[index].reset_index(drop=True),
            patches=self.patches[index],
            masks=self.masks[index],
        )

    def merge(self, other: ParticleLibrary) -> ParticleLibrary:
        """Both libraries in one; see `napari_ssrvae.library.merging.merged`."""
        from napari_ssrvae.library.merging import merged

        return merged(self, other)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Save to a folder; see `napari_ssrvae.library.library_files.save_library`."""
        from napari_ssrvae.library.library_files import save_library

        return save_library(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> ParticleLibrary:
        """Load a saved folder; see `napari_ssrvae.library.library_files.load_library`."""
        from napari_ssrvae.library.library_files import load_library

        return load_library(folder)

    def export(self, path: str | os.PathLike[str], format: str = "csv") -> Path:
        """Write for other programs; see `napari_ssrvae.library.exports.export_library`."""
        from napari_ssrvae.library.exports import export_library

        return export_library(self, path, format)


def named_classes(names: Names | None, model_classes: npt.ArrayLike) -> tuple[ParticleClass, ...]:
    """Classes with names and colours for the class ids of a model.

    Parameters
    ----------
    names : sequence of str, mapping of class id to name, or sequence of ParticleClass
        As in `ParticleLibrary.from_predictions`.
    model_classes : (k,) int
        Class ids of the model.

    Raises
    ------
    InputError
        A class of the model has no name, or names and ids do not pair up.
    """
    ids = [int(i) for i in np.asarray(model_classes).ravel()]
    if names is None:
        names = {i: f"class {i}" for i in ids}
    if isinstance(names, str):
        raise InputError("Class names are a list of names, not one text.")
    if not isinstance(names, Mapping):
        given = list(names)
        if given and all(isinstance(c, ParticleClass) for c in given):
            classes = tuple(c for c in given if isinstance(c, ParticleClass))
            _check_named(ids, [c.id for c in classes])
            return classes
        if len(given) != len(ids):
            raise InputError(f"The model knows {len(ids)} classes, but {len(given)} names came.")
        names = dict(zip(ids, (str(n) for n in given), strict=True))
    _check_named(ids, list(names))
    return tuple(
        ParticleClass(id=int(i), name=str(name), color=default_color(int(i) - 1))
        for i, name in names.items()
    )


def _check_named(ids: Sequence[int], named: Sequence[int]) -> None:
    missing = sorted(set(ids) - set(named))
    if missing:
        raise InputError(f"Class {missing[0]} of the model has no name: name every class.")


def hand_labels(
    labels: HandLabels | None, particle_ids: npt.NDArray[np.int64], classes: Sequence[ParticleClass]
) -> npt.NDArray[np.int64]:
    """Hand labels as one class id a particle, 0 = none.

    Parameters
    ----------
    labels : mapping of particle id to class id, or (n,) ints, or None
        Values below 1 mean "no label".
    particle_ids : (n,) int64
        The particles. Labels of other particles in a mapping are left out: a particle that is
        on the border, say, is labelled on the screen but never extracted.
    classes : sequence of ParticleClass
        Known classes.

    Raises
    ------
    InputError
        An array of another length, or a class that nobody named.
    """
    hand = np.zeros(len(particle_ids), dtype=np.int64)
    if labels is None:
        return hand
    if isinstance(labels, Mapping):
        hand[:] = [int(labels.get(int(i), 0)) for i in particle_ids]
    else:
        given = np.asarray(labels)
        if given.shape != hand.shape:
            raise InputError(
                f"{len(hand)} particles need {len(hand)} labels, but {given.size} were given."
            )
        hand[:] = given
    hand[hand < 1] = 0
    unknown = sorted(set(hand[hand > 0].tolist()) - {c.id for c in classes})
    if unknown:
        raise InputError(f"A hand label says class {unknown[0]}, but no class has that number.")
    return hand


def _classified_table(
    origins: Sequence[str],
    shapes: pd.DataFrame,
    predictions: Predictions,
    classes: Sequence[ParticleClass],
    hand: npt.NDArray[np.int64],
) -> pd.DataFrame:
    names = {c.id: c.name for c in classes} | {0: ""}
    final = np.where(hand > 0, hand, predictions.class_ids)
    columns: dict[str, Any] = {
        "micrograph": _texts(origins),
        "label": predictions.particle_ids,
        "class_id": final,
        "class": _texts([names[i] for i in final]),
        "confidence": predictions.confidence,
        "source": _texts(["hand" if h else "model" for h in hand]),
        "hand_label": _texts([names[h] for h in hand]),
        "predicted": _texts([names[i] for i in predictions.class_ids]),
    }
    columns |= {
        f"p_{names[int(c)]}": predictions.probabilities[:, i]
        for i, c in enumerate(predictions.model_classes)
    }
    columns |= predictions.latent_columns()
    columns |= {c: shapes[c].to_numpy() for c in shapes.columns if c not in columns}
    return pd.DataFrame(columns)


def _path_text(micrograph: Micrograph | None) -> str | None:
    if micrograph is None or micrograph.path is None:
        return None
    return str(Path(micrograph.path).expanduser().absolute())


def _texts(values: Sequence[str]) -> pd.Series[str]:
    # Without the dtype an empty column would be of objects.
    return pd.Series(values, dtype="str")


def _sizes(members: pd.DataFrame) -> tuple[str, pd.Series[float]]:
    nm = members.get("equivalent_diameter_nm")
    if nm is not None and nm.notna().any():
        return "nm", nm.dropna()
    sizes = members.get("equivalent_diameter")
    return "px", pd.Series(dtype=float) if sizes is None else sizes

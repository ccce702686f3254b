"""Two particle libraries become one: classes by name, patches to one scale, no particle twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from napari_ssrvae.library.classes import ParticleClass, joined_classes
from napari_ssrvae.library.particle_library import FIRST_COLUMNS, ParticleLibrary, Source

# Patches whose pixels differ by less than this are at one scale: half a pixel in a 48 px frame.
SCALE_TOLERANCE = 0.01


def merged(first: ParticleLibrary, second: ParticleLibrary) -> ParticleLibrary:
    """Both libraries in one.

    Classes are the same when their names are; classes that only `second` has follow those of
    `first`, with a free number and colour where theirs is taken. Patches of `second` are
    rescaled to the physical scale and frame of `first` where they differ. A particle that is in
    both (same micrograph, id and place) is kept once, preferring the row with a hand label, then
    `first`; another micrograph of the same name gets a number, as in "image (2)". Columns that
    one of them lacks are empty (NaN) there. Latents `z` of two models have nothing to do with
    each other; a note says so.

    Parameters
    ----------
    first, second : ParticleLibrary
        Neither is changed.
    """
    second = _with_own_micrograph_names(first, second)
    first, second = _without_twins(first, second)
    second = _at_scale_of(first, second)
    classes, ids = joined_classes(first.classes, second.classes)
    numbered = second.table.assign(class_id=second.table["class_id"].map(ids).astype(np.int64))
    notes = [*first.notes, *second.notes]
    models = {s.model for library in (first, second) for s in library.micrographs.values()}
    if len(models) > 1:
        notes.append("Latents and angles are from several models: compare them within one.")
    return ParticleLibrary(
        table=_stacked(first.table, numbered, classes),
        patches=_joined(first.patches, second.patches),
        masks=_joined(first.masks, second.masks),
        classes=classes,
        micrographs=_joined_sources(first.micrographs, second.micrographs),
        notes=tuple(dict.fromkeys(notes)),
    )


def _joined_sources(first: Mapping[str, Source], second: Mapping[str, Source]) -> dict[str, Source]:
    """All micrographs; of one that both know, the first, with the scene that either kept."""
    joined = {**second, **first}
    for name in first.keys() & second.keys():
        if first[name].scene is None:
            joined[name] = replace(first[name], scene=second[name].scene)
    return {name: joined[name] for name in (*first, *second)}


def _joined(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # Frames may differ only where one of the two has none.
    parts = [part for part in (first, second) if len(part)]
    return np.concatenate(parts) if parts else first


def _with_own_micrograph_names(first: ParticleLibrary, second: ParticleLibrary) -> ParticleLibrary:
    """Return `second`, with another name for micrographs that only share theirs with `first`."""
    names: dict[str, str] = {}
    for name in second.micrographs:
        if name in first.micrographs and not _same_micrograph(first, second, name):
            taken = {*first.micrographs, *second.micrographs, *names.values()}
            names[name] = next(f"{name} ({i})" for i in count(2) if f"{name} ({i})" not in taken)
    if not names:
        return second
    micrographs = {names.get(n, n): source for n, source in second.micrographs.items()}
    table = second.table.assign(micrograph=second.table["micrograph"].replace(names).astype("str"))
    return replace(second, table=table, micrographs=micrographs)


def _same_micrograph(first: ParticleLibrary, second: ParticleLibrary, name: str) -> bool:
    """Whether all ids that both know are at the same place; without any, the file decides."""
    places = []
    for library in (first, second):
        rows = library.table[library.table["micrograph"] == name]
        places.append(rows.set_index("label")[["y", "x"]])
    common = places[0].index.intersection(places[1].index)
    if len(common):
        return bool(np.allclose(places[0].loc[common], places[1].loc[common], atol=0.5))
    return first.micrographs[name] == second.micrographs[name]


def _without_twins(
    first: ParticleLibrary, second: ParticleLibrary
) -> tuple[ParticleLibrary, ParticleLibrary]:
    keys = ["micrograph", "label"]
    index_1 = pd.MultiIndex.from_frame(first.table[keys])
    index_2 = pd.MultiIndex.from_frame(second.table[keys])
    by_hand_1 = index_1[(first.table["source"] == "hand").to_numpy()]
    by_hand_2 = index_2[(second.table["source"] == "hand").to_numpy()]
    second_wins = by_hand_2.difference(by_hand_1)
    drop_1 = index_1.isin(second_wins)
    drop_2 = index_2.isin(index_1[~drop_1])
    return first.select(~drop_1), second.select(~drop_2)


def _at_scale_of(first: ParticleLibrary, second: ParticleLibrary) -> ParticleLibrary:
    """Return `second` with patches and masks at the scale and in the frame of `first`."""
    if not len(first) or not len(second):
        return second
    target = _main_source(first)
    size = first.patches.shape[-1]
    factors = {name: target.patch_ratio(s) for name, s in second.micrographs.items()}
    alike = all(abs(factor - 1) < SCALE_TOLERANCE for factor in factors.values())
    if alike and second.patches.shape[-1] == size:
        return second
    rows = zip(second.table["micrograph"], second.patches, second.masks, strict=True)
    resampled = [
        (
            _resampled(patch, factors[name], size),
            _resampled(mask.astype(np.float32), factors[name], size) > 0.5,
        )
        for name, patch, mask in rows
    ]
    note = (
        f"When libraries were merged, {len(second)} patches were resampled to the scale and "
        "frame of the first library."
    )
    return replace(
        second,
        patches=np.stack([np.clip(patch, 0, 1) for patch, _ in resampled]).astype(np.float32),
        masks=np.stack([mask for _, mask in resampled]),
        micrographs={
            name: replace(s, scale=s.scale * factors[name])
            for name, s in second.micrographs.items()
        },
        notes=(*second.notes, note),
    )


def _main_source(library: ParticleLibrary) -> Source:
    """Return where most particles of a library are from."""
    names = library.table["micrograph"].value_counts()
    return library.micrographs[str(names.index[0])]


def _resampled(image: npt.NDArray[np.float32], factor: float, size: int) -> npt.NDArray[np.float32]:
    """Enlarge (`factor` < 1) or shrink about the centre into a (size, size) frame."""
    if factor > 1:
        # Shrinking needs a blur first, or fine texture turns into false coarse texture.
        image = ndimage.gaussian_filter(image, (factor - 1) / 2)
    old = (image.shape[-1] - 1) / 2
    new = (size - 1) / 2
    out = ndimage.affine_transform(
        image,
        [factor, factor],
        offset=[old - factor * new] * 2,
        output_shape=(size, size),
        order=1,
        mode="constant",
        cval=0.0,
    )
    return np.asarray(out, dtype=np.float32)


def _stacked(
    first: pd.DataFrame, second: pd.DataFrame, classes: Iterable[ParticleClass]
) -> pd.DataFrame:
    """Both tables below each other; columns by kind, numbers stay numbers."""
    columns = list(first.columns)
    columns += [c for c in second.columns if c not in columns]
    probabilities = [f"p_{c.name}" for c in classes]
    head = [*FIRST_COLUMNS, *probabilities]
    order = [c for c in head if c in columns] + [c for c in columns if c not in head]
    parts = [t.reindex(columns=order) for t in (first, second) if len(t)]
    table = pd.concat(parts, ignore_index=True) if parts else first.reindex(columns=order)
    kinds = {str(c): t.dtypes[c] for t in (second, first) for c in t.columns}
    for name in order:
        if pd.api.types.is_string_dtype(table[name]):
            table[name] = table[name].fillna("").astype("str")
        elif table[name].dtype != kinds[name] and not table[name].isna().any():
            table[name] = table[name].astype(kinds[name])
    return table

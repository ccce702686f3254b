"""A one-page report of a particle library: HTML with its pictures inside."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from napari_ssrvae import __version__
from napari_ssrvae.errors import InputError, ReadError
from napari_ssrvae.imaging.micrograph import Micrograph
from napari_ssrvae.imaging.reading import read_micrograph
from napari_ssrvae.library.distributions import fit_distributions
from napari_ssrvae.library.held_back import HeldBack
from napari_ssrvae.library.particle_library import ParticleLibrary
from napari_ssrvae.library.predictions import decoded_strip
from napari_ssrvae.library.statistics import class_statistics, rounded
from napari_ssrvae.library.storage import replaced_file
from napari_ssrvae.report import figures, trust

if TYPE_CHECKING:
    from napari_ssrvae.learning.quality import QualityReport
    from napari_ssrvae.library.workflow import Workflow

MAX_OVERLAYS = 6
_PACKAGES = ("napari-ssrvae", "torch", "pyro-ppl", "numpy", "scikit-image", "scikit-learn")


def build_report(
    library: ParticleLibrary,
    *,
    title: str = "Particle report",
    micrographs: Iterable[Micrograph] = (),
    workflow: Workflow | None = None,
    held_back: HeldBack | None = None,
    checks: Sequence[tuple[str, HeldBack]] = (),
    quality: QualityReport | None = None,
    quality_images: npt.NDArray[Any] | None = None,
    notes: Iterable[str] = (),
) -> str:
    """Build the report as one HTML page that needs no other file.

    Parameters
    ----------
    library : ParticleLibrary
        At least one particle.
    title : str
        Heading.
    micrographs : iterable of Micrograph
        For the overlays, matched by name. Missing ones are read from the paths that the library
        remembers; where that fails the page says so.
    workflow : Workflow, optional
        For the class images, the training curve and the settings.
    held_back : HeldBack, optional
        Held-back labels; None takes the workflow's.
    checks : sequence of (str, HeldBack)
        Further comparisons with a known truth, each with its heading.
    quality : QualityReport, optional
        From `SSRVAE.quality`, of the same classes.
    quality_images : (n, H, W) array, optional
        The images that it was called with: the page then shows the particles that label and model
        call differently.
    notes : iterable of str
        Sentences for the reader, besides those of the library.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    InputError
        The library is empty, or `quality_images` are not those of `quality`.
    """
    if not len(library):
        raise InputError("The library holds no particles, so there is nothing to report.")
    if held_back is None and workflow is not None:
        held_back = workflow.held_back
    found, missing = _micrographs(library, micrographs)
    names = {c.id: c.name for c in library.classes}
    summary = library.summary()
    compared = [*([] if held_back is None else [("Held-back labels", held_back)]), *checks]
    environment = Environment(
        loader=PackageLoader("napari_ssrvae.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        title=title,
        today=date.today().isoformat(),
        version=__version__,
        subtitle=_subtitle(library),
        facts=_facts(library, held_back, quality),
        overlays=[_overlay(m, library) for m in found],
        summary=_summary_rows(library, summary),
        latent=figures.html_picture(figures.latent_figure(library), "latent space")
        if _has_z(library)
        else None,
        sizes=_sizes(library, summary),
        distributions=_distributions(library),
        class_images=_class_images(library, workflow),
        confusions=[trust.confusion(heading, result, names) for heading, result in compared],
        quality=None if quality is None else trust.quality_section(quality, names, quality_images),
        no_held_back=held_back is None and quality is None,
        curve=_curve(workflow),
        notes=list(dict.fromkeys([*library.notes, *notes, *missing])),
        settings=_settings(library, workflow),
        versions=_versions(),
    )


def write_report(path: str | os.PathLike[str], library: ParticleLibrary, **options: Any) -> Path:
    """Build a report and write it to a file, whole or not at all.

    Parameters
    ----------
    path : path
        The HTML file; replaced where it exists.
    library : ParticleLibrary
        At least one particle.
    **options
        As in `build_report`.

    Raises
    ------
    InputError
        The library is empty.
    WriteError
        The file cannot be written.
    """
    target = Path(path).expanduser().absolute()
    page = build_report(library, **options)
    with replaced_file(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return target


def _micrographs(
    library: ParticleLibrary, given: Iterable[Micrograph]
) -> tuple[list[Micrograph], list[str]]:
    """Return the micrographs to draw, and sentences about those that cannot be."""
    by_name: dict[str, Micrograph] = {}
    for micrograph in given:
        by_name.setdefault(micrograph.name, micrograph)
    found: list[Micrograph] = []
    sentences: list[str] = []
    names = list(library.micrographs)
    for name in names[:MAX_OVERLAYS]:
        if name in by_name:
            found.append(by_name[name])
            continue
        source = library.micrographs[name]
        if source.scene is not None:
            found.append(Micrograph(source.scene.image, source.pixel_size, name))
            continue
        path = source.path
        try:
            if path is None:
                raise ReadError(f"the library does not know the file of {name}")
            read = read_micrograph(path)
        except (ReadError, InputError):
            sentences.append(
                f"{name} is drawn nowhere here: its file ({path or 'unknown'}) could not be read."
            )
            continue
        found.append(Micrograph(read.image, source.pixel_size, name))
    if len(names) > MAX_OVERLAYS:
        sentences.append(
            f"Only the first {MAX_OVERLAYS} of {len(names)} micrographs are drawn; the tables and "
            "plots count all of them."
        )
    return found, sentences


def _subtitle(library: ParticleLibrary) -> str:
    n = len(library.micrographs)
    sizes = {s.pixel_size for s in library.micrographs.values()}
    known = ", ".join(f"{s:.4g} nm per pixel" for s in sorted(s for s in sizes if s is not None))
    parts = [
        next(iter(library.micrographs)) if n == 1 else f"{n} micrographs",
        known or "pixel size unknown",
    ]
    if known and None in sizes:
        parts.append("some of unknown pixel size")
    return " · ".join(parts)


def _facts(
    library: ParticleLibrary, held_back: HeldBack | None, quality: QualityReport | None
) -> list[tuple[str, str]]:
    if held_back is None and quality is not None and len(quality.rows):
        held_back = trust.as_held_back(quality)
    counted = library.table[library.counted]
    by_hand = int((counted["source"] == "hand").sum())
    facts = [
        (str(len(counted)), "particle" if len(counted) == 1 else "particles"),
        (str(counted["class_id"].nunique()), "classes found"),
        (str(by_hand), "labelled by hand"),
        (_confidence(counted), "median confidence"),
    ]
    if len(counted) < len(library):
        facts.insert(1, (str(len(library) - len(counted)), "left out (debris)"))
    if held_back is not None:
        facts.append((f"{held_back.accuracy:.1%}", f"right of {held_back.n} held-back"))
    return facts


def _confidence(particles: pd.DataFrame) -> str:
    return f"{particles['confidence'].median():.2f}" if len(particles) else "–"


def _overlay(micrograph: Micrograph, library: ParticleLibrary) -> dict[str, Any]:
    mine = library.table[library.table["micrograph"] == micrograph.name]
    found = mine["class_id"].value_counts()
    return {
        "name": micrograph.name,
        "picture": figures.html_picture(
            figures.overlay_figure(micrograph, library), f"classes over {micrograph.name}", 100
        ),
        "legend": [(c.color, c.name, int(found.get(c.id, 0))) for c in library.classes],
        "by_hand": int((mine["source"] == "hand").sum()),
    }


def _summary_rows(library: ParticleLibrary, summary: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    total = max(int(library.counted.sum()), 1)
    for particle_class, record in zip(library.classes, summary.to_dict("records"), strict=True):
        rows.append(
            {
                "color": particle_class.color,
                "name": particle_class.name,
                "count": record["count"],
                "counted": particle_class.counted,
                "share": record["count"] / total if particle_class.counted else 0.0,
                "by_hand": record["by_hand"],
                "unit": record["unit"],
                "sizes": [_number(float(record[c])) for c in ("mean", "median", "sd")],
            }
        )
    return rows


def _number(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "–"


def _has_z(library: ParticleLibrary) -> bool:
    return "z1" in library.table and bool(library.table["z1"].notna().any())


def _sizes(library: ParticleLibrary, summary: pd.DataFrame) -> Markup | None:
    units = summary.loc[summary["measured"] > 0, "unit"]
    if units.empty:
        return None
    unit = str(units.mode()[0])
    names = [str(n) for n in units.index[units == unit]]
    return figures.html_picture(figures.size_figure(library, unit, names), "size distribution")


def _distributions(library: ParticleLibrary) -> list[dict[str, Any]]:
    """D10, D50, D90 and the better fit of the diameters of each class that is counted."""
    rows = []
    for c in library.classes:
        mine = library.table[(library.table["class_id"] == c.id) & library.counted]
        in_nm = "equivalent_diameter_nm" in mine and mine["equivalent_diameter_nm"].notna().all()
        values = mine["equivalent_diameter_nm" if in_nm else "equivalent_diameter"].to_numpy()
        if not len(values):
            continue
        found = class_statistics(values, np.full(len(values), c.id), [c.id]).iloc[0]
        both = fit_distributions(values)
        rows.append(
            {
                "color": c.color,
                "name": c.name,
                "unit": "nm" if in_nm else "px",
                "deciles": [rounded(float(found[d])) for d in ("d10", "d50", "d90")],
                "fit": "–" if both.better is None else both.better.in_words(),
                "ks": "–" if both.better is None else f"{both.better.ks:.3f}",
                "verdict": "no clear difference" if both.verdict == "either" else "",
            }
        )
    return rows


def _class_images(library: ParticleLibrary, workflow: Workflow | None) -> list[dict[str, Any]]:
    known = set() if workflow is None else {int(i) for i in workflow.model.classes_}
    if workflow is not None:
        # The library may number its classes otherwise, after a merge: names tell.
        numbers = {c.name: c.id for c in workflow.classes if c.id in known}
    else:
        numbers = {}
    rows = []
    for c in library.classes:
        examples = figures.example_patches(library, c.id)
        learned, n_learned = None, 0
        if workflow is not None and c.name in numbers:
            strip = decoded_strip(workflow.model, numbers[c.name], _z_of(library, c.id))
            n_learned = len(strip)
            learned = figures.html_picture(
                figures.strip_figure(strip), f"what the model draws for {c.name}"
            )
        if learned is None and not len(examples):
            continue
        shown = None
        if len(examples):
            shown = figures.html_picture(figures.strip_figure(examples), f"particles of {c.name}")
        rows.append(
            {
                "color": c.color,
                "name": c.name,
                "learned": learned,
                "n_learned": n_learned,
                "examples": shown,
                "n_examples": len(examples),
            }
        )
    return rows


def _z_of(library: ParticleLibrary, class_id: int) -> npt.NDArray[np.float64]:
    columns = library.table.columns[library.table.columns.str.fullmatch(r"z\d+")]
    members = library.table.loc[library.table["class_id"] == class_id, columns]
    return members.dropna().to_numpy(dtype=np.float64)


def _curve(workflow: Workflow | None) -> Markup | None:
    if workflow is None:
        return None
    history = workflow.model.history_
    if history is None or not len(history):
        return None
    return figures.html_picture(figures.curve_figure(history), "training curve")


def _settings(library: ParticleLibrary, workflow: Workflow | None) -> list[tuple[str, str]]:
    settings: list[tuple[str, str]] = []
    if workflow is not None:
        for what, values in (
            ("find", workflow.segmentation.to_dict()),
            ("patch", workflow.patches.to_dict()),
            ("model", workflow.model.get_params()),
        ):
            settings += [(f"{what}: {key}", _in_words(value)) for key, value in values.items()]
    for name, source in library.micrographs.items():
        size = "unknown" if source.pixel_size is None else f"{source.pixel_size:.6g} nm"
        settings.append((f"micrograph: {name}", f"pixel size {size}; {source.path or 'no file'}"))
    return settings


def _in_words(value: object) -> str:
    if value is None:
        return "by itself"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _versions() -> list[tuple[str, str]]:
    found = []
    for package in _PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    return found

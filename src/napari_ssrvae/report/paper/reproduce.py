"""Draw the paper's figures and films with our data, into one folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from napari_ssrvae import __version__
from napari_ssrvae.errors import InputError, ReadError
from napari_ssrvae.library.storage import read_document, replaced_file, write_document
from napari_ssrvae.report.figures import png

from . import cards_panels, gold_panels
from .baselines import NO_XGBOOST, has_xgboost
from .figures import draw
from .films import FILMS, Film, film_path, film_set, make_film
from .names import CHOICES, FORMAT, FORMAT_VERSION, parts
from .panels import Panel, Study
from .sets import FULL, SMALL, Sizes
from .systems import Progress, TrainedSystems

_PANELS: dict[str, Callable[[Study], Panel]] = {
    "3a": cards_panels.panel_3a,
    "3b": cards_panels.panel_3b,
    "3c": cards_panels.panel_3c,
    "4a": cards_panels.panel_4a,
    "4b": cards_panels.panel_4b,
    "4c": cards_panels.panel_4c,
    "4d": cards_panels.panel_4d,
    "4e": cards_panels.panel_4e,
    "4f": cards_panels.panel_4f,
    "5": gold_panels.panel_5,
    "6": gold_panels.panel_6,
    "S3": gold_panels.panel_s3,
    "systems": cards_panels.panel_systems,
}


def reproduce(
    figure: str | None,
    out: Path,
    *,
    full: bool = False,
    seed: int = 0,
    progress: Progress,
    sizes: Sizes | None = None,
    training: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Draw figures and films of Ziatdinov et al., Digital Discovery 2024, 3, 1213.

    Trained models are kept in ``out/models`` and taken from there by other figures and later runs
    of the same settings, so a run that was stopped goes on.

    Parameters
    ----------
    figure : str or None
        One of `names.CHOICES`; None draws all.
    out : Path
        Folder; files of the same names are replaced. For each figure a PNG and a JSON with its
        numbers, for each film a GIF and a JSON.
    full : bool
        The paper's numbers of images instead of smaller ones.
    seed : int
        Of all sets and trainings.
    progress : callable
        Called as (step, fraction, words).
    sizes : Sizes, optional
        Other numbers of images.
    training : mapping, optional
        Further arguments of every `SSRVAE`.

    Returns
    -------
    dict
        `out`; `files`, paths by figure; `compared`, our numbers beside the paper's; `notes`.

    Raises
    ------
    InputError
        No such figure.
    WriteError
        The folder cannot be written.
    """
    if figure is not None and figure not in CHOICES:
        raise InputError(f"There is no figure {figure!r}; choose from {', '.join(CHOICES)}.")
    out = Path(out).expanduser()
    study = Study(
        sizes or (FULL if full else SMALL),
        TrainedSystems(out / "models", seed, progress, training),
        progress,
    )
    films, figures = parts(figure)
    files: dict[str, dict[str, str]] = {}
    compared: list[dict[str, Any]] = []
    # Films first: their models are kept, and the figures need them again.
    for name in films:
        files[name] = {"film": str(film_path(FILMS[name], out)), "numbers": str(_json(out, name))}
        known = _made_before(FILMS[name], study, out)
        if known is None:
            panel = make_film(FILMS[name], study, out)
            _write_numbers(_json(out, name), study, [panel])
            known = _rows([panel])
        compared += known
    for name, its_panels in figures.items():
        step = f"figure {name}"
        made = [_PANELS[panel](study) for panel in its_panels]
        progress(step, 0.5, "drawing")
        picture = out / f"figure-{name}.png"
        with replaced_file(picture) as temporary:
            temporary.write_bytes(png(draw(made), dpi=150))
        _write_numbers(_json(out, f"figure-{name}"), study, made)
        files[name] = {"picture": str(picture), "numbers": str(_json(out, f"figure-{name}"))}
        compared += _rows(made)
        progress(step, 1.0, picture.name)
    without = "S3" in figures and not has_xgboost()
    return {
        "out": str(out),
        "files": files,
        "compared": compared,
        "notes": [NO_XGBOOST] if without else [],
    }


def _json(out: Path, name: str) -> Path:
    return out / f"{name}.json"


def _write_numbers(path: Path, study: Study, panels: list[Panel]) -> None:
    """Write all numbers of a figure, and what they were made with."""
    content = {
        "versions": {"napari-ssrvae": __version__, "torch": torch.__version__},
        "seed": study.seed,
        "sizes": asdict(study.sizes),
        "panels": {
            panel.name: {
                "title": panel.title,
                "notes": list(panel.notes),
                "numbers": dict(panel.numbers),
                "compared": _rows([panel]),
            }
            for panel in panels
        },
    }
    with replaced_file(path) as temporary:
        write_document(temporary, FORMAT, FORMAT_VERSION, content)


def _rows(panels: list[Panel]) -> list[dict[str, Any]]:
    return [asdict(row) for panel in panels for row in panel.compared]


def _made_before(film: Film, study: Study, out: Path) -> list[dict[str, Any]] | None:
    """Return the comparisons of a film of these settings, by its model's name; None: no film."""
    model = study.trained.path(film.system, film_set(film, study)).name
    try:
        found = read_document(out, f"film-{film.name}.json", FORMAT, FORMAT_VERSION)
        panel = found["panels"][film.name]
        if not film_path(film, out).is_file() or panel["numbers"]["model"] != model:
            return None
        return list(panel["compared"])
    except (ReadError, KeyError):
        return None

"""The numbers of drawn figures as a Markdown table, ours beside the paper's."""

from __future__ import annotations

from pathlib import Path

from napari_ssrvae.errors import InputError
from napari_ssrvae.library.storage import read_document

from .names import FIGURES, FILMS, FORMAT, FORMAT_VERSION


def comparison_table(folder: Path) -> str:
    """Return a Markdown table of all figures that lie in a folder.

    Parameters
    ----------
    folder : Path
        Where `reproduce` wrote them.

    Raises
    ------
    InputError
        There are none.
    ReadError
        A file is damaged.
    """
    names = [f"figure-{name}" for name in FIGURES] + list(FILMS)
    lines = []
    for name in names:
        if not (folder / f"{name}.json").is_file():
            continue
        document = read_document(folder, f"{name}.json", FORMAT, FORMAT_VERSION)
        for panel, content in document["panels"].items():
            figure = f"film {panel}" if name in FILMS else panel
            lines += [
                f"| {figure} | {row['quantity']} | {row['paper']} | {row['ours']:.3f} |"
                for row in content["compared"]
            ]
    if not lines:
        raise InputError(f"No figures are in {folder}: run `napari-ssrvae reproduce` first.")
    return "\n".join(["| figure | what | the paper | here |", "|---|---|---|---|", *lines])

"""The figures and films by name, apart from their making, which takes long to load."""

from __future__ import annotations

FORMAT, FORMAT_VERSION = "napari-ssrvae paper figure", 1
"""Of the JSON beside each figure."""

FIGURES = {
    "3": ("3a", "3b", "3c"),
    "4": ("4a", "4b", "4c", "4d", "4e", "4f"),
    "5": ("5",),
    "6": ("6",),
    "S3": ("S3",),
    "systems": ("systems",),
}
"""Panels of each figure; "systems" compares decoders and priors, which the paper does in words."""

FILMS = ("film-S1", "film-S2", "film-S3")

CHOICES = tuple(
    dict.fromkeys([*FIGURES, *(p for panels in FIGURES.values() for p in panels), "films", *FILMS])
)
"""All that can be asked for: a figure, a panel alone, all films, a film alone."""


def parts(choice: str | None) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Return what a choice consists of.

    Parameters
    ----------
    choice : str, optional
        One of `CHOICES`; None: everything.

    Returns
    -------
    films : tuple of str
        Films to make.
    figures : dict
        Panels of each figure to draw.
    """
    if choice is None:
        return FILMS, dict(FIGURES)
    if choice == "films":
        return FILMS, {}
    if choice in FILMS:
        return (choice,), {}
    return (), {choice: FIGURES.get(choice, (choice,))}

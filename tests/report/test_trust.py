from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from test_report import Page, words

from napari_ssrvae.errors import InputError
from napari_ssrvae.learning.quality import QualityReport
from napari_ssrvae.learning.reliability import calibration
from napari_ssrvae.library.workflow import training_arrays
from napari_ssrvae.report import build_report, figures, trust
from tiny import small_model, tiny


@cache
def held_back() -> tuple[QualityReport, np.ndarray]:
    """A report of the tiny model, which is often wrong, and the images it is of."""
    X, y = training_arrays([tiny().particles], [tiny().hand])
    return small_model().quality(X, y), X


def test_the_page_shows_the_quality_report() -> None:
    quality, X = held_back()
    page = Page(build_report(tiny().library, quality=quality, quality_images=X))
    text = words(page)
    names = {c.id: c.name for c in tiny().library.classes}
    for sentence in quality.sentences(names):
        assert sentence in text
    assert "No labels were held back" not in text
    assert f"right of {len(quality.rows)} held-back" in text
    assert page.pictures["reliability of the probabilities"].std() > 3
    assert len(quality.disagreements)
    for entry in quality.disagreements.itertuples():
        assert f"label {names[entry.label]} model {names[entry.predicted]}" in text
        assert page.pictures[f"particle {entry.row}"].std() > 3
    for row in quality.per_class.itertuples():
        assert f"{names[row[1]]} {row.n} {row.tested}" in text


def test_disagreements_stand_in_their_order_and_are_bounded() -> None:
    n = 2 * trust.MAX_DISAGREEMENTS
    sure = np.linspace(0.51, 0.99, n)
    classes = np.array([1, 2])
    quality = QualityReport(
        classes, np.array([n, 1]), np.arange(n), np.ones(n, int), np.c_[1 - sure, sure], 3
    )
    section = trust.quality_section(quality, {1: "monomer"}, None)
    shown = section["disagreements"]
    assert [entry["row"] for entry in shown] == list(range(n - 1, n - 1 - len(shown), -1))
    assert shown[0] == {
        "row": n - 1, "label": "monomer", "predicted": "class 2", "probability": "0.99",
        "picture": None,
    }  # fmt: skip
    text = words(Page(build_report(tiny().library, quality=quality)))
    assert f"The first {len(shown)} of {n}." in text
    with pytest.raises(InputError, match="give the images"):
        trust.quality_section(quality, {}, np.zeros((3, 8, 8)))


def test_a_quality_report_without_held_back_labels_says_why() -> None:
    nothing = QualityReport(
        np.array([1, 2]), np.array([1, 1]), *(np.empty(0, int) for _ in range(2)),
        np.empty((0, 2)), 0,
    )  # fmt: skip
    page = Page(build_report(tiny().library, quality=nothing))
    text = words(page)
    assert "Too few labels to say anything" in text
    assert "4 more of monomer and 4 more of dimer" in text
    assert "reliability of the probabilities" not in page.pictures


def test_the_reliability_figure_puts_points_where_the_bins_are() -> None:
    figure = figures.reliability_figure(calibration([0.55, 0.55, 0.95], [1, 0, 1]))
    (points,) = (c for c in figure.axes[0].collections if len(c.get_offsets()) == 2)
    np.testing.assert_allclose(points.get_offsets(), [[0.55, 0.5], [0.95, 1.0]])
    large, small = points.get_sizes()
    assert large > small

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from napari_ssrvae.demo import save_micrograph
from napari_ssrvae.errors import InputError, WriteError
from napari_ssrvae.imaging.micrograph import Micrograph
from napari_ssrvae.library.distributions import fit_distributions
from napari_ssrvae.library.held_back import HeldBack
from napari_ssrvae.library.particle_library import ParticleLibrary
from napari_ssrvae.report import build_report, figures, write_report
from tiny import small_micrograph, tiny

FEW = HeldBack.compare([1] * 20 + [2] * 3, [1] * 19 + [2] * 4, "a test")


class Page(HTMLParser):
    """Checks that tags are closed in order; collects pictures and text."""

    VOID = ("meta", "img", "br", "link")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures: dict[str, np.ndarray] = {}
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            found = dict(attrs)
            kind, data = str(found["src"]).split(",")
            assert kind == "data:image/png;base64"
            self.pictures[str(found["alt"])] = imageio.imread(base64.b64decode(data))
        elif tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += " " + data


def words(page: Page) -> str:
    return re.sub(r"\s+", " ", page.text)


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(
        build_report(
            tiny().library,
            title="Gold & <silver>",
            micrographs=[tiny().micrograph],
            workflow=replace(tiny().workflow, held_back=FEW),
            checks=[("Against the truth", HeldBack.compare([1, 4], [1, 4], "the truth"))],
            notes=["Something to know."],
        )
    )


def test_everything_that_the_page_promises_is_in_it(page: Page) -> None:
    assert {
        *("classes over simulated-0", "latent space", "size distribution", "training curve"),
        *(f"what the model draws for {n}" for n in tiny().library.class_names),
    } <= set(page.pictures)
    text = words(page)
    for sentence in ("Gold & <silver>", "10 nm per pixel", "Something to know."):
        assert sentence in text
    for name, count in tiny().library.counts().items():
        assert f"{name} {count}" in text
    for name, version in [("pixel size 10 nm", ""), ("torch", "2."), ("smoothing", "1.0")]:
        assert name in text
        assert version in text


def test_sizes_come_with_deciles_and_the_distribution_that_fits(page: Page) -> None:
    table = tiny().library.table
    biggest = table["class_id"].value_counts().index[0]
    sizes = table.loc[table["class_id"] == biggest, "equivalent_diameter_nm"]
    both = fit_distributions(sizes)
    assert both.better is not None
    text = words(page)
    assert f"{np.median(sizes):.0f} nm" in text
    assert both.better.in_words() in text
    assert f"{both.better.ks:.3f}" in text


def test_the_page_needs_nothing_from_outside() -> None:
    html = build_report(tiny().library, micrographs=[tiny().micrograph])
    assert not re.search(r"(src|href)=\"(?!data:)", html)
    assert "url(" not in html
    assert "<script" not in html


def test_pictures_are_not_blank(page: Page) -> None:
    for name, picture in page.pictures.items():
        assert picture.std() > 3, name
        assert picture.shape[2] in (3, 4)


def test_the_confusion_matrix_says_how_much_it_is_worth(page: Page) -> None:
    text = words(page)
    assert "95.7% right of 23 particles" in text
    assert "against a test" in text
    assert "monomer 19 1 95%" in text
    assert "dimer 0 3 100%" in text
    assert "fewer than 5 particles here" in text
    assert "Nothing is known here about trimer, tetramer:" in text
    assert "Against the truth" in text
    assert "100.0% right of 2 particles" in text


def test_without_held_back_labels_the_page_says_so() -> None:
    text = words(Page(build_report(tiny().library, micrographs=[tiny().micrograph])))
    assert "No labels were held back" in text
    assert "right of" not in text


def test_micrographs_come_from_where_the_library_remembers_them(tmp_path: Path) -> None:
    micrograph = save_micrograph(small_micrograph(1)[0], tmp_path / "simulated-1.tif")
    library = tiny().workflow.classify(micrograph)
    before = Page(build_report(library)).pictures["classes over simulated-1"]
    given = Page(build_report(library, micrographs=[micrograph])).pictures
    np.testing.assert_array_equal(before, given["classes over simulated-1"])


def test_names_in_any_script_are_written(recwarn: pytest.WarningsRecorder) -> None:
    names = ["二聚体", "<b>bold</b>", "нано", "a" * 200]
    library = ParticleLibrary.from_predictions(
        tiny().particles, tiny().workflow.model, names, tiny().hand
    )
    workflow = replace(tiny().workflow, classes=library.classes)
    page = Page(build_report(library, micrographs=[tiny().micrograph], workflow=workflow))
    for name in names:
        assert name in page.text
    assert "what the model draws for <b>bold</b>" in page.pictures
    assert not recwarn.list


def test_an_empty_library_has_no_report(tmp_path: Path) -> None:
    empty = tiny().library.select([])
    with pytest.raises(InputError, match="nothing to report"):
        write_report(tmp_path / "r.html", empty)
    assert list(tmp_path.iterdir()) == []


def test_one_particle_of_unknown_scale_is_enough() -> None:
    particles = replace(tiny().particles.subset([0]), pixel_size=None)
    table = particles.table.drop(columns=[c for c in particles.table if c.endswith(("nm", "nm2"))])
    library = ParticleLibrary.from_predictions(
        replace(particles, table=table), tiny().workflow.model
    )
    text = words(Page(build_report(library, workflow=tiny().workflow)))
    assert "pixel size unknown" in text
    assert "1 particle " in text
    assert re.search(r"\d px", text)


def test_an_unwritable_report_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="is a folder"):
        write_report(tmp_path, tiny().library)
    with pytest.raises(WriteError, match="cannot be written"):
        write_report("/proc/nowhere/r.html", tiny().library)
    path = write_report(tmp_path / "new" / "r.html", tiny().library)
    assert [p.name for p in path.parent.iterdir()] == ["r.html"]


@pytest.mark.parametrize(
    ("width", "pixel_size", "length", "text"),
    [
        (1280, 10.0, 200, "2 µm"),
        (1280, 4.466, 1000 / 4.466, "1 µm"),
        (1000, 0.5, 200, "100 nm"),
        (1280, None, 200, "200 px"),
        (64, 0.01, 10, "0.1 nm"),
    ],
)
def test_scale_bars_have_round_lengths(
    width: int, pixel_size: float | None, length: float, text: str
) -> None:
    found, words = figures.scale_bar(width, pixel_size)
    assert words == text
    assert found == pytest.approx(length)
    assert found <= width / 5 * 1.001


def test_the_overlay_colours_particles_where_they_are() -> None:
    library, micrograph = tiny().library, tiny().micrograph
    flat = Micrograph(
        np.where(np.indices(micrograph.shape).sum(0) % 2, 60, 61).astype(np.uint8),
        10.0,
        micrograph.name,
    )
    figure = figures.overlay_figure(flat, library)
    picture = imageio.imread(io.BytesIO(figures.png(figure, dpi=100))).astype(int)[..., :3]
    assert picture.shape[:2] == micrograph.shape
    coloured = np.ptp(picture, axis=2) > 12
    inside = tiny().labels > 0
    # The scale bar covers a corner; particles larger than their frame are cut.
    height, width = micrograph.shape
    inside[int(0.85 * height) :, int(0.6 * width) :] = False
    coloured[int(0.85 * height) :, int(0.6 * width) :] = False
    assert (coloured & inside).sum() / inside.sum() > 0.9
    assert (coloured & ~inside).sum() / (~inside).sum() < 0.1


def test_examples_run_from_the_surest_to_the_least_sure() -> None:
    library = tiny().library
    name = max(library.counts(), key=lambda n: library.counts()[n])
    class_id = {c.name: c.id for c in library.classes}[name]
    rows = np.flatnonzero((library.table["class_id"] == class_id).to_numpy())
    surest = rows[np.argmax(library.table["confidence"].to_numpy()[rows])]
    examples = figures.example_patches(library, class_id, n=4)
    assert len(examples) == 4
    np.testing.assert_array_equal(examples[0], library.patches[surest])
    assert len(figures.example_patches(library, 99)) == 0


def test_debris_is_left_out_of_the_numbers_and_kept_in_the_table() -> None:
    library = tiny().library
    name = max(library.counts(), key=lambda n: library.counts()[n])
    with_debris = replace(
        library, classes=tuple(replace(c, counted=c.name != name) for c in library.classes)
    )
    left = len(library) - library.counts()[name]
    text = words(Page(build_report(with_debris)))
    assert f"{left} particles {library.counts()[name]} left out (debris)" in text
    assert re.search(rf"{name} left out {library.counts()[name]} \d+ – – –", text)
    shares = with_debris.summary().query("counted")["count"] / left
    for share in shares:
        assert f" {100 * share:.0f} %" in text
    assert with_debris.summary().loc[name, "measured"] == 0
    assert with_debris.counts() == library.counts()

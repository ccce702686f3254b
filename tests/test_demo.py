"""The whole job, through the command line, in a process that has no display."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from napari_ssrvae.demo import run_demo
from napari_ssrvae.errors import WriteError
from napari_ssrvae.imaging.reading import read_micrograph
from napari_ssrvae.library.particle_library import ParticleLibrary
from napari_ssrvae.library.workflow import Workflow

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "XDG_RUNTIME_DIR")
STEPS = ("Find particles", "Label", "Train", "Classify", "Second micrograph", "Export")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, str]:
    """The folder that the demo left, its answer, and what it told on the way."""
    out = tmp_path_factory.mktemp("demo") / "out"
    environment = {k: v for k, v in os.environ.items() if k not in DISPLAYS}
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-c", "from napari_ssrvae.cli import main; main()"),
            *("demo", "--headless", "--out", str(out), "--json"),
            # What is tested is the result, not how fast a shared machine gets there.
            *("--max-seconds", "300"),
        ],
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout), done.stderr


@pytest.mark.slow
def test_the_demo_learns_the_classes(demo: tuple[Path, dict, str]) -> None:
    _, answer, _ = demo
    assert answer["labels"] == 32
    assert answer["held_back_n"] > 100
    assert answer["held_back_accuracy"] >= 0.9
    assert answer["second_n"] > 100
    assert answer["second_accuracy"] >= 0.9


@pytest.mark.slow
def test_the_demo_tells_each_step(demo: tuple[Path, dict, str]) -> None:
    told = demo[2].splitlines()
    places = [told.index(f"{step} ...") for step in STEPS if step != "Label"]
    assert places == sorted(places)
    for step in STEPS:
        assert any(line.startswith(f"{step}: done") for line in told)


@pytest.mark.slow
def test_the_demo_leaves_everything_that_it_names(demo: tuple[Path, dict, str]) -> None:
    out, answer, _ = demo
    assert {p.name for p in out.iterdir()} == {
        *("library", "workflow", "report.html", "particles.csv", "micrographs")
    }
    assert all(Path(path).exists() for path in answer["files"].values())
    library = ParticleLibrary.load(out / "library")
    assert len(library) == answer["particles"]
    assert library.counts() == answer["counts"]
    assert set(library.micrographs) == {"simulated-0", "simulated-1"}
    assert len(library.labels_of("simulated-0")) == answer["labels"]
    assert library.labels_of("simulated-1") == {}
    table = pd.read_csv(out / "particles.csv", keep_default_na=False)
    assert table["class"].tolist() == library.table["class"].tolist()

    workflow = Workflow.load(out / "workflow")
    assert workflow.held_back is not None
    assert workflow.held_back.accuracy == answer["held_back_accuracy"]
    again = workflow.classify(out / "micrographs" / "simulated-1.tif")
    saved = library.table[library.table["micrograph"] == "simulated-1"].reset_index(drop=True)
    assert again.table["predicted"].tolist() == saved["predicted"].tolist()
    assert read_micrograph(out / "micrographs" / "simulated-0.tif").pixel_size == pytest.approx(10)


@pytest.mark.slow
def test_the_report_shows_everything_without_another_file(demo: tuple[Path, dict, str]) -> None:
    page = (demo[0] / "report.html").read_text(encoding="utf-8")
    assert "http" not in page.replace("data:image/png;base64,", "")
    for picture in (
        *("classes over simulated-0", "classes over simulated-1", "latent space"),
        *("size distribution", "what the model draws for trimer", "training curve"),
    ):
        assert f'alt="{picture}"' in page
    assert "Held-back labels" in page
    assert "Second micrograph, simulated-1, not seen in training" in page
    assert f"{demo[1]['held_back_accuracy']:.1%} right of {demo[1]['held_back_n']}" in page


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    told: list[str] = []
    for out in (tmp_path / "file", tmp_path / "file" / "inside", Path("/proc/nowhere")):
        with pytest.raises(WriteError):
            run_demo(out, progress=lambda step, done, words: told.append(step))
    assert told == []
    assert (tmp_path / "file").read_text() == "precious"

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_ssrvae.cli import main
from napari_ssrvae.demo import save_micrograph
from napari_ssrvae.errors import InputError, ReadError
from napari_ssrvae.imaging.micrograph import Micrograph
from napari_ssrvae.label_tables import match_truth, read_label_table
from napari_ssrvae.library.particle_library import ParticleLibrary
from napari_ssrvae.library.workflow import Workflow
from tiny import small_micrograph, tiny

COMMANDS = ("demo", "segment", "train", "classify", "export", "report", "reproduce")


class Ran:
    """What a command line answered."""

    def __init__(self, code: object, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> dict:
        return json.loads(self.out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return Ran(stop.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Two micrographs as files."""
    paths = [tmp_path / "in" / f"simulated-{seed}.tif" for seed in (0, 1)]
    for seed, path in enumerate(paths):
        save_micrograph(small_micrograph(seed)[0], path)
    return paths


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    return tiny().workflow.save(tmp_path / "flow")


def assert_one_sentence(ran: Ran, *words: str) -> None:
    """The command failed with an error of ours, in one sentence, and printed no result."""
    assert ran.code == 1
    assert ran.out == ""
    error = [line for line in ran.err.splitlines() if line.startswith("Error: ")]
    assert len(error) == 1
    assert "Traceback" not in ran.err
    for word in words:
        assert word in error[0]


# -------------------------------------------------------------------------- the shell


def test_help_answers_at_once_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, napari_ssrvae.cli as cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit as stop: assert stop.code == 0, stop.code\n"
        "heavy = {'torch', 'napari', 'numpy', 'pandas', 'skimage', 'matplotlib', 'qtpy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    before = os.times()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    after = os.times()
    assert done.returncode == 0, done.stderr
    for command in COMMANDS:
        assert command in done.stdout
    # Computing time, not the clock: other processes may share the cores.
    assert after.children_user - before.children_user < 1.5


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(run, command: str) -> None:
    ran = run(command, "--help")
    assert ran.code == 0
    assert command in ran.out
    assert "--json" in ran.out


def test_the_version_is_printed(run) -> None:
    assert run("--version").out.startswith("napari-ssrvae 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["segment"],
        ["segment", "x.tif"],
        ["segment", "x.tif", "--out", "d", "--method", "magic"],
        ["segment", "x.tif", "--out", "d", "--min-area", "-1"],
        ["export", "lib", "x", "--format", "xlsx"],
        ["train", "x.tif", "--out", "d"],
        ["demo", "--headless"],
        ["demo", "--out", "d"],
    ],
)
def test_a_wrong_command_line_is_2(run, arguments: list[str], tmp_path: Path) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err


def test_without_a_display_the_demo_says_what_to_do(run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    if sys.platform == "linux":
        assert_one_sentence(run("demo"), "no display", "--headless")
    assert_one_sentence(run("demo", "missing.tif"), "missing.tif")


# -------------------------------------------------------------------------- segment


def test_segment_writes_labels_and_tables_that_belong_together(
    run, images: list[Path], tmp_path: Path
) -> None:
    ran = run("segment", *images, "--out", tmp_path / "out", "--json")
    assert ran.code == 0
    assert [i["pixel_size_nm"] for i in ran.json["images"]] == [10.0, 10.0]
    for image, answer in zip(images, ran.json["images"], strict=True):
        labels = tifffile.imread(answer["labels"])
        table = pd.read_csv(answer["table"])
        assert answer["image"] == str(image)
        assert answer["particles"] == len(table) > 20
        assert table["label"].tolist() == np.unique(labels)[1:].tolist()
        assert table["area"].tolist() == np.bincount(labels.ravel())[1:].tolist()
        assert "equivalent_diameter_nm" in table
    assert np.array_equal(tifffile.imread(ran.json["images"][0]["labels"]), tiny().labels)


def test_segment_options_reach_the_search(run, images: list[Path], tmp_path: Path) -> None:
    def found(*options: object) -> int:
        ran = run("segment", images[0], "--out", tmp_path / "out", "--json", *options)
        return int(ran.json["images"][0]["particles"])

    everything = found()
    assert found("--min-area", 1000) < everything
    assert found("--split-touching") > everything


def test_one_bad_image_does_not_keep_the_others(run, images: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken.tif").write_bytes(images[0].read_bytes()[:300])
    ran = run("segment", tmp_path / "broken.tif", images[1], "--out", tmp_path / "out", "--json")
    assert ran.code == 1
    assert [Path(i["image"]) for i in ran.json["images"]] == [images[1]]
    assert [Path(f["image"]).name for f in ran.json["failed"]] == ["broken.tif"]
    assert "broken.tif" in ran.err
    assert "Traceback" not in ran.err


def test_images_of_one_name_do_not_overwrite_each_other(
    run, images: list[Path], workflow: Path, tmp_path: Path
) -> None:
    twin = tmp_path / "twin" / images[0].name
    save_micrograph(small_micrograph(1)[0], twin)
    ran = run("segment", images[0], twin, "--out", tmp_path / "out", "--json")
    tables = {i["table"] for i in ran.json["images"]}
    assert len(tables) == 2
    ran = run("classify", workflow, images[0], twin, "--out", tmp_path / "both", "--json")
    assert ran.json["particles"] == sum(i["particles"] for i in ran.json["images"])
    library = ParticleLibrary.load(ran.json["files"]["library"])
    assert sorted(library.micrographs) == ["simulated-0", "simulated-0 (2)"]


@pytest.mark.realdata
def test_a_real_micrograph_is_segmented_without_its_info_bar(
    run, realdata: Path, tmp_path: Path
) -> None:
    ran = run("segment", realdata / "sem" / "B-2h07.tif", "--out", tmp_path / "out", "--json")
    answer = ran.json["images"][0]
    assert answer["pixel_size_nm"] == pytest.approx(10)
    assert tifffile.imread(answer["labels"]).shape == (960, 1280)
    assert answer["particles"] > 30


# ------------------------------------------------------------- train, classify, export


def labels_csv(path: Path, by: str) -> Path:
    """All true classes of the first micrograph, by particle id or by a point."""
    names = {1: "one", 2: "two", 3: "three", 4: "four"}
    table = tiny().particles.table.set_index("label")
    rows = []
    for label, class_id in tiny().truth.items():
        # A point that is surely inside: the particle's own first pixel, not its centroid.
        y, x = np.argwhere(tiny().labels == label)[0]
        assert label in table.index
        place = {"label": label} if by == "label" else {"x": x + 0.3, "y": y - 0.3}
        rows.append({**place, "class": names[class_id]})
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("by", ["label", "point"])
def test_train_then_classify_then_export_then_report(
    run, images: list[Path], tmp_path: Path, by: str
) -> None:
    labels = labels_csv(tmp_path / "labels.csv", by)
    trained = run(
        *("train", images[0], "--labels", labels, "--out", tmp_path / "flow"),
        *("--max-seconds", 1, "--json"),
    )
    assert trained.code == 0, trained.err
    answer = trained.json
    assert set(answer["classes"]) == {"one", "two", "three", "four"}
    assert answer["held_back_n"] > 0
    assert answer["labels"] + answer["held_back_n"] == len(tiny().truth)
    assert 0 <= answer["held_back_accuracy"] <= 1
    assert "held back" in trained.err

    ran = run("classify", tmp_path / "flow", *images, "--out", tmp_path / "out", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["failed"] == []
    assert sum(ran.json["counts"].values()) == ran.json["particles"]
    table = pd.read_csv(ran.json["files"]["table"])
    assert len(table) == ran.json["particles"]
    assert table["class"].value_counts().to_dict() == {
        name: n for name, n in ran.json["counts"].items() if n
    }

    coco = run(
        *("export", tmp_path / "out" / "library", tmp_path / "coco.json"),
        *("--format", "coco", "--json"),
    )
    assert coco.json["particles"] == ran.json["particles"]
    assert len(json.loads((tmp_path / "coco.json").read_text())["annotations"]) == len(table)

    page = run(
        *("report", tmp_path / "out", "--workflow", tmp_path / "flow"),
        *("--out", tmp_path / "r.html", "--title", "Two & more", "--json"),
    )
    assert page.code == 0, page.err
    html = Path(page.json["report"]).read_text()
    assert "Two &amp; more" in html
    assert html.count("classes over simulated-") == 2


def test_the_command_line_and_python_give_the_same_table(
    run, images: list[Path], workflow: Path, tmp_path: Path
) -> None:
    ran = run("classify", workflow, images[1], "--out", tmp_path / "out", "--json")
    library = ParticleLibrary.load(ran.json["files"]["library"])
    python = Workflow.load(workflow).classify(images[1])
    pd.testing.assert_frame_equal(library.table, python.table, check_exact=True)
    pd.testing.assert_frame_equal(
        tiny().workflow.classify(images[1]).table, python.table, check_exact=True
    )
    labels = tifffile.imread(tmp_path / "out" / "labels" / "simulated-1_labels.tif")
    assert np.array_equal(labels, tiny().workflow.segment(small_micrograph(1)[0]))


def test_an_unknown_scale_is_a_note_not_a_failure(run, workflow: Path, tmp_path: Path) -> None:
    imageio.imwrite(tmp_path / "plain.png", small_micrograph(1)[0].image)
    ran = run("classify", workflow, tmp_path / "plain.png", "--out", tmp_path / "out", "--json")
    assert ran.code == 0
    assert "Note: The pixel size of plain is unknown" in ran.err
    assert len(ran.json["notes"]) == 1


def test_an_image_without_particles_is_a_note_and_nothing_else(
    run, workflow: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    empty = tmp_path / "empty.tif"
    # One large bright corner: found, but cut by the edge, so there is nothing to classify.
    image = rng.normal(100, 1, (200, 200))
    image[:80, :80] += 50
    save_micrograph(Micrograph(image.astype(np.uint8), 10.0, "empty"), empty)
    ran = run("classify", workflow, empty, "--out", tmp_path / "out", "--json")
    assert ran.code == 0
    assert ran.json["particles"] == 0
    assert "Note: No particles were found in empty.tif." in ran.err
    assert len(ParticleLibrary.load(ran.json["files"]["library"])) == 0
    assert_one_sentence(run("report", tmp_path / "out", "--out", tmp_path / "r.html"), "nothing")


def test_errors_are_one_sentence(run, images: list[Path], workflow: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    labels = labels_csv(tmp_path / "labels.csv", "label")
    assert_one_sentence(run("classify", tmp_path / "no", images[0], "--out", out), "no")
    assert_one_sentence(run("classify", workflow, tmp_path / "no.tif", "--out", out), "no.tif")
    assert_one_sentence(run("export", workflow, out / "x.csv"), "not a saved particle library")
    assert_one_sentence(run("report", tmp_path, "--out", out / "x.html"), "particle library")
    assert_one_sentence(run("demo", images[0], "--headless", "--out", out), "--labels")
    assert_one_sentence(run("demo", "--headless", "--labels", labels, "--out", out), "IMAGE")
    assert_one_sentence(
        run("train", images[0], "--labels", tmp_path / "no.csv", "--out", out), "no.csv"
    )
    assert_one_sentence(run("segment", images[0], "--out", labels), "is a file")
    (tmp_path / "one.csv").write_text("label,class\n1,a\n2,a\n")
    assert_one_sentence(
        run("train", images[0], "--labels", tmp_path / "one.csv", "--out", out), "Only one class"
    )


def test_train_refuses_a_used_folder_before_it_trains(
    run, images: list[Path], tmp_path: Path
) -> None:
    labels = labels_csv(tmp_path / "labels.csv", "label")
    started = time.process_time()
    ran = run("train", images[0], "--labels", labels, "--out", tmp_path)
    assert_one_sentence(ran, "already holds other files")
    assert time.process_time() - started < 1


# ---------------------------------------------------------------------- label tables


def test_points_and_ids_name_the_same_particles(tmp_path: Path) -> None:
    by_id = read_label_table(labels_csv(tmp_path / "a.csv", "label"), tiny().labels)
    by_point = read_label_table(labels_csv(tmp_path / "b.csv", "point"), tiny().labels)
    assert by_id == by_point
    ids = {c.id: c.name for c in by_id.classes}
    assert [*ids] == [1, 2, 3, 4]
    words = {1: "one", 2: "two", 3: "three", 4: "four"}
    assert {i: ids[c] for i, c in by_id.labels.items()} == {
        i: words[c] for i, c in tiny().truth.items()
    }


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("a,b\n1,2\n", InputError, "needs the columns label and class"),
        ("label\n1\n", InputError, "needs the columns label and class"),
        ("", ReadError, "not a table"),
        ("label,class\none,a\n", InputError, "no number in column label of row 2"),
        ("label,class\n1.5,a\n", InputError, "not whole numbers"),
        ("label,class\n1,a\n1,b\n", InputError, "particle 1 two different classes"),
        ("label,class\n99999,a\n", InputError, "No row of"),
        ("x,y,class\n-5,3,a\n9e9,3,a\n", InputError, "No row of"),
        ("x,y,class\n0,,a\n", InputError, "no number in column y of row 2"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(
    tmp_path: Path, text: str, error: type[Exception], words: str
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(error, match=words):
        read_label_table(path, tiny().labels)


def test_odd_tables_that_can_be_used_are(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("\ufeffLabel , CLASS,more\n1, big ,x\n2,,x\n3.0,small,x\n77777,small,x\n")
    given = read_label_table(path, tiny().labels)
    assert {i: given.classes[c - 1].name for i, c in given.labels.items()} == {1: "big", 3: "small"}
    assert given.notes == ("1 of 4 rows of labels.csv meet no particle and were left out.",)


def test_truth_is_given_by_overlap_and_only_to_good_matches() -> None:
    truth = np.zeros((20, 20), np.int32)
    truth[2:8, 2:8], truth[2:8, 10:16], truth[12:18, 2:8] = 1, 2, 3
    found = np.zeros_like(truth)
    found[2:8, 3:9] = 5  # most of 1
    found[2:8, 14:20] = 6  # a third of 2
    found[12:18, 2:8] = 9
    assert match_truth(found, truth, {1: 4, 2: 4, 3: 1}) == {5: 4, 9: 1}
    assert match_truth(found * 0, truth, {1: 4, 2: 4, 3: 1}) == {}

"""The command line: ``napari-ssrvae demo | segment | train | classify | export | report | ...``.

Importing this module loads neither torch nor napari, so that ``--help`` answers at once. Results go
to stdout (as one JSON object with ``--json``), everything else to stderr. Exit codes: 0 done,
1 one clear sentence about what went wrong, 2 the command line itself is wrong.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from napari_ssrvae import __version__
from napari_ssrvae.console import Steps, say
from napari_ssrvae.errors import InputError, ParticleError, ReadError

if TYPE_CHECKING:
    from napari_ssrvae.imaging.settings import SegmentationSettings

app = typer.Typer(
    name="napari-ssrvae",
    help="Classified particle libraries from electron micrographs with a handful of labels.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

STEP_TITLES = {
    "find": "Find particles",
    "label": "Label",
    "train": "Train",
    "classify": "Classify",
    "second": "Second micrograph",
    "export": "Export",
}


class Method(StrEnum):
    """Ways to find particles."""

    auto = "auto"
    otsu = "otsu"
    li = "li"
    triangle = "triangle"
    local = "local"
    log = "log"


class Polarity(StrEnum):
    """Whether particles are brighter or darker than their background."""

    auto = "auto"
    bright = "bright"
    dark = "dark"


class Format(StrEnum):
    """Export formats."""

    csv = "csv"
    folders = "folders"
    coco = "coco"


JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
MethodOption = Annotated[Method, typer.Option(help="How particles are told from background.")]
SmoothingOption = Annotated[float, typer.Option(min=0, help="Blur before the search, in pixels.")]
MinAreaOption = Annotated[
    float | None,
    typer.Option(min=0, help="Smallest particle in square pixels.", show_default="by itself"),
]
SplitOption = Annotated[bool, typer.Option("--split-touching", help="Cut clumps apart.")]
BorderOption = Annotated[
    bool, typer.Option("--keep-border", help="Keep particles that the edge of the image cuts.")
]
PolarityOption = Annotated[Polarity, typer.Option(help="Particles brighter or darker.")]
MaxSecondsOption = Annotated[
    float | None, typer.Option(min=1, help="Longest training.", show_default="80 s")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Of everything random.")]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code.

    Parameters
    ----------
    arguments : sequence of str, optional
        None: those of the process.
    """
    try:
        app(args=None if arguments is None else list(arguments))
    except ParticleError as error:
        say(f"Error: {error}")
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output went away (as in `... | head`); nothing more to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"napari-ssrvae {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Classified particle libraries from electron micrographs with a handful of labels."""


@app.command()
def demo(
    image: Annotated[
        Path | None, typer.Argument(help="A micrograph of yours.", show_default="a simulated one")
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="Do the whole job without a window or display.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; needed with --headless.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV with label,class or x,y,class; needed with --headless IMAGE."),
    ] = None,
    second: Annotated[
        Path | None, typer.Option(help="A second micrograph to classify, with --headless IMAGE.")
    ] = None,
    seed: SeedOption = 0,
    max_seconds: MaxSecondsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open napari on a micrograph with the dock open, or do the whole job with --headless."""
    if not headless:
        unused = {"--out": out, "--labels": labels, "--second": second}
        given = [name for name, value in unused.items() if value is not None]
        if given:
            raise typer.BadParameter(f"{given[0]} goes with --headless.")
        _open_viewer(image)
        return
    if out is None:
        raise typer.BadParameter("--headless needs --out DIR for the results.")
    from napari_ssrvae.demo import run_demo

    with Steps(STEP_TITLES) as steps:
        result = run_demo(
            out,
            image=image,
            labels=labels,
            second=second,
            seed=seed,
            max_seconds=max_seconds,
            progress=steps,
        )
    for note in result.notes:
        say(f"Note: {note}")
    lines = [f"{result.particles} particles: " + _in_words(result.counts)]
    if result.held_back_accuracy is not None:
        lines.append(
            f"{result.held_back_accuracy:.1%} right of {result.held_back_n} held-back labels"
        )
    if result.second_accuracy is not None:
        lines.append(
            f"{result.second_accuracy:.1%} right of {result.second_n} in the second micrograph"
        )
    lines += [f"{name}: {path}" for name, path in result.files.items()]
    _answer(result.to_dict(), lines, as_json)


@app.command()
def segment(
    images: Annotated[list[Path], typer.Argument(help="Micrographs.", metavar="IMAGE...")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    method: MethodOption = Method.auto,
    smoothing: SmoothingOption = 1.0,
    min_area: MinAreaOption = None,
    split_touching: SplitOption = False,
    keep_border: BorderOption = False,
    polarity: PolarityOption = Polarity.auto,
    as_json: JsonOption = False,
) -> None:
    """Find particles: a label image (TIFF) and a table of shapes (CSV) for each micrograph."""
    from napari_ssrvae.batch import segment_files

    settings = _settings(method, smoothing, min_area, split_touching, keep_border, polarity)
    with Steps({"find": "Find particles"}) as steps:
        done, failed = segment_files(images, out, settings, steps)
    lines = [f"{d['particles']} particles in {d['image']}: {d['table']}" for d in done]
    _answer({"images": done, "failed": failed}, lines, as_json)
    _exit_for(failed)


@app.command()
def train(
    image: Annotated[Path, typer.Argument(help="A micrograph.")],
    labels: Annotated[Path, typer.Option(help="CSV with label,class or x,y,class.")],
    out: Annotated[Path, typer.Option(help="Folder for the workflow (recipe and model).")],
    hold_back: Annotated[
        float, typer.Option(min=0, max=0.9, help="Part of the labels kept to test the model.")
    ] = 0.3,
    method: MethodOption = Method.auto,
    smoothing: SmoothingOption = 1.0,
    min_area: MinAreaOption = None,
    split_touching: SplitOption = False,
    keep_border: BorderOption = False,
    polarity: PolarityOption = Polarity.auto,
    seed: SeedOption = 0,
    max_seconds: MaxSecondsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn classes from a micrograph and a few labels; the result classifies others."""
    from napari_ssrvae.batch import train_from_file

    settings = _settings(method, smoothing, min_area, split_touching, keep_border, polarity)
    with Steps(STEP_TITLES) as steps:
        result = train_from_file(
            image,
            labels,
            out,
            settings,
            hold_back_share=hold_back,
            seed=seed,
            max_seconds=max_seconds,
            progress=steps,
        )
    for note in result["notes"]:
        say(f"Note: {note}")
    lines = [f"workflow: {result['workflow']}", "classes: " + ", ".join(result["classes"])]
    if result["held_back_n"]:
        accuracy, n = result["held_back_accuracy"], result["held_back_n"]
        lines.append(f"{accuracy:.1%} right of {n} held-back labels")
    _answer(result, lines, as_json)


@app.command()
def classify(
    workflow: Annotated[Path, typer.Argument(help="Folder made by train or demo, or in napari.")],
    images: Annotated[list[Path], typer.Argument(help="Micrographs.", metavar="IMAGE...")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    as_json: JsonOption = False,
) -> None:
    """Treat micrographs as the workflow's own: find and classify particles, make a library."""
    from napari_ssrvae.batch import classify_files

    with Steps({"classify": "Classify"}) as steps:
        result = classify_files(workflow, images, out, steps)
    for note in result["notes"]:
        say(f"Note: {note}")
    lines = [f"{result['particles']} particles: " + _in_words(result["counts"])]
    lines += [f"{name}: {path}" for name, path in result["files"].items()]
    _answer(result, lines, as_json)
    _exit_for(result["failed"])


@app.command()
def export(
    library: Annotated[Path, typer.Argument(help="Folder of a saved particle library.")],
    path: Annotated[Path, typer.Argument(help="File (csv, coco) or new folder (folders).")],
    export_format: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.csv,
    as_json: JsonOption = False,
) -> None:
    """Write a saved library for other programs."""
    from napari_ssrvae.library.particle_library import ParticleLibrary

    loaded = ParticleLibrary.load(library)
    written = loaded.export(path, export_format.value)
    result = {"path": str(written), "format": export_format.value, "particles": len(loaded)}
    _answer(result, [f"{len(loaded)} particles: {written}"], as_json)


@app.command()
def report(
    library: Annotated[
        Path, typer.Argument(help="A saved library, or the folder of demo or classify.")
    ],
    out: Annotated[Path, typer.Option(help="HTML file.")],
    workflow: Annotated[
        Path | None,
        typer.Option(help="The workflow that classified it.", show_default="beside the library"),
    ] = None,
    image: Annotated[
        list[Path] | None, typer.Option(help="A micrograph of the library, where it moved.")
    ] = None,
    title: Annotated[str, typer.Option(help="Heading.")] = "Particle report",
    as_json: JsonOption = False,
) -> None:
    """Write a one-page HTML report with pictures."""
    from napari_ssrvae.batch import report_on

    written = report_on(library, out, workflow=workflow, images=image or (), title=title)
    _answer({"report": str(written)}, [f"report: {written}"], as_json)


def _known_figure(figure: str | None) -> str | None:
    from napari_ssrvae.report.paper.names import CHOICES

    if figure is not None and figure not in CHOICES:
        raise typer.BadParameter(f"{figure!r} is none of {', '.join(CHOICES)}.")
    return figure


@app.command()
def reproduce(
    figure: Annotated[
        str | None,
        typer.Argument(
            callback=_known_figure,
            help="3, 4, 5, 6, S3, systems, one panel (4a), films, or one film (film-S1).",
            show_default="all",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("paper-figures"),
    full: Annotated[
        bool, typer.Option("--full", help="The paper's numbers of images; takes a GPU.")
    ] = False,
    table: Annotated[
        bool, typer.Option("--table", help="Only print what is in the folder, as Markdown.")
    ] = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Draw the figures and films of the paper with our data, beside the paper's numbers."""
    if table:
        from napari_ssrvae.report.paper.table import comparison_table

        text = comparison_table(out)
        _answer({"table": text}, [text], as_json)
        return
    from napari_ssrvae.report.paper.reproduce import reproduce as draw_figures

    with Steps({}) as steps:
        result = draw_figures(figure, out, full=full, seed=seed, progress=steps)
    for note in result["notes"]:
        say(f"Note: {note}")
    lines = [
        f"{row['quantity']}: {row['ours']:.3f} (the paper: {row['paper']})"
        for row in result["compared"]
    ]
    lines += [path for files in result["files"].values() for path in files.values()]
    _answer(result, lines, as_json)


def _open_viewer(image: Path | None) -> None:
    """Open napari; say what to do instead where there is no Qt or no display."""
    advice = "`napari-ssrvae demo --headless --out DIR` does the same job without a window"
    if image is not None and not image.is_file():
        raise ReadError(f"There is no file {image}.")
    if sys.platform == "linux" and not _has_display():
        raise InputError(f"There is no display to open a window on: {advice}.")
    try:
        from qtpy import QtWidgets as _  # noqa: F401
    except ImportError as error:
        raise InputError(
            'napari has no Qt to draw with: `pip install "napari-ssrvae[all]"` brings it, or '
            f"{advice}."
        ) from error
    from napari_ssrvae.viewer.launch import open_demo

    open_demo(image)


def _has_display() -> bool:
    # A platform that was chosen on purpose (eglfs, vnc) may need neither.
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return any(os.environ.get(name) for name in names)


def _settings(
    method: Method,
    smoothing: float,
    min_area: float | None,
    split_touching: bool,
    keep_border: bool,
    polarity: Polarity,
) -> SegmentationSettings:
    from napari_ssrvae.imaging.settings import SegmentationSettings

    return SegmentationSettings(
        method=method.value,
        smoothing=smoothing,
        min_area=min_area,
        split_touching=split_touching,
        exclude_border=not keep_border,
        polarity=polarity.value,
    )


def _in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items())


def _answer(result: dict[str, Any], lines: Sequence[str], as_json: bool) -> None:
    typer.echo(json.dumps(result, ensure_ascii=False, indent=2) if as_json else "\n".join(lines))


def _exit_for(failed: Sequence[dict[str, str]]) -> None:
    """Exit with 1 after saying what could not be done; the rest was."""
    for failure in failed:
        say(f"Error: {failure['error']}")
    if failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    main()

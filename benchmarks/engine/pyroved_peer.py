"""pyroVED's ss-rVAE (`ssiVAE`) in an environment of its own, beside this benchmark.

It is the paper's reference code (PyPI `pyroved` 0.3.0). Its own environment shares torch, Pyro and
NumPy with the one that runs this.

It is scaled down, or it would take hours a fit (its decoder computes every pixel for every class):
1,000 unlabelled images at most, all at 24x24, and at most `EPOCHS` epochs or `SECONDS` seconds of
training.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

import numpy as np

from .tasks import Images, Labels, Task

EPOCHS = 40
SECONDS = 90
UNLABELLED = 1000
FEWEST = 300  # unlabelled images: with one batch of them pyroVED never uses a label
NOTE = f"{UNLABELLED:,} images at 24x24, at most {EPOCHS} epochs or {SECONDS} s"
_REQUIREMENT = "pyroved==0.3.0"
_FOLDER = Path(__file__).parents[1] / ".pyroved"


def predictions(task: Task, seed: int) -> dict[str, Labels]:
    """Train pyroVED on a task and ask it for the labels of the test sets."""
    images, labels = task.labelled
    classes, indices = np.unique(labels, return_inverse=True)
    arrays = {f"test_{i}": X for i, (X, _) in enumerate(task.tests.values())}
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder) / "question.npz", Path(folder) / "answer.npz"
        np.savez(
            question, labelled=images, labels=indices, unlabelled=_unlabelled(task, seed), **arrays
        )
        script = Path(__file__).with_name("pyroved_run.py")
        settings = [str(number) for number in (EPOCHS, SECONDS, seed)]
        subprocess.run([_python(), script, question, answer, *settings], check=True)
        with np.load(answer) as found:
            return {name: classes[found[f"test_{i}"]] for i, name in enumerate(task.tests)}


def _unlabelled(task: Task, seed: int) -> Images:
    """Choose at most 1,000; repeat them where they would be a single batch."""
    unknown = np.flatnonzero(task.y < 0)
    chosen = np.random.default_rng(seed).permutation(unknown)[:UNLABELLED]
    return task.X[np.resize(chosen, max(len(chosen), FEWEST))]


def _python() -> Path:
    """Interpreter of pyroVED's environment, which is made where it is missing."""
    python = _FOLDER / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    finished = _FOLDER / "finished"
    if not finished.exists():
        print("Building pyroVED's environment in", _FOLDER, file=sys.stderr)
        venv.create(_FOLDER, with_pip=True, clear=True)
        scheme = {"base": str(_FOLDER), "platbase": str(_FOLDER)}
        own = Path(sysconfig.get_path("purelib", "venv", vars=scheme))
        (own / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", _REQUIREMENT]
        subprocess.run(pip, check=True)
        finished.touch()
    return python

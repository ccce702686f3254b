"""Results kept cell by cell, so that a run that was ended goes on where it stopped.

A cell is one small JSON file in `benchmarks/cache/cells`. Its name holds a digest of everything
that it depends on: its own parameters and the code behind it. Code is compared without comments
and docstrings: saying something better does not cost a measurement.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import napari_ssrvae

CACHE = Path(__file__).parents[1] / "cache"
HERE = Path(__file__).parent
_PACKAGE = Path(napari_ssrvae.__file__).parent

Cell = dict[str, Any]


class Cells:
    """Measures what is not kept yet.

    Parameters
    ----------
    fresh
        Measure everything anew.
    """

    def __init__(self, fresh: bool = False) -> None:
        self.fresh = fresh
        self.measured = 0

    def get(self, name: str, key: Mapping[str, Any], measure: Callable[[], Cell]) -> Cell:
        """Return a cell, measured now where it is not kept.

        Parameters
        ----------
        name
            For the file's name and the message on the screen.
        key
            All that the result depends on, as JSON can hold it.
        measure
            Returns what JSON can hold.
        """
        path = CACHE / "cells" / f"{file_name(name)}-{digest(key)}.json"
        if path.exists() and not self.fresh:
            return dict(json.loads(path.read_text(encoding="utf-8"))["cell"])
        start = time.perf_counter()
        cell = measure()
        took = time.perf_counter() - start
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        document = {"name": name, "key": dict(key), "seconds": took, "cell": cell}
        unfinished.write_text(json.dumps(document) + "\n", encoding="utf-8")
        unfinished.replace(path)
        self.measured += 1
        print(f"  {name}: {took:.1f} s", file=sys.stderr, flush=True)
        return cell


def file_name(name: str) -> str:
    """Return `name` with nothing but letters, digits and dashes."""
    return "".join(c if c.isalnum() else "-" for c in name)


def digest(key: Mapping[str, Any]) -> str:
    """Twelve characters that stand for a key."""
    return hashlib.sha1(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]


@cache
def engine_fingerprint() -> str:
    """Stand for the code of the engine, and of the data that this package draws itself."""
    files = [file for room in ("learning", "datasets") for file in (_PACKAGE / room).glob("*.py")]
    files += [_PACKAGE / "imaging" / name for name in ("outline.py", "patch_shape.py")]
    return f"{napari_ssrvae.__version__}-{code_fingerprint(files)}"


@cache
def own_fingerprint(*names: str) -> str:
    """Stand for the code of files of this folder, and of the data that the package draws."""
    data = (_PACKAGE / "datasets").glob("*.py")
    return code_fingerprint([*(HERE / name for name in names), *data])


@cache
def package_fingerprint(*names: str) -> str:
    """Stand for the code of files of the package."""
    return code_fingerprint(_PACKAGE / name for name in names)


def code_fingerprint(files: Iterable[Path]) -> str:
    """Digest of Python files without their comments and docstrings."""
    total = hashlib.sha1()
    for path in sorted(files):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (
                ast.get_docstring(node, clean=False) is not None
            ):
                node.body = node.body[1:]
        total.update(path.name.encode() + ast.dump(tree).encode())
    return total.hexdigest()[:12]

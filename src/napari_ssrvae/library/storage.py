"""Folders that we own on disk: written whole or not at all, read with readable errors.

A saved folder is recognised by one JSON document in it that names its format and version. Saving
writes a temporary sibling first and swaps it in, so that a full disk or a crash leaves the former
folder as it was.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from napari_ssrvae.errors import ReadError, VersionError, WriteError


def write_document(path: Path, document_format: str, version: int, content: dict[str, Any]) -> None:
    """Write a JSON document that says what it is.

    Parameters
    ----------
    path : Path
        The file.
    document_format : str
        Name of the format, checked on reading.
    version : int
        Version of the format.
    content : dict
        What JSON can hold; NaN is refused, because other programs cannot read it.
    """
    document = {"format": document_format, "format_version": version, **content}
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_document(folder: Path, name: str, document_format: str, version: int) -> dict[str, Any]:
    """Read the JSON document `name` of `folder` and check what it says that it is.

    Returns
    -------
    dict
        The document.

    Raises
    ------
    ReadError
        It is missing, damaged, or of another format.
    VersionError
        A newer version of this package wrote it.
    """
    path = folder / name
    what = document_format.removeprefix("napari-ssrvae ")
    if not path.is_file():
        raise ReadError(f"{folder} is not a saved {what}: it holds no {name}.")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReadError(f"{path} is damaged and cannot be read ({error}).") from error
    if not isinstance(document, dict) or document.get("format") != document_format:
        raise ReadError(f"{path} does not belong to a saved {what}.")
    found = document.get("format_version")
    if not isinstance(found, int) or found < 1:
        raise ReadError(f"{path} does not say which version of the format it has.")
    if found > version:
        raise VersionError(
            f"{path} was written by a newer version of napari-ssrvae (format {found}, this one "
            f"reads up to {version}): update napari-ssrvae to open it."
        )
    return document


@contextmanager
def replaced_folder(
    target: str | os.PathLike[str], marker: str | None, own: Collection[str] = ()
) -> Iterator[Path]:
    """Write a folder whole or not at all.

    Yields an empty temporary folder beside `target`; when the block ends well it takes the
    place of `target`, when it fails `target` stays as it was. Files that somebody else put
    into the former folder are kept.

    Parameters
    ----------
    target : path
        May be missing, an empty folder, or a folder that holds `marker` (a former version).
    marker : str or None
        Name of the file that tells our folders from others; None: never replace a folder that
        holds anything.
    own : collection of str
        Names in the former folder that go with it, when the new one no longer has them.

    Yields
    ------
    Path
        The folder to write into.

    Raises
    ------
    WriteError
        `target` is a file or somebody else's folder, or cannot be written.
    """
    target = Path(target).expanduser().absolute()
    _check_replaceable(target, marker)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _sibling(target)
        temporary.mkdir()
    except OSError as error:
        raise WriteError(_cannot_write(target, error)) from error
    try:
        yield temporary
        _swap(temporary, target, own)
    except OSError as error:
        raise WriteError(_cannot_write(target, error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def replaced_file(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file whole or not at all: yields a temporary sibling that takes its place.

    Raises
    ------
    WriteError
        `target` is a folder or cannot be written.
    """
    target = Path(target).expanduser().absolute()
    if target.is_dir():
        raise WriteError(f"{target} is a folder: choose a file name.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(_cannot_write(target, error)) from error
    temporary = _sibling(target)
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise WriteError(_cannot_write(target, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _check_replaceable(target: Path, marker: str | None) -> None:
    if target.is_symlink() and not target.exists():
        raise WriteError(f"{target} is a broken link: choose another folder.")
    if target.exists() and not target.is_dir():
        raise WriteError(f"{target} is a file: choose the name of a folder.")
    try:
        used = target.is_dir() and any(target.iterdir())
        if used and not (marker and (target / marker).is_file()):
            raise WriteError(
                f"{target} already holds other files and would be overwritten: "
                "choose a new or an empty folder."
            )
    except OSError as error:
        raise WriteError(_cannot_write(target, error)) from error


def _swap(temporary: Path, target: Path, own: Collection[str]) -> None:
    """Put `temporary` in the place of `target`; keep what others put into the former one."""
    if not target.exists():
        temporary.rename(target)
        return
    target = target.resolve()
    former = _sibling(target)
    target.rename(former)
    try:
        temporary.rename(target)
    except OSError:
        former.rename(target)
        raise
    for entry in former.iterdir():
        if entry.name not in own and not (target / entry.name).exists():
            entry.rename(target / entry.name)
    shutil.rmtree(former, ignore_errors=True)


def _sibling(target: Path) -> Path:
    # Not tempfile: its files and folders can be opened by their owner only.
    return target.with_name(f".{target.name}-{uuid.uuid4().hex[:8]}")


def _cannot_write(target: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    with suppress(OSError):
        if shutil.disk_usage(target.anchor).free < 1 << 20:
            reason = "the disk is full"
    return f"{target} cannot be written ({reason}): choose another place or free it."

"""What a file offers: its images, which of them is meant, and whether they can be as large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_ssrvae.errors import ReadError
from napari_ssrvae.imaging.vendors.file_facts import FileFacts, one_line

MAX_PIXELS = 2**31
"""More than 46,000 x 46,000: no program here could work on it as one image."""

_ALWAYS = 64 * 2**20  # bytes that are read without asking how they fit into the file
_COMPRESSION = 2000  # no decoder of images that we know writes a thousand times what it reads


@dataclass(frozen=True, eq=False)
class Plane:
    """One 2-D image of a file, not read yet.

    Attributes
    ----------
    read
        Gives the pixels: (H, W), or (H, W, 3 or 4) for colour.
    facts
        What the file says of it.
    title
        What the file calls it; may be empty.
    of_stack
        Whether it is one of a series that belong together: slices, frames.
    """

    read: Callable[[], NDArray[Any]]
    facts: FileFacts
    title: str = ""
    of_stack: bool = False


def choose_plane(
    name: str, planes: Sequence[Plane], page: int | None, others: Sequence[str] = ()
) -> Plane:
    """Return the image that is meant.

    Without a page that is the first image that stands alone, with a warning if there are more;
    a stack is refused, and so is a file that holds no image.

    Parameters
    ----------
    name
        Of the file, for the sentences.
    planes
        The images of the file.
    page
        Number of the image, from 0, or None.
    others
        What else the file holds, in words.
    """
    if not planes:
        raise ReadError(f"{name} holds no image, only {listed(others)}; open an image.")
    alone = [number for number, plane in enumerate(planes) if not plane.of_stack]
    if page is not None:
        check_page(name, page, len(planes))
    elif not alone:
        raise stack_error(name, len(planes))
    chosen = alone[0] if page is None else page
    images = [(number, one_line(planes[number].title)) for number in alone]
    single = replace(planes[chosen], facts=with_images(planes[chosen].facts, images, chosen))
    if len(planes) == 1 or page is not None:
        return single
    title = f" (“{one_line(single.title)}”)" if single.title else ""
    note = f"{name} holds {len(planes)} images, of which the first{title} was opened."
    return replace(single, facts=with_warning(single.facts, note))


def stack_error(name: str, count: int) -> ReadError:
    """Say that a file is a stack."""
    return ReadError(
        f"{name} is a stack of {count} images; open one 2-D slice of it, "
        f"saved as its own file or chosen with page=0 to {count - 1}."
    )


def check_page(name: str, page: int, count: int) -> None:
    """Refuse a page that is not there."""
    if not 0 <= page < count:
        raise ReadError(f"{name} has no image {page}; it holds {count}, from 0.")


def with_images(facts: FileFacts, images: Sequence[tuple[int, str]], page: int) -> FileFacts:
    """Return the facts of one image with those beside it, if there are any."""
    return replace(facts, images=tuple(images), page=page) if len(images) > 1 else facts


def with_warning(facts: FileFacts, note: str) -> FileFacts:
    """Return the facts with one more sentence to the person."""
    return replace(facts, warnings=(*facts.warnings, note))


def listed(things: Sequence[str]) -> str:
    """Name things in a sentence, each once: ``"a, b and c"``."""
    unique = list(dict.fromkeys(things))
    if len(unique) > 1:
        return f"{', '.join(unique[:-1])} and {unique[-1]}"
    return unique[0] if unique else "nothing that is known here"


def check_claim(path: Path, shape: Sequence[int], itemsize: int, count: int = 1) -> None:
    """Refuse an image that cannot be as large as its header says, before memory is taken.

    Parameters
    ----------
    path
        The file.
    shape
        Rows, columns, and samples of a pixel if there are several, as the header says.
    itemsize
        Bytes of a sample.
    count
        How many such images the file says it holds.
    """
    size = "x".join(str(int(n)) for n in shape[:2])
    if prod(int(n) for n in shape[:2]) > MAX_PIXELS:
        raise ReadError(
            f"{path.name} says that its image has {size} pixels, more than can be opened; "
            "if that is true, cut it into parts, else copy the file again."
        )
    claimed = prod(int(n) for n in shape) * itemsize * count
    length = path.stat().st_size if path.is_file() else claimed  # a folder tells nothing
    if claimed > _ALWAYS and claimed > _COMPRESSION * length:
        what = f"its image has {size}" if count == 1 else f"it holds {count} images of {size}"
        raise ReadError(
            f"{path.name} says that {what} pixels, which do not fit into a file of {length} "
            "bytes: it is truncated or damaged; copy it again."
        )

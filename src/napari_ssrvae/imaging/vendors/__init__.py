"""What the files of microscopes and programs say of pixel size, info bar and how they were taken.

Each vendor's function takes an open file and returns what it knows, or None where the file is
not that vendor's.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tifffile import TiffFile

from napari_ssrvae.imaging.vendors import programs, sem, tem, tescan
from napari_ssrvae.imaging.vendors.file_facts import FileFacts, believable, convert, one_line
from napari_ssrvae.imaging.vendors.sidecars import sidecar_facts

__all__ = [
    "SEVERAL_DETECTORS",
    "FileFacts",
    "believable",
    "convert",
    "one_line",
    "sidecar_facts",
    "tiff_facts",
]

SEVERAL_DETECTORS = frozenset({"Zeiss TIFF", "FEI TIFF", "JEOL TIFF", "Tescan TIFF"})
"""Formats whose further images are the same place seen by other detectors, not a stack."""

_VENDORS = (
    sem.zeiss,
    sem.fei,
    sem.jeol,
    tescan.tescan,
    tem.olympus,
    tem.tvips,
    tem.jeol_tem,
    tem.digital_micrograph,
    programs.ome,
    programs.imagej,
)


def tiff_facts(tiff: TiffFile) -> FileFacts:
    """Ask each vendor in turn; a plain TIFF's resolution is not believed.

    Programs write 72, 96 or 300 dots an inch there whatever the picture shows. Where the TIFF
    itself gives no pixel size, a text file of the microscope beside it is asked.
    """
    facts = next((found for vendor in _VENDORS if (found := vendor(tiff)) is not None), None)
    if facts is None:
        name = sem.tag_text(tiff, "Model") or sem.tag_text(tiff, "Make")
        facts = FileFacts(instrument=one_line(name))
    if facts.pixel_size is None and not facts.warnings:
        beside = sidecar_facts(Path(tiff.filehandle.path), tiff.pages[0].shape[:2])
        if beside is not None:
            return replace(beside, format=f"{beside.format} TIFF")
    return facts

"""The short table of what is known of a micrograph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_ssrvae.imaging import Micrograph, micrograph_facts
from napari_ssrvae.imaging.facts import length_text


@pytest.fixture
def full() -> Micrograph:
    image = np.arange(60 * 80, dtype=np.uint16).reshape(60, 80)
    return Micrograph(
        image,
        10.0,
        "a",
        Path("folder") / "a.tif",
        {
            "format": "JEOL TIFF",
            "instrument": "JEOL JSM-7800F",
            "info_bar_rows": 66,
            "file_pixel_size": 10.0,
            "pixel_size_from": "CM_PIXEL_SIZE",
            "acquisition": {
                "date": "2019-11-27 16:11",
                "voltage_kv": 15.0,
                "magnification": 10000,
                "working_distance_mm": 9.65589,
                "detector": "SED",
            },
        },
    )


def test_all_that_is_known_in_the_order_of_the_eye(full: Micrograph) -> None:
    assert micrograph_facts(full) == [
        ("Instrument", "JEOL JSM-7800F"),
        ("Date", "2019-11-27 16:11"),
        ("Accelerating voltage", "15 kV"),
        ("Magnification", "10,000×"),
        ("Working distance", "9.656 mm"),
        ("Detector", "SED"),
        ("Pixel size", "10 nm, from CM_PIXEL_SIZE"),
        ("Image size", "80 × 60 px, 800 nm × 600 nm"),
        ("Values", "16-bit, 0 to 4799"),
        ("Info bar", "66 rows cut off"),
        ("Format", "JEOL TIFF"),
        ("File", "a.tif"),
    ]


def test_a_pixel_size_set_by_hand_is_told_from_the_files(full: Micrograph) -> None:
    facts = dict(micrograph_facts(replace(full, pixel_size=2500.0)))
    assert facts["Pixel size"] == "2.5 µm, set by hand (the file says 10 nm)"
    facts = dict(micrograph_facts(replace(full, pixel_size=None)))
    assert facts["Pixel size"] == "not known: set it by hand"
    assert facts["Image size"] == "80 × 60 px"


def test_what_was_measured_along_the_scale_bar_is_said_so(full: Micrograph) -> None:
    measured = {**full.metadata, "pixel_size_by": "the scale bar"}
    facts = dict(micrograph_facts(replace(full, metadata=measured)))
    assert facts["Pixel size"] == "10 nm, measured along the scale bar, as the file says"
    facts = dict(micrograph_facts(replace(full, pixel_size=11.0, metadata=measured)))
    said = "11 nm, measured along the scale bar (the file says 10 nm)"
    assert facts["Pixel size"] == said


def test_an_array_has_little_to_tell() -> None:
    image = np.linspace(0, 1, 200, dtype=np.float32).reshape(10, 20)
    assert micrograph_facts(Micrograph(image)) == [
        ("Pixel size", "not known: set it by hand"),
        ("Image size", "20 × 10 px"),
        ("Values", "32-bit float, 0 to 1"),
    ]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0.0239, "23.9 pm"),
        (0.2485, "0.2485 nm"),
        (4.466, "4.466 nm"),
        (2615.4, "2.615 µm"),
        (2.5e6, "2.5 mm"),
    ],
)
def test_lengths_are_told_in_the_unit_that_suits_them(size: float, text: str) -> None:
    assert length_text(size) == text

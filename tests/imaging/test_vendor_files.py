"""Real files of microscopes and programs: each gives the size that its metadata holds."""

from __future__ import annotations

import gzip
import shutil
import zipfile
from pathlib import Path

import pytest

from napari_ssrvae.errors import ReadError
from napari_ssrvae.imaging import micrograph_facts, read_micrograph
from napari_ssrvae.imaging.reading import SIGNAL_SUFFIXES, SUFFIXES, read_facts

pytestmark = pytest.mark.realdata

# file, nm per pixel, rows and columns without the info bar, and a word of the instrument
OPENED = [
    *[(f"sem/{name}.tif", 4.466, (701, 1024), "Zeiss GeminiSEM 500") for name in (
        "GM59_20", "GM59_22", "GM59_24", "GM59_26", "GM59_28",
        "GM116_20", "GM116_22", "GM116_24", "GM116_26", "GM116_28",
        "GM124_00", "GM124_02", "GM124_04", "GM124_06", "GM124_08",
    )],
    ("sem/B-2h07.tif", 10.0, (960, 1280), "JEOL JSM-IT800"),
    ("sem/A2h_01.tif", 1.0, (960, 1280), "JEOL JSM-IT800"),
    *[(f"bam_tio2/images/{n}.tif", 7.344, None, "Zeiss Supra 40") for n in (
        1908248, 1908264, 1908280, 1908296, 1908312,
    )],
    ("vendor/zeiss_test.tif", 55.82, (768, 1024), "Zeiss Merlin"),
    ("vendor/fei-sem-rbc.tif", 7.70833, (1024, 1536), "FEI Teneo"),
    ("vendor/test_loading_image_saved_with_imageJ.tif", 168.675, (68, 68), ""),
    ("vendor/test_loading_image_saved_with_imageJ_no_scale.tif", None, (68, 68), ""),
    ("vendor/test_loading_image_saved_with_DM.tif", 168.675, (68, 68), "DigitalMicrograph"),
    ("vendor/test_STEM_image.dm3", 0.248538, (68, 68), ""),
    ("vendor/test_dm_image_um_unit.dm3", 168.675, (68, 68), ""),
    ("vendor/JEOL HAADF Image.dm4", 1.249014, (112, 112), ""),
    ("vendor/64x64_TEM_images_acquire.emi", 6.281834, (64, 64), "Tecnai"),
    ("vendor/64x64_TEM_images_acquire_1.ser", 6.281834, (64, 64), ""),
    # the microscope's magnification is in the file, but no length: 1 "pix" per pixel
    ("vendor/Hitachi_TM3030Plus.bcf", None, (240, 320), ""),
]  # fmt: skip

# Small files of other people's tests: pixels set to one value, or fewer than 8x8
METADATA_ONLY = [
    ("FEI-Helios-Ebeam-8bits.tif", 3372.4),
    ("FEI-Helios-Ebeam-16bits.tif", 3372.4),
    ("FEI-Helios-navcam.tif", 263974),  # the camera that looks into the chamber
    ("FEI-Helios-navcam-with-no-IRBeam.tif", None),
    ("FEI-Helios-navcam-with-no-IRBeam-bad-floats.tif", None),
    # 3642 px/m of the camera over 150,000x. Lines that JEOL's program drew into the same file
    # have their lengths with them: 129.94 px are 237.86 nm. The 93 dots an inch of the
    # resolution tag, rounded, would give 1.8208 nm.
    ("JEOL-SightX-TEM-mag-dummy.tif", 237.86 / 129.943),
    ("Fei HAADF-UK_location.dm3", 5.506073),
    ("test-MonarcCL_mono-image.dm4", 18325.35),
    ("example_image.emd", None),  # an EMD of NCEM without units
]

FROM_ARCHIVES = [
    ("test_tiff_Zeiss_SEM_1k.tif", 2615, (691, 1024), "Zeiss Merlin", 0),
    ("test_tiff_Zeiss_SEM_512pix.tif", 11.65, (350, 512), "Zeiss ULTRA 55", 0),
    ("ZEISS_SEM_multipage.tif", 12.33, (1536, 2048), "Zeiss Auriga 60", 1),
    ("Test SI 16x16 215 kx.emd", 3.599249, (16, 16), "Themis", 1),
    ("Test SI 16x16 ReducedData 215 kx.emd", 3.599249, (16, 16), "Themis", 1),
]


def needs_library(name: str) -> None:
    if Path(name).suffix in SIGNAL_SUFFIXES:
        pytest.importorskip("rsciio")
        pytest.importorskip("h5py")


@pytest.fixture(scope="module")
def unpacked(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vendor's files, with the archives among them unpacked."""
    folder = tmp_path_factory.mktemp("vendor")
    for path in (realdata / "vendor").iterdir():
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)
        elif path.suffix == ".gz":
            with gzip.open(path) as packed, (folder / path.stem).open("wb") as plain:
                shutil.copyfileobj(packed, plain)
        else:
            shutil.copy(path, folder)
    return folder


@pytest.mark.parametrize(("name", "size", "shape", "instrument"), OPENED)
def test_real_files(
    realdata: Path, name: str, size: float | None, shape: tuple[int, int] | None, instrument: str
) -> None:
    needs_library(name)
    micrograph = read_micrograph(realdata / name)
    assert micrograph.pixel_size == (None if size is None else pytest.approx(size, rel=1e-4))
    assert shape is None or micrograph.shape == shape
    assert instrument in micrograph.metadata["instrument"]
    assert micrograph.metadata["warnings"] == []
    assert (size is None) == (micrograph.metadata["pixel_size_from"] == "")


@pytest.mark.parametrize(("name", "size", "shape", "instrument", "warnings"), FROM_ARCHIVES)
def test_real_files_of_archives(
    unpacked: Path,
    name: str,
    size: float,
    shape: tuple[int, int],
    instrument: str,
    warnings: int,
) -> None:
    needs_library(name)
    (path,) = unpacked.rglob(name)
    micrograph = read_micrograph(path)
    assert micrograph.pixel_size == pytest.approx(size, rel=1e-4)
    assert micrograph.shape == shape
    assert instrument in micrograph.metadata["instrument"]
    assert len(micrograph.metadata["warnings"]) == warnings


@pytest.mark.parametrize(("name", "size"), METADATA_ONLY)
def test_what_the_metadata_of_files_without_a_picture_say(
    unpacked: Path, name: str, size: float | None
) -> None:
    needs_library(name)
    (path,) = unpacked.rglob(name)
    if path.suffix == ".tif":
        facts = read_facts(path)
    else:
        from napari_ssrvae.imaging.signals import signal_planes

        (plane,), _ = signal_planes(path)
        facts = plane.facts
    assert facts is not None
    assert facts.pixel_size == (None if size is None else pytest.approx(size, rel=1e-4))
    with pytest.raises(ReadError, match=r"same value|too few"):
        read_micrograph(path)


def test_no_real_file_is_left_out(realdata: Path, unpacked: Path) -> None:
    tested = {Path(row[0]).name for row in (*OPENED, *METADATA_ONLY, *FROM_ARCHIVES)}
    tested.add("olympus_SIS.tif")
    folders = (realdata / "sem", realdata / "bam_tio2" / "images", unpacked)
    held = {p.name for folder in folders for p in folder.rglob("*") if p.suffix in SUFFIXES}
    assert tested == held


def test_the_cameras_image_of_olympus_is_opened_not_the_one_with_a_burnt_in_bar(
    realdata: Path,
) -> None:
    path = realdata / "vendor" / "olympus_SIS.tif"
    micrograph = read_micrograph(path)
    assert micrograph.pixel_size == pytest.approx(0.0239279, rel=1e-4)
    assert micrograph.image.dtype == "uint16"
    (warning,) = micrograph.metadata["warnings"]
    assert "2 images" in warning
    assert read_micrograph(path, page=0).image.dtype == "uint8"
    with pytest.raises(ReadError, match="no image 2"):
        read_micrograph(path, page=2)


def test_the_electron_image_of_velox_is_opened_not_an_element_map(unpacked: Path) -> None:
    needs_library("a.emd")
    (path,) = unpacked.rglob("Test SI 16x16 215 kx.emd")
    micrograph = read_micrograph(path)
    assert micrograph.metadata["acquisition"]["detector"] == "HAADF"
    assert "HAADF" in micrograph.metadata["warnings"][0]
    assert read_micrograph(path, page=1).metadata["acquisition"]["detector"] == "SuperXG2"


def test_how_a_picture_was_taken(realdata: Path) -> None:
    facts = dict(micrograph_facts(read_micrograph(realdata / "sem" / "B-2h07.tif")))
    assert facts["Accelerating voltage"] == "10 kV"
    assert facts["Magnification"] == "10,000×"
    assert facts["Working distance"] == "10.15 mm"
    assert facts["Detector"] == "SED"
    assert facts["Pixel size"] == "10 nm, from JEOL “CM_PIXEL_SIZE”"
    facts = dict(micrograph_facts(read_micrograph(realdata / "vendor" / "fei-sem-rbc.tif")))
    assert facts["Magnification"] == "35,000×"
    assert facts["Working distance"] == "9.656 mm"
    assert facts["Info bar"] == "70 rows cut off"
    facts = dict(micrograph_facts(read_micrograph(realdata / "sem" / "GM59_20.tif")))
    assert facts["Date"] == "25 Jun 2022 17:35:20"
    assert facts["Accelerating voltage"] == "3 kV"
    assert facts["Magnification"] == "25,000×"
    assert facts["Working distance"] == "2.4 mm"

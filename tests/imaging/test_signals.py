"""Files that hold signals: which image is opened, and how large its pixels are."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import signal_files as files

from napari_ssrvae.errors import ReadError
from napari_ssrvae.imaging import read_micrograph
from napari_ssrvae.imaging.signals import SIGNALS

pytest.importorskip("rsciio")
pytest.importorskip("h5py")


@pytest.mark.parametrize(
    ("unit", "scale", "size", "warned"),
    [
        ("nm", 2.0, 2.0, ""),
        ("µm", 0.002, 2.0, ""),
        ("Å", 5.0, 0.5, ""),
        ("1/nm", 0.1, None, "no length"),
        ("nm^-1", 0.1, None, "no length"),
        ("s", 0.1, None, ""),
        ("px", 1.0, None, ""),
        ("", 1.0, None, ""),
        ("nm", 0.0, None, "cannot be true"),
        ("nm", -1.0, None, "cannot be true"),
        ("furlong", 1.0, None, "cannot be read"),
    ],
)
@pytest.mark.parametrize("kind", ["hspy", "ncem"])
def test_units(
    tmp_path: Path, kind: str, unit: str, scale: float, size: float | None, warned: str
) -> None:
    content = files.image(unit, scale)
    if kind == "hspy":
        path = files.write_hspy(tmp_path / "a.hspy", content)
    else:
        path = files.write_ncem(tmp_path / "a.emd", content)
    micrograph = read_micrograph(path)
    assert micrograph.pixel_size == (None if size is None else pytest.approx(size))
    assert np.array_equal(micrograph.image, files.grains())
    assert warned in " ".join(micrograph.metadata["warnings"])
    assert bool(warned) == bool(micrograph.metadata["warnings"])


def test_what_the_file_says_of_how_it_was_taken(tmp_path: Path) -> None:
    micrograph = read_micrograph(files.write_hspy(tmp_path / "a.hspy", files.image()))
    assert micrograph.metadata["instrument"] == "JEM-2100"
    assert micrograph.metadata["acquisition"] == {
        "date": "2024-05-06 07:08:09",
        "voltage_kv": 200,
    }


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    content = files.signal(files.grains(), ("y", 2.0, "nm", False), ("x", 3.0, "nm", False))
    micrograph = read_micrograph(files.write_hspy(tmp_path / "a.hspy", content))
    assert micrograph.pixel_size is None
    assert "not square" in micrograph.metadata["warnings"][0]


def test_a_stack_needs_a_page(tmp_path: Path) -> None:
    stack = files.grains((3, *files.SIZE))
    axes = (("z", 1.0, "nm", True), ("y", 2.0, "nm", False), ("x", 2.0, "nm", False))
    path = files.write_hspy(tmp_path / "a.hspy", files.signal(stack, *axes))
    with pytest.raises(ReadError, match=r"a\.hspy is a stack of 3 images"):
        read_micrograph(path)
    micrograph = read_micrograph(path, page=2)
    assert np.array_equal(micrograph.image, stack[2])
    assert micrograph.pixel_size == 2
    with pytest.raises(ReadError, match="no image 3"):
        read_micrograph(path, page=3)


@pytest.mark.parametrize(
    ("shape", "navigates", "said"),
    [
        ((50,), [False], "a spectrum (50)"),
        ((9, 50), [True, False], "spectra of many places (9x50)"),
        ((9, 8, 50), [True, True, False], "spectra of many places (9x8x50)"),
        ((9, 8, 16, 17), [True, True, False, False], "patterns of many places (9x8x16x17)"),
    ],
)
def test_what_is_no_image_is_named(
    tmp_path: Path, shape: tuple[int, ...], navigates: list[bool], said: str
) -> None:
    axes = [(f"axis{i}", 1.0, "nm", navigate) for i, navigate in enumerate(navigates)]
    path = files.write_hspy(tmp_path / "a.hspy", files.signal(files.grains(shape), *axes))
    with pytest.raises(ReadError) as caught:
        read_micrograph(path)
    assert str(caught.value) == f"a.hspy holds no image, only {said}; open an image."


def test_velox_electron_images_come_before_element_maps(tmp_path: Path) -> None:
    maps = files.grains((*files.SIZE, 1), "float32")
    haadf = files.grains((*files.SIZE, 2), "uint16")
    path = files.write_velox(tmp_path / "a.emd", {"SuperXG2": maps, "HAADF": haadf}, spectra=True)
    micrograph = read_micrograph(path)
    assert np.array_equal(micrograph.image, haadf[..., 0])
    assert micrograph.pixel_size == pytest.approx(3.5)
    assert micrograph.metadata["instrument"] == "FEI Company Themis"
    assert micrograph.metadata["acquisition"] == {
        "date": "2024-02-29 06:58 UTC",
        "voltage_kv": pytest.approx(300),
        "detector": "HAADF",
    }
    assert micrograph.metadata["warnings"] == [
        "a.emd holds 2 images, of which the first (“HAADF”) was opened."
    ]
    images = [(0, "HAADF"), (1, "SuperXG2")]
    assert (micrograph.metadata["images"], micrograph.metadata["page"]) == (images, 0)
    other = read_micrograph(path, page=1)
    assert (other.metadata["images"], other.metadata["page"]) == (images, 1)
    assert np.array_equal(other.image, maps[..., 0])


def test_velox_frames_are_a_stack(tmp_path: Path) -> None:
    frames = files.grains((*files.SIZE, 4), "uint16")
    path = files.write_velox(tmp_path / "a.emd", {"BM-Ceta": frames})
    with pytest.raises(ReadError, match="stack of 4 images"):
        read_micrograph(path)
    assert np.array_equal(read_micrograph(path, page=3).image, frames[..., 3])
    assert "images" not in read_micrograph(path, page=3).metadata


@pytest.mark.parametrize(("size", "unit"), [("0.01", "1/m"), ("0.1", ""), ("0.001", "rad")])
def test_velox_diffraction_has_no_pixel_size(tmp_path: Path, size: str, unit: str) -> None:
    images = {"BM-Ceta": files.grains((*files.SIZE, 1), "uint16")}
    path = files.write_velox(tmp_path / "a.emd", images, size=size, unit=unit)
    assert read_micrograph(path).pixel_size is None


def test_velox_without_images_says_what_it_holds(tmp_path: Path) -> None:
    path = files.write_velox(tmp_path / "a.emd", {}, spectra=True)
    with pytest.raises(ReadError, match="holds no image, only spectra and maps of spectra"):
        read_micrograph(path)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_mrc(tmp_path: Path, dtype: str) -> None:
    data = (files.grains(dtype="int16") - 100).astype(dtype)
    path = files.write_mrc(tmp_path / "a.mrc", data, cell=48 * 2.5)
    micrograph = read_micrograph(path)
    assert np.array_equal(micrograph.image, data)
    assert micrograph.pixel_size == pytest.approx(0.25)


def test_bytes_of_old_mrc_files_are_not_signed(tmp_path: Path) -> None:
    data = files.grains()
    path = files.write_mrc(tmp_path / "a.mrc", data, cell=48 * 2.5, extremes=(20, 229))
    assert np.array_equal(read_micrograph(path).image, data)


def test_mrc_without_a_size_has_none(tmp_path: Path) -> None:
    data = files.grains(dtype="int16")
    micrograph = read_micrograph(files.write_mrc(tmp_path / "a.mrc", data, cell=0))
    assert (micrograph.pixel_size, micrograph.metadata["warnings"]) == (None, [])
    micrograph = read_micrograph(files.write_mrc(tmp_path / "a.mrc", data, cell=48))
    assert micrograph.pixel_size is None
    assert "programs write where they do not know" in micrograph.metadata["warnings"][0]


def test_mrc_stack(tmp_path: Path) -> None:
    stack = files.grains((5, *files.SIZE), "int16")
    path = files.write_mrc(tmp_path / "movie.mrc", stack, cell=48 * 2.5)
    with pytest.raises(ReadError, match="stack of 5 images"):
        read_micrograph(path)
    assert np.array_equal(read_micrograph(path, page=4).image, stack[4])


def test_ser(tmp_path: Path) -> None:
    data = files.grains(dtype="uint16")
    micrograph = read_micrograph(files.write_ser(tmp_path / "a.ser", data, 1.5e-9))
    assert sorted(micrograph.image.ravel()) == sorted(data.ravel())
    assert micrograph.pixel_size == pytest.approx(1.5)


def test_an_emi_without_its_ser_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.emi").write_bytes(b"JFIF<ObjectInfo></ObjectInfo>" + bytes(100))
    with pytest.raises(ReadError, match=r"_1\.ser") as caught:
        read_micrograph(tmp_path / "a.emi")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", sorted(SIGNALS))
def test_what_to_install_is_said_where_the_library_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    for module in list(sys.modules):
        if module.partition(".")[0] in ("rsciio", "h5py") or module.endswith("imaging.velox"):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "rsciio", None)
    monkeypatch.setitem(sys.modules, "h5py", None)
    path = tmp_path / f"a{suffix}"
    if suffix in (".dm3", ".dm4"):  # whose tags are looked at first
        path.write_bytes(b"\0\0\0\3\0\0\0\x10\0\0\0\1\0\0\0\0\0\0")
    else:
        path.write_bytes(b"something")
    with pytest.raises(ReadError) as caught:
        read_micrograph(path)
    assert 'install it with: pip install "napari-ssrvae[formats]"' in str(caught.value)
    assert "\n" not in str(caught.value)

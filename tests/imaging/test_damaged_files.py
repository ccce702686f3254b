"""Damaged files of each format: one clear sentence or a valid image, at once, and no more memory.

Every file is cut at each percent of its length, and bytes of it are changed at random.
"""

from __future__ import annotations

import logging
import shutil
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import signal_files as files
import tifffile

from napari_ssrvae.errors import ReadError
from napari_ssrvae.imaging import Micrograph, read_micrograph
from napari_ssrvae.imaging.reading import SIGNAL_SUFFIXES

FLIPPED = 50
MOST_MEMORY = 200 * 2**20


def cuts(data: bytes) -> Iterator[bytes]:
    for percent in range(1, 100):
        yield data[: max(1, len(data) * percent // 100)]


def flips(data: bytes, count: int = FLIPPED) -> Iterator[bytes]:
    """Change one to 32 bytes; in every second file only where headers are."""
    rng = np.random.default_rng(len(data))
    for i in range(count):
        damaged = np.frombuffer(data, np.uint8).copy()
        within = len(data) if i % 2 else min(2000, len(data))
        places = rng.integers(0, within, rng.choice([1, 2, 8, 32]))
        damaged[places] = rng.integers(0, 256, len(places))
        yield damaged.tobytes()


def read_or_sentence(path: Path) -> Micrograph | None:
    """Read; what is no valid micrograph must be one sentence that names the file."""
    try:
        micrograph = read_micrograph(path)
    except ReadError as error:
        text = str(error)
        assert "\n" not in text, text
        assert path.name in text, text
        assert len(text) < 500, text
        return None
    image = micrograph.image
    assert image.ndim == 2
    assert min(image.shape) >= 8
    assert image.dtype.kind in "uif"
    assert np.isfinite(image).all()
    size = micrograph.pixel_size
    assert size is None or 1e-4 <= size <= 1e6
    return micrograph


def picture() -> np.ndarray:
    return files.grains()


def fei(path: Path) -> None:
    text = b"[Scan]\r\nPixelWidth=7.7e-9\r\n[Image]\r\nResolutionX=48\r\nResolutionY=40\r\n\0"
    tifffile.imwrite(path, picture(), extratags=[(34682, 2, len(text), text, True)])


def zeiss(path: Path) -> None:
    text = b"0\r\n0\r\n0\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 4.466 nm\r\n"
    tifffile.imwrite(path, picture(), extratags=[(34118, 7, len(text), text, True)])


def tescan(path: Path) -> None:
    text = b"\xff\xd8\x00Date=2020-01-01\nPixelSizeX=1e-9\nPixelSizeY=1e-9\nHV=15000\n"
    tifffile.imwrite(path, picture(), extratags=[(50431, 7, len(text), text, True)])


def ome(path: Path) -> None:
    keys = {"axes": "YX", "PhysicalSizeX": 2.5, "PhysicalSizeXUnit": "nm"}
    tifffile.imwrite(path, picture(), ome=True, metadata=keys)


def imagej(path: Path) -> None:
    tifffile.imwrite(path, picture(), imagej=True, resolution=(5, 5), metadata={"unit": "nm"})


def stored(**options: object) -> Callable[[Path], None]:
    return lambda path: tifffile.imwrite(path, picture(), **options)


def pillow(path: Path) -> None:
    iio.imwrite(path, picture())


WRITERS: dict[str, Callable[[Path], object]] = {
    "plain.tif": stored(rowsperstrip=9),
    "lzw.tif": stored(compression="lzw", rowsperstrip=9),
    "deflate.tif": stored(compression="zlib", tile=(16, 16)),
    "zstd.tif": stored(compression="zstd"),
    "jpeg.tif": stored(compression="jpeg"),
    "big.tif": stored(bigtiff=True, byteorder=">"),
    "fei.tif": fei,
    "zeiss.tif": zeiss,
    "tescan.tif": tescan,
    "ome.tif": ome,
    "imagej.tif": imagej,
    "grey.png": pillow,
    "grey.jpg": pillow,
    "grey.bmp": pillow,
    "a.hspy": lambda path: files.write_hspy(path, files.image()),
    "ncem.emd": lambda path: files.write_ncem(path, files.image()),
    "velox.emd": lambda path: files.write_velox(
        path, {"HAADF": files.grains((*files.SIZE, 1), "uint16")}
    ),
    "a.mrc": lambda path: files.write_mrc(path, files.grains(dtype="int16"), 120),
    "a.ser": lambda path: files.write_ser(path, files.grains(dtype="uint16"), 1e-9),
}
# Metadata at the end, or pixels that no header counts: what is cut off need not be missed
MAY_STAY_WHOLE = {"grey.jpg", "zeiss.tif", "fei.tif", "tescan.tif", "ome.tif", "imagej.tif"}
MAY_STAY_WHOLE |= {"a.hspy", "ncem.emd", "velox.emd", "a.ser"}


def needs_library(path: Path) -> None:
    if path.suffix in SIGNAL_SUFFIXES:
        pytest.importorskip("rsciio")
        pytest.importorskip("h5py")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Libraries log what they find wrong; here that is thousands of lines."""
    caplog.set_level(logging.CRITICAL)


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_cut_anywhere(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    needs_library(path)
    WRITERS[name](path)
    whole = read_or_sentence(path)
    assert whole is not None
    opened = 0
    for data in cuts(path.read_bytes()):
        path.write_bytes(data)
        cut = read_or_sentence(path)
        if cut is None:
            continue
        opened += 1
        assert cut.shape == whole.shape
        if path.suffix not in (".jpg", ".png"):  # whose decoders make up for what is missing
            assert np.array_equal(cut.image, whole.image)
    assert opened == 0 or name in MAY_STAY_WHOLE
    assert opened < 90


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_bytes_changed_at_random(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    needs_library(path)
    WRITERS[name](path)
    data = path.read_bytes()
    read_or_sentence(path)  # what is imported for it is no memory of the file
    tracemalloc.start()
    try:
        for damaged in flips(data):
            path.write_bytes(damaged)
            read_or_sentence(path)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


# --- headers that claim more than there is ------------------------------------------------------

HUGE = 1_000_000


def huge_tiff(path: Path) -> None:
    """One strip of a few bytes, said to be 10^6 x 10^6 pixels."""
    tags = [(256, 4, 1, HUGE), (257, 4, 1, HUGE), (258, 3, 1, 8), (259, 3, 1, 5)]
    tags += [(262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, HUGE), (279, 4, 1, 16)]
    head = struct.pack("<2sHI", b"II", 42, 24) + bytes(range(16))
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    path.write_bytes(head + struct.pack("<H", len(tags)) + body + bytes(4))


def huge_png(path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        sum_ = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", sum_)

    header = struct.pack(">IIBBBBB", HUGE, HUGE, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def huge_bmp(path: Path) -> None:
    info = struct.pack("<IiiHHIIiiII", 40, HUGE, HUGE, 1, 24, 0, 0, 0, 0, 0, 0)
    path.write_bytes(struct.pack("<2sIHHI", b"BM", 200, 0, 0, 54) + info + bytes(100))


def huge_velox(path: Path) -> None:
    import h5py

    files.write_velox(path, {"HAADF": files.grains((*files.SIZE, 1), "uint16")})
    with h5py.File(path, "a") as file:
        (group,) = file["Data/Image"].values()
        del group["Data"]
        group.create_dataset("Data", (HUGE, HUGE, 1), "u2", chunks=(64, 64, 1))


def huge_hspy(path: Path) -> None:
    import h5py

    files.write_hspy(path, files.image())
    with h5py.File(path, "a") as file:
        (group,) = file["Experiments"].values()
        del group["data"]
        group.create_dataset("data", (HUGE, HUGE), "u1", chunks=(64, 64))


CLAIMS: dict[str, Callable[[Path], object]] = {
    "a.tif": huge_tiff,
    "a.png": huge_png,
    "a.bmp": huge_bmp,
    "velox.emd": huge_velox,
    "a.hspy": huge_hspy,
    "a.mrc": lambda path: files.write_mrc(path, picture().astype("int16"), 100, (HUGE, HUGE)),
}


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_a_header_that_claims_too_much_is_refused_before_memory_is_taken(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    needs_library(path)
    CLAIMS[name](path)
    tracemalloc.start()
    try:
        assert read_or_sentence(path) is None
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("side", [20_000, 40_000])
def test_a_claim_that_no_compression_explains(tmp_path: Path, side: int) -> None:
    """400 megapixels and more in a file of 170 bytes."""
    huge_tiff(tmp_path / "a.tif")
    data = (
        (tmp_path / "a.tif").read_bytes().replace(struct.pack("<I", HUGE), struct.pack("<I", side))
    )
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(ReadError, match=f"{side}x{side} pixels, which do not fit into a file"):
        read_micrograph(tmp_path / "a.tif")


def test_dm_tags_that_count_too_much_are_refused(tmp_path: Path) -> None:
    """A structure of 2^40 fields: a reader would look for each."""
    path = tmp_path / "a.dm4"
    group = struct.pack(">BBq", 1, 0, 1)
    tag = struct.pack(">BH", 21, 1) + b"a" + struct.pack(">q", 100) + b"%%%%"
    numbers = struct.pack(">5q", 5, 15, 0, 2**40, 0)
    path.write_bytes(struct.pack(">iqi", 4, 1000, 1) + group + tag + numbers + bytes(10_000))
    with pytest.raises(ReadError, match="damaged tag at byte"):
        read_micrograph(path)


# --- the real files -----------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name",
    [
        "olympus_SIS.tif",
        "test_loading_image_saved_with_DM.tif",
        "test_loading_image_saved_with_imageJ.tif",
        "test_STEM_image.dm3",
        "JEOL HAADF Image.dm4",
        "64x64_TEM_images_acquire.emi",
        "64x64_TEM_images_acquire_1.ser",
        "Hitachi_TM3030Plus.bcf",
        "fei-sem-rbc.tif",
        "zeiss_test.tif",
        "velox_emd_version11.zip/Test SI 16x16 ReducedData 215 kx.emd",
    ],
)
def test_real_files_damaged(realdata: Path, tmp_path: Path, name: str) -> None:
    archive, _, member = name.rpartition("/")
    needs_library(Path(member))
    if archive:
        with zipfile.ZipFile(realdata / "vendor" / archive) as packed:
            data = packed.read(member)
    else:
        data = (realdata / "vendor" / name).read_bytes()
    path = tmp_path / member
    if path.suffix == ".emi":
        shutil.copy(realdata / "vendor" / f"{path.stem}_1.ser", tmp_path)
    large = len(data) > 500_000
    for damaged in list(cuts(data))[:: 5 if large else 1]:
        path.write_bytes(damaged)
        read_or_sentence(path)
    for damaged in flips(data, 20 if large else FLIPPED):
        path.write_bytes(damaged)
        read_or_sentence(path)

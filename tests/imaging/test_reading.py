"""Files: vendor metadata, info bars, and everything that can be wrong with them."""

from __future__ import annotations

import struct
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_ssrvae.errors import InputError, ReadError
from napari_ssrvae.imaging import read_micrograph
from napari_ssrvae.imaging.infobar import find_info_bar


def with_bar(picture: np.ndarray, rows: int, background: int = 0, remnant: int = 0) -> np.ndarray:
    """Burn an info bar with lettering into the foot of the picture."""
    image = picture.copy()
    end = len(image) - remnant
    image[end - rows : end] = background
    lettering = image[end - rows + 4 : end - 5, 10:-10:7]
    lettering[...] = 255 if background < 200 else 0
    return image


def bytes_tag(code: int, text: bytes) -> tuple[int, int, int, bytes, bool]:
    return code, 7, len(text), text, True


def exif_tiff(path: Path, image: np.ndarray, note: bytes) -> None:
    """Write a little-endian TIFF whose EXIF directory holds a MakerNote, as JEOL's are."""
    height, width = image.shape
    pixels = image.astype(np.uint8).tobytes()
    pixels_at = 8
    note_at = pixels_at + len(pixels) + len(pixels) % 2
    exif_at = note_at + len(note) + len(note) % 2
    exif = struct.pack("<HHHII", 1, 37500, 7, len(note), note_at) + struct.pack("<I", 0)
    main_at = exif_at + len(exif)
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, pixels_at),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, len(pixels)),
        (34665, 4, 1, exif_at),
    ]
    main = struct.pack("<H", len(tags))
    main += b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    body = bytearray(main_at) + main
    body[:8] = struct.pack("<2sHI", b"II", 42, main_at)
    body[pixels_at : pixels_at + len(pixels)] = pixels
    body[note_at : note_at + len(note)] = note
    body[exif_at : exif_at + len(exif)] = exif
    path.write_bytes(bytes(body))


def jeol_note(size: str = "10.0nm/pixel", scanned: str = "256 168", bar: str = "32") -> bytes:
    text = (
        f"$CM_FORMAT=JEOL/FE\t$CM_IMAGE_SIZE={scanned}\t$CM_PIXEL_SIZE={size}\t"
        f"$SM_PNU_HEIGHT={bar}\t$SM_NICKNAME=JSM-TEST\t"
    )
    return b"UNICODE\0" + text.encode("utf-16-le")


# --- vendors, written by the test ---------------------------------------------------------------


def test_jeol(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "jeol.tif"
    exif_tiff(path, picture, jeol_note())
    micrograph = read_micrograph(path)
    assert micrograph.pixel_size == pytest.approx(10)
    assert micrograph.shape == (168, 256)
    assert np.array_equal(micrograph.image, picture[:168])
    assert micrograph.metadata["instrument"] == "JEOL JSM-TEST"
    assert micrograph.metadata["info_bar_rows"] == 32
    assert micrograph.metadata["warnings"] == []
    assert (micrograph.name, micrograph.path) == ("jeol", path)


def test_jeol_with_other_units_and_a_cropped_bar(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "jeol.tif"
    exif_tiff(path, picture, jeol_note("0.25μm/pixel", scanned="256 200"))
    micrograph = read_micrograph(path)
    assert micrograph.pixel_size == pytest.approx(250)
    assert micrograph.shape == (200, 256), "rows were cut from a file without its bar"


@pytest.mark.parametrize("size", ["0nm/pixel", "-3nm/pixel", "1e30m/pixel", "3parsec/pixel"])
def test_nonsense_pixel_sizes_are_dropped_with_a_warning(
    tmp_path: Path, picture: np.ndarray, size: str
) -> None:
    path = tmp_path / "jeol.tif"
    exif_tiff(path, picture, jeol_note(size))
    micrograph = read_micrograph(path)
    assert micrograph.pixel_size is None
    (warning,) = micrograph.metadata["warnings"]
    assert "set the pixel size by hand" in warning


def zeiss_header(lines: str) -> bytes:
    return ("0\r\n0\r\n0\r\n" + lines).encode("cp1252")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 4.466 nm\r\n", 4.466),
        ("AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 2.615 µm\r\n", 2615),
        ("AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 812.0 pm\r\n", 0.812),
        # the pixel size of the scan counts 1024 pixels a row, whatever was stored
        ("AP_PIXEL_SIZE\r\nPixel Size = 5.825 nm\r\n", 5.825 * 1024 / 256),
    ],
)
def test_zeiss(tmp_path: Path, picture: np.ndarray, lines: str, expected: float) -> None:
    path = tmp_path / "zeiss.tif"
    palette = np.repeat(np.arange(256, dtype=np.uint16)[None] * 257, 3, axis=0)
    palette[:, 9] = (65535, 0, 0)  # colours for annotations at every ninth entry
    tifffile.imwrite(
        path,
        with_bar(picture, 40, remnant=1),
        photometric="palette",
        colormap=palette,
        resolution=(1, 1),
        extratags=[bytes_tag(34118, zeiss_header(lines))],
    )
    micrograph = read_micrograph(path)
    assert micrograph.pixel_size == pytest.approx(expected, rel=1e-3)
    assert micrograph.shape == (159, 256)
    assert np.array_equal(micrograph.image, picture[:159]), "the palette index is the intensity"
    assert micrograph.metadata["format"] == "Zeiss TIFF"


def fei_text(scan: str, rows: int, bar: int) -> bytes:
    return (
        f"[System]\r\nSystemType=Helios\r\n[Scan]\r\n{scan}\r\n"
        f"[Image]\r\nResolutionX=256\r\nResolutionY={rows}\r\n"
        f"[PrivateFei]\r\nDatabarHeight={bar}\r\n\0"
    ).encode()


@pytest.mark.parametrize(
    ("scan", "rows", "bar", "size", "height"),
    [
        ("PixelWidth=7.70833e-009", 170, 0, 7.70833, 170),
        ("PixelWidth=3.5e-6", 999, 30, 3500, 170),
        ("Dwelltime=1e-5", 170, 30, None, 170),
        ("PixelWidth=0", 170, 30, None, 170),
    ],
)
def test_fei(
    tmp_path: Path,
    picture: np.ndarray,
    scan: str,
    rows: int,
    bar: int,
    size: float | None,
    height: int,
) -> None:
    path = tmp_path / "fei.tif"
    text = fei_text(scan, rows, bar)
    tifffile.imwrite(
        path, picture.astype(np.uint16) * 256, extratags=[(34682, 2, len(text), text, True)]
    )
    micrograph = read_micrograph(path)
    assert micrograph.pixel_size == (None if size is None else pytest.approx(size))
    assert micrograph.shape == (height, 256)
    assert micrograph.image.dtype == np.uint16
    assert bool(micrograph.metadata["warnings"]) == (scan == "PixelWidth=0")


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("micron", 200), ("nm", 0.2), ("um", 200), ("\\u00B5m", 200), ("pixel", None), ("inch", None)],
)
def test_imagej(tmp_path: Path, picture: np.ndarray, unit: str, expected: float | None) -> None:
    path = tmp_path / "ij.tif"
    tifffile.imwrite(path, picture, imagej=True, resolution=(5, 5), metadata={"unit": unit})
    size = read_micrograph(path).pixel_size
    assert size == (None if expected is None else pytest.approx(expected))


def test_the_resolution_of_a_plain_tiff_is_not_believed(
    tmp_path: Path, picture: np.ndarray
) -> None:
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, picture, resolution=(300, 300), resolutionunit="INCH", compression="lzw")
    micrograph = read_micrograph(path)
    assert micrograph.pixel_size is None
    assert np.array_equal(micrograph.image, picture)


# --- kinds of pixels ----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_grey_depths(tmp_path: Path, picture: np.ndarray, suffix: str, dtype: str) -> None:
    image = picture.astype(dtype) * (257 if dtype == "uint16" else 1)
    path = tmp_path / f"a{suffix}"
    (tifffile.imwrite if suffix.lower().startswith(".tif") else iio.imwrite)(path, image)
    micrograph = read_micrograph(path)
    assert micrograph.image.dtype == dtype
    assert np.array_equal(micrograph.image, image)


def test_colour_transparent_and_inverted_pictures(tmp_path: Path, picture: np.ndarray) -> None:
    iio.imwrite(tmp_path / "rgb.png", np.dstack([picture] * 3))
    iio.imwrite(tmp_path / "rgba.png", np.dstack([picture] * 3 + [np.full_like(picture, 9)]))
    iio.imwrite(tmp_path / "la.png", np.dstack([picture, np.full_like(picture, 9)]))
    tifffile.imwrite(tmp_path / "rgb.tif", np.dstack([picture] * 3), photometric="rgb")
    tifffile.imwrite(
        tmp_path / "planar.tif",
        np.stack([picture] * 3),
        photometric="rgb",
        planarconfig="separate",
    )
    tifffile.imwrite(tmp_path / "white.tif", 255 - picture, photometric="miniswhite")
    for path in sorted(tmp_path.iterdir()):
        assert np.array_equal(read_micrograph(path).image, picture), path.name


KINDS = {
    "lzw": {"compression": "lzw"},
    "lzw, differences": {"compression": "lzw", "predictor": True},
    "deflate": {"compression": "zlib"},
    "zstd": {"compression": "zstd"},
    "packbits": {"compression": "packbits"},
    "big-endian": {"byteorder": ">"},
    "BigTIFF": {"bigtiff": True},
    "tiled": {"tile": (64, 64)},
    "strips": {"rowsperstrip": 7},
    "tiled, zstd, big-endian": {"tile": (64, 64), "compression": "zstd", "byteorder": ">"},
}


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_every_way_to_store_a_tiff(
    tmp_path: Path, picture: np.ndarray, kind: str, dtype: str
) -> None:
    image = picture.astype(dtype) * (1 if dtype == "uint8" else 100) - (
        3 if dtype.startswith(("int", "float")) else 0
    )
    tifffile.imwrite(tmp_path / "a.tif", image.astype(dtype), **KINDS[kind])
    micrograph = read_micrograph(tmp_path / "a.tif")
    assert micrograph.image.dtype == dtype
    assert np.array_equal(micrograph.image, image.astype(dtype))
    assert micrograph.pixel_size is None


def test_jpeg_in_a_tiff(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.dstack([picture] * 3), photometric="rgb", compression="jpeg")
    assert np.abs(read_micrograph(path).image.astype(int) - picture).mean() < 4


def test_sixteen_bit_and_inverted_and_binary_tiffs(tmp_path: Path, picture: np.ndarray) -> None:
    deep = picture.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "white.tif", 65535 - deep, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "rgb.tif", np.dstack([deep] * 3), photometric="rgb")
    tifffile.imwrite(
        tmp_path / "planar.tif", np.stack([deep] * 3), photometric="rgb", planarconfig="separate"
    )
    for path in sorted(tmp_path.iterdir()):
        assert np.array_equal(read_micrograph(path).image, deep), path.name
    binary = picture > 100
    tifffile.imwrite(tmp_path / "binary.tif", binary, photometric="minisblack")
    assert np.array_equal(read_micrograph(tmp_path / "binary.tif").image, binary * 255)


def test_palettes(tmp_path: Path, picture: np.ndarray) -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint16)[None] * 257, 3, axis=0)
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="palette", colormap=grey[:, ::-1])
    image = read_micrograph(tmp_path / "a.tif").image
    assert np.array_equal(image, (255 - picture.astype(np.uint16)) * 257), "colours, not indices"


def test_not_a_number_and_infinite_pixels_of_a_file(tmp_path: Path, picture: np.ndarray) -> None:
    image = picture.astype(np.float32)
    image[3, 4], image[5, 6] = np.nan, np.inf
    tifffile.imwrite(tmp_path / "a.tif", image)
    assert np.isfinite(read_micrograph(tmp_path / "a.tif").image).all()


def test_bitmaps(tmp_path: Path, picture: np.ndarray) -> None:
    iio.imwrite(tmp_path / "grey.bmp", picture)
    iio.imwrite(tmp_path / "rgb.bmp", np.dstack([picture] * 3))
    for path in sorted(tmp_path.iterdir()):
        micrograph = read_micrograph(path)
        assert np.array_equal(micrograph.image, picture)
        assert micrograph.metadata["format"] == "BMP"
        assert micrograph.pixel_size is None


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
def test_dots_an_inch_are_never_believed(tmp_path: Path, picture: np.ndarray, suffix: str) -> None:
    iio.imwrite(tmp_path / f"a{suffix}", picture, plugin="pillow", dpi=(300, 300))
    assert read_micrograph(tmp_path / f"a{suffix}").pixel_size is None


def test_jpeg(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "a.jpg"
    iio.imwrite(path, np.dstack([picture] * 3), quality=95)
    micrograph = read_micrograph(path)
    assert micrograph.shape == picture.shape
    assert np.abs(micrograph.image.astype(int) - picture).mean() < 4
    assert micrograph.metadata["format"] == "JPEG"


def test_a_stack_is_refused_unless_a_page_is_chosen(tmp_path: Path, picture: np.ndarray) -> None:
    stack = np.stack([picture, 255 - picture, picture // 2])
    tifffile.imwrite(tmp_path / "plain.tif", stack, photometric="minisblack")
    tifffile.imwrite(tmp_path / "ij.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(ReadError, match="stack of 3 images; open one 2-D slice"):
            read_micrograph(path)
        assert np.array_equal(read_micrograph(path, page=1).image, stack[1])
        with pytest.raises(ReadError, match="no image 3"):
            read_micrograph(path, page=3)


# --- info bars ----------------------------------------------------------------------------------


@pytest.mark.parametrize("background", [0, 255, 128])
@pytest.mark.parametrize("remnant", [0, 1, 2])
def test_a_burnt_in_bar_is_cut(
    tmp_path: Path, picture: np.ndarray, background: int, remnant: int
) -> None:
    path = tmp_path / "bar.png"
    iio.imwrite(path, with_bar(picture, 30, background, remnant))
    micrograph = read_micrograph(path)
    assert micrograph.metadata["info_bar_rows"] == 30 + remnant
    assert np.array_equal(micrograph.image, picture[: 170 - remnant])


def test_no_bar_is_seen_where_there_is_none(picture: np.ndarray) -> None:
    assert find_info_bar(picture) == 0
    dark = picture.copy()
    dark[150:] = 0  # an empty part of the sample has no lettering
    assert find_info_bar(dark) == 0
    black = np.zeros((200, 256), dtype=np.uint8)
    black[::40, ::30] = 255  # bright dots on black everywhere: the picture, not a bar
    assert find_info_bar(black) == 0
    faded = (picture * np.linspace(1, 0, 200)[:, None]).astype(np.uint8)
    assert find_info_bar(faded) == 0
    half = with_bar(picture, 90)  # no microscope writes a bar of half the picture
    assert find_info_bar(half) == 0


def test_the_person_says_how_many_rows_to_cut(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "bar.png"
    burnt = with_bar(picture, 30)
    iio.imwrite(path, burnt)
    everything = read_micrograph(path, info_bar=0)
    assert everything.metadata["info_bar_rows"] == 0
    assert np.array_equal(everything.image, burnt)
    some = read_micrograph(path, info_bar=np.int64(45))
    assert some.metadata["info_bar_rows"] == 45
    assert np.array_equal(some.image, picture[:155])


def test_the_person_overrules_the_metadata(tmp_path: Path, picture: np.ndarray) -> None:
    exif_tiff(tmp_path / "jeol.tif", picture, jeol_note())
    assert read_micrograph(tmp_path / "jeol.tif", info_bar=0).shape == (200, 256)


@pytest.mark.parametrize("rows", [-1, 1.5, "12", True, 193, 200, 10**9])
def test_rows_that_cannot_be_cut(tmp_path: Path, picture: np.ndarray, rows: object) -> None:
    iio.imwrite(tmp_path / "a.png", picture)
    with pytest.raises(InputError, match=r"info_bar is|leaves nothing") as caught:
        read_micrograph(tmp_path / "a.png", info_bar=rows)
    assert "0 " in str(caught.value)


# --- bad files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"), [("text.tif", "TIFF"), ("text.png", "PNG"), ("text.jpeg", "JPEG")]
)
def test_files_that_are_no_image(tmp_path: Path, name: str, kind: str) -> None:
    """The plain reason comes first: napari's toasts show one line."""
    path = tmp_path / name
    path.write_text("this is no image\n" * 100)
    with pytest.raises(ReadError, match=f"^{name} is cut off or is no {kind} file: "):
        read_micrograph(path)


def test_missing_folder_empty_and_unknown(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="does not exist"):
        read_micrograph(tmp_path / "no.tif")
    with pytest.raises(ReadError, match="is a folder"):
        read_micrograph(tmp_path)
    (tmp_path / "a.tif").touch()
    with pytest.raises(ReadError, match="is empty"):
        read_micrograph(tmp_path / "a.tif")
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(ReadError, match="kind that cannot be read"):
        read_micrograph(tmp_path / "a.docx")


def test_constant_and_tiny_images_name_the_file(tmp_path: Path) -> None:
    for name, image in (("flat", np.full((50, 50), 3, np.uint8)), ("dot", np.ones((1, 1), "u1"))):
        tifffile.imwrite(tmp_path / f"{name}.tif", image)
        with pytest.raises(ReadError, match=f"{name}.tif holds no usable image"):
            read_micrograph(tmp_path / f"{name}.tif")


# --- info bars of real figures ------------------------------------------------------------------


@pytest.mark.realdata
def test_bars_of_journal_figures(realdata: Path) -> None:
    with_a_bar = {"47286679c2", "60feb7de8f", "7ecd3c2ab9", "8d7fc4c578", "fcc97c015c"}
    for path in sorted((realdata / "emps" / "images").glob("*.png")):
        micrograph = read_micrograph(path)
        rows = micrograph.metadata["info_bar_rows"]
        assert (rows > 0) == (path.stem in with_a_bar), path.stem
        for cut in range(1, 150, 23):
            assert find_info_bar(micrograph.image[:-cut]) == 0, path.stem

"""What vendors write into TIFFs and beside them, written by the test from the formats' layout.

No file of a real Hitachi or Tescan microscope was at hand; TVIPS and OME neither.
"""

from __future__ import annotations

import struct
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from tifffile import TIFF

from napari_ssrvae.imaging import Micrograph, read_micrograph

Tag = tuple[int, int, int, object, bool]


def bytes_tag(code: int, value: bytes) -> Tag:
    return code, 7, len(value), value, True


def text_tag(code: int, value: str) -> Tag:
    return code, 2, len(value) + 1, value, True


def write(path: Path, image: np.ndarray, *tags: Tag, **options: object) -> Micrograph:
    tifffile.imwrite(path, image, extratags=list(tags), resolution=(300, 300), **options)
    return read_micrograph(path)


# --- Tescan -------------------------------------------------------------------------------------

TESCAN = (
    "AccFrames=1\nDate=2021-03-04\nDevice=MIRA3 LMH\nImageStripSize={strip}\n"
    "Magnification=5000\nPixelSizeX={x}\nPixelSizeY={y}\nTime=12:00:01\n"
    "Detector=SE\nHV=15000\nWD=0.00998\n"
)


def tescan(strip: int = 30, x: str = "2.5e-9", y: str = "2.5e-9") -> str:
    return TESCAN.format(strip=strip, x=x, y=y)


def assert_is_tescan(micrograph: Micrograph, picture: np.ndarray) -> None:
    assert micrograph.pixel_size == pytest.approx(2.5)
    assert micrograph.metadata["pixel_size_from"] == "Tescan “PixelSizeX”"
    assert micrograph.metadata["instrument"] == "Tescan MIRA3 LMH"
    assert np.array_equal(micrograph.image, picture[:-30]), "the strip's rows are cut off"
    assert micrograph.metadata["acquisition"] == {
        "date": "2021-03-04 12:00:01",
        "voltage_kv": pytest.approx(15),
        "magnification": 5000,
        "working_distance_mm": pytest.approx(9.98),
        "detector": "SE",
    }


def test_tescan_tag_after_a_thumbnail(tmp_path: Path, picture: np.ndarray) -> None:
    # a block with a small JPEG comes first; bytes of it may look like a line
    blob = b"\x01\x00\xff\xd8\xff\xe0\nPixelSizeX=7\xff\xd9\x02" + tescan().encode()
    micrograph = write(tmp_path / "a.tif", picture, bytes_tag(50431, blob))
    assert micrograph.metadata["format"] == "Tescan TIFF"
    assert_is_tescan(micrograph, picture)


@pytest.mark.parametrize(
    ("picture_name", "header_name"),
    [("a.tif", "a.hdr"), ("a.tif", "a-tif.hdr"), ("a.png", "a-png.hdr"), ("a.TIF", "a-TIF.HDR")],
)
def test_tescan_header_beside_the_picture(
    tmp_path: Path, picture: np.ndarray, picture_name: str, header_name: str
) -> None:
    text = "[MAIN]\r\n" + tescan().replace("Detector=", "[SEM]\nDetector=").replace("\n", "\r\n")
    (tmp_path / header_name).write_text(text)
    iio.imwrite(tmp_path / picture_name, picture)
    assert_is_tescan(read_micrograph(tmp_path / picture_name), picture)


def test_pixels_that_are_not_square_have_no_size(tmp_path: Path, picture: np.ndarray) -> None:
    blob = tescan(strip=0, y="2.6e-9").encode()
    micrograph = write(tmp_path / "a.tif", picture, bytes_tag(50431, blob))
    assert micrograph.pixel_size is None
    (warning,) = micrograph.metadata["warnings"]
    assert "not square (2.5 nm wide, 2.6 nm high)" in warning


@pytest.mark.parametrize("size", ["0", "-1e-9", "nan", "inf", "abc", "1e-300", "12", ""])
def test_a_size_that_cannot_be_is_none_with_a_sentence(
    tmp_path: Path, picture: np.ndarray, size: str
) -> None:
    blob = tescan(strip=0, x=size, y=size).encode()
    micrograph = write(tmp_path / "a.tif", picture, bytes_tag(50431, blob))
    assert micrograph.pixel_size is None
    (warning,) = micrograph.metadata["warnings"]
    assert "set the pixel size by hand" in warning
    assert "\n" not in warning


# --- Hitachi ------------------------------------------------------------------------------------

HITACHI = (
    "[SemImageFile]\r\nInstructName=SU8020\r\nSerialNumber=12\r\nSampleName=Au\r\n"
    "ImageName=a.tif\r\nDate=05/17/2022\r\nTime=09:07:08\r\nDataSize={taken}\r\n"
    "PixelSize={size}\r\nSignalName=SE(UL)\r\nAcceleratingVoltage=5000 Volt\r\n"
    "Magnification=20000\r\nWorkingDistance=8300 um\r\n"
)


@pytest.mark.parametrize("encoding", ["ascii", "utf-16", "utf-16-le", "utf-8-sig"])
@pytest.mark.parametrize("name", ["a.tif", "a.bmp", "a.jpg"])
def test_hitachi_text_beside_the_picture(
    tmp_path: Path, picture: np.ndarray, encoding: str, name: str
) -> None:
    text = HITACHI.format(taken="256x170", size="4.961")
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    iio.imwrite(tmp_path / name, picture)
    micrograph = read_micrograph(tmp_path / name)
    assert micrograph.pixel_size == pytest.approx(4.961)
    assert micrograph.metadata["instrument"] == "Hitachi SU8020"
    assert micrograph.shape == (170, 256), "of the picture's rows the microscope took 170"
    assert micrograph.metadata["info_bar_rows"] == 30
    assert micrograph.metadata["acquisition"] == {
        "date": "05/17/2022 09:07:08",
        "voltage_kv": pytest.approx(5),
        "magnification": 20000,
        "working_distance_mm": pytest.approx(8.3),
        "detector": "SE(UL)",
    }


def test_a_resampled_picture_has_lost_its_size(tmp_path: Path, picture: np.ndarray) -> None:
    (tmp_path / "a.txt").write_text(HITACHI.format(taken="1280x960", size="4.961"))
    micrograph = write(tmp_path / "a.tif", picture[:192])  # 256 x 192: the same proportions
    assert micrograph.pixel_size is None
    assert "1280x960 pixels and the file has 256x192" in micrograph.metadata["warnings"][0]
    micrograph = write(tmp_path / "a.tif", picture[:100])  # a part of it keeps its scale
    assert micrograph.pixel_size == pytest.approx(4.961)


def test_any_other_text_beside_a_picture_is_left_alone(tmp_path: Path, picture: np.ndarray) -> None:
    (tmp_path / "a.txt").write_bytes(bytes(range(256)) * 40 + b"\nPixelSize=3\n")
    (tmp_path / "a.hdr").write_text("ENVI\nsamples = 256\nPixelSize = 3\n")
    micrograph = write(tmp_path / "a.tif", picture)
    assert micrograph.pixel_size is None
    assert micrograph.metadata["warnings"] == []
    assert micrograph.metadata["format"] == "TIFF"


def test_a_text_beside_a_tiff_does_not_overrule_what_is_in_it(
    tmp_path: Path, picture: np.ndarray
) -> None:
    (tmp_path / "a.txt").write_text(HITACHI.format(taken="256x200", size="4.961"))
    blob = tescan(strip=0).encode()
    assert write(tmp_path / "a.tif", picture, bytes_tag(50431, blob)).pixel_size == 2.5


# --- JEOL ---------------------------------------------------------------------------------------


def test_jeol_text_beside_the_picture(tmp_path: Path, picture: np.ndarray) -> None:
    lines = (
        "$SEM_DATA_VERSION 1\r\n$CM_LABEL JEOL SEM\r\n$CM_DATE 2003/02/27\r\n$CM_TIME 20:53\r\n"
        "$CM_INSTRUMENT 7001F\r\n$CM_ACCEL_VOLT 15.00\r\n$CM_MAG 5000\r\n$CM_SIGNAL SEI\r\n"
        "$CM_FULL_SIZE 256 192\r\n$$SM_MICRON_BAR 160\r\n$$SM_MICRON_MARKER 1um\r\n"
        "$$SM_WD 10.0\r\n"
    )
    (tmp_path / "a.txt").write_text(lines)
    micrograph = write(tmp_path / "a.tif", picture)
    assert micrograph.pixel_size == pytest.approx(1000 / 160)
    assert micrograph.metadata["format"] == "JEOL TIFF"
    assert micrograph.metadata["instrument"] == "JEOL 7001F"
    assert micrograph.metadata["acquisition"]["magnification"] == 5000
    assert micrograph.metadata["acquisition"]["detector"] == "SEI"


SIGHTX = """<?xml version="1.0"?>
<TemReporter><Instruments>JEM-2100</Instruments><DateTime>2019-11-27T16:11:26.62+09:00</DateTime>
<ElectronGun><AccelerationVoltage>200000</AccelerationVoltage></ElectronGun>
<Eos><EosMode>{eos}</EosMode></Eos>
<ImageFormingSystem><ModeString>{mode}</ModeString><SelectorValue>{value}</SelectorValue>
<SelectorUnitString>{unit}</SelectorUnitString></ImageFormingSystem>
<DrawImageInformation><ImageSize><Width>256</Width><Height>200</Height></ImageSize>
<PixelsPerMeter><Horizontal>4000</Horizontal><Vertical>4000</Vertical></PixelsPerMeter>
</DrawImageInformation></TemReporter>"""


@pytest.mark.parametrize(
    ("eos", "mode", "value", "unit", "size", "warned"),
    [
        ("eosTEM", "MAG", "100000", "X", 2.5, False),
        ("eosTEM", "LOWMAG", "500", "X", 500, False),
        ("eosTEM", "DIFF", "20", "cm", None, True),  # a camera length is no magnification
        ("eosASID", "MAG", "100000", "X", None, False),
        ("eosTEM", "MAG", "0", "X", None, False),
    ],
)
def test_jeol_tem(
    tmp_path: Path,
    picture: np.ndarray,
    eos: str,
    mode: str,
    value: str,
    unit: str,
    size: float | None,
    warned: bool,
) -> None:
    xml = SIGHTX.format(eos=eos, mode=mode, value=value, unit=unit)
    micrograph = write(tmp_path / "a.tif", picture, description=xml, metadata=None)
    assert micrograph.pixel_size == (None if size is None else pytest.approx(size))
    assert micrograph.metadata["instrument"] == "JEOL JEM-2100"
    assert bool(micrograph.metadata["warnings"]) == warned


# --- cameras and programs -----------------------------------------------------------------------


def tvips_header(size: float, mode: int = 1) -> bytes:
    """Header of version 2, as EM-MENU 4 writes it."""
    first = np.zeros((), np.dtype(TIFF.TVIPS_HEADER_V1))
    first["Version"] = 2
    second = np.zeros((), np.dtype(TIFF.TVIPS_HEADER_V2))
    second["PixelSizeX"] = second["PixelSizeY"] = size
    second["TemMode"], second["TemHighTension"], second["TemMagnification"] = mode, 2e5, 50000
    second["TemType"] = np.void("CM200".encode("utf-16-le").ljust(160, b"\0"))
    second["CameraType"] = np.void("F416".encode("utf-16-le").ljust(160, b"\0"))
    second["Magic"] = 0xAAAAAAAA
    return first.tobytes() + second.tobytes()


@pytest.mark.parametrize(
    ("size", "mode", "expected"), [(0.125, 1, 0.125), (0.0, 1, None), (0.125, 3, None)]
)
def test_tvips(
    tmp_path: Path, picture: np.ndarray, size: float, mode: int, expected: float | None
) -> None:
    header = tvips_header(size, mode)
    micrograph = write(
        tmp_path / "a.tif", picture.astype(np.uint16) * 100, bytes_tag(37706, header)
    )
    assert micrograph.pixel_size == (None if expected is None else pytest.approx(expected))
    assert micrograph.metadata["instrument"] == "TVIPS CM200"
    assert micrograph.metadata["acquisition"]["detector"] == "F416"
    assert micrograph.metadata["acquisition"]["voltage_kv"] == pytest.approx(200)
    assert bool(micrograph.metadata["warnings"]) == (mode == 3)


@pytest.mark.parametrize(
    ("unit", "scale", "expected"),
    [("nm", 0.5, 0.5), ("\xb5m", 0.5, 500), ("1/nm", 0.5, None), ("s", 0.5, None), ("", 1, None)],
)
def test_tiff_of_digital_micrograph(
    tmp_path: Path, picture: np.ndarray, unit: str, scale: float, expected: float | None
) -> None:
    raw = unit.encode("latin-1") + b"\0"
    tags = [(code, 2, len(raw), raw, True) for code in (65003, 65004)]
    tags += [(code, 12, 1, float(scale), True) for code in (65009, 65010)]
    micrograph = write(tmp_path / "a.tif", picture, *tags)
    assert micrograph.pixel_size == (None if expected is None else pytest.approx(expected))
    assert micrograph.metadata["instrument"] == "Gatan DigitalMicrograph"


@pytest.mark.parametrize(
    ("size", "unit", "expected"),
    [(0.25, "µm", 250), (3.5, "nm", 3.5), (12, "Å", 1.2), (1, "pixel", None), (0, "nm", None)],
)
def test_ome(
    tmp_path: Path, picture: np.ndarray, size: float, unit: str, expected: float | None
) -> None:
    path = tmp_path / "a.ome.tif"
    keys = {f"PhysicalSize{axis}": size for axis in "XY"}
    keys |= {f"PhysicalSize{axis}Unit": unit for axis in "XY"}
    tifffile.imwrite(path, picture, metadata={"axes": "YX", **keys})
    micrograph = read_micrograph(path)
    assert micrograph.metadata["format"] == "OME-TIFF"
    assert micrograph.pixel_size == (None if expected is None else pytest.approx(expected))
    assert bool(micrograph.metadata["warnings"]) == (size == 0)


def test_a_stretched_picture_of_imagej_has_no_size(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, picture, imagej=True, resolution=(5, 4), metadata={"unit": "nm"})
    micrograph = read_micrograph(path)
    assert micrograph.pixel_size is None
    assert "not square" in micrograph.metadata["warnings"][0]


def sis_tag(x: float, y: float, exponent: int) -> tuple[bytes, bytes]:
    """The structure of Olympus SIS, with its values right behind it."""
    head = struct.pack("<4s6xhhhhh6x32sH", b"SIS0", 42, 19, 15, 10, 118, b"image", 1)
    values = struct.pack("<10xhdd8xd2x34s32s", exponent, x, y, 6e5, b"Quemesa", b"Normal")
    return head, values


def test_olympus_sis(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "a.tif"
    head, values = sis_tag(23.9, 23.9, -12)
    blank = head + struct.pack("<hhI", 1, 1, 0) + values
    tifffile.imwrite(path, picture, extratags=[(33560, 7, len(blank), blank, True)])
    data = bytearray(path.read_bytes())  # the value's place in the file is known only now
    at = data.index(b"SIS0")
    data[at + len(head) : at + len(head) + 8] = struct.pack("<hhI", 1, 1, at + len(head) + 8)
    entry = data.index(struct.pack("<HHI", 33560, 7, len(blank)))
    data[entry + 2 : entry + 8] = struct.pack("<HI", 4, 1)  # a tag that holds where it is
    path.write_bytes(bytes(data))
    micrograph = read_micrograph(path)
    assert micrograph.pixel_size == pytest.approx(0.0239)
    assert micrograph.metadata["instrument"] == "Olympus SIS Quemesa"
    assert micrograph.metadata["acquisition"]["date"] == "2018-11-15 19:42:00"


def test_reading_a_tiff_loads_no_reader_of_other_formats(
    tmp_path: Path, picture: np.ndarray
) -> None:
    import subprocess
    import sys

    tifffile.imwrite(tmp_path / "a.tif", picture)
    program = (
        "import sys; from napari_ssrvae import read_micrograph;"
        f"read_micrograph({str(tmp_path / 'a.tif')!r});"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = set(done.stdout.decode().split())
    assert "tifffile" in loaded
    assert not loaded & {"rsciio", "h5py", "dask", "pint", "zarr"}

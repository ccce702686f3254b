"""Small files of signals, written by the tests: hspy, EMD of NCEM and of Velox, MRC, SER."""

from __future__ import annotations

import json
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np

SIZE = (40, 48)


def grains(shape: tuple[int, ...] = SIZE, dtype: str = "uint8") -> np.ndarray:
    """Noise, so that no two pixels in a row agree for long."""
    return np.random.default_rng(1).integers(20, 230, shape).astype(dtype)


def signal(data: np.ndarray, *axes: tuple[str, float, str, bool]) -> dict[str, Any]:
    """As rosettasciio's writers take it; an axis is name, scale, unit, whether it navigates."""
    dicts = [
        {"size": n, "name": name, "scale": scale, "offset": 0.0, "units": unit, "navigate": nav}
        | {"index_in_array": i, "is_binned": False, "_type": "UniformDataAxis"}
        for i, (n, (name, scale, unit, nav)) in enumerate(zip(data.shape, axes, strict=True))
    ]
    return {
        "data": data,
        "axes": dicts,
        "metadata": {
            "General": {"title": "grains", "date": "2024-05-06", "time": "07:08:09"},
            "Signal": {"signal_type": ""},
            "Acquisition_instrument": {"TEM": {"beam_energy": 200.0, "microscope": "JEM-2100"}},
        },
        "original_metadata": {},
        "attributes": {"_lazy": False, "ragged": False},
        "learning_results": {},
        "tmp_parameters": {},
        "package_info": {},
        "models": {},
    }


def image(unit: str = "nm", scale: float = 2.0, data: np.ndarray | None = None) -> dict[str, Any]:
    """One image whose pixels measure `scale` `unit`."""
    data = grains() if data is None else data
    return signal(data, ("y", scale, unit, False), ("x", scale, unit, False))


def write_hspy(path: Path, content: dict[str, Any]) -> Path:
    from rsciio.hspy import file_writer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file_writer(str(path), content, chunks=None, close_file=True)
    return path


def write_ncem(path: Path, content: dict[str, Any]) -> Path:
    from rsciio.emd import file_writer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file_writer(str(path), content)
    return path


def write_velox(
    path: Path,
    images: dict[str, np.ndarray],
    size: str = "3.5e-9",
    unit: str = "m",
    spectra: bool = False,
) -> Path:
    """As Velox lays it out: detectors and their (H, W, frames) arrays."""
    import h5py

    with h5py.File(path, "w") as file:
        for number, (detector, data) in enumerate(images.items()):
            said = {
                "Instrument": {"Manufacturer": "FEI Company", "InstrumentModel": "Themis"},
                "Optics": {"AccelerationVoltage": "300000"},
                "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1709189884"}},
                "BinaryResult": {
                    "Detector": detector,
                    "PixelSize": {"width": size, "height": size},
                    "PixelUnitX": unit,
                    "PixelUnitY": unit,
                },
            }
            raw = np.frombuffer(json.dumps(said).encode().ljust(2000, b"\0"), np.uint8)
            group = file.create_group(f"Data/Image/{number:032x}")
            group["Data"] = data
            group["Metadata"] = np.repeat(raw[:, None], data.shape[2], axis=1)
        if spectra:
            file.create_group("Data/SpectrumImage")
            file.create_group("Data/Spectrum")
    return path


def write_mrc(
    path: Path,
    data: np.ndarray,
    cell: float,
    claimed: tuple[int, int] | None = None,
    extremes: tuple[float, float] = (0, 0),
) -> Path:
    """MRC2014, mode 0, 1 or 2: `cell` is in ångström along x and y."""
    stack = data if data.ndim == 3 else data[None]
    mode = {"int8": 0, "uint8": 0, "int16": 1, "float32": 2}[str(data.dtype)]
    nz, ny, nx = stack.shape
    if claimed is not None:
        ny, nx = claimed
    header = struct.pack("<10i", nx, ny, nz, mode, 0, 0, 0, nx, ny, nz)
    header += struct.pack("<6f", cell, cell * ny / nx, nz, 90, 90, 90) + struct.pack("<3i", 1, 2, 3)
    header += struct.pack("<2f", *extremes)
    header = header.ljust(208, b"\0") + b"MAP " + b"\x44\x44\0\0"
    path.write_bytes(header.ljust(1024, b"\0") + stack.tobytes())
    return path


def write_ser(path: Path, data: np.ndarray, metres: float) -> Path:
    """One image of TIA, series version 0x210, unsigned 16-bit."""
    height, width = data.shape
    dimension = struct.pack("<iddiii", 1, 0.0, 1.0, 0, 0, 0)  # one position, nameless, no unit
    array_at = 30 + len(dimension)
    element_at = array_at + 8
    element = struct.pack("<ddiddihii", 0.0, metres, 0, 0.0, metres, 0, 2, width, height)
    tag_at = element_at + len(element) + data.nbytes
    head = struct.pack("<hhhiiiiii", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, 1, 1, array_at, 1)
    body = head + dimension + struct.pack("<ii", element_at, tag_at) + element
    path.write_bytes(body + data.astype("<u2").tobytes() + struct.pack("<hhi", 0x4152, 0, 0))
    return path

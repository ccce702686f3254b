"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Folder with the real micrographs, beside the checkout or named by SSRVAE_REALDATA."""
    folder = Path(os.environ.get("SSRVAE_REALDATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "sem").is_dir():
        pytest.skip(f"no real micrographs at {folder}")
    return folder

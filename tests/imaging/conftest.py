"""Pictures that tests of reading share."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def picture() -> np.ndarray:
    """Smooth grey picture with noise: nothing in it looks like an info bar."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:200, :256]
    image = 100 + 40 * np.sin(x / 20) * np.cos(y / 15) + rng.normal(0, 4, y.shape)
    return image.clip(0, 255).astype(np.uint8)

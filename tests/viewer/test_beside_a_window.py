"""What computes beside the window leaves Python as it was, however several of them overlap."""

from __future__ import annotations

import gc
import sys

import torch

from napari_ssrvae.viewer.beside_a_window import SWITCH_S, beside_a_window


def state() -> tuple[int, float, int]:
    return torch.get_num_threads(), sys.getswitchinterval(), gc.get_freeze_count()


def test_the_last_of_several_puts_all_back() -> None:
    before = state()
    first, second = beside_a_window(), beside_a_window()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert sys.getswitchinterval() <= SWITCH_S * 1.01
    assert gc.get_freeze_count() > before[2]
    second.__exit__(None, None, None)
    assert state() == before

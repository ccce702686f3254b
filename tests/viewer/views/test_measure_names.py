from __future__ import annotations

import pytest

from napari_ssrvae.viewer.views.units import called_now, unit_of


@pytest.mark.parametrize(
    ("name", "unit"),
    [("diameter (nm)", "nm"), ("area (px²)", "px²"), ("aspect ratio", ""), ("z1", "")],
)
def test_a_unit_is_what_a_name_ends_with(name, unit):
    assert unit_of(name) == unit


def test_a_measure_is_found_by_its_name_of_now():
    names = ["z1", "diameter (nm)", "area (nm²)", "aspect ratio"]
    assert called_now("diameter (px)", names) == "diameter (nm)"
    assert called_now("diameter", names) == "diameter (nm)"
    assert called_now("area (nm²)", names) == "area (nm²)"
    assert called_now("aspect ratio", names) == "aspect ratio"
    assert called_now("z3", names) is None


def test_a_name_that_is_offered_comes_before_one_that_is_alike():
    assert called_now("rod (b)", ["rod (a)", "rod (b)"]) == "rod (b)"

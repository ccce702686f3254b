"""Classes and their colours."""

from __future__ import annotations

import pytest

from napari_ssrvae.errors import InputError
from napari_ssrvae.library.classes import PALETTE, ParticleClass, default_color, next_class


def test_new_classes_take_the_free_number_and_an_unused_colour() -> None:
    classes = [ParticleClass(1, "a", PALETTE[1]), ParticleClass(3, "b", PALETTE[0])]
    new = next_class(classes)
    assert (new.id, new.name, new.color) == (2, "class 2", PALETTE[2])


def test_more_classes_than_colours() -> None:
    classes: list[ParticleClass] = []
    for _ in range(15):
        classes.append(next_class(classes))
    assert [c.id for c in classes] == list(range(1, 16))
    assert len({c.color for c in classes}) == 15
    assert default_color(len(PALETTE)) == PALETTE[0]


@pytest.mark.parametrize(
    ("values", "what"),
    [((0, "a", "#000000"), "from 1"), ((1, " ", "#000000"), "name"), ((1, "a", "red"), "#rrggbb")],
)
def test_impossible_classes_are_refused(values: tuple[int, str, str], what: str) -> None:
    with pytest.raises(InputError, match=what):
        ParticleClass(*values)


def test_round_trip_and_damage() -> None:
    one = ParticleClass(4, "Würfel / 立方体", "#0a0b0c")
    assert ParticleClass.from_dict(one.to_dict()) == one
    debris = ParticleClass(2, "debris", "#0a0b0c", counted=False)
    assert ParticleClass.from_dict(debris.to_dict()) == debris
    assert ParticleClass.from_dict({"id": 1, "name": "old file", "color": "#000000"}).counted
    with pytest.raises(InputError, match="needs an id"):
        ParticleClass.from_dict({"id": 1})

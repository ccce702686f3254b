from __future__ import annotations

import numpy as np
import pytest

from napari_ssrvae.errors import InputError
from napari_ssrvae.library.selection import Place, Selection


def test_a_selection_counts_holds_and_lists_its_places():
    chosen = Selection.of([(1, 7), (2, 3), (1, 2), (1, 7)])
    assert len(chosen) == 3
    assert chosen.focus == Place(1, 7)
    assert list(chosen) == [(1, 2), (1, 7), (2, 3)]
    assert Place(2, 3) in chosen
    assert (2, 7) not in chosen
    assert 7 not in chosen
    assert chosen.of_micrograph(1) == {2, 7}
    assert chosen.of_micrograph(9) == chosen.of_micrograph(None) == frozenset()
    assert Selection.of([]) is None
    assert Selection.of([(1, 7)]) == Selection.one(1, 7)


def test_a_particle_is_taken_in_and_out():
    one = Selection.one(1, 7)
    two = one.toggled(Place(2, 3))
    assert list(two) == [(1, 7), (2, 3)]
    assert two.focus == (2, 3)
    assert two.toggled(Place(2, 3)) == one
    assert two.toggled(Place(1, 7)) == Selection.one(2, 3)  # the focus stays where it is
    assert one.toggled(Place(1, 7)) is None


def test_two_selections_become_one():
    both = Selection.of([(1, 7), (1, 8)]).extended(Selection.of([(2, 1), (1, 9)]))
    assert list(both) == [(1, 7), (1, 8), (1, 9), (2, 1)]
    assert both.focus == (1, 9)


def test_a_micrograph_goes_with_its_particles():
    chosen = Selection.of([(1, 7), (2, 3), (2, 4)])
    assert chosen.without_micrograph(9) is chosen
    assert chosen.without_micrograph(2) == Selection.one(1, 7)
    assert chosen.without_micrograph(1) == Selection.of([(2, 3), (2, 4)])
    assert Selection.one(1, 7).without_micrograph(1) is None


def test_the_focus_is_one_of_them():
    with pytest.raises(InputError, match="focus"):
        Selection({1: frozenset([2])}, Place(1, 3))


def test_fifty_thousand_are_selected_at_once():
    places = [(key, particle) for key in range(5) for particle in range(1, 10_001)]
    chosen = Selection.of(places)
    assert len(chosen) == 50_000
    rng = np.random.default_rng(0)
    for row in rng.integers(0, len(places), 50).tolist():
        assert places[row] in chosen

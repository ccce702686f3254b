"""Correcting particles in label images: only what is meant changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_ssrvae.errors import InputError
from napari_ssrvae.library.changes import Changes, compare_labels, follow_hand_labels
from napari_ssrvae.library.editing import (
    delete_particles,
    merge_particles,
    number_pieces,
    split_along,
    split_particle,
)

YY, XX = np.mgrid[:80, :160]


def disc(y: float, x: float, radius: float) -> np.ndarray:
    return (YY - y) ** 2 + (XX - x) ** 2 < radius**2


def scene() -> np.ndarray:
    """Ids with gaps: 3 is a dumbbell, 4 and 9 halves with a thin line between, 7 a disc."""
    labels = np.zeros((80, 160), np.int32)
    labels[disc(20, 20, 12) | disc(20, 40, 11)] = 3
    whole = disc(55, 30, 15)
    labels[whole & (XX < 29)] = 4
    labels[whole & (XX > 31)] = 9
    labels[disc(40, 110, 18)] = 7
    labels[disc(8, 150, 5)] = 12
    return labels


EDITS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], set[int]]] = {
    "merge": (lambda x: merge_particles(x, [4, 9]), {4, 9}),
    "split": (lambda x: split_particle(x, 3), {3, 13}),
    "cut": (lambda x: split_along(x, [[15, 110], [65, 110]]), {7, 13}),
    "delete": (lambda x: delete_particles(x, [3, 12]), {3, 12}),
}


@pytest.mark.parametrize("name", EDITS)
def test_nothing_but_the_particles_that_are_meant_changes(name: str) -> None:
    edit, concerned = EDITS[name]
    before = scene()
    after = edit(before)
    np.testing.assert_array_equal(before, scene())  # replaced, never changed in place
    assert after.dtype == np.int32
    changes = compare_labels(before, after)
    assert changes.ids == concerned
    others = ~np.isin(before, list(concerned)) & ~np.isin(after, list(concerned))
    np.testing.assert_array_equal(before[others], after[others])
    back = compare_labels(after, before)
    assert (back.removed, back.added, back.altered) == (
        changes.added,
        changes.removed,
        changes.altered,
    )
    assert back == changes.reverted


def random_edit(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    before = rng.integers(0, 9, (6, 7)).repeat(4, 0).repeat(5, 1).astype(np.int32)
    after = before.copy()
    for _ in range(rng.integers(1, 5)):
        y, x = rng.integers(0, 20, 2)
        after[y : y + rng.integers(1, 9), x : x + rng.integers(1, 9)] = rng.integers(0, 12)
    after[np.isin(after, rng.integers(1, 9, rng.integers(0, 3)))] = 0
    return before, after


@pytest.mark.parametrize("seed", range(40))
def test_what_changed_is_what_a_plain_comparison_finds(seed: int) -> None:
    before, after = random_edit(seed)
    changes = compare_labels(before, after)
    masks = {i: (before == i, after == i) for i in range(1, 13)}
    assert changes.removed == {i for i, (b, a) in masks.items() if b.any() and not a.any()}
    assert changes.added == {i for i, (b, a) in masks.items() if a.any() and not b.any()}
    assert changes.altered == {
        i for i, (b, a) in masks.items() if b.any() and a.any() and (b != a).any()
    }
    outside = np.ones(before.shape, bool)
    outside[changes.box] = False
    np.testing.assert_array_equal(before[outside], after[outside])
    for particle in changes.ids:
        for image in (before, after):
            assert (image[changes.region] == particle).sum() == (image == particle).sum()


def test_no_change_is_none() -> None:
    assert compare_labels(scene(), scene()) is None


def test_a_line_across_many_particles_gives_each_part_an_id_of_its_own() -> None:
    before = np.zeros((30, 200), np.int32)
    for i in range(9):
        before[5:25, 20 * i + 5 : 20 * i + 20] = i + 1
    after = split_along(before, [[15, 0], [15, 199]])
    assert np.unique(after).tolist() == list(range(19))
    upper, lower = after[6], after[24]
    assert not set(upper[upper > 0].tolist()) & set(lower[lower > 0].tolist())
    np.testing.assert_array_equal(after > 0, before > 0)


# -- merging ---------------------------------------------------------------------------------
def test_a_thin_line_between_two_halves_is_closed_and_the_largest_keeps_its_id() -> None:
    before = scene()
    after = merge_particles(before, [4, 9])
    largest = max((4, 9), key=lambda i: (before == i).sum())
    whole = disc(55, 30, 15)
    line = whole & (before == 0)
    assert set(np.unique(after[whole & (before > 0)])) == {largest}
    assert (after[line] == largest).mean() > 0.9  # all of it but a notch at its ends
    assert not (after == largest)[~whole].any()  # and nothing was filled outside


def test_touching_particles_are_merged_as_they_are() -> None:
    labels = np.zeros((30, 40), np.int32)
    labels[5:20, 5:15], labels[5:20, 15:35] = 1, 2
    after = merge_particles(labels, {1, 2})
    np.testing.assert_array_equal(after, np.where(labels > 0, 2, 0))


def test_a_particle_in_two_parts_does_not_hide_that_another_is_far_away() -> None:
    labels = np.zeros((60, 200), np.int32)
    labels[10:30, 10:30], labels[10:30, 32:50], labels[10:30, 150:170] = 1, 1, 2
    with pytest.raises(InputError, match="too far apart"):
        merge_particles(labels, [1, 2])


def test_bridges_take_no_pixel_of_another_particle() -> None:
    labels = np.zeros((60, 90), np.int32)
    labels[10:50, 10:40], labels[10:50, 43:80] = 1, 2
    labels[20:40, 41] = 5
    after = merge_particles(labels, [1, 2])
    np.testing.assert_array_equal(after == 5, labels == 5)
    assert after[12, 41] == 2


def test_three_in_a_row_are_merged() -> None:
    labels = np.zeros((30, 80), np.int32)
    for i in range(3):
        labels[5:25, 5 + 22 * i : 25 + 22 * i] = i + 1
    after = merge_particles(labels, [1, 2, 3])
    assert set(np.unique(after[6:24, 6:68])) == {1}


@pytest.mark.parametrize(
    ("ids", "why"),
    [([3, 7], "too far apart"), ([7], "two or more"), ([], "click one"), ([3, 99], "particle 99")],
)
def test_a_merge_that_makes_no_sense_is_refused(ids: list[int], why: str) -> None:
    with pytest.raises(InputError, match=why):
        merge_particles(scene(), ids)


# -- splitting -------------------------------------------------------------------------------
def test_a_dumbbell_comes_apart_at_its_neck() -> None:
    before = scene()
    after = split_particle(before, 3)
    assert set(np.unique(after[before == 3])) == {3, 13}
    assert not np.isin(after[before != 3], [3, 13]).any()
    assert (after == 3).sum() > (after == 13).sum()  # the largest keeps the id
    assert after[20, 18] == 3
    assert after[20, 44] == 13


def test_a_chain_comes_apart_into_all_its_parts() -> None:
    labels = np.zeros((80, 160), np.int32)
    for i in range(4):
        labels[disc(40, 30 + 22 * i, 13)] = 2
    after = split_particle(labels, 2)
    assert sorted(np.unique(after).tolist()) == [0, 2, 3, 4, 5]
    centres = [after[40, 30 + 22 * i] for i in range(4)]
    assert len(set(centres)) == 4


def test_a_long_chain_comes_apart_though_each_part_is_little_of_it() -> None:
    yy, xx = np.mgrid[:40, :600]
    labels = np.zeros((40, 600), np.int32)
    for i in range(24):
        labels[(yy - 20) ** 2 + (xx - 20 - 24 * i) ** 2 < 14**2] = 1
    after = split_particle(labels, 1)
    assert after.max() == 24


def test_an_object_in_several_places_comes_apart_there() -> None:
    labels = np.zeros((80, 160), np.int32)
    labels[disc(20, 20, 10) | disc(50, 100, 12)] = 1
    after = split_particle(labels, 1)
    assert (after[20, 20], after[50, 100]) == (2, 1)


def test_a_particle_at_the_edge_of_the_image_is_split_like_any_other() -> None:
    labels = np.zeros((80, 160), np.int32)
    labels[disc(2, 20, 12) | disc(2, 41, 12)] = 1
    after = split_particle(labels, 1)
    assert after[0, 18] != after[0, 43]


@pytest.mark.parametrize("particle", [7, 12])
def test_a_round_particle_has_nothing_to_split(particle: int) -> None:
    with pytest.raises(InputError, match="no neck"):
        split_particle(scene(), particle)


def test_a_cut_divides_what_it_crosses_and_loses_no_pixel() -> None:
    before = scene()
    after = split_along(before, [[10, 112], [70, 112]])
    np.testing.assert_array_equal(after > 0, before > 0)
    left, right = after[40, 100], after[40, 120]
    assert {left, right} == {7, 13}
    assert left == 7  # the larger part


def test_a_freehand_cut_through_two_particles_divides_both() -> None:
    path = [[20, 5], [21, 20], [24, 40], [40, 60], [42, 90], [38, 110], [40, 135]]
    after = split_along(scene(), path)
    assert {3, 7, 13, 14} <= set(np.unique(after))
    assert after[14, 20] != after[28, 20]
    assert after[30, 110] != after[50, 110]


def test_a_cut_that_stops_just_before_the_edge_still_cuts() -> None:
    after = split_along(scene(), [[24, 110], [55, 110]])
    assert after[40, 100] != after[40, 120]


@pytest.mark.parametrize(
    "path",
    [
        [[40, 90], [40, 110]],  # ends inside
        [[70, 100], [75, 150]],  # nothing there
        [[22, 100], [22, 120]],  # touches the rim only
        [[40, 110], [40, 110]],  # no line
        [[-30, -30], [-20, -5]],  # not in the image
    ],
)
def test_a_line_that_cuts_nothing_says_so(path: list[list[float]]) -> None:
    with pytest.raises(InputError, match="from one side of a particle to the other"):
        split_along(scene(), path)


def test_deleting_what_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="no particle 5 any more"):
        delete_particles(scene(), [3, 5])


# -- painting --------------------------------------------------------------------------------
def painted(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return number_pieces(before, after, compare_labels(before, after))


def test_an_eraser_through_a_particle_makes_two() -> None:
    before, after = scene(), scene()
    after[:, 112:115][after[:, 112:115] == 7] = 0
    result = painted(before, after)
    assert result[40, 100] == 7  # most of the old one
    assert result[40, 122] == 13
    np.testing.assert_array_equal(result > 0, after > 0)
    assert result is not after
    assert set(np.unique(after)) == {0, 3, 4, 7, 9, 12}  # not changed in place


def test_a_brush_with_a_used_id_elsewhere_makes_a_new_particle() -> None:
    before, after = scene(), scene()
    after[60:75, 80:95] = 7
    after[60:75, 120:135] = 7
    result = painted(before, after)
    assert {int(result[65, 85]), int(result[65, 125])} == {13, 14}
    np.testing.assert_array_equal(result == 7, before == 7)


def test_what_is_redrawn_in_one_piece_keeps_its_id() -> None:
    before, after = scene(), scene()
    after[38:42, 110:140] = 7
    assert painted(before, after) is after


def test_crumbs_that_the_eraser_leaves_go() -> None:
    before, after = scene(), scene()
    after[disc(40, 110, 18) & (XX > 123)] = 0
    after[40:42, 126] = 7
    result = painted(before, after)
    assert not result[40:42, 126].any()
    assert result.max() == 12


def test_what_was_in_several_pieces_before_stays_so() -> None:
    before = scene()
    before[70:76, 70:80] = 7
    after = before.copy()
    after[40, 100:105] = 0
    assert painted(before, after) is after


# -- hand labels -----------------------------------------------------------------------------
def followed(
    before: np.ndarray, after: np.ndarray, hand: dict[int, int]
) -> tuple[dict[int, int], dict[int, int]]:
    return follow_hand_labels(before, after, compare_labels(before, after), hand)


@pytest.mark.parametrize(
    ("hand", "kept", "lost"),
    [
        ({4: 1, 9: 1}, {1}, {}),
        ({4: 1}, {1}, {}),
        ({9: 2}, {2}, {}),
        ({4: 1, 9: 2}, set(), {4: 1, 9: 2}),
        ({}, set(), {}),
    ],
)
def test_the_label_of_a_merged_particle(
    hand: dict[int, int], kept: set[int], lost: dict[int, int]
) -> None:
    before = scene()
    after = merge_particles(before, [4, 9])
    new, gone = followed(before, after, {**hand, 7: 2})
    assert new.pop(7) == 2  # not concerned
    assert set(new.values()) == kept
    assert set(new) <= {4, 9} & set(np.unique(after).tolist())
    assert gone == lost


def test_half_of_a_dimer_is_no_dimer() -> None:
    before = scene()
    assert followed(before, split_particle(before, 3), {3: 2, 7: 1}) == ({7: 1}, {3: 2})


def test_a_deleted_particle_takes_its_label_with_it() -> None:
    before = scene()
    assert followed(before, delete_particles(before, [3]), {3: 2, 7: 1}) == ({7: 1}, {})


def test_a_redrawn_particle_keeps_its_label() -> None:
    before, smaller, larger, renamed = scene(), scene(), scene(), scene()
    smaller[disc(40, 110, 18) & ~disc(40, 110, 8)] = 0
    larger[disc(40, 110, 30)] = 7
    renamed[before == 7] = 20
    assert followed(before, smaller, {7: 1}) == ({7: 1}, {})
    assert followed(before, larger, {7: 1}) == ({7: 1}, {})
    assert followed(before, renamed, {7: 1}) == ({20: 1}, {})


def test_everything_changed() -> None:
    changes = Changes.everything([1, 2], [2, 3], (4, 5))
    assert (changes.removed, changes.added, changes.altered) == ({1}, {3}, {2})
    assert changes.whole
    assert changes.reverted.whole
    assert changes.ids == {1, 2, 3}

from __future__ import annotations

import numpy as np
import pytest

from napari_ssrvae.imaging.micrograph import Micrograph
from napari_ssrvae.imaging.shape import measure_shapes
from napari_ssrvae.library.catalogue import catalogue_of, positions
from napari_ssrvae.library.predictions import Predictions
from napari_ssrvae.library.selection import Place, Selection
from napari_ssrvae.library.session import Session

LABELS = np.kron(np.array([[3, 0, 7], [0, 5, 0], [9, 0, 4]], np.int32), np.ones((6, 6), np.int32))


def predictions(ids: list[int], classes: list[int]) -> Predictions:
    n = len(ids)
    sure = np.linspace(0.6, 0.9, n)
    p = np.where(np.array(classes)[:, None] == [1, 2], sure[:, None], 1 - sure[:, None])
    z = np.arange(2.0 * n).reshape(n, 2)
    return Predictions(
        np.array(ids), np.array(classes), p, np.array([1, 2]), z, np.full(n, np.pi / 2),
        np.zeros((n, 2)), np.ones(n),
    )  # fmt: skip


@pytest.fixture
def session() -> Session:
    session = Session()
    for name, size in (("a", 2.0), ("b", 10.0)):
        key = session.add_micrograph(Micrograph(np.zeros(LABELS.shape), pixel_size=size, name=name))
        session.set_particles(key, LABELS)
    session.set_predictions(2, predictions([3, 5, 9], [1, 2, 2]))
    session.label(2, {5: 1, 4: 2})
    return session


def test_every_particle_has_a_row_with_what_is_known_of_it(session: Session) -> None:
    catalogue = catalogue_of(session, {})
    assert catalogue.keys.tolist() == [1] * 5 + [2] * 5
    assert catalogue.particles.tolist() == [3, 4, 5, 7, 9] * 2
    assert catalogue.hand.tolist() == [0] * 5 + [0, 2, 1, 0, 0]
    assert catalogue.predicted.tolist() == [0] * 5 + [1, 0, 2, 0, 2]
    assert catalogue.shown.tolist() == [0] * 5 + [1, 2, 1, 0, 2]
    np.testing.assert_allclose(catalogue.confidence[5:], [0.6, np.nan, 0.75, np.nan, 0.9])
    np.testing.assert_allclose(catalogue.columns["angle (°)"][5], 90)
    np.testing.assert_allclose(catalogue.columns["z2"][5:], [1, np.nan, 3, np.nan, 5])
    assert catalogue.micrograph_names == {1: "a", 2: "b"}


def test_sizes_are_in_nm_of_each_micrograph_and_nan_where_not_measured(session: Session) -> None:
    measures = measure_shapes(LABELS, None, 10.0)
    catalogue = catalogue_of(session, {2: measures})
    diameter = catalogue.sizes["diameter (nm)"]
    np.testing.assert_allclose(diameter[5:], measures["equivalent_diameter_nm"])
    assert np.isnan(diameter[:5]).all()
    np.testing.assert_allclose(catalogue.shapes["area (nm²)"][5:], 3600)
    np.testing.assert_allclose(catalogue.shapes["aspect ratio"][5:], 1)


def test_lengths_are_in_nm_or_unknown_and_never_pixels_of_several_scales(session: Session) -> None:
    session.set_pixel_size(1, None)
    measures = dict.fromkeys((1, 2), measure_shapes(LABELS, None, 10.0))
    catalogue = catalogue_of(session, measures)
    assert list(catalogue.sizes) == ["diameter (nm)"]
    np.testing.assert_allclose(catalogue.shapes["area (nm²)"], [np.nan] * 5 + [3600] * 5)
    np.testing.assert_allclose(catalogue.shapes["aspect ratio"], 1)
    session.set_pixel_size(2, None)
    catalogue = catalogue_of(session, measures)
    np.testing.assert_allclose(catalogue.shapes["area (px²)"], 36)


def test_rows_and_places_are_the_same_particles(session: Session) -> None:
    catalogue = catalogue_of(session, {})
    assert [catalogue.row(catalogue.place(row)) for row in range(10)] == list(range(10))
    assert catalogue.row(Place(2, 6)) is None
    assert catalogue.row(Place(8, 3)) is None
    assert catalogue.rows_of(2, [9, 3, 8]).tolist() == [5, 9]


def test_a_row_says_where_its_particle_is(session: Session) -> None:
    several = catalogue_of(session, {})
    assert [several.where(row) for row in (0, 9)] == ["Particle 3 of a", "Particle 9 of b"]
    session.remove_micrograph(1)
    assert catalogue_of(session, {}).where(1) == "Particle 4"


def test_positions_are_those_in_the_list_and_none_where_a_value_is_not_there() -> None:
    values = np.array([0, 7, 2, 9, 2])
    assert positions(values, [7, 2, 12]).tolist() == [-1, 0, 1, -1, 1]
    assert positions(values, []).tolist() == [-1] * 5
    assert positions(values[:0], [3]).tolist() == []


def test_a_selection_goes_there_and_back(session: Session) -> None:
    catalogue = catalogue_of(session, {})
    selection = catalogue.selection([8, 1, 5])
    assert selection == Selection({1: frozenset([4]), 2: frozenset([3, 7])}, Place(2, 3))
    assert catalogue.rows(selection).tolist() == [1, 5, 8]
    assert catalogue.selection([]) is None
    assert catalogue.rows(None).size == 0


def test_an_empty_session_has_an_empty_catalogue() -> None:
    catalogue = catalogue_of(Session(), {})
    assert len(catalogue) == 0
    assert catalogue.row(Place(1, 1)) is None
    assert all(len(values) == 0 for values in catalogue.columns.values())

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QRect
from qtpy.QtWidgets import QApplication, QLabel, QScrollArea
from settling import settled

from napari_ssrvae.errors import InputError
from napari_ssrvae.viewer.views import ClassImages
from napari_ssrvae.viewer.views.class_images import ClassCard

NAMES = ["monomer", "dimer", "trimer", "many"]
COLORS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7"]


@pytest.fixture
def view(qtbot, theme):
    widget = ClassImages(smooth=False)
    qtbot.addWidget(widget)
    widget.resize(320, 400)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def settle():
    for _ in range(3):
        QApplication.processEvents()


def places(view):
    """Where the cards are, in px of the view."""
    cards = [card for card in view.findChildren(ClassCard) if card.isVisible()]
    return [QRect(card.mapTo(view, QPoint()), card.size()) for card in cards]


def halves(left=0, right=1):
    image = np.full((8, 8), float(left))
    image[:, 4:] = right
    return image


def grey_at(view, card, x, y):
    """Grey value at a place of a card's images, in fractions of their width and height."""
    strip = card.strip
    image = strip.grab().toImage()
    return image.pixelColor(int(x * strip.width()), int(y * strip.height())).red()


def test_before_training_it_says_what_to_do(view):
    shown = [label.text() for label in view.findChildren(QLabel) if label.isVisible()]
    assert shown == ["Train a model to see what it takes each class to look like"]


def test_every_class_has_its_name_its_colour_and_its_image(view, screen):
    view.set_images([(n, c, halves()) for n, c in zip(NAMES, COLORS, strict=True)])
    settle()
    assert view.names() == NAMES
    shown = [label.text() for label in view.findChildren(QLabel) if label.isVisible()]
    assert shown == NAMES
    assert set(COLORS) <= screen.colors(view)
    for card in view.findChildren(ClassCard):
        assert grey_at(view, card, 0.25, 0.5) == 0
        assert grey_at(view, card, 0.75, 0.5) == 255


def test_classes_share_one_grey_scale_unless_told_otherwise(view):
    images = [("bright", "#0072b2", halves(0, 2)), ("faint", "#e69f00", halves(0, 1))]
    view.set_images(images)
    settle()
    faint = view.findChildren(ClassCard)[1]
    assert grey_at(view, faint, 0.75, 0.5) == pytest.approx(127, abs=1)
    view.set_images(images, limits=(0, 1))
    settle()
    faint = view.findChildren(ClassCard)[-1]
    assert grey_at(view, faint, 0.75, 0.5) == 255


def test_cards_wrap_in_the_width_and_never_overlap(view):
    view.set_images([(n, c, halves()) for n, c in zip(NAMES, COLORS, strict=True)])
    for width, columns in ((460, 4), (320, 2), (130, 1)):
        view.resize(width, 600)
        settle()
        cards = places(view)
        assert len({card.left() for card in cards}) == columns
        assert all(card.left() >= 0 and card.right() < width for card in cards)
        assert not any(a.intersects(b) for i, a in enumerate(cards) for b in cards[i + 1 :])


def test_a_row_of_images_shrinks_to_the_width(view):
    row = np.stack([halves(0, 1)] * 7)
    view.set_images([("monomer", "#0072b2", row), ("dimer", "#e69f00", row)])
    for width in (700, 320, 260):
        view.resize(width, 400)
        settle()
        assert all(card.right() < width for card in places(view))
    card = view.findChildren(ClassCard)[0]
    assert len(card.strip) == 7


def test_the_layout_settles_at_every_width(view):
    """Tiles that grow when the scroll bar goes, and shrink when it comes, would never settle."""
    row = np.stack([halves()] * 5)
    view.set_images([(n, c, row) for n, c in zip(NAMES, COLORS, strict=True)])
    for width in range(150, 520, 3):
        view.resize(width, 320)
        before = settled(lambda: places(view))
        settle()
        assert places(view) == before
        assert max(card.right() for card in before) < max(width, 5 * 28 + 40)


def test_many_classes_scroll(view):
    view.set_images([(f"class {i}", "#0072b2", halves()) for i in range(30)])
    view.resize(320, 300)
    settle()
    assert view.findChild(QScrollArea).verticalScrollBar().maximum() > 0
    assert view.findChild(QScrollArea).horizontalScrollBar().maximum() == 0


def test_constant_and_missing_values_are_shown_black(view):
    images = [("constant", "#0072b2", np.ones((4, 4))), ("broken", "#e69f00", halves(np.nan, 1))]
    view.set_images(images)
    settle()
    constant, broken = view.findChildren(ClassCard)
    assert grey_at(view, broken, 0.25, 0.5) == 0
    assert grey_at(view, constant, 0.25, 0.5) == 0
    view.set_images([("nothing", "#0072b2", np.full((4, 4), np.nan))])
    settle()
    assert grey_at(view, view.findChildren(ClassCard)[-1], 0.5, 0.5) == 0


def test_new_images_take_the_place_of_the_old_ones(view):
    view.set_images([(n, c, halves()) for n, c in zip(NAMES, COLORS, strict=True)])
    view.set_images([("particle", "#0072b2", halves())])
    settle()
    assert view.names() == ["particle"]
    assert len(places(view)) == 1
    view.set_images([])
    assert view.names() == []
    shown = [label.text() for label in view.findChildren(QLabel) if label.isVisible()]
    assert shown == [ClassImages.EMPTY_TEXT]


@pytest.mark.parametrize("image", [np.zeros(5), np.zeros((0, 4, 4)), np.zeros((2, 2, 2, 2))])
def test_images_of_another_shape_are_refused_and_nothing_is_lost(view, image):
    view.set_images([("monomer", "#0072b2", halves())])
    with pytest.raises(InputError, match="class 'dimer' have shape"):
        view.set_images([("dimer", "#e69f00", image)])
    assert view.names() == ["monomer"]


def test_it_follows_the_palette_and_a_theme_of_its_own(view, theme, screen):
    view.set_images([("monomer", "#0072b2", halves())])
    settle()
    assert theme.background in screen.colors(view)
    view.set_theme("#102030", "#ffee00")
    settle()
    assert {"#102030", "#ffee00"} <= screen.colors(view)

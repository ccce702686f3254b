from __future__ import annotations

import math

import numpy as np
import pytest
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QApplication, QLabel

from napari_ssrvae.viewer.views._pictures import as_diverging
from napari_ssrvae.viewer.views.inspector import (
    InspectedParticle,
    Inspector,
    ProbabilityBar,
    turned,
)

BARS = [ProbabilityBar("monomer", "#0072b2", 0.25), ProbabilityBar("dimer", "#e69f00", 0.75)]


@pytest.fixture
def view(qtbot, theme):
    widget = Inspector()
    qtbot.addWidget(widget)
    widget.resize(220, 560)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def particle():
    patch = np.zeros((8, 8), np.float32)
    patch[2:6, 2:6] = 1
    left = np.zeros((8, 8), np.float32)
    left[:, :4], left[:, 4:] = -1, 1
    facts = [("by hand", "dimer"), ("diameter", "182 nm")]
    return InspectedParticle("Particle 7", patch, patch, patch / 2, left, 0.5, BARS, facts)


def shown(view):
    return [x.text() for x in view.findChildren(QLabel) if x.isVisible() and x.text()]


def settle():
    for _ in range(3):
        QApplication.processEvents()


def test_without_a_particle_it_says_what_to_do(view):
    assert shown(view) == ["Click a particle to see it as the model sees it"]
    view.show_particle(particle())
    view.clear()
    assert shown(view) == [Inspector.EMPTY_TEXT]


def test_all_that_is_known_is_shown(view, screen):
    view.show_particle(particle())
    settle()
    texts = shown(view)
    for text in ("Particle 7", "29° ↺", "by hand", "182 nm", "turned upright", "what is left"):
        assert text in texts
    assert view.facts() == {"by hand": "dimer", "diameter": "182 nm"}
    assert {"#0072b2", "#e69f00"} <= screen.colors(view.bars)
    assert view.bars.accessibleName() == "monomer 25 %, dimer 75 %"


def test_pictures_share_one_scale_and_the_residual_has_two_colours(view):
    view.show_particle(particle())
    settle()

    def middle(name, share=0.5):
        image = view.pictures[name].grab().toImage()
        return image.pixelColor(int(share * image.width()), image.height() // 2)

    assert middle("patch").red() == 255
    assert middle("drawn").red() == pytest.approx(127, abs=2)
    blue, red = middle("residual", 0.2), middle("residual", 0.8)
    assert blue.blue() > blue.red() + 50
    assert red.red() > red.blue() + 50


def test_the_hand_turns_as_the_particle_does(view):
    view.show_particle(particle())
    settle()
    view.dial.set_angle(math.pi / 2)  # a quarter to the left
    image, middle = view.dial.grab().toImage(), view.dial.rect().center()
    foreground = view.theme().foreground
    reach = view.dial.width() // 4
    colors = [image.pixelColor(middle + QPoint(dx, 0)) for dx in (-reach, reach)]
    assert abs(colors[0].red() - foreground.red()) < 60
    assert abs(colors[1].red() - foreground.red()) > 60
    assert [turned(math.radians(a)) for a in (35, -35, 0.2)] == ["35° ↺", "35° ↻", "upright"]


def test_a_particle_that_is_not_classified_shows_its_patch_and_says_so(view):
    view.show_particle(
        InspectedParticle("Particle 7", particle().patch, note="Not classified yet.")
    )
    settle()
    assert shown(view) == ["Particle 7", "as cut out", "Not classified yet."]
    assert not view.bars.isVisible()
    assert not view.dial.isVisible()


def test_it_fits_a_side_pane_and_a_wide_tab(view):
    view.show_particle(particle())
    for width, columns in ((220, 2), (1100, 5)):
        view.resize(width, 260)
        settle()
        tiles = [*view.pictures.values(), view.dial]
        assert len({tile.mapTo(view, QPoint()).x() for tile in tiles}) == columns
        for part in (*tiles, view.bars):
            assert part.mapTo(view, QPoint(part.width(), 0)).x() <= width


def test_nothing_left_is_black():
    assert as_diverging(np.zeros((2, 2)), 0.5).max() < 20

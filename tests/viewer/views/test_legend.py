from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QLabel, QPushButton, QWidget

from napari_ssrvae.errors import InputError
from napari_ssrvae.viewer.views import ClassLegend, LegendRow

ROWS = [LegendRow("monomer", "#0072b2", 6, 1071), LegendRow("dimer", "#e69f00", 5, 24)]


def texts(legend):
    QApplication.processEvents()
    return [label.text() for label in legend.findChildren(QLabel) if label.isVisible()]


@pytest.fixture
def legend(qtbot, theme):
    widget = ClassLegend()
    qtbot.addWidget(widget)
    widget.resize(280, 200)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def test_rows_have_colour_name_and_both_counts(legend, theme, screen):
    legend.set_rows(ROWS)
    assert texts(legend) == ["hand", "predicted", "monomer", "6", "1,071", "dimer", "5", "24"]
    assert {"#0072b2", "#e69f00", theme.background, theme.foreground} <= screen.colors(legend)


def test_counts_that_are_not_known_are_left_empty_with_their_heading(legend):
    legend.set_rows([LegendRow("monomer", "#0072b2", hand=6)])
    assert texts(legend) == ["hand", "monomer", "6", ""]


def test_rows_are_changed_in_place_and_removed(legend, screen):
    legend.set_rows(ROWS)
    legend.set_rows([LegendRow("monomer", "#cc79a7", 7, 1072)])
    assert legend.rows() == [LegendRow("monomer", "#cc79a7", 7, 1072)]
    assert texts(legend) == ["hand", "predicted", "monomer", "7", "1,072"]
    shown = screen.colors(legend)
    assert "#cc79a7" in shown
    assert not {"#0072b2", "#e69f00"} & shown


def test_without_classes_it_says_what_to_do(legend):
    assert texts(legend) == ["Add a class to begin labelling"]
    legend.set_rows(ROWS)
    legend.set_rows([])
    assert texts(legend) == ["Add a class to begin labelling"]


def test_names_are_not_read_as_html(legend):
    legend.set_rows([LegendRow("<b>Au</b> & C", "#0072b2")])
    name = next(label for label in legend.findChildren(QLabel) if "Au" in label.text())
    assert name.textFormat() == Qt.TextFormat.PlainText
    assert texts(legend)[0] == "<b>Au</b> & C"


def test_a_long_name_does_not_widen_the_dock(legend):
    name = "irregular agglomerates of very many particles"
    legend.set_rows([LegendRow(name, "#0072b2", 6, 1071)])
    legend.resize(220, 100)
    assert texts(legend)[2:] == [name, "6", "1,071"]
    assert legend.minimumSizeHint().width() <= 220
    assert name in {label.toolTip() for label in legend.findChildren(QLabel)}


def test_a_colour_that_is_none_is_refused(legend):
    with pytest.raises(InputError, match="'blau' is not a colour"):
        legend.set_rows([LegendRow("monomer", "blau")])


def test_floating_over_a_picture_it_lets_clicks_through(qtbot, theme):
    picture = QWidget()
    qtbot.addWidget(picture)
    picture.resize(300, 300)
    button = QPushButton("the picture", picture)
    button.resize(300, 300)
    floating = ClassLegend(overlay=True, parent=picture)
    floating.set_rows(ROWS)
    floating.move(10, 10)
    picture.show()
    qtbot.waitExposed(picture)
    assert picture.childAt(floating.geometry().center()) is button
    width = floating.width()
    floating.set_rows([LegendRow("a very long name of a class", "#0072b2", 1, 2)])
    assert floating.width() > width


def test_floating_it_paints_a_card_of_the_theme(qtbot, theme, screen):
    floating = ClassLegend(overlay=True)
    qtbot.addWidget(floating)
    floating.set_rows(ROWS)
    floating.set_theme("#102030", "#ffee00")
    floating.show()
    qtbot.waitExposed(floating)
    assert {"#ffee00", "#0072b2"} <= screen.colors(floating)

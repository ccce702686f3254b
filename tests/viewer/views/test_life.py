"""What holds for every view: it follows the style sheet around it, and it goes when deleted."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_ssrvae.viewer.views import (
    ClassImages,
    ClassLegend,
    Gallery,
    GalleryItems,
    LatentPlot,
    LegendRow,
    ReportView,
    TrainingCurve,
)
from napari_ssrvae.viewer.views.color import ThemedWidget
from napari_ssrvae.viewer.views.report_sizes import SizeRow


def latent_plot() -> LatentPlot:
    plot = LatentPlot()
    plot.set_points(np.eye(2), [0, 0], [1, 2], [True, False], legend=[("a", "#0072b2", 2)])
    plot.select(1)
    return plot


def training_curve() -> TrainingCurve:
    curve = TrainingCurve()
    curve.append(0, 2.0, 0.5)
    curve.append(1, 1.0, 0.7)
    return curve


def class_images() -> ClassImages:
    images = ClassImages()
    images.set_images([("a", "#0072b2", np.eye(8))])
    return images


def legend() -> ClassLegend:
    result = ClassLegend()
    result.set_rows([LegendRow("a", "#0072b2", 1, 2)])
    return result


def report() -> ReportView:
    view = ReportView()
    view.sizes.show_sizes([SizeRow(1, "a", "#0072b2")], [0, 1, 2], {1: [3, 4]})
    return view


def gallery() -> Gallery:
    def pictures(rows):
        return np.full((len(rows), 8, 8), 200, np.uint8)

    view = Gallery(pictures, "particle {}".format)
    view.set_items(GalleryItems.of(np.eye(2), hand=[0, -1]), legend=[("a", "#0072b2")])
    view.set_selected([1], 1)
    return view


makers = [latent_plot, training_curve, class_images, legend, gallery, report]
every_view = pytest.mark.parametrize("make", makers)


@every_view
def test_it_follows_the_style_sheet_around_it(make, qtbot, theme, screen):
    """napari's themes are style sheets; the view must end on the last one, and stay there."""
    window = QWidget()
    qtbot.addWidget(window)
    view = make()
    QVBoxLayout(window).addWidget(view)
    window.resize(320, 300)
    window.show()
    for background, foreground in (("#102030", "#ffee00"), ("#fafafa", "#301020")):
        window.setStyleSheet(f"QWidget {{ background: {background}; color: {foreground}; }}")
        qtbot.wait(30)
        assert view.theme().background.name() == background
        assert view.theme().foreground.name() == foreground
        assert background in screen.colors(view)


@every_view
def test_once_deleted_it_is_gone(make, qtbot, theme):
    view: ThemedWidget = make()
    view.show()
    qtbot.wait(20)
    gone = weakref.ref(view)
    view.close()
    view.deleteLater()
    del view

    def is_gone():
        gc.collect()
        return gone() is None

    qtbot.waitUntil(is_gone, timeout=5000)  # Qt drops connections when it is idle


@every_view
def test_what_can_be_clicked_or_read_explains_itself(make, qtbot, theme):
    view = make()
    qtbot.addWidget(view)
    assert any(child.toolTip() for child in (view, *view.findChildren(QWidget)))
    assert all(button.toolTip() for button in view.findChildren(QPushButton))

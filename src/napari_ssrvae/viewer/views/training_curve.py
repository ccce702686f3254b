"""A small live plot of a training: the loss, and how well the labelled particles are told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_ssrvae.viewer.views._pyqtgraph import adopt_menu, color_axes, pg
from napari_ssrvae.viewer.views.color import Theme, ThemedWidget

LOSS_COLOR = "#e69f00"
ACCURACY_COLOR = "#56b4e9"
AXIS_WIDTH = 40
PLOT_HEIGHT = 100


class TrainingCurve(ThemedWidget):
    """Loss (left axis) and labelled accuracy (right axis, 0 to 1) against the epoch.

    Parameters
    ----------
    accuracy_name : str
        What the second curve shows ("accuracy", "confidence").
    grows : bool
        True for a plot that takes the height there is, with its epochs below; False for a low one
        in a column of controls.
    parent : QWidget, optional
        The parent widget.
    """

    EMPTY_TEXT = "Train to see the loss fall and the accuracy rise"

    def __init__(
        self,
        *,
        accuracy_name: str = "accuracy",
        grows: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._accuracy_name = accuracy_name
        self._epochs: list[float] = []
        self._losses: list[float] = []
        self._accuracies: list[float] = []

        self._text = QLabel(self)
        self._text.setTextFormat(Qt.TextFormat.RichText)
        self._text.setWordWrap(True)
        self._plot = pg.PlotWidget(parent=self, enableMenu=False)
        adopt_menu(self._plot)
        if not grows:
            self._plot.setFixedHeight(PLOT_HEIGHT)
        self._plot.setFrameShape(self._plot.Shape.NoFrame)
        self._plot.setToolTip(
            "Left axis: the loss, which falls while the model learns.\n"
            f"Right axis: {accuracy_name} on the particles that you labelled; at 1 all are right."
        )
        self._accuracy_box = pg.ViewBox(enableMouse=False, enableMenu=False)
        self._set_up_axes()
        self._loss_curve = self._plot.plot(pen=pg.mkPen(LOSS_COLOR, width=2))
        self._accuracy_curve = pg.PlotCurveItem(pen=pg.mkPen(ACCURACY_COLOR, width=2))
        self._accuracy_box.addItem(self._accuracy_curve)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._text)
        layout.addWidget(self._plot, 1)
        height = QSizePolicy.Policy.Expanding if grows else QSizePolicy.Policy.Fixed
        self.setSizePolicy(QSizePolicy.Policy.Expanding, height)
        if grows:
            self._plot.getPlotItem().showAxis("bottom")
            self._plot.getPlotItem().setLabel("bottom", "epoch")
        self._follow_theme()
        self.clear()

    def append(self, epoch: int, loss: float, accuracy: float | None = None) -> None:
        """Add one epoch.

        Parameters
        ----------
        epoch : int
            Number of the epoch.
        loss : float
            The loss; values that are not finite leave a gap.
        accuracy : float, optional
            0 to 1; None (no classes) leaves a gap.
        """
        self._remember(epoch, loss, accuracy)
        self._show_all()

    def set_values(
        self, epochs: Sequence[int], losses: Sequence[float], accuracies: Sequence[float]
    ) -> None:
        """Show a whole training; parameters as in `append`, one of each an epoch."""
        self.clear()
        for epoch, loss, accuracy in zip(epochs, losses, accuracies, strict=True):
            self._remember(epoch, loss, accuracy)
        if self._epochs:
            self._show_all()

    def _remember(self, epoch: int, loss: float, accuracy: float | None) -> None:
        self._epochs.append(float(epoch))
        self._losses.append(float(loss) if math.isfinite(loss) else math.nan)
        self._accuracies.append(math.nan if accuracy is None else float(accuracy))

    def _show_all(self) -> None:
        self._draw()
        self._text.setText(self._latest())
        self._plot.show()

    def clear(self) -> None:
        """Forget everything and say what to do."""
        self._epochs.clear()
        self._losses.clear()
        self._accuracies.clear()
        self._draw()
        self._text.setText(self.EMPTY_TEXT)
        self._plot.hide()

    def text(self) -> str:
        """Return the line of text above the curves (rich text)."""
        return str(self._text.text())

    def values(self) -> tuple[list[float], list[float], list[float]]:
        """Return epochs, losses and accuracies as drawn; NaN is a gap."""
        return list(self._epochs), list(self._losses), list(self._accuracies)

    def _latest(self) -> str:
        parts = [
            f"Epoch {self._epochs[-1]:.0f}",
            f"<span style='color:{LOSS_COLOR}'>━</span> loss {self._losses[-1]:.4g}",
        ]
        if math.isfinite(self._accuracies[-1]):
            parts.append(
                f"<span style='color:{ACCURACY_COLOR}'>━</span> "
                f"{self._accuracy_name} {self._accuracies[-1]:.2f}"
            )
        return " &nbsp; ".join(parts)

    def _draw(self) -> None:
        self._loss_curve.setData(self._epochs, self._losses, connect="finite")
        self._accuracy_curve.setData(self._epochs, self._accuracies, connect="finite")

    def _set_up_axes(self) -> None:
        item = self._plot.getPlotItem()
        item.hideButtons()
        item.setMouseEnabled(x=False, y=False)
        item.hideAxis("bottom")
        # Room for half a line of text above and below, or the outermost numbers are cut.
        item.layout.setContentsMargins(0, 6, 0, 6)
        item.showAxis("right")
        right, left = item.getAxis("right"), item.getAxis("left")
        right.linkToView(self._accuracy_box)
        right.setTicks([[(0.0, "0"), (0.5, "0.5"), (1.0, "1")]])
        left.setStyle(maxTickLevel=0)
        for axis in (left, right):
            axis.setWidth(AXIS_WIDTH)
        # A second axis in pyqtgraph is a second view box, kept on top of the first by hand.
        item.scene().addItem(self._accuracy_box)
        self._accuracy_box.setXLink(item.getViewBox())
        self._accuracy_box.setYRange(-0.03, 1.03, padding=0)
        item.getViewBox().sigResized.connect(self._align_boxes)

    def _align_boxes(self) -> None:
        self._accuracy_box.setGeometry(self._plot.getPlotItem().getViewBox().sceneBoundingRect())

    def _apply_theme(self, theme: Theme) -> None:
        color_axes(self._plot, theme, "left", "bottom", "right")
        self._text.setStyleSheet(f"color: {theme.muted.name()};")

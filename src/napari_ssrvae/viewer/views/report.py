"""The report panel: a short list of pages on the left, the page that is chosen beside it."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_ssrvae.viewer.views.color import Theme, ThemedWidget
from napari_ssrvae.viewer.views.report_calibration import CalibrationPage
from napari_ssrvae.viewer.views.report_disagreements import DisagreementsPage
from napari_ssrvae.viewer.views.report_quality import ConfusionPage, HeldBackBar, QualityPage
from napari_ssrvae.viewer.views.report_sizes import SizesPage
from napari_ssrvae.viewer.views.training_curve import TrainingCurve

SIZES, QUALITY, CONFUSION = "Sizes", "Quality", "Confusion"
DISAGREEMENTS, CALIBRATION, TRAINING = "Disagreements", "Calibration", "Training"
TESTED = (QUALITY, CONFUSION, DISAGREEMENTS, CALIBRATION)
"""Pages that say something only after a test on held-back labels."""

TIPS = {
    SIZES: "Size and shape of the particles of each class",
    QUALITY: "How far the classes can be trusted, in words and by class",
    CONFUSION: "Which class is taken for which",
    DISAGREEMENTS: "Particles that label and model call differently: where a slip is likely",
    CALIBRATION: "Whether the probabilities mean what they say",
    TRAINING: "Loss and accuracy of the last training",
}


class ReportView(ThemedWidget):
    """All pages of the report; `bar` is above those that need a test.

    Attributes
    ----------
    page_changed : Signal(str)
        Name of the page that is seen now.
    save_clicked : Signal(str)
        Name of the page that is to be saved.
    """

    page_changed = Signal(str)
    save_clicked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sizes, self.quality, self.confusion = SizesPage(), QualityPage(), ConfusionPage()
        self.disagreements, self.calibration = DisagreementsPage(), CalibrationPage()
        self.training = TrainingCurve(grows=True)
        self.bar = HeldBackBar()
        self._widgets: dict[str, QWidget] = {
            SIZES: self.sizes,
            QUALITY: self.quality,
            CONFUSION: self.confusion,
            DISAGREEMENTS: self.disagreements,
            CALIBRATION: self.calibration,
            TRAINING: self.training,
        }
        self._tested = False
        self.pages = QListWidget()
        self.pages.setFrameShape(QFrame.Shape.NoFrame)
        self.pages.setToolTip("Pages of the report")
        for name in self._widgets:
            item = QListWidgetItem(name)
            item.setToolTip(TIPS[name])
            self.pages.addItem(item)
        self.save = QPushButton("Save…")
        self.save.setToolTip("Save this page as a picture (PNG, SVG) or as a table (CSV)")
        self.untested = QLabel()
        self.untested.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.untested.setWordWrap(True)
        self.untested.setMargin(8)
        self._stack = QStackedWidget()
        for widget in (*self._widgets.values(), self.untested):
            self._stack.addWidget(widget)
        self._lay_out()
        self.pages.setCurrentRow(0)
        self.pages.currentRowChanged.connect(self._on_page)
        self.save.clicked.connect(self._save_page)
        self._follow_theme()
        self._turn()

    def _lay_out(self) -> None:
        self.pages.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.pages.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        left = QVBoxLayout()
        left.setSpacing(3)
        left.addWidget(self.pages, 1)
        left.addWidget(self.save)
        right = QVBoxLayout()
        right.setSpacing(3)
        right.addWidget(self.bar)
        right.addWidget(self._stack, 1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(left)
        layout.addLayout(right, 1)
        self._fit_list()

    @property
    def page(self) -> str:
        """Name of the page that is seen."""
        row: int = self.pages.currentRow()
        return list(self._widgets)[max(row, 0)]

    def turn_to(self, name: str) -> None:
        """Show a page."""
        self.pages.setCurrentRow(list(self._widgets).index(name))

    def set_tested(self, tested: bool, *, message: str = "", disagreements: int = 0) -> None:
        """Show the pages of the test, or before there is one a text that says what to do."""
        self._tested = tested
        self.untested.setText(message)
        place = list(self._widgets).index(DISAGREEMENTS)
        count = f" ({disagreements})" if tested else ""
        self.pages.item(place).setText(DISAGREEMENTS + count)
        self._fit_list()
        self._turn()

    def _save_page(self) -> None:
        self.save_clicked.emit(self.page)

    def set_savable(self, savable: bool) -> None:
        """Say whether the page that is seen holds something to save."""
        self.save.setEnabled(savable)

    def _on_page(self, _row: int) -> None:
        self._turn()
        self.page_changed.emit(self.page)

    def _turn(self) -> None:
        needs_test = self.page in TESTED
        self.bar.setVisible(needs_test)
        empty = needs_test and not self._tested
        self._stack.setCurrentWidget(self.untested if empty else self._widgets[self.page])

    def _fit_list(self) -> None:
        width = self.pages.sizeHintForColumn(0) + 2 * self.pages.frameWidth() + 16
        self.pages.setFixedWidth(max(width, self.save.sizeHint().width()))

    def _apply_theme(self, theme: Theme) -> None:
        self.untested.setStyleSheet(f"color: {theme.muted.name()};")

"""The report: sizes by class, how far to trust the classes, and the last training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog

from napari_ssrvae.library.distributions import ClassFits, Fit, class_fits
from napari_ssrvae.library.selection import Place, Selection
from napari_ssrvae.library.statistics import (
    Group,
    Histogram,
    class_histogram,
    class_statistics,
    groups_to_count,
    plus_minus,
    rounded,
    unit_note,
)
from napari_ssrvae.viewer import steps
from napari_ssrvae.viewer.tabs.base import Tab
from napari_ssrvae.viewer.views.color import NO_CLASS
from napari_ssrvae.viewer.views.report import (
    CALIBRATION,
    CONFUSION,
    DISAGREEMENTS,
    QUALITY,
    SIZES,
    TESTED,
    TRAINING,
    ReportView,
)
from napari_ssrvae.viewer.views.report_disagreements import DisagreementRow
from napari_ssrvae.viewer.views.report_quality import NamedClass
from napari_ssrvae.viewer.views.report_sizes import SizeRow
from napari_ssrvae.viewer.views.units import called_now, unit_of

if TYPE_CHECKING:
    import pandas as pd

    from napari_ssrvae.learning.quality import QualityReport
    from napari_ssrvae.library.catalogue import Catalogue
    from napari_ssrvae.library.label_test import Disagreement
    from napari_ssrvae.report.sheets import Sheet

NEVER_ON_TRAINING = (
    "All of this is measured on labels that the models had not seen, never on those that they "
    "were trained on."
)
FILTERS = {".png": "Picture", ".svg": "Picture, text stays text", ".csv": "Table"}


class ReportTab(Tab):
    """What can be said of the particles of the screen, and how far it can be trusted."""

    title = "Report"
    tip = "Sizes by class, a test of the classes on labels held back, and the last training"

    def build(self) -> None:
        """Make the view and connect it with the test."""
        self.testing = self.workbench.testing
        self.view = ReportView()
        self.body.addWidget(self.view)
        # Labels, test and catalogue change in one action; the page is drawn once after them.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._catch_up)
        self._measure = "diameter"
        self._statistics: pd.DataFrame | None = None
        self._histogram: Histogram | None = None
        self._fits: dict[int, ClassFits] = {}
        self._trained: object = None  # the model whose curve is drawn
        view = self.view
        view.page_changed.connect(self._on_page)
        view.save_clicked.connect(self._ask_where)
        view.sizes.measure_changed.connect(self._on_measure)
        view.sizes.hidden_changed.connect(self._on_page)
        view.sizes.fit_changed.connect(self._on_page)
        view.bar.test_clicked.connect(self.testing.start)
        view.bar.stop_clicked.connect(self.testing.stop)
        view.confusion.cell_chosen.connect(self._on_cell)
        view.disagreements.chosen.connect(self._on_disagreement)
        view.disagreements.taken.connect(self._on_taken)
        self.testing.changed.connect(self.show_later)
        self.testing.progressed.connect(self._show_progress)
        self.workbench.training_started.connect(view.training.clear)
        self.workbench.epoch.connect(self._on_epoch)

    # -- drawing ---------------------------------------------------------------------------
    def show_later(self) -> None:
        """Refresh once after all that comes with an action, or once the tab is seen."""
        self._outdated = True
        self._soon.start()

    def refresh(self) -> None:
        """Draw the page that is seen."""
        self._show_test()
        page = self.view.page
        if page == SIZES:
            self._show_sizes(self.catalogue.current())
        elif page == TRAINING:
            self._show_training()
        elif self.testing.result is not None:
            report = self.testing.result.report
            if page == QUALITY:
                self._show_quality(report)
            elif page == CONFUSION:
                self.view.confusion.show_matrix(self._named(report), report.confusion)
            elif page == CALIBRATION:
                self._show_calibration(report)
            elif page == DISAGREEMENTS:
                self._show_disagreements(self.catalogue.current(), report)
        self.view.set_savable(self.can_save(page))

    def show_selection(self, changed: bool = False) -> None:
        """Mark the row of the particle in focus."""
        if self.view.page == DISAGREEMENTS:
            focus = self.session.selection.focus if self.session.selection else None
            self.view.disagreements.mark(focus)

    def _on_page(self, *_: object) -> None:
        self.refresh()
        self.show_selection()

    def _show_sizes(self, catalogue: Catalogue) -> None:
        page = self.view.sizes
        measure = self._chosen_measure(catalogue)
        page.set_measures(list(catalogue.columns), measure)
        self.catalogue.want_pictures()  # that is when they are measured
        self._statistics = self._histogram = None
        if not len(catalogue):
            page.clear()
            return
        values = catalogue.columns[measure]
        ids = [group.id for group in self._groups(catalogue, page.hidden)]
        if not np.isfinite(values).any():
            page.clear("Measuring the particles…")
            return
        self._statistics = class_statistics(values, catalogue.shown, ids)
        self._histogram = class_histogram(values, catalogue.shown, ids)
        self._fits = class_fits(values, catalogue.shown, ids)
        unit = unit_of(measure)
        numbers = {
            row["class"]: _size_texts(row, unit, self._fits[row["class"]])
            for row in self._statistics.to_dict("records")
        }
        rows = [
            SizeRow(c.id, c.name, c.color, numbers.get(c.id, ()), self._about_fit(c.id))
            for c in self._groups(catalogue)
        ]
        note = self._sizes_note(catalogue, values, unit)
        edges, counts = self._histogram.edges, self._histogram.counts
        curves = {c: fit.curve(edges) for c, fit in self._chosen_fits().items()}
        page.show_sizes(rows, edges, counts, fits=curves, note=note)

    def _groups(
        self, catalogue: Catalogue, hidden: frozenset[int] = frozenset()
    ) -> tuple[Group, ...]:
        return groups_to_count(self.session.classes, catalogue.shown, hidden)

    def _chosen_fits(self) -> dict[int, Fit]:
        """Return the fits whose curves are drawn, by class."""
        which = self.view.sizes.which_fit
        chosen = {c: both.chosen(which) for c, both in self._fits.items() if which}
        return {c: fit for c, fit in chosen.items() if fit is not None}

    def _about_fit(self, class_id: int) -> str:
        both = self._fits.get(class_id, ClassFits())
        lines = [
            f"{fit.in_words()} (KS {fit.ks:.3f}, AIC {fit.aic:.1f})"
            for fit in (both.normal, both.log_normal)
            if fit is not None
        ]
        return "\n".join(lines) or "Too few particles, or all alike: nothing was fitted."

    def _chosen_measure(self, catalogue: Catalogue) -> str:
        """Return the column that was last chosen, by its name of now, or the first one."""
        names = [*catalogue.columns]
        return called_now(self._measure, names) or names[0]

    def _sizes_note(self, catalogue: Catalogue, values: Any, unit: str) -> str:
        states = {k: s for k, s in self.session.micrographs.items() if s.particle_ids.size}
        parts, unscaled = [], np.zeros(len(catalogue), dtype=bool)
        if unit.startswith(("px", "nm")):
            about = [(s.micrograph, s.particle_ids.size) for s in states.values()]
            parts.append(unit_note([(m.name, m.pixel_size, n) for m, n in about]))
        if unit.startswith("nm"):
            unknown = [k for k, s in states.items() if s.micrograph.pixel_size is None]
            unscaled = np.isin(catalogue.keys, unknown)
        debris = [c.name for c in self.session.classes if not c.counted]
        if debris:
            parts.append(f"Left out of the figures: {', '.join(debris)}.")
        if missing := int((~np.isfinite(values) & ~unscaled).sum()):
            parts.append(f"{missing:,} are not measured.")
        return " ".join(part for part in parts if part)

    def _show_quality(self, report: QualityReport) -> None:
        sentences = report.sentences(self._names())
        named = self._named(report)
        rows = [
            (called, _quality_texts(row))
            for called, row in zip(named, report.per_class.to_dict("records"), strict=True)
        ]
        self.view.quality.show_quality([*sentences, NEVER_ON_TRAINING], rows)

    def _show_calibration(self, report: QualityReport) -> None:
        bins = report.calibration.bins
        self.view.calibration.show_bins(
            bins["confidence"].to_numpy(),
            bins["accuracy"].to_numpy(),
            bins["accuracy_low"].to_numpy(),
            bins["accuracy_high"].to_numpy(),
            bins["n"].tolist(),
            words=report.calibration.in_words(),
        )

    def _show_disagreements(self, catalogue: Catalogue, report: QualityReport) -> None:
        found, page = self.testing.open_disagreements(), self.view.disagreements
        some = len(report.disagreements) > 0
        self.catalogue.want_pictures()
        at = [catalogue.row(one.place) for one in found]
        page.set_rows(
            [self._disagreement(one) for one in found],
            self.catalogue.patches([row for row in at if row is not None]),
            empty_text=page.NONE_LEFT_TEXT if some else page.NONE_TEXT,
        )

    def _disagreement(self, one: Disagreement) -> DisagreementRow:
        names, colors = self._names(), {c.id: c.color for c in self.session.classes}
        return DisagreementRow(
            one.place,
            str(one.place.particle),
            names.get(one.label, f"class {one.label}"),
            colors.get(one.label, NO_CLASS),
            names.get(one.predicted, f"class {one.predicted}"),
            colors.get(one.predicted, NO_CLASS),
            f"{one.probability:.0%}",
            self.session.micrographs[one.place.key].micrograph.name,
        )

    def _show_training(self) -> None:
        workflow = self.session.workflow
        if self.workbench.jobs.running("train") or workflow is self._trained:
            return
        self._trained = workflow
        if workflow is None:
            self.view.training.clear()
            return
        history = workflow.model.history_
        columns = ("epoch", "classification_loss", "labelled_accuracy")
        self.view.training.set_values(*(history[c].tolist() for c in columns))

    def _on_epoch(self, state: Any) -> None:
        self._trained = None  # the curve is of a training that goes on
        self.view.training.append(state.epoch, state.classification_loss, state.labelled_accuracy)

    # -- the test --------------------------------------------------------------------------
    def _show_test(self) -> None:
        testing, result = self.testing, self.testing.result
        missing = testing.missing()
        self.view.set_tested(
            result is not None,
            message=missing
            or "Test on held-back labels to see how far the classes can be trusted: confusions, "
            "labels that may be slips, and whether the probabilities can be believed.",
            disagreements=len(testing.open_disagreements()),
        )
        if testing.running:
            self._show_progress()
            return
        outdated = testing.outdated()
        note = outdated or missing
        if result is not None and not note:
            trainings = f"{result.report.folds} trainings"
            note = f"Measured with {result.n_labels} labels, held back in turn from {trainings}."
        self.view.bar.show_idle(
            note if result is not None else "", possible=not missing, outdated=bool(outdated)
        )

    def _show_progress(self) -> None:
        if not self.isVisible():
            return
        progress = self.testing.progress
        if progress is None:
            self.view.bar.show_progress(0.0, "preparing")
            return
        state = progress.state
        self.view.bar.show_progress(
            progress.done,
            f"training {progress.fold} of {progress.folds} · epoch {state.epoch} of "
            f"{state.n_epochs}",
        )

    def _on_cell(self, label: int, predicted: int) -> None:
        result = self.testing.result
        if result is None:
            return
        classes = result.report.classes
        found = result.cell(int(classes[label]), int(classes[predicted]))
        if selection := Selection.of(self.testing.places(found)):
            self.session.select(selection)
        elif found:
            self.workbench.refuse(
                "The particles of this cell have changed since the test: test again."
            )

    def _on_disagreement(self, place: Place) -> None:
        self.workbench.select(place.key, place.particle, center=True)

    def _on_taken(self, places: list[Place]) -> None:
        chosen = [one for one in self.testing.open_disagreements() if one.place in places]
        if chosen:  # none: Enter came twice before the list was drawn anew
            self.testing.take_model_class(chosen)

    def _names(self) -> dict[int, str]:
        return {c.id: c.name for c in self.session.classes}

    def _named(self, report: QualityReport) -> list[NamedClass]:
        known = {c.id: NamedClass(c.name, c.color) for c in self.session.classes}
        ids = report.classes.tolist()
        return [known.get(i, NamedClass(f"class {i}", NO_CLASS)) for i in ids]

    def _on_measure(self, name: str) -> None:
        self._measure = name
        self._on_page()

    # -- saving ----------------------------------------------------------------------------
    def can_save(self, page: str) -> bool:
        """Say whether a page shows something; no table is made for that."""
        if page == SIZES:
            return self._statistics is not None
        if page == TRAINING:
            return self.session.workflow is not None
        return self.testing.result is not None

    def sheets(self, page: str) -> list[Sheet]:
        """Return what a page can be saved as: first all of it, then tables besides."""
        from napari_ssrvae.report import sheets

        names, result = self._names(), self.testing.result
        if page == SIZES and self._statistics is not None and self._histogram is not None:
            measure = self.view.sizes.measure.currentText()
            counted = self._groups(self.catalogue.current(), self.view.sizes.hidden)
            return [
                sheets.sizes_sheet(
                    measure,
                    self._statistics,
                    self._histogram,
                    counted,
                    fits=self._fits,
                    drawn=self._chosen_fits(),
                ),
                sheets.histogram_sheet(measure, self._histogram, counted),
            ]
        if page == TRAINING and self.session.workflow is not None:
            return [sheets.training_sheet(self.session.workflow.model.history_)]
        if page not in TESTED or result is None:
            return []
        if page == QUALITY:
            return [sheets.per_class_sheet(result.report, names)]
        if page == CONFUSION:
            return [sheets.confusion_sheet(result.report, names)]
        if page == CALIBRATION:
            return [sheets.calibration_sheet(result.report)]
        found = [
            (
                self.session.micrographs[one.place.key].micrograph.name,
                one.place.particle,
                one.label,
                one.predicted,
                one.probability,
            )
            for one in self.testing.open_disagreements()
        ]
        return [sheets.disagreements_sheet(found, names)]

    def _ask_where(self, page: str) -> None:
        """Ask for a file; its suffix, and the kind that was chosen, say what is written."""
        made = self.sheets(page)
        if not made:
            return
        kinds = {f"{FILTERS[s]} (*{s})": (sheet, s) for sheet in made[:1] for s in sheet.suffixes}
        kinds |= {f"{sheet.name.replace('_', ' ')} (*.csv)": (sheet, ".csv") for sheet in made[1:]}
        start = self._folder() / f"{made[0].name}{made[0].suffixes[0]}"
        path, kind = QFileDialog.getSaveFileName(
            self, "Save this page", str(start), ";;".join(kinds)
        )
        if not path:
            return
        sheet, suffix = kinds.get(kind, next(iter(kinds.values())))
        target = Path(path)
        if not target.suffix:
            target = target.with_name(target.name + suffix)
        elif target.suffix.lower() != suffix:
            sheet = made[0]  # the name that was typed counts
        self.save(sheet, target)

    def save(self, sheet: Sheet, target: Path) -> None:
        """Write a page in the background; a sentence says where it is, or why it is not."""
        self.workbench.jobs.start(
            f"save {target}",
            steps.save_sheet,
            sheet,
            target,
            title=f"Saving {target.name}",
            on_done=lambda path: self.workbench.tell(f"Saved in {path}."),
        )

    def _folder(self) -> Path:
        state = self.session.active
        path = None if state is None else state.micrograph.path
        return Path.home() if path is None else path.parent

    def shutdown(self) -> None:
        """Disconnect from the test and the training too."""
        super().shutdown()
        self._soon.stop()
        self.testing.changed.disconnect(self.show_later)
        self.testing.progressed.disconnect(self._show_progress)
        self.workbench.training_started.disconnect(self.view.training.clear)
        self.workbench.epoch.disconnect(self._on_epoch)


def _size_texts(row: Any, unit: str, fits: ClassFits) -> list[str]:
    texts = [f"{row['n']:,}", plus_minus(row["mean"], row["std"])]
    if row["n"] and unit:
        texts[1] += f" {unit}"
    better = fits.better
    return [
        *texts,
        *(rounded(row[d]) for d in ("d10", "d50", "d90")),
        f"{row['fraction']:.1%}",
        "–" if better is None else f"{fits.verdict}, KS {better.ks:.2f}",
    ]


def _quality_texts(row: Any) -> list[str]:
    interval = "–"
    if row["tested"]:
        interval = f"{100 * row['recall_low']:.0f} to {100 * row['recall_high']:.0f} %"
    share = [f"{row[c]:.2f}" if np.isfinite(row[c]) else "–" for c in ("precision", "recall", "f1")]
    return [str(row["n"]), str(row["tested"]), share[0], share[1], interval, share[2]]

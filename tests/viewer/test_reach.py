"""Every control of the dock is explained, and reached by Tab, by wheel and on a small screen."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QWidget,
)

CONTROLS = (QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit, QAbstractItemView)


def controls(dock: QWidget) -> list[Any]:
    """Return what a person can operate, without the parts that Qt makes of it."""
    return [
        w
        for w in dock.findChildren(QWidget)
        if isinstance(w, CONTROLS)
        and not isinstance(w, QHeaderView)
        and not w.objectName().startswith("qt_")
        and not isinstance(w.window().parent(), QComboBox)  # the list that drops down
    ]


def tab_order(dock: QWidget) -> list[QWidget]:
    """Return the controls in the order in which Tab reaches them."""
    order, widget = [], dock.nextInFocusChain()
    while widget is not dock:
        if dock.isAncestorOf(widget) and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            order.append(widget)
        widget = widget.nextInFocusChain()
    return order


def test_the_dock_is_explained_and_reached(hands: Any, spheres: Any) -> None:
    dock = hands.dock
    buddies = {label.buddy() for label in dock.findChildren(QLabel)}
    found = controls(dock)
    assert len(found) > 30
    reached = tab_order(dock)
    for control in found:
        what = f"{type(control).__name__} {control.toolTip()!r} of {control.parent()}"
        assert control.toolTip(), what
        assert control in reached, what
        text = getattr(control, "text", str)()
        named = control.accessibleName() or control in buddies
        button = isinstance(control, QAbstractButton) and len(text) > 1
        assert named or button, what

    hands.viewer.window.resize(1366, 768)
    hands.viewer.add_image(spheres, name="spheres")
    hands.wait(lambda: hands.session.active is not None)
    hands.find()
    hands.session.label(hands.session.active_key, {1: 1, 2: 2})
    hands.settle()
    shown = [w for w in reached if w.isVisible() and isinstance(w, CONTROLS)]
    inside = dock.scroll.widget()
    tops = [w.mapTo(inside, QPoint(0, w.height() // 2)).y() for w in shown if w.parent() != dock]
    assert all(y >= above - 12 for above, y in pairwise(tops))
    view = dock.scroll.viewport()
    bar = dock.scroll.verticalScrollBar()
    assert bar.isVisible()
    assert dock.rect().contains(bar.mapTo(dock, bar.rect().bottomRight()))
    assert dock.scroll.widget().width() == view.width()
    for control in shown:  # the bar reaches all of it, and nothing is cut off at the side
        dock.scroll.ensureWidgetVisible(control)
        corner = control.mapTo(view, QPoint(0, 0))
        assert view.rect().contains(corner), control.toolTip()
        assert corner.x() + control.width() <= view.width(), control.toolTip()

    method = hands.panel("Particles").method
    dock.scroll.ensureWidgetVisible(hands.panel("Micrograph"))
    bar = dock.scroll.verticalScrollBar()
    assert bar.maximum() > 0
    before = method.currentText()
    middle = QPointF(method.rect().center())
    down = QWheelEvent(
        middle,
        QPointF(method.mapToGlobal(middle.toPoint())),
        QPoint(),
        QPoint(0, -240),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    hands.canvas.setFocus()
    QApplication.sendEvent(method, down)
    hands.settle()
    assert method.currentText() == before

"""What is shown beside the pointer: a particle's picture, and what is known of it."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QBuffer, QByteArray, QIODevice, Qt

from napari_ssrvae.viewer.views._pictures import as_qimage

PICTURE_SIDE = 112
"""Side of the picture on the screen, px."""


def tip_html(text: str, picture: NDArray[np.uint8], color: str) -> str:
    """Return a tooltip with a particle's picture in a frame of its point's colour.

    Qt's own tooltip shows it: that one neither takes the focus nor flickers from text to text, and
    goes by itself when the pointer or the window does.

    Parameters
    ----------
    text : str
        Plain text, one or several lines.
    picture : (s, s) uint8
        The particle, grey.
    color : str
        "#rrggbb".
    """
    lines = "<br>".join(escape(line) for line in text.splitlines())
    source = f"data:image/png;base64,{_png(picture)}"
    return (
        f'<table cellspacing="0" cellpadding="3"><tr><td bgcolor="{color}">'
        f'<img src="{source}" width="{PICTURE_SIDE}" height="{PICTURE_SIDE}"></td>'
        f'<td style="white-space: pre; padding-left: 8px">{lines}</td></tr></table>'
    )


def _png(picture: NDArray[np.uint8]) -> str:
    image = as_qimage(picture).scaled(
        PICTURE_SIDE,
        PICTURE_SIDE,
        Qt.AspectRatioMode.IgnoreAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    buffer.close()
    return bytes(data.toBase64().data()).decode("ascii")

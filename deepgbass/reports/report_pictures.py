"""Pictures of the report, within its file."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from deepgbass.reports.report_text import escaped, swatch
from deepgbass.reports.visualize import enlarge, shrink

_LONGEST = 1024


@dataclass(frozen=True)
class Panel:
    """Pictures of one scene side by side.

    Attributes:
        title: caption, e.g. the name of the image and its scores.
        pictures: dict, name -> uint8 `(height, width, 3)`.
    """

    title: str
    pictures: dict


def pictures_html(panels, legends):
    """Pictures side by side, a grid for every scene.

    Args:
        panels: list of `Panel`.
        legends: dict, title -> dict, name -> RGB colour 0..255.

    Returns:
        str; "" without panels.
    """
    if not panels:
        return ""
    keys = "".join(
        f'<p class="keys"><strong>{escaped(title)}</strong>'
        + "".join(
            f"<span>{swatch(color)}{escaped(name)}</span>"
            for name, color in entries.items()
        )
        + "</p>"
        for title, entries in legends.items()
    )
    return keys + "".join(
        f'<div class="panel"><h3>{escaped(panel.title)}</h3><div class="grid">'
        + "".join(
            f'<figure><label><input type="checkbox" '
            f'aria-label="enlarge {escaped(name)}">'
            f'<img alt="{escaped(name)}" src="{_data_uri(picture)}"></label>'
            f"<figcaption>{escaped(name)}</figcaption></figure>"
            for name, picture in panel.pictures.items()
        )
        + "</div></div>"
        for panel in panels
    )


def _data_uri(picture):
    """PNG for flat pictures such as labels, JPEG for photographs."""
    picture = enlarge(np.asarray(picture, np.uint8))
    image = Image.fromarray(shrink(picture, _LONGEST))
    buffer = io.BytesIO()
    if image.getcolors(256):
        kind = "png"
        image.save(buffer, "PNG", optimize=True)
    else:
        kind = "jpeg"
        # Full chroma: coloured lines one pixel wide would bleed without.
        image.save(buffer, "JPEG", quality=88, subsampling=0)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind};base64,{data}"

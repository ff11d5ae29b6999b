"""How a page writes texts, numbers and colours."""

import html
import numbers

import numpy as np


def escaped(value):
    """Anything, as text within HTML."""
    return html.escape(str(value))


def as_text(value):
    """A cell as text."""
    if value is None or (isinstance(value, numbers.Real) and value != value):
        return "–"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return f"{value:,}"
    if isinstance(value, numbers.Real):
        return f"{value:.2g}" if 0 < abs(value) < 0.0005 else f"{value:.3f}"
    return str(value)


def swatch(color):
    """A square of an RGB colour 0..255."""
    red, green, blue = (int(v) for v in color)
    return f'<i class="swatch" style="--c:rgb({red},{green},{blue})"></i>'

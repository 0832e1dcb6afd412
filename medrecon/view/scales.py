"""Colours for values in mm, and the scale that explains them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from vtkmodules.vtkCommonCore import vtkLookupTable
from vtkmodules.vtkRenderingAnnotation import vtkScalarBarActor

from medrecon.view.content import Values
from medrecon.view.style import INK

# Blue is inside, white is on, red is outside; and white to dark violet. Both are told
# apart by people with any of the common colour blindnesses.
DIVERGING = ((0.13, 0.40, 0.67), (0.97, 0.97, 0.97), (0.70, 0.09, 0.17))
RISING = ((0.99, 0.97, 0.88), (0.86, 0.45, 0.40), (0.25, 0.05, 0.35))
TITLES = {"deviation": "deviation, mm", "uncertainty": "uncertainty, mm"}
_COLOURS = 255
_SHOWN = 99.0
# Where everything is zero the scale still has ends, and labels of two decimals tell them apart.
_SMALLEST_MM = 0.1


def colour_table(kind: str, values: Sequence[Values]) -> vtkLookupTable:
    """A table whose range holds 99 % of the values; the rest gets the end's colour."""
    joined = np.concatenate([np.abs(v).ravel() for v in values])
    highest = _rounded_up(float(np.percentile(joined, _SHOWN)) if len(joined) else 1.0)
    stops, low = (DIVERGING, -highest) if kind == "deviation" else (RISING, 0.0)
    table = vtkLookupTable()
    table.SetNumberOfTableValues(_COLOURS)
    table.SetTableRange(low, highest)
    for n, at in enumerate(np.linspace(0, 1, _COLOURS)):
        red, green, blue = (float(np.interp(at, (0, 0.5, 1), c)) for c in zip(*stops, strict=True))
        table.SetTableValue(n, red, green, blue, 1.0)
    return table


def colour_scale(kind: str, table: vtkLookupTable) -> vtkScalarBarActor:
    """The bar that says which colour is how many mm."""
    bar = vtkScalarBarActor()
    bar.SetLookupTable(table)
    bar.SetTitle(TITLES[kind])
    bar.SetNumberOfLabels(5)
    bar.SetLabelFormat("{:.2f}")
    bar.UnconstrainedFontSizeOn()
    bar.SetPosition(0.86, 0.2)
    bar.SetWidth(0.1)
    bar.SetHeight(0.6)
    bar.SetBarRatio(0.25)
    bar.DrawBackgroundOn()
    bar.GetBackgroundProperty().SetColor(1, 1, 1)
    bar.GetBackgroundProperty().SetOpacity(0.75)
    for text in (bar.GetTitleTextProperty(), bar.GetLabelTextProperty()):
        text.SetColor(*INK)
        text.SetFontSize(15)
        text.SetBold(False)
        text.SetItalic(False)
        text.SetShadow(False)
    return bar


def _rounded_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    value = max(value, _SMALLEST_MM)
    step = 10.0 ** np.floor(np.log10(value))
    return float(next(m * step for m in (1, 2, 5, 10) if m * step >= value * (1 - 1e-9)))

"""Colours for values in mm, and the scale that explains them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from vtkmodules.vtkCommonCore import vtkLookupTable
from vtkmodules.vtkRenderingAnnotation import vtkScalarBarActor

from medrecon.core.value_scales import range_mm, stops_of
from medrecon.view.content import Values
from medrecon.view.style import INK

TITLES = {"deviation": "deviation, mm", "uncertainty": "uncertainty, mm"}
_COLOURS = 255


def colour_table(kind: str, values: Sequence[Values]) -> vtkLookupTable:
    """A table whose range holds 99 % of the values; the rest gets the end's colour."""
    stops = stops_of(kind)
    low, highest = range_mm(kind, values)
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

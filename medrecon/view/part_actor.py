"""One structure in a viewer: its surface, its colours, and how it is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import vedo
from vtkmodules.vtkCommonCore import vtkLookupTable
from vtkmodules.vtkCommonDataModel import vtkPlane

from medrecon.core import Mesh
from medrecon.view.content import Values
from medrecon.view.state import Look
from medrecon.view.style import shine

# Edge between facets steeper than this stays sharp in shading (degrees).
FEATURE_ANGLE = 60.0
BARE = (0.72, 0.72, 0.72)


class PartActor:
    """A mesh as vedo draws it."""

    def __init__(self, mesh: Mesh, values: Mapping[str, Values]) -> None:
        self.name = mesh.label.name
        red, green, blue = (c / 255 for c in mesh.label.color)
        self.color = (red, green, blue)
        self._values = values
        self._kind = "label"
        self.surface = vedo.Mesh([np.array(mesh.vertices_mm), np.array(mesh.faces)])
        self.surface.name = self.name
        # Before the normals, which double the vertices of sharp edges, values and all.
        for kind, array in values.items():
            self.surface.pointdata[kind] = array
        self.surface.compute_normals(feature_angle=FEATURE_ANGLE, consistency=False)
        self.surface.color(self.color)
        shine(self.surface.properties)

    def show(self, look: Look, kind: str, table: vtkLookupTable | None) -> None:
        """Visible or not, how opaque, and coloured by what."""
        self.surface.actor.SetVisibility(look.visible and look.opacity > 0)
        self.surface.properties.SetOpacity(look.opacity)
        self.surface.properties.SetBackfaceCulling(look.opacity < 1)
        if kind == self._kind:
            return
        self._kind = kind
        mapper = self.surface.mapper
        if kind in self._values and table is not None:
            mapper.SetScalarModeToUsePointFieldData()
            mapper.SelectColorArray(kind)
            mapper.SetLookupTable(table)
            mapper.SetUseLookupTableScalarRange(True)
            mapper.ScalarVisibilityOn()
        else:
            mapper.ScalarVisibilityOff()
            self.surface.color(self.color if kind == "label" else BARE)

    def cut(self, planes: Sequence[vtkPlane]) -> None:
        """Show only what lies on the planes' positive side."""
        mapper = self.surface.mapper
        mapper.RemoveAllClippingPlanes()
        for plane in planes:
            mapper.AddClippingPlane(plane)

"""Slices of an image as flat pictures in space, and where meshes are cut by them."""

from __future__ import annotations

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPlane, vtkPolyData
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkFiltersCore import vtkPolyDataPlaneCutter
from vtkmodules.vtkRenderingCore import (
    vtkActor,
    vtkImageProperty,
    vtkImageSlice,
    vtkImageSliceMapper,
    vtkPolyDataMapper,
)

from medrecon.core import Volume


def image_data(volume: Volume) -> vtkImageData:
    """The voxels in index space, sharing the array; it must outlive the result."""
    data = vtkImageData()
    data.SetDimensions(*volume.array.shape)
    data.GetPointData().SetScalars(numpy_to_vtk(volume.array.ravel(order="F")))
    return data


def image_slice(
    data: vtkImageData, volume: Volume, axis: int, look: vtkImageProperty
) -> vtkImageSlice:
    """The picture of a slice across an axis, placed in LPS mm."""
    mapper = vtkImageSliceMapper()
    mapper.SetInputData(data)
    mapper.SetOrientation(axis)
    picture = vtkImageSlice()
    picture.SetMapper(mapper)
    picture.SetProperty(look)
    matrix = vtkMatrix4x4()
    matrix.DeepCopy(volume.geometry.affine_lps.ravel().tolist())
    picture.SetUserMatrix(matrix)
    return picture


def slice_plane(volume: Volume, axis: int, index: int) -> vtkPlane:
    """The plane of a slice, LPS mm; its normal runs along the axis."""
    affine = volume.geometry.affine_lps
    others = [affine[:3, a] for a in range(3) if a != axis]
    normal = np.cross(others[0], others[1])
    normal *= np.sign(normal @ affine[:3, axis]) / np.linalg.norm(normal)
    plane = vtkPlane()
    plane.SetOrigin(*(affine[:3, 3] + index * affine[:3, axis]))
    plane.SetNormal(*normal)
    return plane


class Outline:
    """The line along which a slice cuts a mesh: in the scene, and in the slice's panel."""

    def __init__(self, surface: vtkPolyData, color: tuple[float, float, float]) -> None:
        self._cutter = vtkPolyDataPlaneCutter()
        self._cutter.SetInputData(surface)
        self._mapper = vtkPolyDataMapper()
        self._mapper.SetInputConnection(self._cutter.GetOutputPort())
        self._mapper.ScalarVisibilityOff()
        self.in_scene = self._actor(color, 2.5)
        self.in_panel = self._actor(color, 2.0)

    def cut(self, plane: vtkPlane, nearer_mm: float) -> None:
        """Put the outline where the plane cuts; in the panel a hair before the picture.

        `nearer_mm` is towards the panel's camera, which looks along the plane's normal
        with parallel rays: the shift cannot be seen.
        """
        self._cutter.SetPlane(plane)
        self._cutter.Update()
        normal = plane.GetNormal()
        self.in_panel.SetPosition(*(nearer_mm * n for n in normal))

    def _actor(self, color: tuple[float, float, float], width: float) -> vtkActor:
        actor = vtkActor()
        actor.SetMapper(self._mapper)
        actor.PickableOff()
        look = actor.GetProperty()
        look.SetColor(*color)
        look.SetLineWidth(width)
        look.RenderLinesAsTubesOn()
        look.LightingOff()
        return actor

"""Smoothing beside VTK's bare windowed sinc: processor time, and what it keeps.

    python benchmarks/smoothing.py

One noisy ball; each figure is the least of three runs in one process on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkFiltersCore import vtkWindowedSincPolyDataFilter

from medrecon.core import Geometry, Label, Mesh, SoftField, away_from_zero
from medrecon.core.nearest import as_poly_data
from medrecon.surface.extract import extract_surface
from medrecon.surface.intersections import self_intersections
from medrecon.surface.smooth import Smoothing, smooth_surface

RADIUS = 70
LIMIT_MM = 0.5


def rough_ball() -> Mesh:
    n = 2 * RADIUS + 9
    index = np.indices((n, n, n), dtype=np.float32) - n / 2
    depth = RADIUS - np.sqrt((index**2).sum(axis=0))
    depth += 0.35 * np.random.default_rng(0).standard_normal(depth.shape, dtype=np.float32)
    grid = Geometry((n, n, n), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    return extract_surface(SoftField(Label(1, "ball"), away_from_zero(depth), grid))


def bare_vtk(mesh: Mesh) -> Mesh:
    smoother = vtkWindowedSincPolyDataFilter()
    smoother.SetInputData(as_poly_data(mesh.vertices_mm, mesh.faces))
    smoother.SetNumberOfIterations(20)
    smoother.SetPassBand(0.1)
    smoother.FeatureEdgeSmoothingOff()
    smoother.BoundarySmoothingOff()
    smoother.NormalizeCoordinatesOn()
    smoother.Update()
    return Mesh(vtk_to_numpy(smoother.GetOutput().GetPoints().GetData()), mesh.faces, mesh.label)


def least_seconds(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(3):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def main() -> None:
    rough = rough_ball()
    vtk = bare_vtk(rough)
    base = least_seconds(lambda: bare_vtk(rough))
    way = np.linalg.norm(vtk.vertices_mm - rough.vertices_mm, axis=1)
    crossings = len(self_intersections(vtk.vertices_mm, vtk.faces))
    print(f"{len(rough.faces):,} triangles")
    print(
        f"bare VTK windowed sinc  {base:5.2f} s  1.0x  largest displacement {way.max():.2f} mm, "
        f"volume {vtk.volume_mm3 / rough.volume_mm3 - 1:+.3%}, {crossings} crossing pairs"
    )
    for method in (Smoothing.SINC, Smoothing.TAUBIN):
        mesh, effect = smooth_surface(rough, method, limit_mm=LIMIT_MM)
        seconds = least_seconds(lambda m=method: smooth_surface(rough, m, limit_mm=LIMIT_MM))
        crossings = len(self_intersections(mesh.vertices_mm, mesh.faces))
        print(
            f"medrecon {method.value:14s} {seconds:5.2f} s  {seconds / base:.1f}x  largest "
            f"displacement {effect.max_mm:.2f} mm, volume {effect.volume_change:+.3%}, "
            f"{crossings} crossing pairs"
        )


if __name__ == "__main__":
    main()

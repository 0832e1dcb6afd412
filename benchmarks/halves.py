"""Neighbours in a label map, each drawn for itself and drawn together: overlap, gap, error, volume.

    python benchmarks/halves.py

A ball of radius 20 in two halves, then with a shell 3 thick around one of them (thin: the
group is drawn on finer voxels), as a label map of 1 mm, through the road's own steps. Plane
and ball are formulas: how far the vertices on each lie from them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from medrecon.core import Geometry, Label, LabelMap
from medrecon.judged_mesh import mesh_field
from medrecon.options import MeshOptions
from medrecon.outputs.part import Part
from medrecon.quality.neighbours import contacts
from medrecon.quality.observed import Observed
from medrecon.recipes.meshing import segmented_from_labels
from medrecon.surface.touching import Surfaces

GRID = Geometry((60, 58, 56), (1.0, 1.0, 1.0), (-29.3, -28.2, -27.7))
RADIUS, SHELL = 20.0, 3.0
TILT = 0.3
"""The cut is the plane x + TILT·y = 0."""


def label_map(*, shell: bool) -> LabelMap:
    """Halves 1 and 2, and the shell, 3, around the second."""
    points = GRID.mm_from_index(np.indices(GRID.shape).reshape(3, -1).T)
    side, far = (x.reshape(GRID.shape) for x in (off_plane_mm(points), off_ball_mm(points)))
    array = np.zeros(GRID.shape, np.uint8, order="F")
    array[(far < 0) & (side < 0)] = 1
    array[(far < 0) & (side >= 0)] = 2
    if shell:
        array[(far >= 0) & (far < SHELL) & (side >= 0)] = 3
    names = ("half_one", "half_two", "shell")[: array.max()]
    return LabelMap(array, GRID, tuple(Label(n, name) for n, name in enumerate(names, 1)))


def off_plane_mm(points: np.ndarray) -> np.ndarray:
    """Signed distance to the cut."""
    return (points[:, 0] + TILT * points[:, 1]) / np.hypot(1, TILT)


def off_ball_mm(points: np.ndarray) -> np.ndarray:
    """Signed distance to the ball's surface."""
    return np.linalg.norm(points, axis=1) - RADIUS


def row(name: str, parts: list[Part], labels: LabelMap) -> str:
    """The worst of the halves, and the contact between them."""
    errors = []
    for part in parts[:2]:
        points = part.mesh.vertices_mm.astype(float)
        plane, ball = off_plane_mm(points), off_ball_mm(points)
        on_plane = (np.abs(plane) < 1) & (ball < -2)
        on_ball = (np.abs(ball) < 1) & (np.abs(plane) > 2)
        voxels_ml = np.count_nonzero(labels.array == part.label.index) / 1000
        change = 100 * (part.mesh.volume_mm3 / 1000 / voxels_ml - 1)
        errors.append((np.abs(plane[on_plane]).mean(), np.abs(ball[on_ball]).mean(), change))
    met = contacts([p.mesh for p in parts[:2]], reach_mm=1.0)[0]
    plane, ball = (max(e[n] for e in errors) for n in (0, 1))
    change = max((e[2] for e in errors), key=abs)
    solid = sum(p.validity.valid for p in parts)
    return (
        f"{name:28} {solid} of {len(parts)}  {met.overlap_mean_mm:7.3f} {met.overlap_p95_mm:6.3f}  "
        f"{met.gap_mean_mm:7.3f}  {plane:7.3f} {ball:7.3f}  {change:+6.2f} %"
    )


def main() -> None:
    """Print the table."""
    heads = ("solids", "overlap", "p95", "gap", "plane", "ball", "volume")
    print(f"{'':28} {heads[0]:6}  {heads[1]:>7} {heads[2]:>6}  ", end="")
    print(f"{heads[3]:>7}  {heads[4]:>7} {heads[5]:>7}  {heads[6]}")
    with tempfile.TemporaryDirectory() as folder:
        for shell in (False, True):
            labels = label_map(shell=shell)
            found = segmented_from_labels((labels,), "label map").segmentations
            for tolerance in (0.0, 0.1):
                for name, shared in (("each for itself", ()), ("together", found)):
                    surfaces = Surfaces(shared)
                    options = MeshOptions(tolerance_mm=tolerance)
                    parts = [
                        mesh_field(f, Observed(), options, Path(folder) / "x.stl", surfaces)
                        for f in found[0].fields
                    ]
                    what = f"{'shell, ' if shell else ''}{tolerance} mm, {name}"
                    print(row(what, parts, labels), flush=True)


if __name__ == "__main__":
    main()

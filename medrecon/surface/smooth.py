"""Smoothing that says what it did, and may not do more than it was allowed to.

A low-pass filter takes the roughness off a surface. Here no vertex goes further than a
stated distance, each piece keeps its volume, no triangle is added or lost, and where
smoothing would make the surface run through itself it is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from medrecon.core import Mesh
from medrecon.core.nearest import as_poly_data
from medrecon.errors import UsageError
from medrecon.surface.intersections import self_intersections
from medrecon.surface.topology import doubled_area_vectors

Floats = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int32]

# Wavelengths above about 2π/√0.1 = 20 edges stay: stairs and noise are shorter.
_PASS_BAND = 0.1
_ITERATIONS = 20

# Taubin's factors: a step that shrinks and one that grows a little more; what passes
# is below 1/0.5 − 1/0.53 = 0.11, as above.
_SHRINK, _GROW = 0.5, -0.53

# Each try halves how far the vertices at a crossing may go; after the last they stay.
_TRIES = 4

# Times that volume is put right and the bound enforced, by turns. The second is for
# vertices that reached the bound.
_CORRECTIONS = 3


class Smoothing(Enum):
    """How a surface is smoothed."""

    NONE = "none"
    SINC = "sinc"
    TAUBIN = "taubin"


@dataclass(frozen=True, slots=True)
class SmoothingEffect:
    """What smoothing did, measured on the rounded vertices.

    Parameters
    ----------
    mean_mm, p95_mm, max_mm : float
        Displacement of the vertices.
    volume_change, area_change : float
        Relative to the surface before.
    held_back : int
        Vertices that stayed behind so that the surface does not cross itself.
    """

    mean_mm: float
    p95_mm: float
    max_mm: float
    volume_change: float
    area_change: float
    held_back: int


def smooth_surface(
    mesh: Mesh, method: Smoothing, *, limit_mm: float, iterations: int = _ITERATIONS
) -> tuple[Mesh, SmoothingEffect]:
    """The same triangles, smoother, and what that changed.

    Parameters
    ----------
    mesh : Mesh
        Closed; its scalars are not kept.
    method : Smoothing
        Windowed sinc, or Taubin's alternating steps. NONE returns the mesh.
    limit_mm : float
        No vertex moves further. Half a voxel keeps to what the scan says.
    iterations : int
        Of the filter: a longer one has a sharper pass band.

    Returns
    -------
    mesh : Mesh
        With the faces of `mesh`, vertices rounded to float32. Every piece's volume is
        its old one, as far as the limit allows. No two faces cross that did not before,
        and no face is turned over.
    effect : SmoothingEffect

    Raises
    ------
    UsageError
        If the limit is negative.

    References
    ----------
    Taubin G. A signal processing approach to fair surface design. SIGGRAPH 1995, DOI
    10.1145/218380.218473. Taubin G., Zhang T., Golub G. Optimal surface smoothing as
    filter design. ECCV 1996, DOI 10.1007/BFb0015544 (the windowed sinc).
    """
    if limit_mm < 0:
        raise UsageError(f"a smoothing limit of {limit_mm:g} mm; 0 or more expected")
    if method is Smoothing.NONE or limit_mm == 0 or not len(mesh.faces):
        return mesh, _effect(mesh, mesh, 0)
    before = mesh.vertices_mm.astype(np.float64)
    run = _windowed_sinc if method is Smoothing.SINC else _taubin
    step = _bounded(run(mesh, iterations) - before, limit_mm)
    step = _volume_kept(before, step, mesh.faces, limit_mm)
    step, held_back = _without_crossings(before, step, mesh.faces)
    result = Mesh((before + step).astype(np.float32), mesh.faces, mesh.label)
    return result, _effect(mesh, result, held_back)


def _windowed_sinc(mesh: Mesh, iterations: int) -> Floats:
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkFiltersCore import vtkWindowedSincPolyDataFilter

    smoother = vtkWindowedSincPolyDataFilter()
    smoother.SetInputData(as_poly_data(mesh.vertices_mm, mesh.faces))
    smoother.SetNumberOfIterations(iterations)
    smoother.SetPassBand(_PASS_BAND)
    smoother.FeatureEdgeSmoothingOff()
    smoother.BoundarySmoothingOff()
    smoother.NonManifoldSmoothingOn()
    smoother.NormalizeCoordinatesOn()
    smoother.Update()
    smooth: Floats = vtk_to_numpy(smoother.GetOutput().GetPoints().GetData()).astype(np.float64)
    return smooth


def _taubin(mesh: Mesh, iterations: int) -> Floats:
    neighbours = _neighbours(mesh.faces, len(mesh.vertices_mm))
    share = 1 / np.maximum(np.diff(neighbours.indptr), 1)[:, None]
    places = mesh.vertices_mm.astype(np.float64)
    centre = places.mean(axis=0)
    places -= centre
    for _ in range(iterations // 2):
        for factor in (_SHRINK, _GROW):
            places += factor * ((neighbours @ places) * share - places)
    moved: Floats = places + centre
    return moved


def _neighbours(faces: Faces, count: int) -> sparse.csr_matrix:
    """Which vertices are joined by an edge: a symmetric matrix of ones."""
    a, b, c = faces.T
    rows, columns = np.concatenate([a, b, c]), np.concatenate([b, c, a])
    ones = np.ones(len(rows))
    # In a closed surface each edge is run along once in each direction.
    joined = sparse.coo_matrix((ones, (rows, columns)), shape=(count, count)).tocsr()
    joined.data[:] = 1
    return joined


def _bounded(step: Floats, limit_mm: float) -> Floats:
    length = np.linalg.norm(step, axis=1, keepdims=True)
    # A hair less, so that rounding to float32 does not lead beyond the limit.
    bounded: Floats = step * np.minimum(1, 0.9999 * limit_mm / np.maximum(length, 1e-30))
    return bounded


def _volume_kept(before: Floats, step: Floats, faces: Faces, limit_mm: float) -> Floats:
    """Steps plus one along the normals, the same for a whole piece, that keeps its volume."""
    piece = connected_components(_neighbours(faces, len(before)), directed=False)[1]
    of_face = piece[faces[:, 0]]
    centre = before.mean(axis=0)
    wanted = np.bincount(of_face, _cones(before - centre, faces)[0])
    for _ in range(_CORRECTIONS):
        volume, area, vector = _cones(before + step - centre, faces)
        missing = wanted - np.bincount(of_face, volume)
        offset = missing / np.maximum(np.bincount(of_face, area), 1e-30)
        step = _bounded(
            step + _normals(vector, faces, len(step)) * offset[piece][:, None], limit_mm
        )
    return step


def _cones(places: Floats, faces: Faces) -> tuple[Floats, Floats, Floats]:
    """Of each face the volume between it and the origin, its area, and (3, m) area vectors."""
    a, b, c = (places[faces[:, n]].T for n in range(3))
    p, q = b - a, c - a
    vector = np.stack(
        [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]]
    )
    area = np.sqrt(vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2) / 2
    volume = (a[0] * vector[0] + a[1] * vector[1] + a[2] * vector[2]) / 6
    return volume, area, vector


def _normals(vector: Floats, faces: Faces, count: int) -> Floats:
    """(count, 3) unit normals of the vertices."""
    corner = faces.T.ravel()
    normal = np.stack([np.bincount(corner, np.tile(v, 3), count) for v in vector], axis=1)
    unit: Floats = normal / np.maximum(np.linalg.norm(normal, axis=1), 1e-30)[:, None]
    return unit


def _without_crossings(before: Floats, step: Floats, faces: Faces) -> tuple[Floats, int]:
    """Steps made shorter where faces would cross or turn over, and for how many vertices."""
    part = np.ones(len(before))
    among = np.ones(len(faces), np.bool_)
    upright = doubled_area_vectors(before.astype(np.float32), faces)
    for attempt in range(_TRIES * 8):
        places = (before + step * part[:, None]).astype(np.float32)
        bad = np.asarray(_turned(places, faces, upright) & among, dtype=np.bool_)
        turned = bool(bad.any())
        if not turned:
            crossed = self_intersections(places, faces, among=None if among.all() else among)
            bad[crossed] = True
        moved = np.zeros(len(before), np.bool_)
        moved[faces[bad]] = True
        # Each try takes one more ring of neighbours along: two smooth steps join softly.
        moved[faces[moved[faces].any(axis=1)]] = True
        moved &= part > 0
        if not moved.any():
            break
        part[moved] = part[moved] / 2 if attempt < _TRIES else 0
        changed = np.asarray(moved[faces].any(axis=1), dtype=np.bool_)
        # Crossings are only looked for once no face is turned over any more.
        among = changed | among if turned else changed
    return step * part[:, None], int(np.count_nonzero(part < 1))


def _turned(
    places: npt.NDArray[np.float32], faces: Faces, upright: Floats
) -> npt.NDArray[np.bool_]:
    """Faces that look to the other side than they did, or have no area."""
    now = doubled_area_vectors(places, faces)
    turned: npt.NDArray[np.bool_] = (now * upright).sum(axis=0) <= 0
    return turned


def _effect(before: Mesh, after: Mesh, held_back: int) -> SmoothingEffect:
    if not len(before.faces):
        return SmoothingEffect(0.0, 0.0, 0.0, 0.0, 0.0, 0)
    centre = before.vertices_mm[0].astype(np.float64)
    places = [m.vertices_mm - centre for m in (before, after)]
    way = np.linalg.norm(places[1] - places[0], axis=1)
    (old, old_area, _), (new, new_area, _) = (_cones(p, before.faces) for p in places)
    return SmoothingEffect(
        mean_mm=float(way.mean()),
        p95_mm=float(np.percentile(way, 95)),
        max_mm=float(way.max()),
        volume_change=float(new.sum() / old.sum() - 1),
        area_change=float(new_area.sum() / old_area.sum() - 1),
        held_back=held_back,
    )

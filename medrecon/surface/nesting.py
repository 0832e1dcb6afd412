"""Whether every piece of a mesh faces the right way, cavities included."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Cells along y and z of the table that tells which faces lie under any ray.
_TABLE = 1024


def pieces_facing_wrong(
    vertices_mm: npt.NDArray[np.float32],
    faces: npt.NDArray[np.int32],
    piece: npt.NDArray[np.int32],
    slope: Floats,
) -> Integers:
    """Pieces that are wound inside out, or lie where no piece may lie.

    From one face of each piece a ray leaves along +x on the side that the face calls
    outside. The signed number of faces that it crosses is the winding number of that
    place: 0 for an outer surface and for a cavity in a solid alike. A solid turned
    inside out gives −1, a solid inside a solid 1.

    Parameters
    ----------
    vertices_mm, faces
        A closed two-manifold.
    piece : ndarray of int32, shape (m,)
        The piece of each face, 0 to k − 1.
    slope : ndarray of float64, shape (m,)
        The x component of each face's normal, of any length.

    Returns
    -------
    ndarray of int64
        Ascending numbers of pieces.
    """
    own = _steepest_face(slope, piece)
    # Unequal weights: a ray through a centroid meets the edges of regular grids.
    weights = np.array([0.301, 0.363, 0.336])
    origin = np.einsum("c,ncx->nx", weights, vertices_mm[faces[own]].astype(np.float64))
    near = _faces_under_rays(vertices_mm, faces, origin)
    corners = vertices_mm[faces[near]].astype(np.float64)
    total = np.zeros(len(origin), np.int64)
    for face, ray in _pairs(corners, origin):
        hit = _hits(corners, face, origin[ray]) & (own[ray] != near[face])
        np.add.at(total, ray[hit], np.sign(slope[near[face[hit]]]).astype(np.int64))
    return np.flatnonzero(total != 0)


def _steepest_face(slope: Floats, piece: npt.NDArray[np.int32]) -> Integers:
    """For each piece the first face with the largest area towards +x."""
    steepest = np.full(int(piece.max()) + 1, -np.inf)
    np.maximum.at(steepest, piece, slope)
    candidates = np.flatnonzero(slope == steepest[piece])[::-1]
    face = np.empty(len(steepest), np.int64)
    face[piece[candidates]] = candidates
    return face


def _faces_under_rays(
    vertices_mm: npt.NDArray[np.float32], faces: npt.NDArray[np.int32], origin: Floats
) -> Integers:
    """Faces whose rectangle in the yz plane may hold a ray, by a table of sums."""
    yz = vertices_mm[:, 1:].astype(np.float64)
    low, size = yz.min(axis=0), np.maximum(np.ptp(yz, axis=0), 1e-30)
    cell = ((yz - low) / size * (_TABLE - 1)).astype(np.int32)
    rays = ((origin[:, 1:] - low) / size * (_TABLE - 1)).astype(np.int32)
    table = np.zeros((_TABLE + 1, _TABLE + 1), np.int32)
    np.add.at(table, (rays[:, 0] + 1, rays[:, 1] + 1), 1)
    table = table.cumsum(axis=0).cumsum(axis=1)
    box = []
    for axis in range(2):
        a, b, c = (cell[:, axis][faces[:, n]] for n in range(3))
        box.append((np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c) + 1))
    (y0, y1), (z0, z1) = box
    count = table[y1, z1] - table[y0, z1] - table[y1, z0] + table[y0, z0]
    return np.flatnonzero(count)


def _pairs(corners: Floats, origin: Floats) -> list[tuple[Integers, Integers]]:
    """Faces with the rays in their range of y, in lists that fit in memory."""
    by_y = np.argsort(origin[:, 1], kind="stable")
    y = origin[by_y, 1]
    low = np.searchsorted(y, corners[:, :, 1].min(axis=1), side="left")
    count = np.searchsorted(y, corners[:, :, 1].max(axis=1), side="right") - low
    total = np.cumsum(count)
    cuts = np.searchsorted(total, np.arange(1_000_000, int(total[-1]) + 1, 1_000_000))
    lists = []
    for part in np.split(np.arange(len(corners)), np.unique(cuts)):
        first = np.cumsum(count[part]) - count[part]
        ray = np.arange(int(count[part].sum())) - np.repeat(first - low[part], count[part])
        lists.append((np.repeat(part, count[part]), by_y[ray]))
    return lists


def _hits(corners: Floats, face: Integers, origin: Floats) -> npt.NDArray[np.bool_]:
    """Whether the ray along +x from each origin goes through the face paired with it."""
    z = corners[:, :, 2]
    near = (z.min(axis=1)[face] <= origin[:, 2]) & (z.max(axis=1)[face] >= origin[:, 2])
    near &= corners[:, :, 0].max(axis=1)[face] > origin[:, 0]
    hit = np.zeros(len(face), np.bool_)
    a, b, c = np.moveaxis(corners[face[near]] - origin[near, None], 1, 0)
    weights = np.stack([_area_yz(b, c), _area_yz(c, a), _area_yz(a, b)])
    whole = weights.sum(axis=0)
    inside = ((weights >= 0).all(axis=0) | (weights <= 0).all(axis=0)) & (whole != 0)
    x = weights[0] * a[:, 0] + weights[1] * b[:, 0] + weights[2] * c[:, 0]
    hit[near] = inside & (x * np.sign(whole) > 0)
    return hit


def _area_yz(p: Floats, q: Floats) -> Floats:
    return p[:, 1] * q[:, 2] - p[:, 2] * q[:, 1]

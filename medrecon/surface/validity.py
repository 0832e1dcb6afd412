"""Is it a solid? Closed, two-manifold, consistently wound and outward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.surface.nesting import pieces_facing_wrong
from medrecon.surface.topology import (
    components,
    doubled_area_vectors,
    duplicate_faces,
    edge_faults,
    edge_keys,
    faults_at,
)

Floats = npt.NDArray[np.float64]
Pieces = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Validity:
    """What `judge` found. Counts, so that a reader sees how bad it is.

    Parameters
    ----------
    triangles, vertices : int
    open_edges, nonmanifold_edges, flipped_edges : int
        Edges with one face, with more than two, with two that run the same way.
    pinched_vertices : int or None
        Vertices where two sheets meet in a point; None if the edges are not in order.
    degenerate_faces, duplicate_faces : int
    components : int
        Connected pieces, cavities included.
    cavities : int or None
        Pieces that bound a hollow inside another; None if the edges are not in order.
    wrong_components : int or None
        Pieces wound inside out or lying inside a solid; None likewise.
    euler : int
        Vertices − edges + faces.
    volume_mm3 : float
        Signed.
    """

    triangles: int
    vertices: int
    open_edges: int
    nonmanifold_edges: int
    flipped_edges: int
    pinched_vertices: int | None
    degenerate_faces: int
    duplicate_faces: int
    components: int
    cavities: int | None
    wrong_components: int | None
    euler: int
    volume_mm3: float

    @property
    def closed(self) -> bool:
        """No edge is open and there is something to close."""
        return self.triangles > 0 and self.open_edges == 0

    @property
    def manifold(self) -> bool:
        """Every edge has two faces, every vertex one fan, and no face is twice there."""
        return (
            self.closed
            and self.nonmanifold_edges == 0
            and self.pinched_vertices == 0
            and self.duplicate_faces == 0
        )

    @property
    def consistent(self) -> bool:
        """Neighbouring faces are wound alike."""
        return self.flipped_edges == 0

    @property
    def outward(self) -> bool:
        """Every piece has the solid on its inner side."""
        return self.wrong_components == 0 and self.volume_mm3 > 0

    @property
    def valid(self) -> bool:
        """All of it, and no face without area."""
        return self.manifold and self.consistent and self.outward and self.degenerate_faces == 0


def judge(mesh: Mesh) -> Validity:
    """Everything about a mesh that can be told from its triangles' connections.

    Self-intersections are another question. Judge what was read back from a file, not
    what was about to be written. An empty mesh is not valid.

    Examples
    --------
    >>> from medrecon.core import Label
    >>> corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    >>> judge(Mesh(corners, faces, Label(1, "tetrahedron"))).valid
    True
    """
    v, f = mesh.vertices_mm, mesh.faces
    open_, many, flipped, _ = edge_faults(f, len(v))
    pieces, piece = components(f, len(v))
    in_order = len(f) > 0 and open_ == many == flipped == 0
    normal = doubled_area_vectors(v, f)
    facing = piece[f[:, 0]]
    volumes = _volumes_mm3(v, f, normal, facing, pieces)
    return Validity(
        triangles=len(f),
        vertices=len(v),
        open_edges=open_,
        nonmanifold_edges=many,
        flipped_edges=flipped,
        pinched_vertices=_pinched(f, len(v)) if in_order else None,
        degenerate_faces=int((normal == 0).all(axis=0).sum()),
        duplicate_faces=duplicate_faces(f, len(v)),
        components=pieces,
        cavities=int((volumes < 0).sum()) if in_order else None,
        wrong_components=_wrong(mesh, facing, normal[0], volumes) if in_order else None,
        euler=_euler(f, len(v), closed=open_ == many == 0),
        volume_mm3=float(volumes.sum()),
    )


def _pinched(faces: npt.NDArray[np.int32], vertex_count: int) -> int:
    return int(faults_at(faces, np.ones(vertex_count, np.bool_)).sum())


def _wrong(mesh: Mesh, piece: Pieces, slope: Floats, volumes_mm3: Floats) -> int:
    if len(volumes_mm3) == 1:
        return int(volumes_mm3[0] <= 0)
    return len(pieces_facing_wrong(mesh.vertices_mm, mesh.faces, piece, slope))


def _euler(faces: npt.NDArray[np.int32], vertex_count: int, *, closed: bool) -> int:
    used = int(np.count_nonzero(np.bincount(faces.ravel(), minlength=vertex_count)))
    if closed:
        return used - len(faces) // 2
    edges = np.unique(edge_keys(faces, vertex_count) >> 1)
    return used - len(edges) + len(faces)


def _volumes_mm3(
    vertices_mm: npt.NDArray[np.float32],
    faces: npt.NDArray[np.int32],
    normal: Floats,
    piece: Pieces,
    pieces: int,
) -> Floats:
    """Signed volume of each piece, each against a point of its own for the sake of digits."""
    corner = vertices_mm[faces[:, 0]]
    base = np.zeros((pieces, 3), np.float32)
    base[piece] = corner
    arm = corner - base[piece]
    sixfold = sum(arm[:, axis] * normal[axis] for axis in range(3))
    volumes: Floats = np.bincount(piece, weights=sixfold, minlength=pieces) / 6
    return volumes

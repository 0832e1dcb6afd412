"""XYZ: a point cloud as text, six numbers a line, position and unit normal."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh
from medrecon.errors import UnreadableInputError
from medrecon.files.atomic import open_atomic
from medrecon.files.mesh_values import checked_mesh, vertex_normals

Floats = npt.NDArray[np.float64]

_BLOCK = 65536


def write_xyz(mesh: Mesh, stream: IO[bytes]) -> None:
    """Write every vertex in millimetres with its outward normal.

    No header: readers disagree about comments. Frame and unit are therefore not in the
    file; a copy for a printer has its sidecar.
    """
    rows = np.hstack([mesh.vertices_mm, vertex_normals(mesh)]).astype(np.float64)
    for low in range(0, len(rows), _BLOCK):
        part = rows[low : low + _BLOCK]
        line = "%.9g %.9g %.9g %.6f %.6f %.6f\n"
        stream.write((line * len(part) % tuple(part.ravel().tolist())).encode())


def save_xyz(mesh: Mesh, path: Path) -> None:
    """`write_xyz` to a file that appears when it is whole."""
    with open_atomic(path) as stream:
        write_xyz(mesh, stream)


def read_xyz(path: Path) -> Mesh:
    """The points of an XYZ file as a mesh without faces; normals are passed over.

    Raises
    ------
    UnreadableInputError, DamagedInputError
        As `read_points`; or if a coordinate is no finite number.
    """
    points, _ = read_points(path)
    return checked_mesh(points, np.zeros((0, 3), np.int32), path.stem)


def read_points(path: Path) -> tuple[Floats, Floats | None]:
    """Points of an XYZ file, and their normals if it has just six columns.

    Returns
    -------
    points : ndarray of float64, shape (n, 3)
        In the file's own frame and unit, which the format does not state.
    normals : ndarray of float64, shape (n, 3), or None

    Raises
    ------
    UnreadableInputError
        If a line has fewer than three numbers or another number of them than the first.
    """
    try:
        lines = path.read_text("ascii").splitlines()
    except OSError as error:
        raise UnreadableInputError(f"an XYZ cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableInputError("no XYZ: it is not text") from error
    rows = [line.replace(",", " ").split() for line in lines]
    rows = [row for row in rows if row and not row[0].startswith(("#", "//"))]
    try:
        values = np.array(rows, np.float64)
    except ValueError as error:
        raise UnreadableInputError("no XYZ: its lines are not numbers of one count") from error
    if values.ndim != 2 or values.shape[1] < 3:
        raise UnreadableInputError("no XYZ: fewer than three numbers in a line")
    return values[:, :3], values[:, 3:] if values.shape[1] == 6 else None

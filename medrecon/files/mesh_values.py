"""What all mesh formats share: the words of the frame, sound arrays, colours, normals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Label, Mesh, Space
from medrecon.errors import DamagedInputError

Colour = tuple[int, int, int]
Floats = npt.NDArray[np.float64]

GREY: Colour = (200, 200, 200)
"""Of a mesh whose file names no colour."""


def frame_words(space: Space) -> str:
    """The words that a file carries about its frame; a frame that is not known has none."""
    return f"medrecon SPACE={space.value} UNIT=mm" if space.value else "medrecon UNIT=mm"


def one_space(meshes: Sequence[Mesh]) -> Space:
    """The frame of all meshes of a file; unstated if they differ."""
    spaces = {mesh.space for mesh in meshes}
    return spaces.pop() if len(spaces) == 1 else Space.UNSTATED


def frame_from_words(words: str) -> tuple[Space, bool, bool]:
    """Frame, whether it is the mirror-free twin RAS of LPS, and whether the unit is said.

    3D Slicer writes "SPACE=LPS" or "SPACE=RAS" into the headers of its files.
    """
    named = re.search(r"SPACE\s*=\s*([A-Za-z]+)", words)
    name = named.group(1).upper() if named else ""
    ras = name == "RAS"
    known = {space.value: space for space in Space if space.value}
    space = Space.LPS if ras else known.get(name, Space.UNSTATED)
    return space, ras, re.search(r"UNIT\s*=\s*mm\b", words) is not None


def in_lps(points: Floats, words: str) -> tuple[Floats, Space]:
    """Points in the frame that a file's words name; RAS turned into LPS, half-way about z."""
    space, ras, _ = frame_from_words(words)
    return (points * (-1, -1, 1) if ras else points), space


def checked_mesh(
    vertices: npt.NDArray[Any],
    faces: npt.NDArray[Any],
    name: str,
    *,
    color: Colour = GREY,
    scalars: npt.NDArray[np.float32] | None = None,
    colors: npt.NDArray[Any] | None = None,
    space: Space = Space.UNSTATED,
) -> Mesh:
    """A mesh of what a file held, if it can be one.

    Raises
    ------
    DamagedInputError
        If a coordinate is no finite number of float32, or a face names a vertex that is
        not there.
    """
    with np.errstate(over="ignore"):
        points = np.asarray(vertices, np.float32).reshape(-1, 3)
    corners = np.asarray(faces, np.int64).reshape(-1, 3)
    lost = int((~np.isfinite(points)).any(axis=1).sum())
    if lost:
        raise DamagedInputError(f"{lost} of {len(points)} vertices are not finite numbers")
    if len(corners) and (corners.min() < 0 or corners.max() >= len(points)):
        raise DamagedInputError(
            f"faces name vertices {corners.min()}–{corners.max()}, and there are {len(points)}"
        )
    label = Label(1, name.strip() or "mesh", color)
    return Mesh(points, corners.astype(np.int32), label, scalars, colors, space)


def fans(
    counts: npt.NDArray[np.integer], corners: npt.NDArray[np.integer]
) -> npt.NDArray[np.int64]:
    """Polygons cut into triangles around their first corner.

    Parameters
    ----------
    counts : ndarray of int, shape (p,)
        Corners of each polygon; those with fewer than three give nothing.
    corners : ndarray of int, shape (sum(counts),)
        Vertex indices, polygon after polygon.
    """
    if (counts == 3).all():
        return np.asarray(corners, np.int64).reshape(-1, 3)
    counts = counts.astype(np.int64)
    pieces = np.maximum(counts - 2, 0)
    first = np.repeat(np.cumsum(counts) - counts, pieces)
    step = np.arange(int(pieces.sum())) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    return np.stack([corners[first], corners[first + step + 1], corners[first + step + 2]], axis=1)


def vertex_normals(mesh: Mesh) -> npt.NDArray[np.float32]:
    """(n, 3) unit normals, faces weighted by area; (0, 0, 0) where no face is."""
    v, f = mesh.vertices_mm.astype(np.float64), mesh.faces
    doubled = np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
    normal = np.stack(
        [
            np.bincount(f.ravel(), np.repeat(doubled[:, axis], 3), minlength=len(v))
            for axis in range(3)
        ],
        axis=1,
    )
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = (normal / np.where(length > 0, length, 1)).astype(np.float32)
    return unit


def linear_from_srgb(color: npt.ArrayLike) -> Floats:
    """Linear light 0–1 of sRGB 0–255 (IEC 61966-2-1)."""
    c = np.asarray(color, np.float64) / 255
    linear: Floats = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return linear


def srgb_from_linear(linear: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """SRGB 0–255 of linear light 0–1, rounded; what lies beyond is cut off."""
    c = np.clip(np.asarray(linear, np.float64), 0, 1)
    s = np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055)
    rounded: npt.NDArray[np.uint8] = np.round(255 * s).astype(np.uint8)
    return rounded


def as_color(values: npt.ArrayLike) -> Colour:
    """Three numbers as a label's colour."""
    red, green, blue = (int(c) for c in np.asarray(values).ravel()[:3])
    return red, green, blue

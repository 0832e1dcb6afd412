"""How a part stands on the bed: which way is up, and a flat to stand on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from manifold3d import Manifold

from medrecon.core import Label
from medrecon.errors import UsageError
from medrecon.printing.hollow import frame_along
from medrecon.printing.solids import bounds_mm, mesh_of, placed
from medrecon.quality.overhang import overhang

Matrix = npt.NDArray[np.float64]

# LPS: x to the left, y to the back, z to the head (PS3.3 C.7.6.2.1.1).
DIRECTIONS: dict[str, tuple[float, float, float]] = {
    "superior": (0, 0, 1),
    "inferior": (0, 0, -1),
    "left": (1, 0, 0),
    "right": (-1, 0, 0),
    "posterior": (0, 1, 0),
    "anterior": (0, -1, 0),
}
AUTO = "auto"


def turned_up(direction: str, solid: Manifold, *, overhang_deg: float | None) -> Matrix:
    """The 4×4 that turns a direction of the patient upwards.

    Parameters
    ----------
    direction : str
        A key of `DIRECTIONS`, or "auto": that of the six with the least surface that
        needs support, where the process needs any.
    solid : Manifold
        In LPS.

    Raises
    ------
    UsageError
        If the direction is none.
    """
    if direction == AUTO:
        if overhang_deg is None:
            return np.eye(4)
        shapes = {name: rotation_up(DIRECTIONS[name]) for name in DIRECTIONS}
        area = {n: _hanging(placed(solid, m), overhang_deg) for n, m in shapes.items()}
        return shapes[min(area, key=lambda n: area[n])]
    return rotation_of(direction)


def rotation_of(direction: str) -> Matrix:
    """The rotation that takes a direction of the patient, by its name, to +z.

    Raises
    ------
    UsageError
        If the direction is none.
    """
    if direction not in DIRECTIONS:
        known = ", ".join((AUTO, *DIRECTIONS))
        raise UsageError(f"no direction is called {direction!r}; known are: {known}")
    return rotation_up(DIRECTIONS[direction])


def rotation_up(direction: tuple[float, float, float]) -> Matrix:
    """A rotation, never a mirror, that takes a direction to +z."""
    whole = np.eye(4)
    whole[:3, :3] = np.eye(3) if direction == (0, 0, 1) else frame_along(np.array(direction)).T
    return whole


def flattened(solid: Manifold, base_mm: float) -> Manifold:
    """The solid without its lowest slice, so that it stands on a flat.

    Raises
    ------
    UsageError
        If the slice is the whole of it.
    """
    if base_mm <= 0:
        return solid
    low, high = bounds_mm(solid)[:, 2]
    if base_mm >= high - low:
        raise UsageError(f"a base of {base_mm:g} mm from a part {high - low:.1f} mm high")
    return solid.trim_by_plane((0.0, 0.0, 1.0), float(low + base_mm))


def onto_bed(solid: Manifold) -> Matrix:
    """The 4×4 that moves a part's middle to the bed's and its lowest point onto it."""
    low, high = bounds_mm(solid)
    whole = np.eye(4)
    whole[:3, 3] = -(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2]
    return whole


def _hanging(solid: Manifold, limit_deg: float) -> float:
    return overhang(mesh_of(solid, Label(1, "part")), limit_deg).area_mm2

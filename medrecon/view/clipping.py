"""The planes that a state cuts by."""

from __future__ import annotations

from vtkmodules.vtkCommonDataModel import vtkPlane

from medrecon.view.state import Cut, Facts, ViewState


def clipping_planes(state: ViewState, facts: Facts) -> list[vtkPlane]:
    """Planes whose positive sides are shown; none where nothing is cut."""
    if state.cut is Cut.PLANE:
        return [_plane(facts, state.plane_axis, state.plane, 1.0 if state.flipped else -1.0)]
    if state.cut is Cut.BOX:
        return [
            _plane(facts, face // 2, at, 1.0 if face % 2 == 0 else -1.0)
            for face, at in enumerate(state.box)
        ]
    return []


def cut_mm(facts: Facts, axis: int, fraction: float) -> float:
    """Where a fraction of the bounding box lies, LPS mm."""
    return facts.low_mm[axis] + fraction * (facts.high_mm[axis] - facts.low_mm[axis])


def _plane(facts: Facts, axis: int, fraction: float, sign: float) -> vtkPlane:
    # A hair outside: a box of the whole bounding box must cut nothing off.
    at = cut_mm(facts, axis, fraction) - sign * 1e-3
    plane = vtkPlane()
    plane.SetOrigin(*(at if a == axis else 0.0 for a in range(3)))
    plane.SetNormal(*(sign if a == axis else 0.0 for a in range(3)))
    return plane

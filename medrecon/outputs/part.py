"""One structure of a run: its mesh, and everything that was measured of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medrecon.core import Label, Mesh

if TYPE_CHECKING:
    from medrecon.quality.budget import ErrorBudget
    from medrecon.quality.gate import Gate
    from medrecon.quality.observed import Observed
    from medrecon.surface.smooth import SmoothingEffect
    from medrecon.surface.validity import Validity


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A structure as it was written and read back.

    Parameters
    ----------
    label : Label
    mesh : Mesh
        As re-read from its STL.
    volume_ml : float
        Integral of the field's sub-voxel occupancy.
    observed : Observed
        What the image says of the structure.
    validity : Validity
    budget : ErrorBudget
    gate : Gate
    smoothing : SmoothingEffect or None
        What smoothing did, if it was asked for.
    self_intersections : int or None
        Pairs of faces that go through one another, in the file; None if not measured.
    """

    label: Label
    mesh: Mesh
    volume_ml: float
    observed: Observed
    validity: Validity
    budget: ErrorBudget
    gate: Gate
    smoothing: SmoothingEffect | None = None
    self_intersections: int | None = None

    @property
    def words(self) -> str:
        """The verdict in one sentence."""
        parts = (self.gate.verdict.value, self.gate.statement, *self.gate.reasons)
        return "; ".join(parts)

    def statistics(self) -> Mapping[str, Any]:
        """The row of `statistics.json`."""
        low, high = self.mesh.bounds_mm
        return {
            "name": self.label.name,
            "index": self.label.index,
            "color": "#{:02x}{:02x}{:02x}".format(*self.label.color),
            "volume_ml": round(self.volume_ml, 4),
            "mesh_volume_ml": round(self.mesh.volume_mm3 / 1000, 4),
            "area_mm2": round(self.mesh.area_mm2, 2),
            "bounding_box_lps_mm": [low.round(3).tolist(), high.round(3).tolist()],
            "centroid_lps_mm": self.mesh.centroid_mm.round(3).tolist(),
            "mean_hu": _rounded(self.observed.mean_hu),
            "truncated": self.observed.truncated,
            "filled": not self.label.hollow,
            "includes": list(self.label.includes),
            "triangles": len(self.mesh.faces),
        }

    def quality(self) -> Mapping[str, Any]:
        """The row of `quality.json`. What was not measured is absent."""
        v, back, finer = self.validity, self.budget.field_to_mesh, self.budget.finer_voxels
        crossing = self.self_intersections
        return {
            "passed": self.gate.passed,
            "verdict": self.words,
            "watertight": v.closed,
            "manifold": v.manifold,
            "consistent_winding": v.consistent,
            "outward": v.outward,
            **({} if crossing is None else {"self_intersections": crossing}),
            **dataclasses.asdict(v),
            "error_budget_mm": {
                "mesh_to_field": dataclasses.asdict(self.budget.mesh_to_field),
                **({"field_to_mesh": dataclasses.asdict(back)} if back else {}),
                **({"finer_voxels": dataclasses.asdict(finer)} if finer else {}),
                "volume_change": self.budget.volume_change,
                "area_change": self.budget.area_change,
            },
            **({"smoothing": dataclasses.asdict(self.smoothing)} if self.smoothing else {}),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)

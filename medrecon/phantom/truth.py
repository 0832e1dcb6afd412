"""What a phantom holds, exactly: volumes, centroids, landmarks, distances to surfaces."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry
from medrecon.core.geometry import Triple
from medrecon.errors import UsageError
from medrecon.phantom.solid import Solid, distance_mm

SCHEMA_VERSION = 1


class Method(StrEnum):
    """How a volume is known."""

    FORMULA = "formula"
    INTEGRATION = "integration, error below 0.1 %"


@dataclass(frozen=True, slots=True)
class Structure:
    """One structure's truth inside the scanned range.

    Parameters
    ----------
    volume_ml : float
    centroid_mm : tuple of float
        LPS mm.
    truncated : bool
        Whether the range's faces cut it.
    method : Method
    """

    volume_ml: float
    centroid_mm: Triple
    truncated: bool
    method: Method


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Exact content of a phantom, clipped at the outer faces of the grid's border voxels.

    Parameters
    ----------
    kind : str
        "torso" or a shape's name.
    seed : int
    geometry : Geometry
        The grid of the image.
    structures : mapping of str to Structure
        By label name. Skin and bone are solid (bone with its marrow, without the spinal
        canal); lungs end at the main bronchi and the airway at the lungs' surface;
        `kidney_*` is without its tumour, `kidney_*_with_tumor` with it.
    landmarks_mm : mapping of str to point
        LPS mm.
    solids : mapping of str to Solid
        The surfaces themselves, not clipped.
    """

    kind: str
    seed: int
    geometry: Geometry
    structures: Mapping[str, Structure]
    landmarks_mm: Mapping[str, Triple]
    solids: Mapping[str, Solid]

    @property
    def volumes_ml(self) -> dict[str, float]:
        """Volume of every structure."""
        return {name: s.volume_ml for name, s in self.structures.items()}

    def distance_mm(
        self, name: str, points_lps: npt.ArrayLike, *, clipped: bool = True
    ) -> npt.NDArray[np.float64]:
        """(n,) signed distance in mm of (n, 3) LPS points to the structure's surface.

        Positive inside, as every field. With `clipped` the range's faces belong to the
        surface. Within a few mm of the surface the error is second-order (under 1 % of
        the distance); far outside a part of a composite it stops at 10 mm.

        Raises
        ------
        UsageError
            If the phantom holds no such structure.
        """
        points = np.asarray(points_lps, dtype=np.float64)
        distance = distance_mm(self._solid(name), points)
        if not clipped:
            return distance
        index = self.geometry.index_from_mm(points)
        last = np.asarray(self.geometry.shape) - 1
        inside = np.minimum(index + 0.5, last + 0.5 - index) * self.geometry.spacing_mm
        nearest: npt.NDArray[np.float64] = np.minimum(distance, inside.min(axis=1))
        return nearest

    def as_json(self) -> str:
        """The truth as a JSON text that ends in a newline; numbers rounded, keys in order."""
        range_mm = {
            "shape": list(self.geometry.shape),
            "spacing_mm": _rounded(self.geometry.spacing_mm),
            "origin_mm": _rounded(self.geometry.origin_mm),
            "direction": [_rounded(row, 9) for row in self.geometry.direction],
        }
        content: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "kind": self.kind,
            "seed": self.seed,
            "frame": "LPS",
            "clipped_at": "outer faces of the border voxels",
            "grid": range_mm,
            "structures": {name: _row(s) for name, s in self.structures.items()},
            "landmarks_mm": {name: _rounded(p) for name, p in self.landmarks_mm.items()},
        }
        return json.dumps(content, indent=1) + "\n"

    def _solid(self, name: str) -> Solid:
        try:
            return self.solids[name]
        except KeyError:
            known = ", ".join(self.solids)
            raise UsageError(f"the phantom holds no {name!r}; it holds {known}") from None


def _row(structure: Structure) -> dict[str, Any]:
    return {
        # Six digits: well beyond the stated error, short of the last bits of a sum.
        "volume_ml": float(f"{structure.volume_ml:.6g}"),
        "centroid_mm": _rounded(structure.centroid_mm),
        "truncated": structure.truncated,
        "method": structure.method.value,
    }


def _rounded(values: Triple, digits: int = 4) -> list[float]:
    return [round(v, digits) + 0.0 for v in values]

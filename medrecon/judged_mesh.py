"""From one field to a mesh in a file, judged as the file holds it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medrecon.core import Mesh, SoftField
from medrecon.core.threads import second_thread
from medrecon.files.stl import read_stl, save_stl
from medrecon.options import MeshOptions
from medrecon.outputs.part import Part
from medrecon.outputs.segmented import Segmented
from medrecon.quality.budget import FullSurface, measure
from medrecon.quality.gate import verdict
from medrecon.quality.neighbours import Contact, contacts
from medrecon.quality.observed import Observed
from medrecon.quality.volume import field_volume_ml
from medrecon.surface.intersections import self_intersections
from medrecon.surface.simplify import simplify
from medrecon.surface.touching import Surfaces
from medrecon.surface.validity import Validity, judge

if TYPE_CHECKING:
    from medrecon.surface.smooth import SmoothingEffect


SMALL_VOXELS = 500_000
"""Blocks up to this size are meshed side by side: on finer voxels they need 100 MB each."""


def by_size(fields: Sequence[SoftField]) -> tuple[list[SoftField], list[SoftField]]:
    """Those of which each takes all cores and much memory, and those to be meshed side by side."""
    large = [f for f in fields if f.values.size > SMALL_VOXELS]
    return large, [f for f in fields if f.values.size <= SMALL_VOXELS]


def mesh_field(
    field: SoftField, observed: Observed, options: MeshOptions, path: Path, surfaces: Surfaces
) -> Part:
    """Field to surface to file, and back: what is judged is what the file holds."""
    drawn = surfaces.of(field)
    fine, raw = drawn.field, drawn.mesh
    with second_thread() as meanwhile:
        # The second core measures the whole surface while this one makes less of it.
        reference = meanwhile.submit(FullSurface.of, raw)
        volume = meanwhile.submit(field_volume_ml, fine)
        full, smoothed = _smoothed(raw, fine, options)
        simple = simplify(
            full,
            tolerance_mm=options.tolerance_mm,
            target_faces=options.target_faces,
            tree=reference.result().tree if full is raw else None,
        )
        save_stl(simple, path)
        mesh = Mesh(*read_stl(path), field.label)
        validity = judge(mesh)
        crossing = meanwhile.submit(_crossing_pairs, mesh, validity)
        budget = measure(fine, mesh, reference=reference.result(), given=drawn.given)
        volume_ml = volume.result()
    gate = verdict(
        budget,
        is_solid=validity.valid,
        accept_mm=options.accept_mm,
        acquisition_mm=observed.acquisition_mm,
        concerns=observed.concerns,
        crossing_pairs=crossing.result(),
        voxel_mm=max(field.grid.spacing_mm),
    )
    return Part(
        field.label,
        mesh,
        volume_ml,
        observed,
        validity,
        budget,
        gate,
        smoothed,
        self_intersections=crossing.result(),
    )


def touching(parts: Sequence[Part], segmented: Segmented) -> tuple[Contact, ...]:
    """Gap and overlap of neighbours that exclude one another, as their files hold them."""
    found: list[Contact] = []
    for s in segmented.segmentations:
        names = {x.name for x in s.labels}
        own = [p.mesh for p in parts if p.label.name in names and len(p.mesh.faces)]
        if s.exclusive:
            found += contacts(own, reach_mm=max(s.grid.spacing_mm))
    nested = {(x.name, y) for f in segmented.fields for x in (f.label,) for y in x.includes}
    return tuple(c for c in found if not {c.names, c.names[::-1]} & nested)


def _crossing_pairs(mesh: Mesh, validity: Validity) -> int | None:
    """Pairs of faces that go through one another; None where a face has no area."""
    if validity.degenerate_faces:
        return None
    return len(self_intersections(mesh.vertices_mm, mesh.faces))


def _smoothed(
    surface: Mesh, field: SoftField, options: MeshOptions
) -> tuple[Mesh, SmoothingEffect | None]:
    """Smoothed where that was asked for, by half a voxel at most."""
    if options.smooth == "none":
        return surface, None
    from medrecon.surface.smooth import Smoothing, smooth_surface

    return smooth_surface(
        surface, Smoothing(options.smooth), limit_mm=min(field.grid.spacing_mm) / 2
    )

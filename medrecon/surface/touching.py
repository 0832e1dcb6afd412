"""The full surface of each structure: shared where two that exclude one another touch.

Structures that touch, directly or through others, are drawn together (`shared`), the
rest each for itself. Where one of a group is thin, the whole group is drawn on voxels
half as wide; is it too large for that, the thin ones are drawn finer alone, and the
others share what is theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from medrecon.core import Segmentation, SoftField, away_from_zero
from medrecon.core.threads import in_order
from medrecon.surface.extract import extract_surface
from medrecon.surface.shared import extract_shared, winners_of
from medrecon.surface.upsample import MOST_VOXELS, Drawn, finest, is_thin, upsampled
from medrecon.surface.validity import judge

Group = tuple[SoftField, ...]


class Surfaces:
    """Full surfaces, made when they are asked for: of a group all at once.

    Several threads may ask.

    Parameters
    ----------
    segmentations : sequence of Segmentation
        No two of their labels share a name.
    """

    def __init__(self, segmentations: Sequence[Segmentation]) -> None:
        self._group: dict[str, Group] = {}
        self._made: dict[str, Drawn] = {}
        self._lock = Lock()
        for one in segmentations:
            for group in touching_groups(one):
                self._group.update({f.label.name: group for f in group})

    def of(self, field: SoftField) -> Drawn:
        """A structure's field and its full surface, both finer where it is thin; once for each."""
        with self._lock:
            found = self._of_group(field.label.name)
        return found or finest(field, extract_surface(field))

    def _of_group(self, name: str) -> Drawn | None:
        if name not in self._made and name in self._group:
            group = self._group[name]
            for member, found in zip(group, surfaces_of_group(group), strict=True):
                self._group.pop(member.label.name)
                if found is not None:
                    self._made[member.label.name] = found
        return self._made.pop(name, None)


def touching_groups(segmentation: Segmentation) -> tuple[Group, ...]:
    """The fields of labels that exclude one another and touch, by who touches whom.

    A label that lies inside another, which includes it, excludes that one not.
    """
    nested = {name for f in segmentation.fields for name in f.label.includes}
    fields = tuple(f for f in segmentation.fields if f.label.name not in nested)
    if not segmentation.exclusive or len(fields) < 2:
        return ()
    winners, _ = winners_of(fields)
    one, other = _neighbours(winners, len(fields) + 1)
    graph = coo_array((np.ones(len(one)), (one, other)), shape=(len(fields) + 1,) * 2)
    group = connected_components(graph, directed=False)[1][1:]
    members = [np.flatnonzero(group == g) for g in dict.fromkeys(group.tolist())]
    return tuple(tuple(fields[n] for n in own) for own in members if len(own) > 1)


def surfaces_of_group(fields: Group) -> list[Drawn | None]:
    """Field and shared surface of each member; None where it has to be drawn for itself."""
    meshes = extract_shared(fields)
    spacing = fields[0].grid.spacing_mm
    thin = [is_thin(mesh, spacing) for mesh in meshes]
    drawn: list[Drawn | None] = [Drawn(*one) for one in zip(fields, meshes, strict=True)]
    if any(thin) and sum(f.values.size for f in fields) <= MOST_VOXELS:
        finer = _on_finer_grid(fields)
        drawn = [Drawn(*one) for one in zip(finer, extract_shared(finer), meshes, strict=True)]
    elif any(thin):
        thick = tuple(f for f, alone in zip(fields, thin, strict=True) if not alone)
        shared = iter(zip(thick, extract_shared(thick), strict=True))
        drawn = [None if alone else Drawn(*next(shared)) for alone in thin]
    # The rarest cells make a surface that is no solid: that structure is drawn for itself.
    solid = in_order(lambda one: one is not None and judge(one.mesh).valid, drawn)
    return [one if good else None for one, good in zip(drawn, solid, strict=True)]


def _neighbours(winners: npt.NDArray[np.int16], count: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Pairs of labels (numbers from 1) of which a voxel of one lies beside one of the other."""
    pairs = [np.zeros(0, np.int64)]
    for k in range(winners.shape[2]):
        plane, above = winners[:, :, k], winners[:, :, min(k + 1, winners.shape[2] - 1)]
        beside = ((plane[1:], plane[:-1]), (plane[:, 1:], plane[:, :-1]), (plane, above))
        for here, there in beside:
            meet = (here != there) & (here > 0) & (there > 0)
            pairs.append(np.unique(here[meet].astype(np.int64) * count + there[meet]))
    return np.divmod(np.unique(np.concatenate(pairs)), count)


def _on_finer_grid(fields: Group) -> Group:
    """The fields upsampled, on one grid of voxels half as wide, as close as they were.

    Between two samples, one in each of two labels, both fields can be below zero half way.
    Whether a place is in any of them is told by the highest field, upsampled too; where that
    is higher than all, they are raised to it, by as much each, so that none changes against
    another.
    """
    finer = [_finer(f) for f in fields]
    of_any = _finer(_highest(fields))
    missing = np.maximum(of_any.values - _highest(finer).values, 0)
    raised = []
    for field in finer:
        start = np.subtract(field.start, of_any.start)
        box = tuple(slice(s, s + n) for s, n in zip(start, field.values.shape, strict=True))
        raised.append(replace(field, values=away_from_zero(field.values + missing[box])))
    return tuple(raised)


def _finer(field: SoftField) -> SoftField:
    """The field upsampled, as a block of the whole grid upsampled."""
    alone = upsampled(field)
    i, j, k = (2 * s for s in field.start)
    whole = alone.grid.crop((-i, -j, -k), [2 * n for n in field.grid.shape])
    return replace(alone, grid=whole, start=(i, j, k))


def _highest(fields: Sequence[SoftField]) -> SoftField:
    """The highest of the fields, on the smallest box that holds all their blocks."""
    low = np.min([f.start for f in fields], axis=0)
    high = np.max([np.add(f.start, f.values.shape) for f in fields], axis=0)
    lowest = min(float(f.values.min()) for f in fields)
    best = np.full(tuple(high - low), lowest, np.float32, order="F")
    for f in fields:
        start = np.subtract(f.start, low)
        box = tuple(slice(s, s + n) for s, n in zip(start, f.values.shape, strict=True))
        np.maximum(best[box], f.values, out=best[box])
    i, j, k = (int(n) for n in low)
    return SoftField(fields[0].label, best, fields[0].grid, (i, j, k))

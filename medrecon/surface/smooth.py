"""Smoothing that says what it did, and may not do more than it was allowed to.

A low-pass filter takes the roughness off a surface. Here no vertex goes further than a
stated distance, each piece keeps its volume, no triangle is added or lost, and where
smoothing would make the surface run through itself it is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from medrecon.core import Mesh, star_loops
from medrecon.core.compiled import frozen
from medrecon.core.threads import cores, in_parts
from medrecon.errors import UsageError
from medrecon.surface import partition_loops, smooth_loops
from medrecon.surface.intersections import self_intersections
from medrecon.surface.topology import components

Floats = npt.NDArray[np.float64]
Vertices = npt.NDArray[np.float32]
Faces = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Star = tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], npt.NDArray[np.uint32]]

_SMALL = 20_000
"""Vertices below which a second thread costs more than it saves."""

# Wavelengths above about 2π/√0.1 = 20 edges stay: stairs and noise are shorter.
_PASS_BAND = 0.1
_ITERATIONS = 20

# Taubin's factors: a step that shrinks and one that grows a little more; what passes
# is below 1/0.5 − 1/0.53 = 0.11, as above.
_SHRINK, _GROW = 0.5, -0.53

# Each try halves how far the vertices at a crossing may go; after the last they stay.
_TRIES = 4

# Times that volume is put right and the bound enforced, by turns. The second is for
# vertices that reached the bound.
_CORRECTIONS = 3


class Smoothing(Enum):
    """How a surface is smoothed."""

    NONE = "none"
    SINC = "sinc"
    TAUBIN = "taubin"


@dataclass(frozen=True, slots=True)
class SmoothingEffect:
    """What smoothing did, measured on the rounded vertices.

    Parameters
    ----------
    mean_mm, p95_mm, max_mm : float
        Displacement of the vertices.
    volume_change, area_change : float
        Relative to the surface before.
    held_back : int
        Vertices that stayed behind so that the surface does not cross itself.
    """

    mean_mm: float
    p95_mm: float
    max_mm: float
    volume_change: float
    area_change: float
    held_back: int


def smooth_surface(
    mesh: Mesh, method: Smoothing, *, limit_mm: float, iterations: int = _ITERATIONS
) -> tuple[Mesh, SmoothingEffect]:
    """The same triangles, smoother, and what that changed.

    Parameters
    ----------
    mesh : Mesh
        Closed; its scalars are not kept.
    method : Smoothing
        Windowed sinc, or Taubin's alternating steps. NONE returns the mesh.
    limit_mm : float
        No vertex moves further. Half a voxel keeps to what the scan says.
    iterations : int
        Of the filter: a longer one has a sharper pass band.

    Returns
    -------
    mesh : Mesh
        With the faces of `mesh`, vertices rounded to float32. Every piece's volume is
        its old one, as far as the limit allows. No two faces cross that did not before,
        and no face is turned over.
    effect : SmoothingEffect

    Raises
    ------
    UsageError
        If the limit is negative.

    References
    ----------
    Taubin G. A signal processing approach to fair surface design. SIGGRAPH 1995, DOI
    10.1145/218380.218473. Taubin G., Zhang T., Golub G. Optimal surface smoothing as
    filter design. ECCV 1996, DOI 10.1007/BFb0015544 (the windowed sinc).
    """
    if limit_mm < 0:
        raise UsageError(f"a smoothing limit of {limit_mm:g} mm; 0 or more expected")
    if method is Smoothing.NONE or limit_mm == 0 or not len(mesh.faces):
        return mesh, _effect(mesh, mesh, 0)
    vertices, faces = frozen(mesh.vertices_mm, np.float32), frozen(mesh.faces, np.int32)
    # Sums of products keep more digits near zero; a float32 number is taken off exactly.
    centre = vertices.mean(axis=0, dtype=np.float64).astype(np.float32).astype(np.float64)
    before = vertices - centre
    star: Star = star_loops.stars(faces, len(vertices))
    after = _windowed_sinc(before, star, iterations)
    if method is Smoothing.TAUBIN:
        after = _taubin(before, star, iterations)
    # A hair less, so that rounding to float32 does not lead beyond the limit.
    _keep_volume(before, after, faces, star, 0.9999 * limit_mm)
    places, held_back = _without_crossings(before, after, centre, vertices, faces)
    result = Mesh(places, mesh.faces, mesh.label)
    return result, _effect(mesh, result, held_back)


def _at_once(count: int) -> int:
    return cores() if count > _SMALL else 1


def _windowed_sinc(before: Floats, star: Star, iterations: int) -> Floats:
    """Sum of Chebyshev polynomials, each from the two before it."""
    weights = _sinc_weights(iterations)
    now, older, total = before.copy(), np.zeros_like(before), weights[0] * before
    for degree in range(1, iterations + 1):
        work = partial(
            smooth_loops.next_polynomial, now, older, total, star,
            0.5 if degree == 1 else 1.0, weights[degree],
        )  # fmt: skip
        in_parts(work, len(before), threads=_at_once(len(before)))
        now, older = older, now
    return total


@cache
def _sinc_weights(iterations: int) -> tuple[float, ...]:
    """Weights of the polynomials: an ideal low-pass filter's, tapered by Hamming's window.

    The taper lowers what passes at the edge of the band to a half; so the band is widened
    until all passes there. Their sum is 1: what has no wavelength stays.
    """
    edge = float(np.arccos(1 - _PASS_BAND / 2))
    n = np.arange(iterations + 1)
    window = 0.54 + 0.46 * np.cos(n * np.pi / (iterations + 1))

    def weights(wider: float) -> Floats:
        ideal = 2 / np.pi * np.sin(n[1:] * (edge + wider)) / n[1:]
        found: Floats = window * np.concatenate([[(edge + wider) / np.pi], ideal])
        return found

    low, high = 0.0, np.pi - edge
    for _ in range(60):
        middle = (low + high) / 2
        passes = float((weights(middle) * np.cos(n * edge)).sum())
        low, high = (middle, high) if passes < 1 else (low, middle)
    found = weights(low)
    return tuple((found / found.sum()).tolist())


def _taubin(before: Floats, star: Star, iterations: int) -> Floats:
    now, moved = before.copy(), np.empty_like(before)
    for _ in range(iterations // 2):
        for factor in (_SHRINK, _GROW):
            work = partial(smooth_loops.towards_mean, now, moved, star, factor)
            in_parts(work, len(before), threads=_at_once(len(before)))
            now, moved = moved, now
    return now


def _keep_volume(before: Floats, after: Floats, faces: Faces, star: Star, limit_mm: float) -> None:
    """Move `after` along its normals until each piece has its volume again (in place).

    By the same step for a whole piece, and never beyond the limit.
    """
    count = len(before)
    pieces, piece = components(faces, count)
    vector = np.empty_like(before)

    def volumes(places: Floats) -> tuple[Floats, Floats]:
        work = partial(smooth_loops.area_vectors, places, star, vector)
        in_parts(work, count, threads=_at_once(count))
        volume, growth = smooth_loops.volumes(places, vector, piece, pieces)
        return volume, growth

    wanted, _ = volumes(before)
    offset = np.zeros(pieces)
    for attempt in range(_CORRECTIONS + 1):
        # First the bound alone.
        work = partial(smooth_loops.step_outwards, before, after, vector, piece, offset, limit_mm)
        in_parts(work, count, threads=_at_once(count))
        if attempt < _CORRECTIONS:
            volume, growth = volumes(after)
            offset = (wanted - volume) / np.maximum(growth, 1e-30)


def _without_crossings(
    before: Floats, after: Floats, centre: Floats, vertices: Vertices, faces: Faces
) -> tuple[Vertices, int]:
    """Places on the way to `after`, all of it but where faces would cross or turn over.

    And how many vertices these are.
    """
    part = np.ones(len(before))
    # Faces that moved since they were looked at: how they face, and whether they cross.
    moving: Mask = np.ones(len(faces), np.bool_)
    uncrossed = moving
    places = np.empty_like(vertices)
    for attempt in range(_TRIES * 8):
        work = partial(smooth_loops.on_the_way, before, after, part, centre, places)
        in_parts(work, len(before), threads=_at_once(len(before)))
        bad = _turned(vertices, places, faces, moving)
        turned = bool(bad.any())
        if not turned:
            among = None if uncrossed.all() else uncrossed
            bad[self_intersections(places, faces, among=among)] = True
        if not bad.any():
            break
        moved = _corners(bad, faces, len(before))
        # Each try takes one more ring of neighbours along: two smooth steps join softly.
        moved |= _corners(_beside(moved, faces), faces, len(before))
        moved &= part > 0
        if not moved.any():
            break
        part[moved] = part[moved] / 2 if attempt < _TRIES else 0
        moving = _beside(moved, faces)
        # Crossings are only looked for once no face is turned over any more.
        uncrossed = moving | uncrossed if turned else moving
    return places, int(np.count_nonzero(part < 1))


def _corners(marked: Mask, faces: Faces, count: int) -> Mask:
    found = np.zeros(count, np.bool_)
    found[faces[np.flatnonzero(marked)]] = True
    return found


def _beside(marked: Mask, faces: Faces) -> Mask:
    known = frozen(marked, np.bool_)

    def work(first: int, stop: int) -> Mask:
        touched: Mask = partition_loops.touching(known, faces[first:stop])
        return touched

    return np.concatenate(in_parts(work, len(faces), threads=_at_once(len(faces))))


def _turned(before: Vertices, after: Vertices, faces: Faces, among: Mask) -> Mask:
    """Faces that look to the other side than they did, or have no area."""
    found: Mask = np.empty(len(faces), np.bool_)
    work = partial(smooth_loops.turned, before, after, faces, among, found)
    in_parts(work, len(faces), threads=_at_once(len(faces)))
    return found


def _effect(before: Mesh, after: Mesh, held_back: int) -> SmoothingEffect:
    if not len(before.faces):
        return SmoothingEffect(0.0, 0.0, 0.0, 0.0, 0.0, 0)
    way = np.linalg.norm(after.vertices_mm - before.vertices_mm.astype(np.float64), axis=1)
    (old, old_area), (new, new_area) = (
        smooth_loops.volume_and_area(frozen(m.vertices_mm, np.float32), frozen(m.faces, np.int32))
        for m in (before, after)
    )
    return SmoothingEffect(
        mean_mm=float(way.mean()),
        p95_mm=float(np.percentile(way, 95)),
        max_mm=float(way.max()),
        volume_change=float(new / old - 1),
        area_change=float(new_area / old_area - 1),
        held_back=held_back,
    )

"""Directions all round a point, and the smoothest choice of one number for each."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

SUBDIVISIONS = 3
"""642 directions, 4.5° apart on average: a lobe a tenth as wide as its tumour is seen."""

MOST_NEIGHBOURS = 6
MOST_APART = 8
"""Levels; a larger difference between neighbours costs no more."""


@cache
def directions() -> tuple[npt.NDArray[np.float64], Indices]:
    """Unit vectors of a subdivided icosahedron, (n, 3), and its triangles, (m, 3)."""
    t = (1 + 5**0.5) / 2
    corners: list[tuple[float, float, float]]
    corners = [(-1, t, 0), (1, t, 0), (-1, -t, 0), (1, -t, 0), (0, -1, t), (0, 1, t)]
    corners += [(0, -1, -t), (0, 1, -t), (t, 0, -1), (t, 0, 1), (-t, 0, -1), (-t, 0, 1)]
    points = [np.array(c) / np.linalg.norm(c) for c in corners]
    # The twenty triangles are the triples of corners at the shortest distance.
    near = [[j for j in range(12) if i != j and points[i] @ points[j] > 0.4] for i in range(12)]
    faces = [
        (i, j, k) for i in range(12) for j in near[i] for k in near[j] if i < j < k and k in near[i]
    ]
    for _ in range(SUBDIVISIONS):
        faces = _split(points, faces)
    return np.array(points), np.array(faces)


def _split(
    points: list[npt.NDArray[np.float64]], faces: list[tuple[int, int, int]]
) -> list[tuple[int, int, int]]:
    """Four triangles for each; the new corners are appended to `points`."""
    middles: dict[tuple[int, int], int] = {}

    def middle(a: int, b: int) -> int:
        key = (min(a, b), max(a, b))
        if key not in middles:
            m = points[a] + points[b]
            middles[key] = len(points)
            points.append(m / np.linalg.norm(m))
        return middles[key]

    result = []
    for a, b, c in faces:
        x, y, z = middle(a, b), middle(b, c), middle(c, a)
        result += [(a, x, z), (b, y, x), (c, z, y), (x, y, z)]
    return result


@cache
def _neighbours() -> tuple[Indices, npt.NDArray[np.bool_], Indices]:
    """Each direction's neighbours, which of the six are real, and its place among theirs."""
    points, faces = directions()
    pairs = {(int(x), int(y)) for a, b, c in faces for x, y in ((a, b), (b, c), (c, a))}
    lists: list[list[int]] = [[] for _ in points]
    for x, y in sorted(pairs | {(y, x) for x, y in pairs}):
        lists[x].append(y)
    real = np.array([[n < len(ys) for n in range(MOST_NEIGHBOURS)] for ys in lists])
    table = np.array([ys + ys[-1:] * (MOST_NEIGHBOURS - len(ys)) for ys in lists])
    back = np.array([[lists[y].index(x) for y in row] for x, row in enumerate(table)])
    return table, real, back


def smoothest(cost: Floats, weight: float, rounds: int) -> Indices:
    """One level for each direction: cheap there, and like its neighbours'.

    Minimises the sum of costs and of `weight` × (difference of levels)² between
    neighbours, differences over eight levels counting as eight, by passing messages on
    the sphere's triangulation (min-sum belief propagation, damped by half; no optimum is
    guaranteed on a graph with loops, but close ones are usual).

    Parameters
    ----------
    cost : ndarray of float32, shape (n, levels)
    weight : float
    rounds : int

    Returns
    -------
    ndarray of int, shape (n,)

    References
    ----------
    Felzenszwalb P, Huttenlocher D. Efficient belief propagation for early vision. Int J
    Comput Vis 2006, DOI 10.1007/s11263-006-7899-4.
    """
    table, real, back = _neighbours()
    own = np.ascontiguousarray(cost.T)
    apart = (np.arange(MOST_APART + 1) ** 2 * weight).astype(np.float32)
    belief, said = own, np.zeros((len(own), table.size), np.float32)
    for _ in range(rounds):
        # Each neighbour's belief without what it was told by the direction itself.
        told = belief.take(table.ravel(), axis=1)
        told -= said.take((table * MOST_NEIGHBOURS + back).ravel(), axis=1)
        said += _passed_on(told, apart)
        said /= 2
        said *= real.ravel()
        belief = own.copy()
        for n in range(MOST_NEIGHBOURS):
            belief += said[:, n::MOST_NEIGHBOURS]
    return np.asarray(belief.argmin(axis=0))


def _passed_on(told: Floats, apart: Floats) -> Floats:
    """For each level (rows) the cheapest of all, what it is apart added; the least is 0."""
    lowest = told.min(axis=0)
    best = np.minimum(told, lowest + apart[-1])
    for off in range(1, len(apart) - 1):
        more = told + apart[off]
        np.minimum(best[:-off], more[off:], out=best[:-off])
        np.minimum(best[off:], more[:-off], out=best[off:])
    best -= lowest
    return np.asarray(best)


def relaxed(values: npt.NDArray[np.float64], passes: int = 2) -> npt.NDArray[np.float64]:
    """Each direction's value halfway to the mean of its neighbours', `passes` times."""
    table, real, _ = _neighbours()
    for _ in range(passes):
        around = (values[table] * real).sum(axis=1) / real.sum(axis=1)
        values = (values + around) / 2
    return values

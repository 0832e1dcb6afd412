"""The 256 ways of a surface through a cell: closed across faces, outward, no side in a face."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from medrecon.surface.cell_cases import EDGES, cases, face_nodes

MIDDLE = np.array([[(n >> a & 1) + (m >> a & 1) for a in range(3)] for n, m in EDGES]) / 2


def triangles(case):
    return cases().edges[case, : 3 * cases().triangles[case]].reshape(-1, 3).tolist()


def rim(case):
    """Directed sides of triangles that no other triangle of the cell runs back along."""
    sides = Counter((t[n], t[(n + 1) % 3]) for t in triangles(case) for n in range(3))
    assert max(sides.values(), default=1) == 1
    return {side for side in sides if side[::-1] not in sides}


def in_a_face(side):
    return any(set(side) <= set(face_nodes(face)[1]) for face in range(6))


@pytest.mark.parametrize("case", range(256))
def test_a_cell_has_a_vertex_on_every_edge_that_is_crossed_and_on_no_other(case):
    crossed = {e for e, (n, m) in enumerate(EDGES) if (case >> n ^ case >> m) & 1}
    assert {edge for t in triangles(case) for edge in t} == crossed
    sides = {frozenset((t[n], t[(n + 1) % 3])) for t in triangles(case) for n in range(3)}
    outer = {frozenset(side) for side in rim(case)}
    # The rim lies in the faces, and nothing else does.
    assert {side for side in sides if in_a_face(side)} == outer


def test_two_cells_beside_one_another_have_the_same_lines_in_the_face_between_them():
    for axis in range(3):
        low, high = ([c for c in range(8) if c >> axis & 1 == side] for side in (0, 1))
        for pattern in range(16):
            here = sum((pattern >> n & 1) << c for n, c in enumerate(high))
            there = sum((pattern >> n & 1) << c for n, c in enumerate(low))
            shift = np.eye(3)[axis]
            lines = [
                {tuple(map(tuple, MIDDLE[list(side)] - off)) for side in rim(case)
                 if set(side) <= set(face_nodes(2 * axis + at)[1])}
                for case, at, off in ((here, 1, shift), (there, 0, 0 * shift))
            ]  # fmt: skip
            assert lines[0] == {side[::-1] for side in lines[1]}


def test_a_corner_alone_is_cut_off_by_a_triangle_that_looks_away_from_it():
    for corner in range(8):
        ((a, b, c),) = triangles(1 << corner)
        normal = np.cross(MIDDLE[b] - MIDDLE[a], MIDDLE[c] - MIDDLE[a])
        inner = np.array([corner >> axis & 1 for axis in range(3)])
        assert normal @ (MIDDLE[a] - inner) > 0
        ((a, b, c),) = triangles(255 ^ 1 << corner)
        normal = np.cross(MIDDLE[b] - MIDDLE[a], MIDDLE[c] - MIDDLE[a])
        assert normal @ (MIDDLE[a] - inner) < 0


def test_inside_corners_that_lie_crosswise_are_parted():
    # Two corners across a face: two triangles, not one band of four.
    assert len(triangles(0b1001)) == 2
    assert len(triangles(255 ^ 0b1001)) == 4

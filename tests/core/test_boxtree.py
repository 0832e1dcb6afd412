import numpy as np
import pytest

from medrecon.core.boxtree import LEAF, BoxTree


def triangles(count, seed):
    rng = np.random.default_rng(seed)
    size = rng.uniform(0.1, 3, (count, 1, 1))
    corners = rng.uniform(-9, 9, (count, 1, 3)) + rng.uniform(-1, 1, (count, 3, 3)) * size
    return corners.astype(np.float32).reshape(-1, 3), np.arange(3 * count, dtype=np.int32)


def nearest_by_sampling(corners, points, steps=200):
    """Distance to the nearest of many points in each triangle: an upper bound."""
    u, v = np.meshgrid(np.linspace(0, 1, steps), np.linspace(0, 1, steps))
    inside = u + v <= 1 + 1e-12
    u, v = u[inside], v[inside]
    best = np.full(len(points), np.inf)
    for a, b, c in corners.astype(float):
        on = a + u[:, None] * (b - a) + v[:, None] * (c - a)
        best = np.minimum(best, np.linalg.norm(points[:, None] - on, axis=2).min(axis=1))
    return best


def test_distance_to_one_triangle_by_hand():
    # Right angle at the origin, sides 4 and 4.
    tree = BoxTree.of(np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0]], "f4"), np.array([[0, 1, 2]]))
    points = [[1, 1, 3], [-3, -4, 0], [7, 0, 4], [2, -2, 0], [3, 3, 0], [0, 6, 0], [-1, 2, 0]]
    # Over the inside; corner 3-4-5 twice; side; half of sqrt 2 past x + y = 4; corner; side.
    expected = [3, 5, 5, 2, np.sqrt(2), 2, 1]
    assert tree.distance_mm(points) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("count", [1, LEAF, LEAF + 1, 37])
def test_the_nearest_of_many_triangles_is_found(count):
    vertices, index = triangles(count, count)
    faces = index.reshape(-1, 3)
    points = np.random.default_rng(9).uniform(-12, 12, (40, 3))
    found = BoxTree.of(vertices, faces).distance_mm(points)
    bound = nearest_by_sampling(vertices[faces], points)
    assert (found <= bound + 1e-9).all()
    # Sides are up to 10 mm long, sampled every 0.05: no nearer than half of that.
    assert (found >= bound - 0.05).all()


def test_beyond_is_what_distance_says():
    vertices, index = triangles(50, 3)
    tree = BoxTree.of(vertices, index.reshape(-1, 3))
    points = np.random.default_rng(4).uniform(-12, 12, (300, 3))
    assert (tree.beyond(points, 2.5) == (tree.distance_mm(points) > 2.5)).all()


def test_flat_triangles_have_a_distance_too():
    tree = BoxTree.of(np.array([[0, 0, 0], [2, 0, 0], [1, 0, 0]], "f4"), np.array([[0, 1, 2]]))
    assert tree.distance_mm([[1, 3, 0], [5, 4, 0]]) == pytest.approx([3, 5])


def test_without_triangles_everything_is_infinitely_far():
    tree = BoxTree.of(np.zeros((0, 3), "f4"), np.zeros((0, 3), "i4"))
    assert np.isinf(tree.distance_mm([[0, 0, 0]])).all()


def test_flat_triangles_are_segments_and_points():
    # A point, three corners in a row in every order, two corners in one place.
    row = [[0, 0, 0], [1, 0, 0], [4, 0, 0]]
    flat = [[row[0]] * 3, row, row[::-1], [row[1], row[0], row[2]], [row[0], row[0], row[2]]]
    flat += [[row[0], row[2], row[0]], [row[0], row[2], row[2]]]
    points = np.random.default_rng(5).uniform(-2, 6, (400, 3))
    points[:50] = 0
    for corners in flat:
        tree = BoxTree.of(np.array(corners, "f4"), np.array([[0, 1, 2]]))
        along = np.clip(points[:, 0], 0, max(c[0] for c in corners))
        truth = np.linalg.norm(points - along[:, None] * [1, 0, 0], axis=1)
        assert tree.distance_mm(points) == pytest.approx(truth, abs=1e-9), corners


def test_the_nearest_place_by_hand():
    tree = BoxTree.of(np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0]], "f4"), np.array([[0, 1, 2]]))
    points = [[1, 1, 3], [-3, -4, 0], [7, 0, 4], [2, -2, 0], [3, 3, 0]]
    expected = [[1, 1, 0], [0, 0, 0], [4, 0, 0], [2, 0, 0], [2, 2, 0]]
    assert tree.nearest_mm(points) == pytest.approx(np.array(expected, float), abs=1e-12)


def test_the_nearest_place_is_as_far_as_the_distance_says():
    vertices, index = triangles(37, 5)
    tree = BoxTree.of(vertices, index.reshape(-1, 3))
    points = np.random.default_rng(2).uniform(-12, 12, (60, 3))
    places = tree.nearest_mm(points)
    assert np.linalg.norm(places - points, axis=1) == pytest.approx(tree.distance_mm(points))
    # In float64, on triangles of float32 corners.
    assert tree.distance_mm(places).max() < 1e-9


def test_without_triangles_nothing_is_nearest():
    tree = BoxTree.of(np.zeros((0, 3), "f4"), np.zeros((0, 3), "i4"))
    with pytest.raises(ValueError, match="without triangles"):
        tree.nearest_mm([[0, 0, 0]])

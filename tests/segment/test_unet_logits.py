"""Logits come back to the image's own grid with every surface in its place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from medrecon.core import Geometry, Label, SoftField
from medrecon.errors import GeometryError
from medrecon.models.grid import network_grid
from medrecon.models.manifest import Components, Head, ModelLabel, Sampling
from medrecon.segmentation.axis_map import cubic_weights
from medrecon.segmentation.logits import LogitMap, fields_from_logits
from medrecon.segmentation.stores import AllLogits, TopLogits

BIG, SMALL = Label(1, "big"), Label(2, "small")
BIG_CENTRE, SMALL_CENTRE = np.array([8.0, -6.0, 4.0]), np.array([-20.0, 10.0, -12.0])
BIG_RADIUS, SMALL_RADIUS = 15.0, 9.0


def oblique() -> Geometry:
    """An image turned about two axes, not cubic, axes not in LPS order."""
    a, b = np.radians(12), np.radians(-8)
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    rz = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    turned = (rz @ rx)[:, [1, 0, 2]] * [1, -1, 1]
    affine = np.eye(4)
    affine[:3, :3] = turned * [0.9, 1.1, 2.0]
    shape = np.array([80, 70, 40])
    affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2)
    return Geometry.from_affine(affine, tuple(shape))


def positions(geometry: Geometry) -> np.ndarray:
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    return geometry.mm_from_index(index.reshape(-1, 3)).reshape(*geometry.shape, 3)


def inside_mm(geometry: Geometry, centre: np.ndarray, radius: float) -> np.ndarray:
    """Signed distance to a ball's surface, positive inside."""
    distance = np.linalg.norm(positions(geometry) - centre, axis=-1)
    return (radius - distance).astype(np.float32)


def ball_logits(grid: Geometry, *extra: np.ndarray) -> np.ndarray:
    """Background 0, each ball's logit its signed distance in mm."""
    big = inside_mm(grid, BIG_CENTRE, BIG_RADIUS)
    small = inside_mm(grid, SMALL_CENTRE, SMALL_RADIUS)
    return np.stack([np.zeros_like(big), big, small, *extra])


def whole(field: SoftField) -> np.ndarray:
    full = np.full(field.grid.shape, -1e3, np.float32)
    full[field.slices] = field.values
    return full


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "SAR"])
def test_balls_come_back_to_their_place_in_an_oblique_image(orientation: str) -> None:
    image = oblique()
    grid = network_grid(image, Sampling((3.0, 3.0, 3.0), orientation, (8, 8, 8)))
    logits = LogitMap(AllLogits(ball_logits(grid)), grid, Head.SOFTMAX)
    labels = [ModelLabel(1, BIG), ModelLabel(2, SMALL)]
    fields, findings = fields_from_logits(logits, image, labels)
    assert [f.label.name for f in fields] == ["big", "small"]
    assert findings == {}
    for field, centre, radius in zip(
        fields, (BIG_CENTRE, SMALL_CENTRE), (BIG_RADIUS, SMALL_RADIUS), strict=True
    ):
        truth = inside_mm(image, centre, radius)
        near = np.abs(truth) < 2
        # Keys' kernel leaves a third-order error: the distance's third derivative is about
        # 3/r², so at most ~ h³·3/(r²·24) = 0.04 mm at h = 3 mm and r = 9 mm.
        assert np.abs(whole(field)[near] - truth[near]).max() < 0.05
        assert (whole(field)[truth < -12] < 0).all()


def test_exclusive_labels_meet_in_one_surface() -> None:
    image = Geometry((40, 40, 40), (1.0, 1.0, 1.0), (0, 0, 0))
    grid = network_grid(image, Sampling((2.5, 2.5, 2.5), "LPS", (8, 8, 8)))
    x = positions(grid)[..., 0].astype(np.float32)
    # Two halves along x with their plane at x = 20.3 mm; background wins nowhere.
    logits = np.stack([np.full_like(x, -100), 20.3 - x, x - 20.3]).astype(np.float32)
    fields, _ = fields_from_logits(
        LogitMap(AllLogits(logits), grid, Head.SOFTMAX),
        image,
        [ModelLabel(1, BIG), ModelLabel(2, SMALL)],
    )
    one, two = (whole(f) for f in fields)
    # Near their common plane the two fields are each other's negative: no gap, no overlap.
    between = slice(15, 26)
    assert np.allclose(one[between], -two[between], atol=1e-3)
    line = one[:, 20, 20]
    crossing = np.flatnonzero((line[:-1] > 0) & (line[1:] < 0))
    assert crossing.tolist() == [20]
    assert 20 + line[20] / (line[20] - line[21]) == pytest.approx(20.3, abs=1e-3)


def test_sigmoid_labels_may_overlap_and_each_has_its_own_zero() -> None:
    image = Geometry((40, 40, 40), (1.0, 1.0, 1.0), (-19.5, -19.5, -19.5))
    grid = network_grid(image, Sampling((2.0, 2.0, 2.0), "RAS", (8, 8, 8)))
    outer = inside_mm(grid, np.zeros(3), 14.0)
    inner = inside_mm(grid, np.zeros(3), 8.0)
    labels = [ModelLabel(0, BIG), ModelLabel(1, SMALL)]
    fields, _ = fields_from_logits(
        LogitMap(AllLogits(np.stack([outer, inner])), grid, Head.SIGMOID), image, labels
    )
    both = (whole(fields[0]) > 0) & (whole(fields[1]) > 0)
    assert both.sum() == (whole(fields[1]) > 0).sum()
    truth = inside_mm(image, np.zeros(3), 14.0)
    near = np.abs(truth) < 2
    assert np.abs(whole(fields[0])[near] - truth[near]).max() < 0.03


def test_a_loose_part_is_dropped_only_by_the_rule_and_reported_in_mm3() -> None:
    image = oblique()
    grid = network_grid(image, Sampling((3.0, 3.0, 3.0), "LPS", (8, 8, 8)))
    big = inside_mm(grid, BIG_CENTRE, BIG_RADIUS)
    speck = inside_mm(grid, SMALL_CENTRE, 6.0)
    logits = LogitMap(
        AllLogits(np.stack([np.zeros_like(big), np.maximum(big, speck)])), grid, Head.SOFTMAX
    )

    kept, findings = fields_from_logits(logits, image, [ModelLabel(1, BIG, Components.ALL)])
    assert ndimage.label(whole(kept[0]) > 0)[1] == 2
    assert findings == {}

    kept, findings = fields_from_logits(logits, image, [ModelLabel(1, BIG, Components.LARGEST)])
    assert ndimage.label(whole(kept[0]) > 0)[1] == 1
    (text,) = findings["big"]
    assert text.startswith("dropped 1 loose parts")
    # 4/3·π·6³ = 905 mm³, counted in the network's voxels of 27 mm³.
    assert float(text.split(", ")[1].split()[0]) == pytest.approx(905, rel=0.15)


def test_a_label_that_is_nowhere_has_no_field_and_a_finding() -> None:
    image = oblique()
    grid = network_grid(image, Sampling((3.0, 3.0, 3.0), "LPS", (8, 8, 8)))
    logits = ball_logits(grid)
    logits[2] = -10
    fields, findings = fields_from_logits(
        LogitMap(AllLogits(logits), grid, Head.SOFTMAX),
        image,
        [ModelLabel(1, BIG), ModelLabel(2, SMALL)],
    )
    assert [f.label.name for f in fields] == ["big"]
    assert findings == {"small": ("not found by the network",)}


def test_a_label_cut_by_the_border_reaches_it() -> None:
    image = Geometry((30, 30, 30), (1.0, 1.0, 1.0), (0, 0, 0))
    grid = network_grid(image, Sampling((3.0, 3.0, 3.0), "LPS", (8, 8, 8)))
    ball = inside_mm(grid, np.array([0.0, 15.0, 15.0]), 10.0)
    logits = LogitMap(AllLogits(np.stack([np.zeros_like(ball), ball])), grid, Head.SOFTMAX)
    fields, _ = fields_from_logits(logits, image, [ModelLabel(1, BIG)])
    assert fields[0].start[0] == 0
    assert (fields[0].values[0] > 0).any()
    assert all((fields[0].values.take(end, axis) < 0).all() for axis in (1, 2) for end in (0, -1))


def test_no_value_is_exactly_zero() -> None:
    image = Geometry((16, 16, 16), (1.0, 1.0, 1.0), (0, 0, 0))
    grid = network_grid(image, Sampling(None, "LPS", (8, 8, 8)))
    # A plane exactly on voxel centres x = 8.
    x = positions(grid)[..., 0].astype(np.float32)
    logits = LogitMap(AllLogits(np.stack([np.zeros_like(x), 8 - x])), grid, Head.SOFTMAX)
    fields, _ = fields_from_logits(logits, image, [ModelLabel(1, BIG)])
    assert (fields[0].values != 0).all()


def test_grids_that_are_not_parallel_are_refused() -> None:
    grid = Geometry((8, 8, 8), (3.0, 3.0, 3.0), (0, 0, 0))
    logits = LogitMap(AllLogits(np.zeros((2, 8, 8, 8), np.float32)), grid, Head.SOFTMAX)
    with pytest.raises(GeometryError, match="not parallel"):
        fields_from_logits(logits, oblique(), [])


def test_cubic_weights_keep_samples_and_reproduce_quadratics() -> None:
    x = np.linspace(2, 7, 41)
    weights = cubic_weights(x, 10)
    assert np.allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert np.allclose(weights[::8], np.eye(10)[2:8], atol=1e-6)
    samples = (np.arange(10) - 4.2) ** 2
    assert np.allclose(weights @ samples, (x - 4.2) ** 2, atol=1e-4)


def test_keeping_only_the_largest_logits_moves_no_surface() -> None:
    image = oblique()
    grid = network_grid(image, Sampling((3.0, 3.0, 3.0), "LPS", (8, 8, 8)))
    far = np.full(grid.shape, -50, np.float32)
    values = ball_logits(grid, far, far - 1, far - 2)
    few = TopLogits.empty(len(values), grid.shape)
    few.write(0, 0, torch.from_numpy(values[:, :5].copy()))
    few.write(5, 0, torch.from_numpy(values[:, 5:].copy()))
    labels = [ModelLabel(1, BIG), ModelLabel(2, SMALL), ModelLabel(4, Label(4, "nowhere"))]
    exact, _ = fields_from_logits(LogitMap(AllLogits(values), grid, Head.SOFTMAX), image, labels)
    kept, findings = fields_from_logits(LogitMap(few, grid, Head.SOFTMAX), image, labels)
    assert findings == {"nowhere": ("not found by the network",)}
    for a, b in zip(exact, kept, strict=True):
        assert (a.start, a.values.shape) == (b.start, b.values.shape)
        # float16 near a logit of 15 has steps of 2⁻⁷, so the difference of two is off by
        # at most 2⁻⁷; the kernel's weights sum to at most 1.5 in absolute value along an axis.
        assert np.abs(a.values - b.values).max() < 2**-7 * 1.5**3


def test_large_logits_that_differ_little_keep_their_order() -> None:
    # At 1000, float16 has steps of 0.5; the two labels differ by 0.09.
    image = Geometry((12, 10, 8), (1.0, 1.0, 1.0), (0, 0, 0))
    x = positions(image)[..., 0].astype(np.float32)
    values = np.full((6, *image.shape), -1000.0, np.float32)
    values[1] = np.where(x < 6, 1000.09, 1000.0)
    values[2] = np.where(x < 6, 1000.0, 1000.09)
    few = TopLogits.empty(6, image.shape)
    few.write(0, 0, torch.from_numpy(values))
    labels = [ModelLabel(1, BIG), ModelLabel(2, SMALL)]
    fields, _ = fields_from_logits(LogitMap(few, image, Head.SOFTMAX), image, labels)
    one, two = (whole(f) > 0 for f in fields)
    assert (one == (x < 6)).all()
    assert (two == (x >= 6)).all()


def test_nothing_is_found_beyond_a_cropped_grid() -> None:
    image = Geometry((30, 30, 30), (1.0, 1.0, 1.0), (0, 0, 0))
    # The network saw 9 ≤ x < 21 only: voxels of 1.5 mm whose first centre lies at 9.75 − ½.
    grid = Geometry((8, 20, 20), (1.5, 1.5, 1.5), (9.25, 0.25, 0.25))
    ball = inside_mm(grid, np.array([15.0, 15.0, 15.0]), 10.0)
    logits = LogitMap(AllLogits(np.stack([np.zeros_like(ball), ball])), grid, Head.SOFTMAX, True)
    (field,), _ = fields_from_logits(logits, image, [ModelLabel(1, BIG)])
    inside = np.argwhere(field.values > 0) + field.start
    # Edges at 8.5 and 20.5 mm.
    assert (inside[:, 0].min(), inside[:, 0].max()) == (9, 20)
    # The surface at the cut runs half way to the next voxel, and nothing touches the block.
    middle = field.values[:, 15 - field.start[1], 15 - field.start[2]]
    assert middle[0] == -middle[1]
    assert all((field.values.take(end, axis) < 0).all() for axis in range(3) for end in (0, -1))

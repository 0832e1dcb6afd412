"""Analytic shapes: their formulas agree with their fields, and they can tell a mirror."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from medrecon.core import Geometry
from medrecon.phantom import PhantomKind, scan_shape, shapes, write_phantom
from medrecon.phantom.render import contains, occupancy
from medrecon.phantom.scanner import Scanner
from medrecon.phantom.shape_scan import shape_geometry, shape_truth
from medrecon.phantom.shapes import Shape

SHAPES = (
    shapes.make_sphere(),
    shapes.make_torus(),
    shapes.make_torus(axis=(0.6, 0.0, 0.8)),
    shapes.make_shell(),
    shapes.make_box(),
    shapes.make_screw(),
    shapes.make_letter_f(),
)


def _grid(shape: Shape, spacing: tuple[float, float, float]) -> Geometry:
    high = shape.solid.high_mm
    low = shape.solid.low_mm
    half = tuple(max(abs(a), abs(b)) for a, b in zip(low, high, strict=True))
    return shape_geometry(3.0, half, spacing)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
def test_the_formula_agrees_with_the_integral_of_the_field(shape: Shape) -> None:
    grid = _grid(shape, (0.7, 0.6, 0.5))
    share = occupancy(shape.solid, grid, 4)
    volume = share.sum(dtype=float) * grid.voxel_volume_mm3 / 1000
    assert volume == pytest.approx(shape.volume_ml, rel=1e-3)
    total = share.sum(dtype=float)
    index = [float((share * i).sum(dtype=float)) / total for i in np.indices(grid.shape)]
    assert np.allclose(grid.mm_from_index([index])[0], shape.centroid_mm, atol=0.01)


def test_volumes_by_hand() -> None:
    # 4/3 π 20³ = 33,510 mm³; 2 π² 20·36 = 14,212 mm³; 33,510 − 4/3 π 18³ (24,429) = 9,081 mm³;
    # box 30·20·12 = 7,200 mm³; screw 36 π (16 + 0.18) = 1,829.9 mm³; F: 4³ mm³ times
    # stem 2·2·10 + top bar 4·2·2 + middle bar 2.5·2·2 + peg 2·1.5·2 = 72 units³ = 4,608 mm³.
    volumes = {s.name: s.volume_ml for s in SHAPES}
    assert volumes == pytest.approx(
        {
            "sphere": 33.510,
            "torus": 14.212,
            "shell": 9.081,
            "box": 7.2,
            "screw": 1.8299,
            "letter-f": 4.608,
        },
        abs=1e-3,
    )


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
@pytest.mark.parametrize("swap", ["x", "y", "z", "xy"])
def test_only_the_chiral_shapes_notice_a_flip(shape: Shape, swap: str) -> None:
    grid = Geometry((61, 61, 61), (0.8, 0.8, 0.8), (-24, -24, -24))
    mask = contains(shape.solid, grid)
    flipped = {
        "x": mask[::-1],
        "y": mask[:, ::-1],
        "z": mask[:, :, ::-1],
        "xy": mask.transpose(1, 0, 2),
    }[swap]
    differs = np.count_nonzero(mask != flipped) / np.count_nonzero(mask) > 0.01
    if shape.name in ("letter-f", "screw"):
        assert differs
    elif shape.name == "sphere":
        assert not differs


def test_no_turn_brings_a_mirrored_f_back() -> None:
    grid = Geometry((41, 41, 41), (1.2, 1.2, 1.2), (-24, -24, -24))
    mask = contains(shapes.make_letter_f().solid, grid)
    turns = [
        np.rot90(np.rot90(np.rot90(mask, a, (0, 1)), b, (0, 2)), c, (1, 2))
        for a in range(4)
        for b in range(4)
        for c in range(4)
    ]
    mirrored = mask[::-1]
    assert min(np.count_nonzero(t != mirrored) for t in turns) > 0.05 * np.count_nonzero(mask)
    assert min(np.count_nonzero(t != mask) for t in turns) == 0


def test_the_screw_turns_to_the_right() -> None:
    # A right-handed thread: a quarter turn from +x to +y as z rises by a quarter of the pitch.
    screw = shapes.make_screw(pitch_mm=3.0)
    angles = [0.0, math.pi / 2, math.pi]
    points = np.array(
        [[4.6 * math.cos(a), 4.6 * math.sin(a), 3 * a / (2 * math.pi)] for a in angles]
    )
    assert np.abs(screw.solid.field(*points.T)).max() < 1e-5


def test_the_truth_of_a_shell_knows_both_its_surfaces() -> None:
    shape = shapes.make_shell(20, 2)
    truth = shape_truth(shape, _grid(shape, (1, 1, 1)))
    points = [[0, 0, 21], [0, 19, 0], [17.5, 0, 0]]
    assert np.allclose(truth.distance_mm("shell", points), [-1, 1, -0.5], atol=1e-3)


def test_a_shape_that_leaves_the_range_is_clipped_at_the_voxel_edges() -> None:
    # Voxel centres from 0.5 to 24.5 mm above the middle: the range begins at z = 0 exactly.
    grid = Geometry((50, 50, 25), (1, 1, 1), (-24.5, -24.5, 0.5))
    truth = shape_truth(shapes.make_sphere(20), grid)
    half = truth.structures["sphere"]
    assert half.truncated
    assert half.volume_ml == pytest.approx(33.5103 / 2, rel=5e-4)
    # Centroid of a half ball: 3/8 of its radius.
    assert np.allclose(half.centroid_mm, (0, 0, 7.5), atol=0.01)
    inside = truth.distance_mm("sphere", [[0, 0, 1.0]])
    assert np.allclose(inside, 1.0)
    assert np.allclose(truth.distance_mm("sphere", [[0, 0, 1.0]], clipped=False), 19.0, atol=1e-3)


def test_the_scanner_options_change_the_image() -> None:
    shape = shapes.make_sphere(8)
    grid = _grid(shape, (1, 1, 1))

    def values(scanner: Scanner) -> np.ndarray:
        return scan_shape(shape, grid, scanner=scanner).volume.array.astype(float)

    still = values(Scanner((0, 0, 0), 0))
    soft = values(Scanner((1.5, 1.5, 1.5), 0))
    loud = values(Scanner((0, 0, 0), 30))
    assert np.abs(soft - still).max() > 100
    assert (loud - still)[:4].std() > 10
    assert not np.array_equal(values(Scanner((0, 0, 0), 0, supersampling=1)), still)


@pytest.mark.parametrize("kind", [k for k in PhantomKind if k is not PhantomKind.TORSO])
def test_every_kind_is_written_with_its_truth(tmp_path: Path, kind: PhantomKind) -> None:
    phantom = write_phantom(kind, tmp_path, seed=3)
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert len(list(tmp_path.glob("*.dcm"))) == phantom.volume.geometry.shape[2]
    row = truth["structures"][kind.value]
    assert row["volume_ml"] == pytest.approx(phantom.truth.volumes_ml[kind.value], rel=1e-5)
    assert row["method"] == "formula"
    assert not row["truncated"]
    assert truth["frame"] == "LPS"


def test_the_seed_moves_a_shape_between_the_voxel_centres(tmp_path: Path) -> None:
    first, second = (write_phantom("sphere", tmp_path, seed=s).truth for s in (1, 2))
    move = np.subtract(
        first.structures["sphere"].centroid_mm, second.structures["sphere"].centroid_mm
    )
    assert 0 < np.abs(move).max() <= 1

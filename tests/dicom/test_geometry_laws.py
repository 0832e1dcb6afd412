"""Where things lie, whatever the gantry, the table and the patient did."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from judge import verdict
from series_maker import Array, Plan, dataset, enhanced, stack, stored, words, write, write_series

from medrecon.core import SliceStack, Volume
from medrecon.dicom import choose, read, scan
from medrecon.resampling import stack_geometry, stack_onto

# 60 HU per mm: a voxel's value is its place along the gradient to 1/60 mm.
HU_PER_MM = 60.0
# Rounding to whole HU on writing and again after the interpolation.
ROUNDING_HU = 1.01
POSITIONS = ("HFS", "HFP", "HFDL", "HFDR", "FFS", "FFP", "FFDL", "FFDR")


def random_plan(seed: int) -> Plan:
    """Oblique, tilted, anisotropic, with irregular steps; every fourth one of each is plain."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    row, column = turn[:, 0], turn[:, 1]
    normal = np.cross(row, column)
    shear = np.zeros(3) if seed % 4 == 0 else rng.uniform(-0.4, 0.4, 2) @ np.stack([row, column])
    steps = np.full(7, rng.uniform(1.0, 4.0))
    if seed % 4 != 1:
        steps *= rng.uniform(0.75, 1.1, 7)
    slopes = rng.normal(size=3)
    slopes *= HU_PER_MM / np.linalg.norm(slopes)
    assert abs(normal @ normal - 1) < 1e-12
    return stack(
        steps,
        origin=tuple(rng.uniform(-30, 30, 3)),
        row=tuple(row),
        column=tuple(column),
        shear=tuple(shear),
        spacing=tuple(rng.uniform(0.5, 2.0, 2)),
        shape=(13, 11),
        slopes=tuple(slopes),
        signed=True,
        bits=(16, 16, 15),
        intercept=0.0,
    )


def write_either_way(plan: Plan, folder: Path, seed: int) -> None:
    if seed % 3:
        write_series(plan, folder)
    else:
        order = np.random.default_rng(seed).permutation(len(plan.positions))
        write(folder / "enhanced", *enhanced(plan, order))


@pytest.mark.parametrize("block", range(4))
def test_200_random_stacks_hold_their_landmarks_within_a_twentieth_of_a_voxel(
    block: int, tmp_path: Path
) -> None:
    """A value that is off by e HU lies e/60 mm off along the gradient.

    With 1.01 HU of rounding that is 0.017 mm; the smallest voxel is 0.5 mm, so the
    limit of 0.05 voxel (0.025 mm) allows 1.5 HU.
    """
    for seed in range(50 * block, 50 * block + 50):
        plan = random_plan(seed)
        folder = tmp_path / str(seed)
        write_either_way(plan, folder, seed)
        image = read(choose(scan(folder)))
        if isinstance(image, SliceStack):
            image = stack_onto(image, stack_geometry(image, 0.5))
        measured = None
        if image.unmeasured is not None:
            measured = ~np.broadcast_to(image.unmeasured, image.array.shape)
        wrong = verdict(
            np.asarray(image.array, float),
            image.geometry.affine_lps,
            plan,
            measured=measured,
            tolerance=1.5,
        )
        assert wrong == "", f"seed {seed}"


def letter_f(points: Array) -> Array:
    """1000 HU inside a letter F drawn on x (patient left) and z (up), and a ball at the left.

    F: stem at x = −4, bars to +4 at z = 4 and to +2 at z = 0, each 2 mm thick; thick
    along y from −4 to 0 only, so that a flip of any axis gives another image.
    """
    x, y, z = np.moveaxis(np.asarray(points, float), -1, 0)
    stem = (np.abs(x + 4) <= 1) & (z >= -5) & (z <= 5)
    top = (np.abs(z - 4) <= 1) & (x >= -5) & (x <= 5)
    middle = (np.abs(z) <= 1) & (x >= -5) & (x <= 3)
    ball = (x - 7) ** 2 + (y + 2) ** 2 + (z + 4) ** 2 <= 2.3**2
    inside = ((stem | top | middle) & (y >= -4) & (y <= 0)) | ball
    return np.where(inside, 1000.0, -1000.0)


def axis_plans() -> list[Plan]:
    """All 48 ways to lay rows, columns and slice order along the patient's axes."""
    plans = []
    axes = np.eye(3)
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            row, column, way = (axes[a] * s for a, s in zip(order, signs, strict=True))
            start = -8.0 * row - 8.0 * column - 8.0 * way
            positions = start + np.arange(9)[:, None] * 2.0 * way
            plans.append(Plan(positions, tuple(row), tuple(column), (1.6, 2.0), (11, 9)))
    return plans


@pytest.mark.parametrize("posture", POSITIONS)
def test_no_axis_order_flip_or_posture_swaps_left_and_right(posture: str, tmp_path: Path) -> None:
    for n, plan in enumerate(axis_plans()):
        folder = tmp_path / str(n)
        for k in range(len(plan.positions)):
            ds = dataset(plan, k)
            ds.PatientPosition = posture
            pixels = np.rint(letter_f(plan.points(k)) - plan.intercept).astype(np.int64)
            write(folder / str(k), ds, words(plan, pixels))
        volume = read(choose(scan(folder)))
        assert isinstance(volume, Volume)
        index = np.indices(volume.array.shape).reshape(3, -1).T
        points = volume.geometry.mm_from_index(index)
        assert np.array_equal(volume.array.reshape(-1), letter_f(points)), f"plan {n}"
        left = points[(volume.array.reshape(-1) > 0) & (points[:, 0] > 5.5)]
        assert left[:, 0].mean() == pytest.approx(7, abs=1.0)


def test_1000_shuffles_and_renamings_give_the_same_bytes(tmp_path: Path) -> None:
    plan = stack([2.0] * 6 + [2.0] * 5)
    paths = write_series(plan, tmp_path)
    contents = [p.read_bytes() for p in paths]
    for path in paths:
        path.unlink()
    first: bytes | None = None
    rng = np.random.default_rng(3)
    for _ in range(1000):
        names = [f"{rng.integers(1 << 40):x}{('.dcm', '', '.ima')[n % 3]}" for n in range(12)]
        for name, content in zip(names, rng.permutation(12), strict=True):
            (tmp_path / name).write_bytes(contents[content])
        volume = read(choose(scan(tmp_path)))
        assert isinstance(volume, Volume)
        bytes_now = volume.array.tobytes("F") + volume.geometry.affine_lps.tobytes()
        first = first or bytes_now
        assert bytes_now == first
        for name in names:
            (tmp_path / name).unlink()


def test_a_tilted_series_has_a_sheared_affine_when_asked_for_native(tmp_path: Path) -> None:
    plan = stack(shear=(0.0, 0.3, 0.0))
    write_series(plan, tmp_path)
    series = choose(scan(tmp_path))
    # tan(angle) = 0.3 mm of drift per mm of height.
    assert series.finding.tilt_degrees == pytest.approx(np.degrees(np.arctan(0.3)), abs=1e-3)
    volume = read(series, native=True)
    assert isinstance(volume, Volume)
    assert volume.geometry.is_sheared
    assert verdict(np.asarray(volume.array, float), volume.geometry.affine_lps, plan) == ""
    assert np.array_equal(volume.array[:, :, 0].T, np.rint(plan.values(0)))


def test_stored_values_are_untouched_where_the_series_is_a_grid(tmp_path: Path) -> None:
    plan = stack(row=(0.0, 1.0, 0.0), column=(0.0, 0.0, -1.0))
    write_series(plan, tmp_path)
    volume = read(choose(scan(tmp_path)))
    for k in range(len(plan.positions)):
        expected = stored(plan, k) + plan.intercept
        assert np.array_equal(volume.array[:, :, k].T, expected)

"""A sample of `benchmarks/accuracy.py`: surfaces against shapes by formula, both ways."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from accuracy import holds, lines, measured, thin_shell
from analytic import ball, distance_inside, errors, place, screw, torus

from medrecon.core import Label, Mesh

SAMPLE = (
    "scanned ball R20, PSF 1.2, noise 3%",
    "scanned ball R20, PSF 0.5, noise 0%",
    "bone R20 by half-maximum, PSF 0.8, noise 3%",
    "torus r4, ideal logit",
    "screw, ideal logit",
    "torus r4, logits on 3x thick slices",
    "ball R20, binary mask alone",
    "ball R5, binary mask alone",
)


@pytest.mark.parametrize("name", SAMPLE)
def test_surfaces_lie_where_the_formula_has_them(name):
    (line,) = (x for x in lines() if x.name == name)
    assert line.limit is not None
    # One offset: a mask's volume differs from the shape's by chance, from one to the next.
    found = measured(line, offsets=1)
    assert holds(replace(line, volume=None), found), found


def test_without_undoing_the_blur_the_same_ball_misses_its_limit():
    (line,) = (x for x in lines() if x.name.startswith("  the same") and "1.2" in x.name)
    assert not holds(replace(line, limit=0.035), measured(line, offsets=1))


def test_a_shell_of_one_and_a_half_voxels_is_two_surfaces():
    assert thin_shell(0.5, seed=0)


@pytest.mark.parametrize("shape", [ball(8), torus(9, 3), screw(5, 1, 8, 20)], ids=lambda s: s.name)
def test_the_measure_is_zero_on_the_shape_and_the_shift_beside_it(shape):
    inner = shape.cloud[shape.counts(shape.cloud)]
    assert np.abs(distance_inside(shape.depth, inner)).max() < 1e-6
    # A point moved by 0.05 along the gradient is 0.05 away, and inside.
    h = 1e-5
    slope = [(shape.depth(inner + h * e) - shape.depth(inner - h * e)) / (2 * h) for e in np.eye(3)]
    normal = np.stack(slope, axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    moved = distance_inside(shape.depth, inner + 0.05 * normal)
    assert np.quantile(np.abs(moved - 0.05), 0.95) < 2e-3


def test_a_ball_a_tenth_too_large_is_a_tenth_off_in_both_directions():
    placed = place(ball(6), np.random.default_rng(0))
    turn = np.linspace(0, 2 * np.pi, 129)[:-1]
    rise = np.linspace(0, np.pi, 65)
    z = np.outer(np.cos(rise), np.ones(128))
    flat = np.sin(rise)[:, None]
    grid = np.stack([flat * np.cos(turn), flat * np.sin(turn), z], axis=-1).reshape(-1, 3)
    a = np.arange(64 * 128).reshape(64, 128)
    b, c, d = np.roll(a, -1, 1), a + 128, np.roll(a, -1, 1) + 128
    faces = np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)]).reshape(-1, 3)
    mesh = Mesh((grid * 6.1 + placed.centre_mm).astype(np.float32), faces, Label(1, "ball"))
    found = errors(mesh, placed)
    # Facets of 3° lie up to 6.1 (1 − cos 1.4°) = 0.002 within the ball.
    assert found.there == pytest.approx(0.1, abs=0.003)
    assert found.back == pytest.approx(0.1, abs=0.003)
    assert found.bias == pytest.approx(0.1, abs=0.003)

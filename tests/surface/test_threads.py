"""Parts of a job on several cores, and shortcuts past most of it: the same result."""

from __future__ import annotations

import numpy as np
import pytest
from solids import blobs, grid

from medrecon.core import Label, LabelMap, Mesh, boxtree
from medrecon.core.boxtree import BoxTree
from medrecon.core.threads import in_parts
from medrecon.surface import from_labels, intersections, smooth
from medrecon.surface.extract import extract_surface
from medrecon.surface.from_labels import fields_from_labels
from medrecon.surface.intersections import self_intersections
from medrecon.surface.smooth import Smoothing, smooth_surface


def shaken(seed: int) -> Mesh:
    """A surface whose vertices were moved by lot, so that faces cross here and there."""
    mesh = extract_surface(blobs((18, 17, 16), seed))
    moved = np.random.default_rng(seed).normal(0, 0.12, mesh.vertices_mm.shape)
    return Mesh(mesh.vertices_mm + moved.astype(np.float32), mesh.faces, mesh.label)


def test_parts_cover_everything_once_and_come_in_order():
    for threads in (1, 3):
        for count in (0, 1, 2, 5, 100):
            parts = in_parts(lambda a, b: (a, b), count, threads=threads)
            assert [n for a, b in parts for n in range(a, b)] == list(range(count))


def test_what_a_part_cannot_do_is_not_passed_over():
    def work(first: int, stop: int) -> None:
        if first <= 7 < stop:
            raise ValueError("seven")

    for threads in (1, 2):
        with pytest.raises(ValueError, match="seven"):
            in_parts(work, 20, threads=threads)


@pytest.mark.parametrize("seed", range(3))
def test_a_look_at_each_vertex_passes_over_no_pair_that_crosses(seed, monkeypatch):
    mesh = shaken(seed)
    quick = self_intersections(mesh.vertices_mm, mesh.faces)
    assert len(quick) > 10
    # Some of them share a corner, which is where most pairs are passed over.
    shared = [len(set(a) & set(b)) for a, b in mesh.faces[quick].tolist()]
    assert 0 in shared
    assert 1 in shared
    monkeypatch.setattr(intersections, "_plain", lambda v, f, _: np.zeros(len(v), np.bool_))
    every = self_intersections(mesh.vertices_mm, mesh.faces)
    assert np.array_equal(quick, every)


def test_pairs_of_some_faces_are_those_of_all_that_hold_one_of_them():
    mesh = shaken(4)
    among = np.random.default_rng(0).random(len(mesh.faces)) < 0.2
    every = self_intersections(mesh.vertices_mm, mesh.faces)
    some = self_intersections(mesh.vertices_mm, mesh.faces, among=among)
    assert 0 < len(some) < len(every)
    assert np.array_equal(some, every[among[every].any(axis=1)])


def test_crossings_trees_smoothing_and_labels_are_the_same_on_three_cores(monkeypatch):
    mesh = shaken(1)
    rough = extract_surface(blobs((26, 25, 24), 0, threshold=0.3))
    labels = np.random.default_rng(0).integers(0, 4, (9, 10, 11)).astype(np.uint8)
    names = tuple(Label(n, f"label_{n}") for n in (1, 2, 3))
    mapped = LabelMap(labels, grid(labels.shape), names)

    def everything() -> list[bytes]:
        tree = BoxTree.of(mesh.vertices_mm, mesh.faces)
        found = [self_intersections(mesh.vertices_mm, mesh.faces), tree.number, tree.boxes_mm]
        found += [
            smooth_surface(rough, method, limit_mm=0.5)[0].vertices_mm
            for method in (Smoothing.SINC, Smoothing.TAUBIN)
        ]
        return [x.tobytes() for x in [*found, *(f.values for f in fields_from_labels(mapped))]]

    for room in (intersections, smooth, from_labels, boxtree):
        monkeypatch.setattr(room, "cores", lambda: 1)
    one = everything()
    for room in (intersections, smooth, from_labels, boxtree):
        monkeypatch.setattr(room, "cores", lambda: 3)
    monkeypatch.setattr(intersections, "_SMALL", 0)
    monkeypatch.setattr(smooth, "_SMALL", 0)
    monkeypatch.setattr(boxtree, "_LARGE", 100)
    assert everything() == one


def test_the_windowed_sinc_lets_long_waves_pass_and_stops_short_ones():
    weights = np.array(smooth._sinc_weights(20))
    # A wave of eigenvalue k of the Laplacian is multiplied by the sum of the weights times
    # cos(n θ), where cos θ = 1 − k/2.
    # Hamming's window over −20 … 20 needs 8π/41 = 0.61 of θ from passing to stopping, from
    # the edge at arccos(0.95) = 0.32 to 0.93: k = 0.8.
    k = np.array([0.0, 0.02, 0.1, 0.85, 1.0, 1.5, 2.0])
    passes = np.cos(np.outer(np.arccos(1 - k / 2), np.arange(21))) @ weights
    assert passes[0] == pytest.approx(1, abs=1e-12)
    assert passes[1:3] == pytest.approx(1, abs=0.02)
    assert np.abs(passes[3:]).max() < 0.02

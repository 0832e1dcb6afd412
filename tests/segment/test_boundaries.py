"""Placing boundaries on the road: on unless the person wants it off, its effect on record."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from medrecon.boundaries import LEFT, place_boundaries
from medrecon.core import Segmentation, SoftField, away_from_zero, label
from medrecon.options import SegmentOptions
from medrecon.recorder import Recorder

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import hybrid_scenes as scenes


def ball_too_large() -> tuple[scenes.Scene, Segmentation]:
    """A ball of 12 mm that a network found 1 mm too large all round."""
    scene = scenes.balls(12.0, 0)
    depth = scene.depth(scenes.points_of(scenes.GRID)).reshape(scenes.GRID.shape)
    field = SoftField(label("bone"), away_from_zero((depth + 1).astype(np.float32)), scenes.GRID)
    return scene, Segmentation(scenes.GRID, (field,), "a network")


def test_the_record_says_by_how_much_refining_changed_each_volume() -> None:
    scene, found = ball_too_large()
    log = Recorder()
    placed = place_boundaries([found], scenes.scan(scene, 0), SegmentOptions(), log)
    (step,) = log.provenance.steps
    assert step.figures["refined"] is True
    # (12 / 13)³ − 1 = −21.3 %; voxels of 1 mm count it to a percent or so.
    change = step.figures["volume_change_percent"]
    assert isinstance(change, dict)
    assert abs(float(str(change["bone"])) + 21.3) < 2.0
    assert LEFT not in placed[0].findings.get("bone", ())


def test_without_refining_the_surface_stays_and_says_so() -> None:
    scene, found = ball_too_large()
    log = Recorder()
    options = SegmentOptions(refine=False)
    (left,) = place_boundaries([found], scenes.scan(scene, 0), options, log)
    (step,) = log.provenance.steps
    assert step.figures == {"refined": False}
    inside = np.zeros(scenes.GRID.shape, bool)
    inside[left.fields[0].slices] = left.fields[0].values > 0
    assert np.array_equal(inside, found.fields[0].values > 0)
    assert left.findings["bone"] == (LEFT,)

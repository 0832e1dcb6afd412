"""The picture: drawn in a child, its colours and sides where they belong."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import trimesh
from pictures import pixels

from medrecon.core import Label, Mesh
from medrecon.view import preview
from medrecon.view.preview import draw_preview

RED, GREEN = Label(1, "right_thing", (220, 30, 30)), Label(2, "left_thing", (30, 200, 30))


def ball(label: Label, x_mm: float) -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=3, radius=20.0)
    sphere.apply_translation((x_mm, 0, 0))
    return Mesh(sphere.vertices, sphere.faces, label)


def mean_column(picture: np.ndarray, channel: int) -> float:
    """Where in the left half, the view from the front, a colour lies on average."""
    half = picture[: int(picture.shape[0] * 0.9), : picture.shape[1] // 2]
    others = [c for c in range(3) if c != channel]
    strong = (half[..., channel] > 80) & (half[..., others].max(axis=-1) < 0.6 * half[..., channel])
    assert strong.sum() > 500
    return float(np.nonzero(strong)[1].mean())


@pytest.mark.opengl
def test_seen_from_the_front_the_patients_right_is_on_the_left(tmp_path):
    path = tmp_path / "preview.png"
    # LPS: x grows to the patient's left, so the red ball at −40 mm is on the right side.
    assert draw_preview([ball(RED, -40.0), ball(GREEN, 40.0)], path) is None
    picture = pixels(path)
    assert mean_column(picture, 0) < mean_column(picture, 1) - 100


def test_a_child_that_dies_is_a_warning_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(preview.sys, "executable", "/bin/false")
    warning = draw_preview([ball(RED, 0.0)], tmp_path / "preview.png")
    assert warning is not None
    assert "libegl1" in warning
    assert not list(tmp_path.iterdir())
    assert sys.executable == "/bin/false"

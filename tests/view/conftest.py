"""Meshes to look at."""

from __future__ import annotations

import pytest
import trimesh

from medrecon.core import Label, Mesh


@pytest.fixture
def a_ball() -> Mesh:
    """20 mm wide, about the origin."""
    sphere = trimesh.creation.icosphere(subdivisions=2, radius=10.0)
    return Mesh(sphere.vertices, sphere.faces, Label(1, "ball", (200, 60, 60)))

"""Solids with known sizes for the tests of print preparation."""

from __future__ import annotations

import numpy as np
import trimesh

from medrecon.core import Label, Mesh, label


def mesh_of(part, name="part"):
    known = label(name) if name.startswith("kidney") or name == "tumor" else Label(1, name)
    return Mesh(part.vertices, part.faces, known)


def ball(radius=15.0, at=(0, 0, 0), name="ball"):
    part = trimesh.creation.icosphere(4, radius)
    part.apply_translation(at)
    return mesh_of(part, name)


def block(size=(40, 30, 20), at=(0, 0, 0), name="block"):
    part = trimesh.creation.box(size)
    part.apply_translation(at)
    return mesh_of(part, name)


def points_of(solid):
    return np.asarray(solid.to_mesh64().vert_properties)[:, :3]

"""A shape as a CT with its truth."""

from __future__ import annotations

import numpy as np

from medrecon.core import Geometry, Label, LabelMap
from medrecon.core.geometry import Triple
from medrecon.phantom.integrate import is_truncated, measure_solid
from medrecon.phantom.phantom import Phantom
from medrecon.phantom.render import Layer, contains
from medrecon.phantom.scanner import Scanner, scan
from medrecon.phantom.shapes import Shape
from medrecon.phantom.truth import Method, Structure, Truth

INSIDE_HU = 1000.0
OUTSIDE_HU = 0.0
# Past the presets' numbers: a shape is no anatomy.
SHAPE_LABEL_INDEX = 200


def scan_shape(
    shape: Shape,
    geometry: Geometry,
    *,
    scanner: Scanner | None = None,
    hu: tuple[float, float] = (INSIDE_HU, OUTSIDE_HU),
    seed: int = 0,
) -> Phantom:
    """A CT of the shape on any grid: oblique, anisotropic, flipped, off the voxel centres.

    Parameters
    ----------
    shape : Shape
    geometry : Geometry
        The shape may reach out of it; then the truth is what lies within.
    scanner : Scanner, optional
        Blur, noise and samples per voxel.
    hu : (inside, outside)
    seed : int
        Of the noise.
    """
    inside, outside = hu
    volume = scan(
        [Layer(shape.solid, inside)],
        geometry,
        scanner or Scanner(),
        seed,
        background_hu=outside,
    )
    name = Label(SHAPE_LABEL_INDEX, shape.name)
    filled = contains(shape.solid, geometry).astype(np.uint8)
    labels = LabelMap(filled * np.uint8(SHAPE_LABEL_INDEX), geometry, (name,))
    return Phantom(volume, labels, shape_truth(shape, geometry, seed))


def shape_truth(shape: Shape, geometry: Geometry, seed: int = 0) -> Truth:
    """The shape's truth on a grid: by formula if it fits, else by integration."""
    structure = Structure(shape.volume_ml, shape.centroid_mm, False, Method.FORMULA)
    found = {shape.name: structure}
    if is_truncated(shape.solid, geometry):
        clipped = measure_solid(shape.solid, geometry)
        found = {shape.name: clipped} if clipped else {}
    solids = {shape.name: shape.solid}
    return Truth(shape.name, seed, geometry, found, dict(shape.landmarks_mm), solids)


def shape_geometry(margin_mm: float, half_size_mm: Triple, spacing_mm: Triple) -> Geometry:
    """An axial grid centred on the origin that holds a box with a margin."""
    counts = [
        int(np.ceil(2 * (half + margin_mm) / step)) + 1
        for half, step in zip(half_size_mm, spacing_mm, strict=True)
    ]
    i, j, k = counts
    x, y, z = (-step * (n - 1) / 2 for step, n in zip(spacing_mm, counts, strict=True))
    return Geometry((i, j, k), spacing_mm, (x, y, z))

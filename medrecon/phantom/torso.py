"""The synthetic torso as a CT with its truth."""

from __future__ import annotations

import numpy as np

from medrecon.core import Geometry, LabelMap, Volume, label
from medrecon.core.geometry import Shape, Triple
from medrecon.phantom.anatomy import Anatomy, draw_anatomy
from medrecon.phantom.integrate import Measured
from medrecon.phantom.phantom import Phantom
from medrecon.phantom.render import contains
from medrecon.phantom.scanner import Scanner, scan
from medrecon.phantom.truth import Truth

# y of the middle of the field of view: the person's front and the table both fit.
VIEW_CENTRE_Y_MM = 18.0
# z of the middle of the range: from above the lungs to below the kidneys in 330 mm.
VIEW_CENTRE_Z_MM = -4.0


def make_torso(
    seed: int,
    *,
    shape: Shape = (160, 128, 100),
    spacing_mm: Triple = (2.2, 2.2, 3.3),
    geometry: Geometry | None = None,
    scanner: Scanner | None = None,
) -> Phantom:
    """A contrast CT of a synthetic torso with its truth.

    Parameters
    ----------
    seed : int
        Draws the person and the noise. 2026 and 9000–9099 are kept for samples and
        tests: never train on them.
    shape : tuple of int
        Voxels along i (to the person's left), j (to the back), k (up).
    spacing_mm : tuple of float
        Along the same axes; slices are as thick as their step.
    geometry : Geometry, optional
        Any grid in LPS mm instead of shape and spacing: oblique, shifted, flipped.
    scanner : Scanner, optional
        Blur, noise and sampling.

    Returns
    -------
    Phantom
        The same bytes for the same arguments.

    Examples
    --------
    >>> make_torso(9000, shape=(40, 32, 20), spacing_mm=(9.0, 9.0, 16.0)).volume
    <Volume CT 40×32×20, 9×9×16 mm, int16>
    """
    grid = geometry or torso_geometry(shape, spacing_mm)
    anatomy = draw_anatomy(seed)
    volume = scan_anatomy(anatomy, grid, scanner or Scanner(), seed)
    return Phantom(volume, render_labels(anatomy, grid), torso_truth(seed, grid))


def torso_truth(seed: int, geometry: Geometry) -> Truth:
    """The truth of that seed's torso on a grid, without rendering an image."""
    anatomy = draw_anatomy(seed)
    structures = Measured(anatomy.solids, geometry)
    return Truth("torso", seed, geometry, structures, anatomy.landmarks_mm, anatomy.solids)


def torso_geometry(shape: Shape, spacing_mm: Triple) -> Geometry:
    """An axial grid around the torso: head first, supine, i to the left, k up."""
    middle = (0.0, VIEW_CENTRE_Y_MM, VIEW_CENTRE_Z_MM)
    x, y, z = (m - s * (n - 1) / 2 for m, s, n in zip(middle, spacing_mm, shape, strict=True))
    return Geometry(shape, spacing_mm, (x, y, z))


def scan_anatomy(anatomy: Anatomy, geometry: Geometry, scanner: Scanner, seed: int) -> Volume:
    """The anatomy as the scanner sees it."""
    return scan(anatomy.layers, geometry, scanner, seed, body_part="CHEST")


LABEL_ORDER = (
    "skin",
    "lung_left",
    "lung_right",
    "liver",
    "kidney_left",
    "kidney_right",
    "tumor",
    "aorta",
    "airway",
    "bone",
)


def render_labels(
    anatomy: Anatomy, geometry: Geometry, names: tuple[str, ...] = LABEL_ORDER
) -> LabelMap:
    """The structure that holds each voxel's centre; later names win."""
    array = np.zeros(geometry.shape, dtype=np.uint8, order="F")
    for name in names:
        array[contains(anatomy.solids[name], geometry)] = label(name).index
    return LabelMap(array, geometry, tuple(label(name) for name in names))


TRAINING_LABELS = ("liver", "kidney_left", "kidney_right", "tumor", "aorta")


def training_pair(seed: int, spacing_mm: float, shape: Shape) -> tuple[Volume, LabelMap]:
    """A fast CT and its label map (liver, kidneys, tumour, aorta) for training a network.

    The grid is isotropic and shifted a little by the seed; samples per voxel are fewer
    than in `make_torso`.
    """
    shift = np.random.default_rng([seed, 2]).uniform(-12, 12, 3)
    plain = torso_geometry(shape, (spacing_mm,) * 3)
    x, y, z = (float(o + s) for o, s in zip(plain.origin_mm, shift, strict=True))
    grid = Geometry(shape, plain.spacing_mm, (x, y, z))
    anatomy = draw_anatomy(seed)
    volume = scan_anatomy(anatomy, grid, Scanner(supersampling=2), seed)
    return volume, render_labels(anatomy, grid, TRAINING_LABELS)

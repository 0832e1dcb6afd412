"""The synthetic torso as a CT with its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medrecon.core import Acquisition, Geometry, HuStatus, LabelMap, Modality, Volume, label
from medrecon.core.geometry import Shape, Triple
from medrecon.phantom.anatomy import Anatomy, draw_anatomy
from medrecon.phantom.render import Scanner, blurred, noise, occupancy, paint
from medrecon.phantom.truth import Truth, measure_truth

AIR_HU = -1000.0
# y of the middle of the field of view: the person's front and the table both fit.
VIEW_CENTRE_Y_MM = 18.0
# z of the middle of the range: from above the lungs to below the kidneys in 330 mm.
VIEW_CENTRE_Z_MM = -4.0


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """An image whose content is known exactly.

    Parameters
    ----------
    volume : Volume
        CT, HU verified, marked as a phantom.
    labels : LabelMap
        Each voxel's largest share; exclusive, a tumour over its kidney.
    truth : Truth
    """

    volume: Volume
    labels: LabelMap
    truth: Truth


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
    scan = scanner or Scanner()
    volume = render_ct(anatomy, grid, scan, seed)
    return Phantom(volume, render_labels(anatomy, grid), measure_truth(anatomy, grid, seed))


def torso_geometry(shape: Shape, spacing_mm: Triple) -> Geometry:
    """An axial grid around the torso: head first, supine, i to the left, k up."""
    middle = (0.0, VIEW_CENTRE_Y_MM, VIEW_CENTRE_Z_MM)
    x, y, z = (m - s * (n - 1) / 2 for m, s, n in zip(middle, spacing_mm, shape, strict=True))
    return Geometry(shape, spacing_mm, (x, y, z))


def render_ct(anatomy: Anatomy, geometry: Geometry, scanner: Scanner, seed: int) -> Volume:
    """The anatomy as the scanner sees it: int16 HU."""
    image = paint(
        anatomy.layers, geometry, background_hu=AIR_HU, supersampling=scanner.supersampling
    )
    sigma = [s / h for s, h in zip(scanner.sigma_mm, geometry.spacing_mm, strict=True)]
    image = blurred(image, sigma)
    rng = np.random.default_rng([seed, 1])
    hu = np.empty(geometry.shape, dtype=np.int16, order="F")
    for k, grain in enumerate(noise(geometry.shape, rng)):
        hu[:, :, k] = np.rint(np.maximum(image[:, :, k] + scanner.noise_hu * grain, -1024))
    acquisition = Acquisition(
        modality=Modality.CT,
        hu=HuStatus.VERIFIED,
        hu_reason="synthetic phantom",
        slice_thickness_mm=geometry.spacing_mm[2],
        is_phantom=True,
        body_part="CHEST",
    )
    return Volume(hu, geometry, acquisition)


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
    """Where each structure fills at least half of a voxel; later names win."""
    array = np.zeros(geometry.shape, dtype=np.uint8, order="F")
    for name in names:
        array[occupancy(anatomy.solids[name], geometry, 2) >= 0.5] = label(name).index
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
    volume = render_ct(anatomy, grid, Scanner(supersampling=2), seed)
    return volume, render_labels(anatomy, grid, TRAINING_LABELS)

"""A small study for the examples of the documentation, and masks as others write them."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel
import numpy as np

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.dicom.write_ct import write_ct_series
from medrecon.phantom.primitives import box, ellipsoid, rotation_about, sphere
from medrecon.phantom.render import Layer
from medrecon.phantom.scanner import Scanner, scan

UPRIGHT = rotation_about((0, 0, 1), 0.0)
GRID = Geometry((50, 44, 36), (1.9, 1.9, 1.9), (-46.55, -40.85, -33.25))


def write_scan(folder: Path) -> Path:
    """A CT of 50 x 44 x 36 voxels of 1.9 mm: a body with a ball of bone and a lump."""
    layers = [
        Layer(ellipsoid((0, 0, 0), (40, 33, 200), UPRIGHT), 40.0),
        Layer(sphere((12.4, 3.1, 0.7), 13.0), 900.0),
        Layer(box((-28, -8, -10), (-12, 8, 10)), 110.0),
    ]
    image = scan(layers, GRID, Scanner(noise_hu=5.0), 1, background_hu=-1000.0)
    ct = Acquisition(Modality.CT, HuStatus.VERIFIED)
    write_ct_series(Volume(image.array, GRID, ct), folder)
    return folder


def zip_of(folder: Path) -> Path:
    """The series as an archive beside it."""
    return Path(shutil.make_archive(str(folder), "zip", folder))


def write_masks(folder: Path) -> None:
    """`segmentations/NAME.nii.gz` and `total.nii.gz`: two balls of radius 6 and 5 voxels."""
    at = np.indices((32, 28, 24)).transpose(1, 2, 3, 0)
    liver = np.linalg.norm(at - (9, 12, 11), axis=-1) < 6
    kidney = np.linalg.norm(at - (22, 12, 11), axis=-1) < 5
    (folder / "segmentations").mkdir()
    named = {"segmentations/liver": liver, "segmentations/kidney_left": kidney}
    named["total"] = liver + 2 * kidney
    for name, mask in named.items():
        image = nibabel.Nifti1Image(mask.astype(np.uint8), np.diag([1.5, 1.5, 1.5, 1]))
        nibabel.save(image, folder / f"{name}.nii.gz")

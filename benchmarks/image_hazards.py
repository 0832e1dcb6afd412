"""medrecon, SimpleITK and nibabel on NIfTI, MetaImage and NRRD files with one hazard each.

python benchmarks/image_hazards.py [--markdown FILE]

The files are those of `tests/files/image_hazards.py`. A reader is *right* if it returns
the voxels in their place or refuses where a refusal is due, *refuses* if it gives up on
a readable file, *SILENT* if it returns an image that is wrong or whose place in the
patient is stated nowhere. What medrecon does not take and others rightly read, complex
numbers for example, is no fault of theirs: –.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "files"))

import nibabel
import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's own short name
from image_hazards import AFFINE_LPS, IMAGE_HAZARDS, STORED, ImageHazard

from medrecon.files.images import affine_lps_of, read_image

Read = tuple[Any, Any]
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def medrecon(path: Path) -> Read:
    volume = read_image(path)
    return volume.array, volume.geometry.affine_lps


def simpleitk(path: Path) -> Read:
    image = sitk.ReadImage(str(path))
    if image.GetDimension() == 4:
        image = image[..., 0]
    return sitk.GetArrayFromImage(image).T, affine_lps_of(image)


def nib(path: Path) -> Read:
    image = nibabel.load(path)
    return np.asarray(image.dataobj), RAS_TO_LPS @ image.affine


READERS: dict[str, Callable[[Path], Read]] = {
    "medrecon": medrecon,
    "SimpleITK": simpleitk,
    "nibabel": nib,
}


# Right images, but no volumes of one measured value a voxel.
OTHERS_MAY = frozenset(
    {
        "nifti complex numbers",
        "nifti colours",
        "nifti vectors",
        "nifti numbers that float32 rounds",
        "nifti numbers beyond float32",
        "nifti a single slice",
        "metaimage two values a voxel",
    }
)


def outcome(hazard: ImageHazard, read: Callable[[Path], Read]) -> str:
    """One reader on one file; nibabel reads NIfTI only."""
    if read is not medrecon and hazard.name in OTHERS_MAY:
        return "–"
    if read is nib and not hazard.name.startswith("nifti"):
        return "–"
    with tempfile.TemporaryDirectory() as folder:
        try:
            values, affine = read(hazard.make(Path(folder)))
        except Exception:  # noqa: BLE001 (any error is a refusal, also one that was not meant)
            return "right" if hazard.codes else "refuses"
    if hazard.codes:
        return "SILENT"
    same = values.squeeze().shape == STORED.shape and np.array_equal(values.squeeze(), STORED)
    # A twentieth of the finest voxel; formats without units are taken to be in millimetres.
    return "right" if same and np.allclose(affine, AFFINE_LPS, atol=0.04) else "SILENT"


def table(rows: dict[str, dict[str, str]]) -> str:
    """Markdown, with sums."""
    lines = ["| hazard | " + " | ".join(READERS) + " |", "|---|" + "---|" * len(READERS)]
    lines += [f"| {name} | " + " | ".join(row.values()) + " |" for name, row in rows.items()]
    sums = []
    for reader in READERS:
        count = Counter(row[reader] for row in rows.values())
        sums.append(f"{count['right']} right, {count['refuses']} refuses, {count['SILENT']} silent")
    return "\n".join([*lines, f"| **{len(rows)} files** | " + " | ".join(sums) + " |"])


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--markdown", type=Path)
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    logging.disable()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    rows = {
        h.name: {name: outcome(h, read) for name, read in READERS.items()} for h in IMAGE_HAZARDS
    }
    text = table(rows)
    print(text)
    if chosen.markdown:
        chosen.markdown.write_text(HEADER + text + "\n")
    return 0 if all(row["medrecon"] == "right" for row in rows.values()) else 1


HEADER = """# What readers make of difficult image files

Made by `python benchmarks/image_hazards.py --markdown docs/reference/image-hazards.md`.
Every file is a small NIfTI, MetaImage or NRRD image with one hazard; *right* is the right
volume or, where there is none, a refusal; *refuses* is an error where a right volume
exists; *SILENT* is an image without an error that is wrong, or whose orientation, spacing,
unit or place the file does not state; – is a file that the reader does not take, or that
is right for it and no volume for medrecon.

"""

if __name__ == "__main__":
    sys.exit(main())

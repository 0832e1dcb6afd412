"""Read folders with one reader and leave its images as arrays with LPS affines.

python benchmarks/hazards_one.py READER [DCM2NIIX]    then a line "INPUT<tab>OUT" for each

The reader is imported once; each folder is read in a forked process, so that a crash
or a hang is that folder's alone. Answers a line with its exit status. Each reader is
used as its documentation shows.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def save(out: Path, name: str, values: Any, affine_lps: Any, **more: Any) -> None:
    np.savez(out / f"{name}.npz", values=np.asarray(values), affine_lps=affine_lps, **more)


def medrecon(path: Path, out: Path) -> None:
    from medrecon.core import SliceStack
    from medrecon.dicom import choose, read, scan
    from medrecon.resampling import stack_geometry, stack_onto

    image = read(choose(scan(path)))
    if isinstance(image, SliceStack):
        image = stack_onto(image, stack_geometry(image, 0.5))
    more = {}
    if image.unmeasured is not None:
        more["measured"] = ~np.broadcast_to(image.unmeasured, image.array.shape)
    save(out, "image", image.array, image.geometry.affine_lps, **more)


def sitk(path: Path, out: Path) -> None:
    import SimpleITK

    reader = SimpleITK.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(str(path))
    for n, uid in enumerate(series):
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(path), uid))
        image = reader.Execute()
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
        affine[:3, 3] = image.GetOrigin()
        save(out, str(n), SimpleITK.GetArrayFromImage(image).T, affine)


def monai(path: Path, out: Path) -> None:
    from monai.data import PydicomReader

    reader = PydicomReader()
    values, meta = reader.get_data(reader.read(str(path)))
    save(out, "image", values, RAS_TO_LPS @ np.asarray(meta["affine"]))


def dcm2niix(path: Path, out: Path) -> None:
    import nibabel

    command = [sys.argv[2], "-z", "n", "-b", "n", "-o", out, path]
    subprocess.run(command, check=True, capture_output=True)
    for n, file in enumerate(sorted(out.glob("*.nii"))):
        image = nibabel.load(file)
        save(out, str(n), image.get_fdata(), RAS_TO_LPS @ image.affine)


READERS = {"medrecon": medrecon, "SimpleITK": sitk, "MONAI": monai, "dcm2niix": dcm2niix}

MODULES = {"medrecon": "medrecon.resampling", "SimpleITK": "SimpleITK", "MONAI": "monai.data"}
SECONDS = 60


def main() -> None:
    reader = sys.argv[1]
    __import__(MODULES.get(reader, "nibabel"))
    for line in sys.stdin:
        path, out = line.rstrip("\n").split("\t")
        child = os.fork()
        if not child:
            signal.alarm(SECONDS)
            with open(os.devnull, "w") as null:  # noqa: PTH123
                os.dup2(null.fileno(), 1)
                os.dup2(null.fileno(), 2)
            READERS[reader](Path(path), Path(out))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()

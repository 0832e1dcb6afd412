"""Load one folder with one reader, in a process of its own; prints one JSON object.

python benchmarks/load_one.py READER FOLDER

Time is that of the loading alone, after the imports; memory is what the process and
its children hold at their peak above what they held before.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Loader = Callable[[], Any]


def raw(folder: Path) -> Loader:
    """The bytes of all files into one array: the floor."""
    paths = sorted(folder.iterdir())

    def load() -> Any:
        whole = np.empty(sum(p.stat().st_size for p in paths), np.uint8)
        at = 0
        for path in paths:
            with path.open("rb", buffering=0) as file:
                at += file.readinto(whole[at:].data)  # type: ignore[arg-type]
        return whole

    return load


def medrecon(folder: Path) -> Loader:
    from medrecon.dicom import choose, read, scan

    return lambda: read(choose(scan(folder))).array


def sitk(folder: Path) -> Loader:
    import SimpleITK

    def load() -> Any:
        reader = SimpleITK.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
        return SimpleITK.GetArrayViewFromImage(reader.Execute())

    return load


def pydicom(folder: Path) -> Loader:
    import pydicom

    def load() -> Any:
        slices = [pydicom.dcmread(p) for p in folder.iterdir()]
        slices.sort(key=lambda s: float(s.ImagePositionPatient[2]))
        first = slices[0]
        stored = np.stack([s.pixel_array for s in slices])
        slope, intercept = int(first.RescaleSlope), int(first.RescaleIntercept)
        return (stored.astype(np.int32) * slope + intercept).astype(np.int16)

    return load


def monai(folder: Path) -> Loader:
    from monai.data import PydicomReader

    def load() -> Any:
        reader = PydicomReader()
        return reader.get_data(reader.read(str(folder)))[0]

    return load


READERS: dict[str, Callable[[Path], Loader]] = {
    "raw": raw,
    "medrecon": medrecon,
    "SimpleITK": sitk,
    "pydicom": pydicom,
    "MONAI": monai,
}


def main() -> None:
    reader, folder = sys.argv[1], Path(sys.argv[2])
    load = READERS[reader](folder)
    before = _resident()
    begun, cpu = time.perf_counter(), _cpu()
    image = load()
    seconds = time.perf_counter() - begun
    used = _cpu() - cpu
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu_seconds": used,
                "peak_bytes": own - before,
                "bytes": int(np.asarray(image).nbytes),
            }
        )
    )


def _resident() -> int:
    """Resident bytes now; the peak so far is that of the imports, and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _cpu() -> float:
    return sum(os.times()[:4])


if __name__ == "__main__":
    main()

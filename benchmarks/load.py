"""How fast and how lean a CT series is loaded, beside other readers.

python benchmarks/load.py [--slices 400] [--runs 5] [--json FILE]

Writes a noisy 512² phantom series in each transfer syntax and loads it with every
reader in turn, each time in a fresh process, from warm page cache. SimpleITK, pydicom
and MONAI come with medrecon; dcm2niix comes from `peers.txt` and is timed as the whole
process it is, writing to memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from peers import peer_folder
from scipy.ndimage import gaussian_filter

from medrecon.core import Acquisition, Geometry, Modality, Volume
from medrecon.dicom.write_ct import write_ct_series

ONE = Path(__file__).with_name("load_one.py")
# MONAI copies slice by slice in Python; it is timed where nothing is decoded.
READERS = {
    "explicit": ("raw", "medrecon", "SimpleITK", "pydicom", "MONAI", "dcm2niix"),
    "jpegls": ("medrecon", "SimpleITK", "dcm2niix"),
    "jpeglossless": ("medrecon", "SimpleITK", "dcm2niix"),
    "jpeg2000": ("medrecon", "SimpleITK", "dcm2niix"),
    "rle": ("medrecon", "SimpleITK", "dcm2niix"),
}


def body(slices: int) -> Volume:
    """An ellipse of soft tissue with a lung, a bone and scanner-like noise."""
    noise = np.random.default_rng(0)
    y, x = np.mgrid[:512, :512]
    inside = np.hypot((x - 256) / 200, (y - 256) / 150) < 1
    array = np.empty((512, 512, slices), np.int16, order="F")
    for k in range(slices):
        plane = np.where(inside, 40.0, -1000.0)
        plane[np.hypot((x - 200 - k / 10) / 50, (y - 250) / 70) < 1] = -850
        plane[np.hypot(x - 256, y - 340) < 20] = 540
        plane += gaussian_filter(noise.normal(0, 60, (512, 512)), 1)
        array[:, :, k] = np.clip(plane, -1024, 3071).T
    geometry = Geometry((512, 512, slices), (0.8, 0.8, 1.0), (-205.0, -205.0, 0.0))
    return Volume(array, geometry, Acquisition(Modality.CT, is_phantom=True))


def once(reader: str, folder: Path) -> dict[str, float]:
    """One load; seconds, processor seconds and, where it can be told, memory."""
    if reader == "dcm2niix":
        with tempfile.TemporaryDirectory(dir=folder.parent) as out:
            begun = time.perf_counter()
            command = [peer_folder() / "dcm2niix", "-z", "n", "-b", "n", "-o", out, folder]
            subprocess.run(command, check=True, capture_output=True)
            return {"seconds": time.perf_counter() - begun}
    command = [sys.executable, ONE, reader, folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(folder: Path, readers: tuple[str, ...], runs: int) -> dict[str, dict[str, float]]:
    """Medians over the rounds; one round before is not counted."""
    rounds = [{r: once(r, folder) for r in readers} for _ in range(runs + 1)][1:]
    return {
        r: {key: median(one[r][key] for one in rounds) for key in rounds[0][r]} for r in readers
    }


def table(figures: dict[str, dict[str, dict[str, float]]], volume_bytes: int) -> str:
    """Markdown."""
    lines = [
        "| encoding | reader | s | / SimpleITK | cores busy | peak / volume |",
        "|" + "---|" * 6,
    ]
    for syntax, readers in figures.items():
        base = readers["SimpleITK"]["seconds"]
        for name, f in readers.items():
            seconds = f["seconds"]
            cores = f"{f['cpu_seconds'] / seconds:.1f}" if "cpu_seconds" in f else ""
            peak = f"{f['peak_bytes'] / volume_bytes:.2f}" if "peak_bytes" in f else ""
            ratio = f"{seconds / base:.2f}"
            lines.append(f"| {syntax} | {name} | {seconds:.2f} | {ratio} | {cores} | {peak} |")
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--slices", type=int, default=400)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    shared = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    figures: dict[str, dict[str, dict[str, float]]] = {}
    volume = body(chosen.slices)
    with tempfile.TemporaryDirectory(dir=shared) as root:
        for syntax, readers in READERS.items():
            folder = Path(root) / syntax
            write_ct_series(volume, folder, transfer_syntax=syntax)
            figures[syntax] = measure(folder, readers, chosen.runs)
    print(table(figures, volume.array.nbytes))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Memory of extraction, on one core and on all: the same bytes, little beside the mesh.

    python benchmarks/slabs.py

Each runs in a process of its own on a 512 × 512 × 400 int16 field that touches every
border, after a small one has loaded what is loaded once. What is counted is the peak
above what the field and its mesh need.
"""

from __future__ import annotations

import hashlib
import resource
import subprocess
import sys
import time

import numpy as np

from medrecon.core import Geometry, Label, SoftField
from medrecon.surface.extract import extract_surface

SHAPE = (512, 512, 400)


def field() -> SoftField:
    """Rods of 60 voxels in three directions: a surface everywhere, and at every border."""
    x, y, z = (np.cos(np.arange(n, dtype=np.float32) / 60 * np.pi) for n in SHAPE)
    values = np.empty(SHAPE, np.int16, order="F")
    for k in range(SHAPE[2]):
        values[:, :, k] = (1000 * (x[:, None] + y[None] + z[k]) - 100.5).astype(np.int16) | 1
    return SoftField(Label(1, "rods"), values, Geometry(SHAPE, (0.7, 0.7, 1.0), (0, 0, 0)))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one(threads: bool) -> None:
    small = Geometry((9, 9, 9), (1, 1, 1), (0, 0, 0))
    extract_surface(SoftField(Label(1, "rods"), np.ones(small.shape, np.int16), small))
    given = field()
    before = peak_mb()
    start, wall = time.process_time(), time.perf_counter()
    mesh = extract_surface(given, threads=threads)
    seconds, wall = time.process_time() - start, time.perf_counter() - wall
    held = (mesh.vertices_mm.nbytes + mesh.faces.nbytes) / 2**20
    above = peak_mb() - before
    digest = hashlib.sha256(mesh.vertices_mm.tobytes() + mesh.faces.tobytes()).hexdigest()[:12]
    print(
        f"{'all cores' if threads else 'one core':9s}: {len(mesh.faces):,} triangles "
        f"({held:.0f} MB), peak {above:.0f} MB above the field, "
        f"{seconds:.2f} s of processor time, {wall:.2f} s, sha256 {digest}"
    )


def main() -> None:
    for threads in ("", "threads"):
        subprocess.run([sys.executable, __file__, "one", threads], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        one(bool(sys.argv[2]))
    else:
        main()

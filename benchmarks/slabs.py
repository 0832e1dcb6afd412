"""Memory of extraction, whole and slab by slab: the same bytes, a bounded share.

    python benchmarks/slabs.py

Each runs in a process of its own on a 512 × 512 × 400 int16 field that touches every
border. What is counted is the peak above what the field and its mesh need.
"""

from __future__ import annotations

import hashlib
import resource
import subprocess
import sys
import time

import numpy as np

from medrecon.core import Geometry, Label, SoftField
from medrecon.surface.extract import SLAB_VOXELS, extract_surface

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


def one(slab_voxels: int) -> None:
    given = field()
    before = peak_mb()
    start = time.process_time()
    mesh = extract_surface(given, slab_voxels=slab_voxels)
    seconds = time.process_time() - start
    held = (mesh.vertices_mm.nbytes + mesh.faces.nbytes) / 2**20
    digest = hashlib.sha256(mesh.vertices_mm.tobytes() + mesh.faces.tobytes()).hexdigest()[:12]
    print(
        f"slabs of {slab_voxels / 2**20:6.1f} M voxels: {len(mesh.faces):,} triangles "
        f"({held:.0f} MB), peak {peak_mb() - before:6.0f} MB above the field, "
        f"{seconds:.2f} s, sha256 {digest}"
    )


def main() -> None:
    for slab_voxels in (1 << 30, SLAB_VOXELS, SLAB_VOXELS // 8):
        subprocess.run([sys.executable, __file__, str(slab_voxels)], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        one(int(sys.argv[1]))
    else:
        main()

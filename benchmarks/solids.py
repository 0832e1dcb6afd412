"""Is every mesh a solid, whatever the mask and the setting? Files, re-read and judged by others.

    MEDRECON_DATA=... python benchmarks/solids.py --masks 1000 [--first N]

Random blobs, anatomy (structures of the head and hippocampi, drawn by hand or by a
program), masks that touch every border, one-voxel threads, checkerboards, nested shells;
decimation by 0, 0.5, 0.75, 0.9 and by tolerance. Each mesh is written as STL, read again
and judged by medrecon, by trimesh and by manifold3d; self-intersections are counted
exactly. Ends with 1 if anything is at fault.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from functools import cache, lru_cache
from pathlib import Path

import manifold3d
import nibabel as nib
import numpy as np
import trimesh
from scipy.ndimage import gaussian_filter

from medrecon.core import Geometry, Label, Mesh, SoftField
from medrecon.files.stl import read_stl, save_stl
from medrecon.surface.extract import extract_surface
from medrecon.surface.from_labels import smoothest_field
from medrecon.surface.intersections import self_intersections
from medrecon.surface.simplify import simplify
from medrecon.surface.validity import judge

LABEL = Label(1, "mask")
KINDS = ("blobs", "fine blobs", "anatomy", "borders", "threads", "checkerboard", "shells")
MOST = 40
"""Voxels along an axis of a crop of anatomy."""


@cache
def label_maps() -> tuple[Path, ...]:
    folder = Path(os.environ["MEDRECON_DATA"])
    found = [p for p in folder.rglob("*.nii.gz") if "label" in str(p.parent).lower()]
    return tuple(sorted(p for p in found if not p.name.startswith(".")))


@lru_cache(maxsize=32)
def label_map(path: Path) -> tuple[np.ndarray, np.ndarray]:
    labels = np.asarray(nib.load(path).dataobj).squeeze().astype(np.int16)
    return labels, np.unique(labels)[1:]


def anatomy(rng: np.random.Generator) -> np.ndarray:
    """A crop around a random voxel of a random structure."""
    while True:
        labels, names = label_map(label_maps()[rng.integers(len(label_maps()))])
        mask = labels == names[rng.integers(len(names))]
        at = rng.choice(np.flatnonzero(mask))
        centre = np.array(np.unravel_index(at, mask.shape))
        low = np.maximum(centre - MOST // 2, 0)
        crop = mask[tuple(slice(a, a + MOST) for a in low)]
        if crop.sum() > 8:
            return crop


def mask_of(kind: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(12, 26, 3))
    index = np.indices(shape)
    if kind == "anatomy":
        return anatomy(rng)
    if kind == "borders":
        inner = gaussian_filter(rng.standard_normal(shape), 2.0)
        depth = np.minimum(index, np.array(shape)[:, None, None, None] - 1 - index).min(axis=0)
        return (inner > 0) | (depth < rng.integers(1, 3))
    if kind == "threads":
        mask = np.zeros(shape, bool)
        for _ in range(6):
            i, j, k = (rng.integers(0, n) for n in shape)
            mask[i, j, :] = mask[i, :, k] = mask[:, j, k] = True
        return mask
    if kind == "checkerboard":
        board = index.sum(axis=0) % 2 == 0
        return board & (rng.random(shape) < rng.uniform(0.3, 1))
    if kind == "shells":
        centre = np.array(shape) / 2 + rng.uniform(-1, 1, 3)
        radius = np.linalg.norm(index - centre[:, None, None, None], axis=0)
        return (radius // rng.uniform(1, 2)) % 2 == 0
    smooth = 0.8 if kind == "fine blobs" else 1.8
    field = gaussian_filter(rng.standard_normal(shape), smooth)
    return field > rng.uniform(-0.5, 0.5) * field.std()


def field_of(mask: np.ndarray, seed: int) -> SoftField:
    rng = np.random.default_rng(seed)
    spacing = tuple(rng.uniform(0.4, 2.0, 3))
    origin = tuple(rng.uniform(-500, 500, 3))
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    rows = tuple(tuple(map(float, row)) for row in turn)
    return SoftField(LABEL, smoothest_field(mask), Geometry(mask.shape, spacing, origin, rows))


def faults(mesh: Mesh, path: Path) -> list[str]:
    save_stl(mesh, path)
    again = Mesh(*read_stl(path), LABEL)
    other = trimesh.load(path)
    solid = manifold3d.Manifold(
        manifold3d.Mesh(again.vertices_mm.copy(), again.faces.astype(np.uint32))
    )
    found = {
        "medrecon": judge(again).valid,
        "trimesh closed": other.is_watertight,
        "trimesh winding": other.is_winding_consistent,
        "trimesh outward": other.volume > 0,
        "manifold3d": solid.status() == manifold3d.Error.NoError and solid.num_tri() > 0,
        "crossing": len(self_intersections(again.vertices_mm, again.faces)) == 0,
    }
    return [name for name, good in found.items() if not good]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--masks", type=int, default=50)
    parser.add_argument("--first", type=int, default=0, help="number of the first mask")
    arguments = parser.parse_args()
    tally: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mesh.stl"
        for seed in range(arguments.first, arguments.first + arguments.masks):
            kind = KINDS[seed % len(KINDS)]
            full = extract_surface(field_of(mask_of(kind, seed), seed))
            n = len(full.faces)
            settings = {"none": {"tolerance_mm": 0.0}, "tolerance 0.1 mm": {}} | {
                f"reduced {part}": {"target_faces": max(4, round(n * (1 - part)))}
                for part in (0.5, 0.75, 0.9)
            }
            for name, options in settings.items():
                mesh = simplify(full, **options)
                bad = faults(mesh, path)
                row = tally.setdefault(name, Counter())
                row["meshes"] += 1
                row["triangles before"] += n
                row["triangles after"] += len(mesh.faces)
                row.update(bad)
                if bad:
                    print(f"seed {seed} {kind}, {name}: {', '.join(bad)}")
        if seed % 100 == 99:
            print(f"{seed + 1} masks", file=sys.stderr, flush=True)
    good = True
    for name, row in tally.items():
        kept = row.pop("triangles after") / row.pop("triangles before")
        meshes = row.pop("meshes")
        good &= not row
        print(f"{name:18s} {meshes} meshes, {kept:.0%} of triangles, faults: {dict(row) or 'none'}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

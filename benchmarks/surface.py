"""Surfaces beside other tools: equal inputs, one process each, time and peak memory.

    MEDRECON_DATA=... python benchmarks/surface.py [--runs N] [--errand NAME ...]

The chest CT continued by its mirror image to 512 x 512 x 400, the full surface of what is
over 200 HU in 120 of its slices, and a map of 104 labels. What was made is judged by
trimesh's edges and medrecon's exact
count of self-intersections, and decimation by its distances both ways; reading, warming
up and judging are not in the times.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from statistics import median

import numpy as np
import trimesh
from peers import peer_folder
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree

from medrecon import dicom
from medrecon.core import Geometry, Label, SoftField
from medrecon.core.boxtree import BoxTree
from medrecon.segmentation.fields import doubled
from medrecon.surface.extract import extract_surface
from medrecon.surface.intersections import self_intersections

ONE = Path(__file__).with_name("surface_one.py")
SLICES = 400
MESHED = 120
"""Slices whose bone is the full surface: about two million triangles."""
LABELS = 104
# Errand: peers, the part of each one's time that is aimed at (0: none is), and what is judged.
ERRANDS = {
    "extract": ({"skimage": 0.15, "zmesh": 0.25}, "edges"),
    "labels": ({"zmesh": 0.4}, "edges"),
    "printable": ({"zmesh": 0.2}, "solids"),
    "verb": ({"zmesh": 0}, "solids"),
    "decimate": ({"vtk": 0.25}, "distance"),
    "smooth": ({"vtk": 1.5}, "edges"),
    "stl": ({"vtk": 0.7}, ""),
    "3mf": ({"lib3mf": 0.4}, ""),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--errand", nargs="*", default=list(ERRANDS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_inputs(folder)
        for errand in arguments.errand:
            table(errand, folder, arguments.runs)


def table(errand: str, folder: Path, runs: int) -> None:
    aims, judged = ERRANDS[errand]
    found: dict[str, list[dict[str, float]]] = {"medrecon": [], **{name: [] for name in aims}}
    for _ in range(runs):
        for name, rows in found.items():
            rows.append(one(errand, name, folder))
    ours = median(r["wall_s"] for r in found["medrecon"])
    ours_cpu = median(r["cpu_s"] for r in found["medrecon"])
    print(f"\n{errand}\n{'':10}{'wall s':>9}{'ours':>7}{'aim':>6}{'cpu s':>9}{'ours':>7}{'MB':>7}")
    for name, rows in found.items():
        wall, cpu, peak = (median(r[k] for r in rows) for k in ("wall_s", "cpu_s", "peak_mb"))
        aim = f"{aims[name]:g}" if aims.get(name) else ""
        row = f"{name:10}{wall:9.2f}{ours / wall:7.2f}{aim:>6}{cpu:9.2f}{ours_cpu / cpu:7.2f}"
        print(f"{row}{peak:7.0f}  {judgement(judged, folder, errand, name)}", flush=True)


def one(errand: str, name: str, folder: Path) -> dict[str, float]:
    python = Path(sys.executable) if name == "medrecon" else peer_folder() / "python"
    done = subprocess.run(
        [str(python), str(ONE), errand, name, str(folder)],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def judgement(kind: str, folder: Path, errand: str, name: str) -> str:
    """What is wrong with the meshes that were made, counted."""
    if not kind:
        return f"{sum(p.stat().st_size for p in folder.glob(f'{errand}_{name}.*')) / 1e6:.0f} MB"
    meshes = []
    for path in sorted(folder.glob(f"{errand}_{name}_*.npz")):
        with np.load(path) as held:
            meshes.append((held["vertices"].astype(np.float32), held["faces"].astype(np.int32)))
    faulty = sum(bad_edges(*mesh) for mesh in meshes)
    words = f"{sum(len(f) for _, f in meshes):,} triangles, {faulty:,} bad edges"
    if kind in ("distance", "solids"):
        crossing = sum(len(self_intersections(*mesh)) for mesh in meshes)
        words += f", {crossing:,} crossings"
    if kind == "distance":
        words += distances(folder, *meshes[0])
    return words


def bad_edges(vertices: np.ndarray, faces: np.ndarray) -> int:
    """Edges that have not two faces once equal corners are joined, as in a file."""
    mesh = trimesh.Trimesh(vertices, faces, process=True)
    return int((np.bincount(mesh.edges_unique_inverse) != 2).sum())


def distances(folder: Path, vertices: np.ndarray, faces: np.ndarray) -> str:
    with np.load(folder / "mesh.npz") as held:
        full = held["vertices"], held["faces"]
    there = BoxTree.of(*full).distance_mm(vertices[faces].mean(axis=1, dtype=np.float64))
    back = BoxTree.of(vertices, faces).distance_mm(full[0][::3])
    words = [
        f"rms {np.sqrt(np.mean(d**2)):.3f} p95 {np.quantile(d, 0.95):.3f} max {d.max():.2f}"
        for d in (there, back)
    ]
    return f"; mm to the full surface {words[0]}, back {words[1]}"


def make_inputs(folder: Path) -> None:
    ct = continued(chest(folder), SLICES)
    small = np.asfortranarray(ct[160:224, 250:314, 100:164])
    np.save(folder / "ct.npy", ct)
    np.save(folder / "ct_small.npy", small)
    for name, part in (("mesh", ct[:, :, :MESHED]), ("mesh_small", small)):
        field = doubled(part, 200)
        grid = Geometry(part.shape, (0.78125, 0.78125, 1.0), (0.0, 0.0, 0.0))
        mesh = extract_surface(SoftField(Label(1, "bone"), field, grid))
        np.savez(folder / f"{name}.npz", vertices=mesh.vertices_mm, faces=mesh.faces)
    np.save(folder / "labels.npy", organs((224, 224, 224), LABELS))
    np.save(folder / "labels_small.npy", organs((48, 48, 48), 4))


def chest(folder: Path) -> np.ndarray:
    archive = Path(os.environ["MEDRECON_DATA"]) / "ct_chest_lidc" / "ct_chest_lidc_0314.zip"
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(folder / "chest")
    return dicom.read(dicom.choose(dicom.scan(folder / "chest"))).array


def continued(array: np.ndarray, slices: int) -> np.ndarray:
    both = np.concatenate([array, array[:, :, ::-1]], axis=2)
    return np.asfortranarray(both[:, :, :slices])


def organs(shape: tuple[int, int, int], count: int) -> np.ndarray:
    """A ball filled with so many structures that touch one another, with wavy borders."""
    rng = np.random.default_rng(5)
    index = np.stack(np.indices(shape), axis=-1).reshape(-1, 3)
    waves = [gaussian_filter(rng.standard_normal(shape), 4).ravel() for _ in range(3)]
    moved = index + 40 * np.stack(waves, axis=1)
    places = rng.uniform(0, shape, (4 * count, 3))
    # All in the ball, so that all occur.
    places = places[np.linalg.norm(places / shape - 0.5, axis=1) < 0.46][:count]
    _, nearest = KDTree(places).query(moved)
    inside = np.linalg.norm(index / np.array(shape) - 0.5, axis=1) < 0.48
    labels = np.where(inside, nearest + 1, 0).astype(np.uint16)
    return np.asfortranarray(labels.reshape(shape))


if __name__ == "__main__":
    main()

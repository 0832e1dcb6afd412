"""The whole road beside dicom2stl: time, memory, validity, and distance to the true bone.

    MEDRECON_DATA=... python benchmarks/road.py [--runs N]

1. A chest CT to a bone STL. dicom2stl runs at its defaults for bone; medrecon is asked for
   as many triangles. "road" is `medrecon seg+mesh` with everything it adds; "bare" does only
   what dicom2stl does.
2. The synthetic torso, whose bone is known exactly: how far each tool's surface lies from it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import trimesh
from measure import Command, in_turn, run_once
from peers import peer_folder

from medrecon.files.stl import read_stl
from medrecon.phantom import torso_geometry, torso_truth
from medrecon.phantom.write import TORSO_SHAPE, TORSO_SPACING_MM

HERE = Path(__file__).parent
ISOVALUE = "199.5"
SAMPLE_SEED = 2026
# A peer's stray surface (table, vessels) farther than this from any bone is not counted
# against it: this compares where the bone's surface was put, not what was taken for bone.
NEAR_MM = 3.0


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    archive = Path(os.environ["MEDRECON_DATA"]) / "ct_chest_lidc" / "ct_chest_lidc_0314.zip"
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(work / "chest")
        chest = next(p.parent for p in sorted((work / "chest").rglob("*.dcm")))
        chest_table(chest, work, runs)
        torso_table(work)


def chest_table(chest: Path, work: Path, runs: int) -> None:
    """Time, memory and validity on the chest CT."""
    commands = roads(chest, work, triangles=peer_triangles(chest, work))
    timings = in_turn(commands, work, runs)
    peer = timings["dicom2stl"]
    print(f"\nchest CT to bone STL, median of {runs} runs in turn")
    heads = ("wall", "ratio", "cpu", "ratio", "peak", "ratio")
    print(f"{'':10} " + " ".join(f"{head:>8}" for head in heads) + "  file")
    for name, t in timings.items():
        print(
            f"{name:10} {t.wall_s:7.2f}s {peer.wall_s / t.wall_s:7.2f}x "
            f"{t.cpu_s:7.2f}s {peer.cpu_s / t.cpu_s:7.2f}x "
            f"{t.peak_mb:5.0f} MB {t.peak_mb / peer.peak_mb:7.2f}x  {describe(result(name, work))}"
        )


def torso_table(work: Path) -> None:
    """Distance of the bone's surface to the truth on the sample's torso."""
    series = HERE.parent / "sample_data" / "ct_torso"
    truth = torso_truth(SAMPLE_SEED, torso_geometry(TORSO_SHAPE, TORSO_SPACING_MM))
    for command in roads(series, work, triangles=peer_triangles(series, work)).values():
        run_once(command, work)
    print("\nsynthetic torso: distance of the bone's surface to the true bone, mm")
    print(f"{'':10} {'bias':>8} {'mean':>8} {'p95':>8}  file")
    for name in ("dicom2stl", "road"):
        path = result(name, work)
        distance = truth.distance_mm("bone", samples(path))
        near = distance[np.abs(distance) <= NEAR_MM]
        print(
            f"{name:10} {-near.mean():8.3f} {np.abs(near).mean():8.3f} "
            f"{np.quantile(np.abs(near), 0.95):8.3f}  {describe(path)}"
        )


def roads(series: Path, work: Path, *, triangles: int) -> dict[str, Command]:
    """The commands that are compared, by name."""
    python = Path(sys.executable)
    options = ["--tissue", "bone", "--format", "stl", "--target-faces", str(triangles)]
    return {
        "dicom2stl": peer_command(series, work),
        "road": [
            python.with_name("medrecon"), "seg+mesh", series, "-o", work / "road",
            *options, "--no-preview", "--force", "--quiet",
        ],
        "bare": [python, HERE / "bare_road.py", series, work / "bare.stl", str(triangles)],
    }  # fmt: skip


def peer_command(series: Path, work: Path) -> Command:
    """dicom2stl at its defaults, with an isovalue that no voxel can equal."""
    return [peer_folder() / "dicom2stl", "-i", ISOVALUE, "-o", work / "dicom2stl.stl", series]


def peer_triangles(series: Path, work: Path) -> int:
    """How many triangles dicom2stl makes of the series."""
    run_once(peer_command(series, work), work)
    return len(read_stl(result("dicom2stl", work))[1])


def result(name: str, work: Path) -> Path:
    """Where a command leaves its STL."""
    return work / ("road/meshes/bone.stl" if name == "road" else f"{name}.stl")


def describe(path: Path) -> str:
    """Triangles, and edges that make the file invalid, counted by trimesh."""
    mesh = trimesh.load(path, process=True)
    uses = np.unique(mesh.edges_unique_inverse, return_counts=True)[1]
    return (
        f"{len(mesh.faces):,} triangles, {np.count_nonzero(uses == 1):,} open and "
        f"{np.count_nonzero(uses > 2):,} non-manifold edges"
    )


def samples(path: Path) -> np.ndarray:
    """Points spread evenly over the surface, LPS mm, the same at every run."""
    mesh = trimesh.load(path, process=True)
    return trimesh.sample.sample_surface(mesh, 200_000, seed=0)[0]


if __name__ == "__main__":
    main()

"""The sample through the whole road, against its exact truth.

Run `python benchmarks/sample.py`: volumes of the meshes as re-read by trimesh, centroids,
and the distance of each surface to the true one at points spread evenly over it (its
vertices lie where it is rough, and few where it is even).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import trimesh

from medrecon.options import Options, OutputOptions
from medrecon.phantom import torso_geometry, torso_truth
from medrecon.phantom.write import TORSO_SHAPE, TORSO_SPACING_MM
from medrecon.pipeline import reconstruct

SAMPLE = Path(__file__).parents[1] / "sample_data" / "ct_torso"
SAMPLE_SEED = 2026
POINTS = 40_000


def main() -> None:
    """Print one row a structure."""
    truth = torso_truth(SAMPLE_SEED, torso_geometry(TORSO_SHAPE, TORSO_SPACING_MM))
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "run"
        run = reconstruct(SAMPLE, output=output, options=Options(output=OutputOptions()))
        print(
            f"{'structure':14} {'true mL':>9} {'mesh mL':>9} {'error':>8} {'centroid':>9}", end=""
        )
        print(f" {'mean mm':>8} {'p95 mm':>7}  closed  verdict")
        for part in run.parts:
            name = part.label.name
            mesh = trimesh.load(output / "meshes" / f"{name}.stl", process=True)
            true = truth.structures[name]
            moved = np.linalg.norm(mesh.center_mass - true.centroid_mm)
            points, _ = trimesh.sample.sample_surface(mesh, POINTS, seed=1)
            distance = np.abs(truth.distance_mm(name, points))
            print(
                f"{name:14} {true.volume_ml:9.2f} {mesh.volume / 1000:9.2f} "
                f"{mesh.volume / 1000 / true.volume_ml - 1:+8.2%} {moved:6.2f} mm "
                f"{distance.mean():8.3f} {np.quantile(distance, 0.95):7.3f}  "
                f"{'yes' if mesh.is_watertight else 'NO':6}  {part.gate.verdict.value}"
            )


if __name__ == "__main__":
    main()

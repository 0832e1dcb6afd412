"""Print preparation of the phantom's kidney: walls, fit, verdicts, and how long it takes.

python benchmarks/printing.py OUT
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from medrecon.core import Geometry, Mesh, SoftField, away_from_zero, label
from medrecon.phantom.torso import torso_geometry, torso_truth
from medrecon.printing.cut import Pins
from medrecon.printing.engrave import Inscription
from medrecon.recipes.printing import Cut, Patient, PrintOptions, prepare_prints
from medrecon.surface.extract import extract_surface
from medrecon.surface.simplify import simplify

STEP_MM = 1.6
SIZE_MM = (64, 60, 112)


def kidney() -> Mesh:
    """The right kidney with its tumour, from its analytic surface."""
    truth = torso_truth(2026, torso_geometry((160, 128, 100), (2.2, 2.2, 3.3)))
    name = "kidney_right_with_tumor"
    shape = tuple(int(s / STEP_MM) for s in SIZE_MM)
    low = np.array(truth.structures[name].centroid_mm) - np.array(shape) * STEP_MM / 2
    grid = Geometry(shape, (STEP_MM,) * 3, tuple(low.tolist()))
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    points = grid.mm_from_index(index.reshape(-1, 3))
    values = truth.distance_mm(name, points, clipped=False).reshape(shape).astype(np.float32)
    field = SoftField(label("kidney_right"), away_from_zero(values), grid)
    return simplify(extract_surface(field), tolerance_mm=0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    mesh = kidney()
    options = PrintOptions(
        "sla",
        cuts=(Cut("z"),),
        pins=Pins(clearance_mm=0.3),
        inscription=Inscription(("CASE-042",), scale_bar_mm=20.0),
        engrave_side=True,
        hollow_mm=2.0,
    )
    start, cpu = time.perf_counter(), time.process_time()
    found = prepare_prints([mesh], options, output=out, patient=Patient(0.0, "R"))
    print(f"{time.perf_counter() - start:.1f} s, {time.process_time() - cpu:.1f} s of CPU")
    for part in found.parts:
        wall = part.sidecar["done"]["hollow"]["wall_mm"]
        letters = part.sidecar["done"]["engraved"]["height_mm"]
        print(part.sidecar["part"], json.dumps(wall), f"letters {letters} mm", end=" ")
        print("printable" if part.judged.printable else part.judged.reasons)


if __name__ == "__main__":
    main()

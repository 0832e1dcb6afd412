"""Gap and overlap between touching labels: shared, each for itself, and after decimation.

    python benchmarks/neighbours.py

A ball of 24 voxels in twelve parts, as a network with wavy logits would find them, 1 mm
voxels. Each figure is over all pairs that touch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from medrecon.core import Geometry, Label, Mesh, SoftField, away_from_zero
from medrecon.quality.neighbours import contacts
from medrecon.surface.extract import extract_surface
from medrecon.surface.shared import extract_shared
from medrecon.surface.simplify import simplify
from medrecon.surface.validity import judge

SHAPE = (60, 60, 60)
PARTS = 12
REACH_MM = 1.0


def parts() -> list[SoftField]:
    """Softmax fields of the parts: nearest seed within the ball, each logit with waves."""
    rng = np.random.default_rng(5)
    grid = Geometry(SHAPE, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    p = np.moveaxis(np.indices(SHAPE), 0, -1) - 29.5
    outside = np.linalg.norm(p, axis=-1) - 24
    seeds = rng.uniform(-16, 16, (PARTS, 3))
    logits = [outside]
    for seed in seeds:
        wave = gaussian_filter(rng.standard_normal(SHAPE), 2.0)
        logits.append(12 - np.linalg.norm(p - seed, axis=-1) + 20 * wave)
    # What is beyond the ball is nobody's, what is in it somebody's.
    logits[0] = np.where(outside > 0, 0, -99) + outside + np.max(logits[1:], axis=0) * (outside > 0)
    fields = []
    for n in range(1, PARTS + 1):
        others = np.max([x for m, x in enumerate(logits) if m != n], axis=0)
        values = away_from_zero((logits[n] - others).astype(np.float32))
        fields.append(SoftField(Label(n, f"part_{n}"), values, grid))
    return fields


def show(name: str, meshes: Sequence[Mesh], seconds: float) -> None:
    found = contacts(meshes, reach_mm=REACH_MM)
    valid = sum(judge(m).valid for m in meshes)
    area = sum(c.area_mm2 for c in found)

    def mean(figure: str) -> float:
        return sum(getattr(c, figure) * c.area_mm2 for c in found) / area

    print(
        f"{name:30s} {valid}/{len(meshes)} valid, {sum(len(m.faces) for m in meshes):6d} "
        f"triangles, {len(found)} pairs, gap mean {mean('gap_mean_mm'):.4f} p95 "
        f"{max(c.gap_p95_mm for c in found):.4f} mm, overlap mean {mean('overlap_mean_mm'):.4f} "
        f"p95 {max(c.overlap_p95_mm for c in found):.4f} mm, {seconds:.2f} s"
    )


def main() -> None:
    fields = parts()
    start = time.process_time()
    shared = extract_shared(fields)
    show("shared", shared, time.process_time() - start)
    start = time.process_time()
    alone = [extract_surface(f) for f in fields]
    show("each for itself", alone, time.process_time() - start)
    for name, meshes in (("shared", shared), ("each for itself", alone)):
        start = time.process_time()
        simple = [simplify(m, tolerance_mm=0.1) for m in meshes]
        show(f"{name}, decimated to 0.1 mm", simple, time.process_time() - start)


if __name__ == "__main__":
    main()

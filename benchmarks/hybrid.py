"""The hybrid boundary from a trained network that runs on voxels three times the scan's.

    python benchmarks/hybrid.py [--steps N] [--model DIR] [--only NAME] [--placements N]

A small network is trained on random balls, plates and pairs at 3 mm, and run on scans at
1 mm of shapes it has not seen. Scans are exact: the blurred ball and the blurred box
have formulas. Figures are in voxels of the scan, which are millimetres.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from hybrid_scenes import Scene, balls, evaluate, joint, noise_seed, plate, socket
from hybrid_train import trained

from medrecon.models.store import open_model


def scenes(placements: int) -> list[tuple[str, Scene]]:
    """What is measured: every shape at some random placements."""
    rows: list[tuple[str, Scene]] = []
    for seed in range(placements):
        rows += [("bone R20", balls(20.0, seed)), ("sphere R5", balls(5.0, seed))]
        rows += [(f"plate {t:g} mm", plate(t, seed)) for t in (1.0, 2.0, 3.0)]
        rows += [(f"joint, gap {g:g} mm", joint(g, seed)) for g in (1.0, 1.5, 2.0, 3.0)]
        rows += [(f"socket, gap {g:g} mm", socket(g, seed)) for g in (2.0, 3.0)]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--only", default="", help="scenes whose name begins so")
    parser.add_argument("--placements", type=int, default=3)
    given = parser.parse_args()
    folder = given.model or Path(tempfile.mkdtemp())
    if not (folder / "manifest.toml").exists():
        trained(folder, given.steps)
    model = open_model(folder)
    columns = ("network", "hybrid", "p95", "volume", "uncertain", "unresolved")
    print(f"{'scene':20}", *(f"{c:>10}" for c in columns), "  parts", sep="")
    for name, scene in scenes(given.placements):
        if not name.startswith(given.only):
            continue
        r = evaluate(model, scene, noise_seed(name))
        print(
            f"{name:20}{r.network:10.3f}{r.hybrid:10.3f}{r.p95:10.3f}{r.volume_percent:+9.2f}%"
            f"{100 * r.uncertain:9.1f}%{100 * r.unresolved:9.1f}%  {r.parts} of {r.true_parts}"
        )


if __name__ == "__main__":
    main()

"""Hippocampus: train by `medrecon train`, judge by `medrecon evaluate`, say what it took.

    MEDRECON_DATA=… python benchmarks/hippocampus.py [-o DIR] [--steps N] [--network N] …

Every fifth case (the first, the sixth, …) is held out: 52 of 260. Twenty of the others
give the curve; settings were chosen by them alone.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LABELS = "hippocampus_anterior=1,hippocampus_posterior=2"
SOURCE = (
    "Medical Segmentation Decathlon, task 4 (hippocampus), 208 of 260 T1 MR crops, CC BY-SA 4.0"
)


def medrecon(*words: object) -> tuple[float, float]:
    """Run a verb; wall and processor seconds."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, "-m", "medrecon_cli", *map(str, words)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, cpu


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--network", default="UNet")
    parser.add_argument("--features", default="16,32,64,128")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    folder = given.output or Path(tempfile.mkdtemp())
    data = Path(os.environ["MEDRECON_DATA"]) / "mr_hippocampus"
    trained = medrecon(
        *("train", data, "-o", folder, "--name", "hippocampus", "--labels", LABELS),
        *("--held-out", "every:5", "--validation", 20, "--mirror"),
        *("--network", given.network, "--features", given.features),
        *("--steps", given.steps, "--threads", given.threads, "--licence", "CC-BY-SA-4.0"),
        *("--data-source", SOURCE),
    )
    print(f"trained in {trained[0]:.0f} s, {trained[1] / 60:.1f} core-minutes")
    medrecon(
        *("evaluate", data / "images", data / "labels", "--model", folder, "--labels", LABELS),
        *("--cases", folder / "split.json", "-o", folder / "held_out"),
    )
    found = json.loads((folder / "held_out" / "summary.json").read_text())
    for label, rows in found["labels"].items():
        d, n, h = rows["dice"], rows["nsd"], rows["hd95_mm"]
        print(
            f"{label}: Dice {d['mean']:.4f} ({d['low']:.4f} to {d['high']:.4f}), "
            f"NSD at 1 mm {n['mean']:.4f}, HD95 {h['mean']:.2f} mm, {d['count']} cases"
        )


if __name__ == "__main__":
    main()

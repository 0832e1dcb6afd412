"""A thousand small studies, a tenth of them poisoned, and a parent that is killed 20 times.

    python benchmarks/batch.py overnight [--studies 1000] [--kills 20] [--timeout 60]
    python benchmarks/batch.py throughput [--studies 48]

`overnight` kills the batch's process (SIGKILL) at random moments and starts it again, then
lets it end, and checks that every good study was done exactly once and that every bad one
has one row with its reason. `throughput` runs the same good studies with one job on one
core and with two on two (taskset), in turn, three times, and prints both; it also prints the
processor time of the parent and of the studies, since only that is the same on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests" / "batch"
sys.path.insert(0, str(TESTS))

from studies import write_studies  # noqa: E402
from test_batch import check, start  # noqa: E402


def overnight(studies: int, kills: int, timeout_s: float, place: Path) -> dict[str, object]:
    root, output, dice = place / "root", place / "out", random.Random(11)
    made = write_studies(root, studies)
    begun = time.monotonic()
    killed = 0
    for _ in range(kills):
        child = start(root, output, timeout_s=timeout_s)
        time.sleep(dice.uniform(1.0, 40.0))
        killed += child.poll() is None
        child.kill()
        child.communicate()
    with start(root, output, timeout_s=timeout_s) as child:
        _, errors = child.communicate()
    assert child.returncode == 0, errors
    check(made, root, output)
    return {
        "studies": studies,
        "good": len(made["good"]),
        "poisoned": {k: len(v) for k, v in made.items() if k != "good"},
        "parent killed while at work": killed,
        "every good study exactly once": True,
        "every bad study one row with its reason": True,
        "minutes": round((time.monotonic() - begun) / 60, 1),
    }


def throughput(studies: int, place: Path) -> dict[str, object]:
    root = place / "root"
    write_studies(root, studies, every=10**9)
    rounds = []
    for n in range(3):
        row: dict[str, float] = {}
        for jobs, cores in ((1, "0"), (2, "0,1")):
            before = os.times()
            begun = time.monotonic()
            more = json.dumps({"jobs": jobs})
            subprocess.run(
                ["taskset", "-c", cores, sys.executable, TESTS / "drive.py", root,
                 place / f"out-{n}-{jobs}", more],
                check=True, stdout=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": str(TESTS)},
            )  # fmt: skip
            after = os.times()
            row[f"seconds with {jobs}"] = round(time.monotonic() - begun, 2)
            spent = after.children_user + after.children_system
            spent -= before.children_user + before.children_system
            row[f"processor seconds with {jobs}"] = round(spent, 2)
        row["ratio"] = round(row["seconds with 1"] / row["seconds with 2"], 2)
        rounds.append(row)
    return {"studies": studies, "rounds": rounds}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("what", choices=["overnight", "throughput"])
    arguments.add_argument("--studies", type=int)
    arguments.add_argument("--kills", type=int, default=20)
    arguments.add_argument("--timeout", type=float, default=60.0, help="of a study, in seconds")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.what == "overnight":
            found = overnight(given.studies or 1000, given.kills, given.timeout, Path(folder))
        else:
            found = throughput(given.studies or 48, Path(folder))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

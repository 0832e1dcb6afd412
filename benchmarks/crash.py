"""1,000 kills at random moments, and each of the first 200 writes failing.

    python benchmarks/crash.py [--kills 1000] [--writes 200] [--seed 1]

Takes about ten minutes of processor time. What is looked for after each: a torn file under
a final name, a run that cannot be resumed, and a resumed result that is not the
undisturbed one byte for byte (run.json and segmentation.json without the run's id, key,
keyed hash, times and memory; report.html, which shows them, only for being whole).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "tests" / "outputs" / "crashes.py"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=1000)
    arguments.add_argument("--writes", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    for words in (("kills", given.kills, given.seed), ("writes", 1, given.writes)):
        with tempfile.TemporaryDirectory() as place:
            command = [sys.executable, PROGRAM, *map(str, words), place]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(words[0], json.dumps(json.loads(done.stdout)), flush=True)


if __name__ == "__main__":
    main()

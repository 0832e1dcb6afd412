"""Damage DICOM files at random and read them.

python benchmarks/fuzz_dicom.py [--count 100000] [--seed 1]

The mutants are those of `tests/dicom/mutants.py`: small series in twelve transfer
syntaxes and two multi-frame objects, one file of each changed in one to three places.
A mutant ends in a volume or in a typed refusal; anything else is a fault and exits 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "dicom"))

from mutants import LIMITS, SYNTAXES, Tally, campaign, peak_bytes

BLOCK = 5000


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    shared = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    tally, begun = Tally(), time.perf_counter()
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        for block, start in enumerate(range(0, chosen.count, BLOCK)):
            count = min(BLOCK, chosen.count - start)
            tally.merge(campaign(Path(folder), 1000 * chosen.seed + block, count))
    own, child = peak_bytes()
    print(f"{tally.tried} mutants of {len(SYNTAXES)} transfer syntaxes")
    print(f"{time.perf_counter() - begun:.0f} s, the slowest {tally.slowest_s:.2f} s")
    print(f"peak {own / 2**20:.0f} MiB, decoder {child / 2**20:.0f} MiB")
    print(f"budget of a volume {LIMITS.volume_bytes / 2**20:.0f} MiB")
    print(", ".join(f"{n} {kind}" for kind, n in tally.outcomes.most_common()))
    print(f"{len(tally.faults)} faults")
    for fault in tally.faults[:50]:
        print(" ", fault)
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())

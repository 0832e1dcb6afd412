"""A batch as a process of its own, so that it can be killed: `drive.py ROOT OUT [JSON]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from medrecon.batch.outcome import Budget
from medrecon.options import Options, OutputOptions, SegmentOptions
from medrecon.recipes.batch import BatchPlan, run_batch

OPTIONS = Options(
    segment=SegmentOptions(tissues=("bone",)),
    output=OutputOptions(preview=False, formats=("stl",)),
)


def main() -> None:
    root, output = Path(sys.argv[1]), Path(sys.argv[2])
    more = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    # Far over the second that a good study takes: a busy disk alone once held one for 15 s.
    budget = Budget(timeout_s=more.pop("timeout_s", 60.0), memory_mb=more.pop("memory_mb", 400.0))
    if "shard" in more:
        more["shard"] = tuple(more["shard"])
    plan = BatchPlan(budget=budget, **({"jobs": 2, "work": "poison:work"} | more))
    standing = run_batch(root, output=output, options=OPTIONS, plan=plan)
    said = {r.study: [r.state.value, r.code] for r in standing.rows.values()}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()

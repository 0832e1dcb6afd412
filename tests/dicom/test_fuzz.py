"""Damaged files end in a volume or a typed refusal: no traceback, no signal, no hang."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from mutants import LIMITS, SYNTAXES

# A process of its own: its peak memory, and its children's, are those of the campaign.
CAMPAIGN = """
import dataclasses, json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from mutants import campaign, peak_bytes
before, _ = peak_bytes()
tally = campaign(Path(sys.argv[2]), seed=20261121, count=2000)
own, child = peak_bytes()
print(json.dumps({
    "faults": [str(f) for f in tally.faults], "tried": tally.tried,
    "outcomes": dict(tally.outcomes), "own": own - before, "child": child,
}))
"""


def test_2000_mutants_of_a_dozen_transfer_syntaxes_end_in_a_volume_or_a_refusal(
    tmp_path: Path,
) -> None:
    assert len(SYNTAXES) >= 10
    done = subprocess.run(
        [sys.executable, "-c", CAMPAIGN, str(Path(__file__).parent), str(tmp_path)],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["faults"] == []
    assert found["tried"] == 2000
    # Both outcomes must occur, else the mutations are too weak or too strong to tell.
    assert found["outcomes"]["volume"] > 200
    assert found["outcomes"]["pixel-data"] > 200
    # The budget of one volume twice (stored and as values) over what was there before.
    assert found["own"] < 2 * LIMITS.volume_bytes + (64 << 20)
    # The decoder: interpreter and codecs (measured 60–90 MiB) and the budget.
    assert found["child"] < (256 << 20) + 2 * LIMITS.volume_bytes

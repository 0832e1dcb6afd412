"""Killed at any moment or out of disk at any write: the old state or an unfinished folder.

Samples; `benchmarks/crash.py` has 1,000 kills and each of the first 200 writes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def crashes(*words: object) -> dict[str, Any]:
    program = Path(__file__).with_name("crashes.py")
    done = subprocess.run(
        [sys.executable, program, *map(str, words)],
        capture_output=True, text=True, check=True, timeout=600,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_runs_killed_at_random_moments_tear_nothing_and_can_be_resumed(tmp_path):
    seen = crashes("kills", 16, 3, tmp_path)
    assert seen["torn"] == []
    assert seen["wrong"] == []
    assert seen["killed"] >= 5


def test_a_disk_that_fails_at_any_write_is_said_and_tears_nothing(tmp_path):
    seen = crashes("writes", 23, 200, tmp_path)
    assert seen["badly"] == []
    assert seen["torn"] == []
    assert seen["wrong"] == []
    assert seen["failed"] >= 8

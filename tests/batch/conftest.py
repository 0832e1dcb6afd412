"""What every test of a batch needs first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from studies import write_studies

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def _loops_are_compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One study without limits: the first of a new installation compiles loops for minutes.

    The limits of the tests are meant for the studies after it.
    """
    place = tmp_path_factory.mktemp("first")
    write_studies(place / "root", 1, every=99)
    unlimited = json.dumps({"timeout_s": 1500.0, "memory_mb": 8000.0})
    subprocess.run(
        [sys.executable, HERE / "drive.py", place / "root", place / "out", unlimited],
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(HERE)},
    )

"""Where the real scans are. Tests that use them carry the marker `data`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real scans; a missing one fails, it never skips."""
    folder = Path(os.environ["MEDRECON_DATA"])
    assert folder.is_dir(), "MEDRECON_DATA names no folder"
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without MEDRECON_DATA the tests marked `data` are deselected, by name and in sight."""
    if "MEDRECON_DATA" in os.environ:
        return
    without = [item for item in items if item.get_closest_marker("data") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in without])
    items[:] = without

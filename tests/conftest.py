"""Where the real scans are. Tests that use them carry the marker `data`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sockets

sockets.watch()


@pytest.fixture(autouse=True)
def _no_socket_leaves_this_machine() -> Iterator[None]:
    """A test that opens a socket to another machine fails, with what it opened."""
    yield
    seen, sockets.outside[:] = list(sockets.outside), []
    assert seen == []


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real scans; a missing one fails, it never skips."""
    folder = Path(os.environ["MEDRECON_DATA"])
    assert folder.is_dir(), "MEDRECON_DATA names no folder"
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What this machine cannot run is deselected, by name and in sight, never skipped.

    Tests marked `data` without MEDRECON_DATA, tests marked `gpu` without a CUDA device.
    """
    if "MEDRECON_DATA" not in os.environ:
        _deselect("data", config, items)
    if any(item.get_closest_marker("gpu") for item in items) and not _has_gpu():
        _deselect("gpu", config, items)


def _deselect(marker: str, config: pytest.Config, items: list[pytest.Item]) -> None:
    without = [item for item in items if item.get_closest_marker(marker) is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in without])
    items[:] = without


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()

"""A word to whoever runs medrecon for the first time, and waits."""

from __future__ import annotations

import os
from pathlib import Path

import medrecon
from medrecon_cli.terminal import Terminal

WORDS = (
    "first run on this machine: parts of medrecon are compiled now and kept, which takes a "
    "minute or two; the next run does without"
)


def tell_first_use(terminal: Terminal, package: Path | None = None) -> None:
    """Say so if no compiled loops are kept beside the package yet.

    Where they cannot be kept there numba chooses another place, and nothing is said.
    """
    folder = package or Path(medrecon.__file__).parent
    if os.access(folder, os.W_OK) and next(folder.glob("*/__pycache__/*.nbi"), None) is None:
        terminal.note(WORDS)

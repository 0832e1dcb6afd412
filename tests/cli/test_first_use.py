"""Whoever waits for the first compilation is told, and nobody else."""

from __future__ import annotations

import pytest

from medrecon_cli.first_use import WORDS, tell_first_use
from medrecon_cli.terminal import Terminal


@pytest.mark.parametrize(("kept", "quiet", "told"), [(0, 0, 1), (1, 0, 0), (0, 1, 0)])
def test_only_who_has_nothing_compiled_is_told(tmp_path, capsys, kept, quiet, told):
    cache = tmp_path / "surface" / "__pycache__"
    cache.mkdir(parents=True)
    if kept:
        (cache / "collapse_loops.contract-1.py311.nbi").touch()
    tell_first_use(Terminal(quiet=bool(quiet)), tmp_path)
    said = capsys.readouterr()
    assert said.out == ""
    assert (WORDS in said.err) == bool(told)

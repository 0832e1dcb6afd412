"""The committed sample comes out of one command, byte by byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from medrecon.phantom import write_phantom

SAMPLE = Path(__file__).parents[2] / "sample_data" / "ct_torso"


def test_the_sample_is_small() -> None:
    assert sum(p.stat().st_size for p in SAMPLE.iterdir()) < 8e6


@pytest.mark.slow
def test_the_sample_is_what_seed_2026_gives(tmp_path: Path) -> None:
    write_phantom("torso", tmp_path, seed=2026)
    names = sorted(p.name for p in SAMPLE.iterdir())
    assert names == sorted(p.name for p in tmp_path.iterdir())
    differing = [n for n in names if (SAMPLE / n).read_bytes() != (tmp_path / n).read_bytes()]
    assert differing == []

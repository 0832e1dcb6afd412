"""Damaged files end in a volume or a typed refusal: no traceback, no signal, no hang."""

from __future__ import annotations

from pathlib import Path

from mutants import LIMITS, SYNTAXES, campaign, peak_bytes


def test_2000_mutants_of_a_dozen_transfer_syntaxes_end_in_a_volume_or_a_refusal(
    tmp_path: Path,
) -> None:
    assert len(SYNTAXES) >= 10
    before, _ = peak_bytes()
    tally = campaign(tmp_path, seed=20261121, count=2000)
    assert tally.faults == []
    assert tally.tried == 2000
    # Both outcomes must occur, else the mutations are too weak or too strong to tell.
    assert tally.outcomes["volume"] > 200
    assert tally.outcomes["pixel-data"] > 200
    own, child = peak_bytes()
    # The budget of one volume twice (stored and as values) over what was there before.
    assert own - before < 2 * LIMITS.volume_bytes + (64 << 20)
    # The decoder: interpreter and codecs (measured 60–90 MiB) and the budget.
    assert child < (256 << 20) + 2 * LIMITS.volume_bytes

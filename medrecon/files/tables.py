"""Label tables beside a label map: BIDS dseg and 3D Slicer.

References
----------
BIDS 1.9, "Segmentations": columns index, name, color, and mapping columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medrecon.core import Label
from medrecon.files.atomic import open_atomic


def write_bids_table(labels: Sequence[Label], path: Path) -> None:
    """index, name, color (hexadecimal), SNOMED CT code and meaning; tab-separated."""
    rows = ["index\tname\tcolor\tsnomed_ct\tsnomed_meaning"]
    for x in labels:
        code = (x.code.value, x.code.meaning) if x.code else ("n/a", "n/a")
        rows.append(
            "\t".join([str(x.index), x.name, "#{:02x}{:02x}{:02x}".format(*x.color), *code])
        )
    _write_lines(rows, path)


def write_slicer_table(labels: Sequence[Label], path: Path) -> None:
    """3D Slicer colour table: index name red green blue alpha."""
    rows = ["# Color table", "0 background 0 0 0 0"]
    rows += [f"{x.index} {x.name} {x.color[0]} {x.color[1]} {x.color[2]} 255" for x in labels]
    _write_lines(rows, path)


def _write_lines(rows: list[str], path: Path) -> None:
    with open_atomic(path) as stream:
        stream.write(("\n".join(rows) + "\n").encode())

"""The batch as a table: one row for each study, for a spreadsheet and for a browser."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from medrecon.batch.outcome import Outcome, State
from medrecon.files.atomic import open_atomic

COLUMNS = ("study", "outcome", "code", "reason", "structures", "seconds", "peak_memory_mb")
CSV_FILE, HTML_FILE = "summary.csv", "summary.html"


def write_tables(rows: Sequence[Outcome], folder: Path) -> None:
    """`summary.csv` and `summary.html`, failures first."""
    ordered = sorted(rows, key=lambda r: (r.state is not State.FAILED, r.study))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for r in ordered:
        cells = (r.study, r.state.value, r.code, r.reason, " ".join(r.structures))
        table.writerow((*cells, r.seconds, r.peak_memory_mb))
    with open_atomic(folder / CSV_FILE) as stream:
        stream.write(text.getvalue().encode())
    template = resources.files("medrecon.batch").joinpath("summary.html.j2").read_text("utf-8")
    counts = sorted(Counter(r.state.value for r in rows).items())
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    with open_atomic(folder / HTML_FILE) as stream:
        stream.write(page.from_string(template).render(rows=ordered, counts=counts).encode())

"""One self-contained HTML page of a finished run: opens from disk, asks no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from medrecon.files.atomic import open_atomic


def write_report(
    path: Path,
    *,
    run: Mapping[str, Any],
    statistics: Mapping[str, Any],
    quality: Mapping[str, Any],
    preview: Path | None = None,
) -> None:
    """Write the report.

    Parameters
    ----------
    path : Path
        The page; appears only when whole.
    run, statistics, quality : mapping
        What `run.json`, `statistics.json` and `quality.json` hold. Every value is
        escaped; none is patient data, because those files hold none.
    preview : Path or None
        A PNG to embed.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    text = resources.files("medrecon.report").joinpath("report.html.j2").read_text("utf-8")
    rows = _rows(statistics["structures"], quality["meshes"])
    page = environment.from_string(text).render(
        run=run, rows=rows, warnings=run["warnings"], picture=_data_uri(preview)
    )
    with open_atomic(path) as stream:
        stream.write(page.encode())


def _rows(
    structures: Sequence[Mapping[str, Any]], meshes: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    return [{**row, "quality": meshes[row["name"]]} for row in structures]


def _data_uri(picture: Path | None) -> str | None:
    if picture is None:
        return None
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()

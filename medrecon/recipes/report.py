"""`report.html` of a run again: with what happened to the run since."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medrecon.core.looks import in_words
from medrecon.errors import UsageError
from medrecon.outputs.opened import OpenedRun, open_run
from medrecon.outputs.run import sha256_of_file
from medrecon.report.afterwards import approval_rows, edit_rows
from medrecon.report.page import write_report

PAGE = "report.html"


def render_report(folder: Path, output: Path | None = None, *, with_name: bool = False) -> Path:
    """Write the report of a finished run, with approval and edits where there are any.

    Parameters
    ----------
    folder : Path
        The run.
    output : Path, optional
        The page; `report.html` in the folder if not given, whose new hash then stands in
        `run.json`.
    with_name : bool
        Show who approved. Without it no person's name is in the page.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    UsageError
        If the folder holds no finished run, or the page's name does not end in .html.
    DamagedInputError
        If a record of it is damaged.
    """
    run = open_run(folder)
    path = output or folder / PAGE
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError("the report's name ends in something else; .html was expected")
    picture = folder / "preview.png"
    write_report(
        path,
        run=_with_warnings(run),
        statistics=run.statistics or {"structures": []},
        quality=run.quality or {"meshes": {}},
        preview=picture if picture.is_file() else None,
        meshes=run.meshes(),
        volume=run.volume(),
        approval=approval_rows(folder, with_name=with_name),
        edits=edit_rows(folder),
        fields=run.segmented().fields if run.has_fields else (),
    )
    if path.resolve() == (folder / PAGE).resolve():
        run.record_output(PAGE)
    return path


def _with_warnings(run: OpenedRun) -> Mapping[str, Any]:
    """The run's record; warned of meshes that are others than those that were judged."""
    outputs = run.record["outputs"]
    warnings = list(run.record.get("warnings", ()))
    for row in run.statistics.get("structures", ()):
        name = f"meshes/{row['name']}.stl"
        if name in outputs and sha256_of_file(run.folder / name) != outputs[name]:
            warnings.append(
                f"{in_words(row['name'])}: its file was changed after it was judged; verdict, "
                "figures and errors below are of the earlier one"
            )
    return {**run.record, "warnings": warnings}

"""`report.html` of a run again: with what happened to the run since."""

from __future__ import annotations

from pathlib import Path

from medrecon.outputs.opened import open_run
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
        If the folder holds no finished run.
    DamagedInputError
        If a record of it is damaged.
    """
    run = open_run(folder)
    path = output or folder / PAGE
    picture = folder / "preview.png"
    write_report(
        path,
        run=run.record,
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

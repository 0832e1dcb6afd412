"""A person's approval of a run: who, of what, and whether it still holds."""

from __future__ import annotations

import datetime
from dataclasses import asdict, dataclass
from pathlib import Path

from medrecon.errors import QualityGateError, UsageError
from medrecon.files.atomic import write_json
from medrecon.outputs.opened import open_run
from medrecon.outputs.run import sha256_of_file

APPROVAL_FILE = "approval.json"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is to be made, for the print lab.

    Parameters
    ----------
    material, process, note : str
        Free text of the approver; empty if not said.
    """

    material: str = ""
    process: str = ""
    note: str = ""


def approve_run(
    folder: Path,
    by: str,
    *,
    looked: bool,
    structures: tuple[str, ...] | None = None,
    ticket: Ticket | None = None,
    today: datetime.date | None = None,
) -> Path:
    """Write `approval.json` beside the run: the meshes' hashes, who and when.

    Parameters
    ----------
    folder : Path
        A finished run with meshes.
    by : str
        The approver; it is stored here only, and shown in the report only if asked.
    looked : bool
        That the outlines were compared with the native slices; without it there is no
        approval.
    structures : tuple of str, optional
        What is approved; all if not given.
    ticket : Ticket, optional
    today : date, optional
        For tests.

    Raises
    ------
    UsageError
        If nobody is named, nobody has looked, or a structure is not there; if a list of
        structures was given and names none.
    QualityGateError
        If one of the structures did not pass its gate, or its file is not the one that did.
    """
    run = open_run(folder)
    rows = {row["name"]: row for row in run.statistics.get("structures", ())}
    if structures == ():
        raise UsageError("the list of structures is empty; name some, or leave it out for all")
    names = structures or tuple(rows)
    if not by.strip():
        raise UsageError("--by is empty; the name of who approves was expected")
    if not looked:
        raise UsageError(
            "look at the outlines on the slices first (report.html or medrecon view), then pass "
            "--looked"
        )
    missing = sorted(set(names) - set(rows))
    if missing or not rows:
        raise UsageError(f"no mesh of {', '.join(missing) or 'anything'} in the run")
    failed = [n for n in names if not run.quality["meshes"][n]["passed"]]
    if failed:
        raise QualityGateError(f"not for print, so not to be approved: {', '.join(failed)}")
    hashes = {n: _hash_of(folder / "meshes" / f"{n}.stl") for n in names}
    changed = [n for n in names if hashes[n] != run.record["outputs"].get(f"meshes/{n}.stl")]
    if changed:
        raise QualityGateError(
            f"gone, or changed after it was judged, so not to be approved: {', '.join(changed)}; "
            "what was edited elsewhere is judged by medrecon compare and check"
        )
    content = {
        "schema_version": 1,
        "by": by.strip(),
        "date": (today or datetime.date.today()).isoformat(),
        "run_id": run.record["run_id"],
        "parts": len(names),
        "volume_ml": round(sum(float(rows[n]["mesh_volume_ml"]) for n in names), 4),
        **{k: v for k, v in asdict(ticket or Ticket()).items() if v},
        "meshes": hashes,
    }
    write_json(folder / APPROVAL_FILE, content)
    return folder / APPROVAL_FILE


def _hash_of(path: Path) -> str:
    return sha256_of_file(path) if path.is_file() else ""

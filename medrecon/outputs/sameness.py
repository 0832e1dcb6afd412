"""Whether two runs gave the same, byte for byte.

Three files hold what no two runs share and are compared without it: `run.json` (the run's
id, the key and keyed hash of its input, times, memory), `segmentation.json` (the same key
and hash) and `report.html`, which shows all that and is not compared at all. Which stages
an interrupted run had to walk again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medrecon.files.atomic import RUN_FILE
from medrecon.outputs.run import sha256_of_file
from medrecon.outputs.segmented import INDEX_FILE

REPORT = "report.html"
OWN = (RUN_FILE, INDEX_FILE, REPORT)
# Of run.json; "overwrite" and "resume" say how the folder was filled, not with what.
NOT_SHARED = ("run_id", "input", "peak_memory_mb", "outputs")
NOT_A_RESULT = ("overwrite", "resume")


def differing_files(one: Path, other: Path) -> list[str]:
    """Names of what is not the same in two run folders, or is in one of them only.

    Returns
    -------
    list of str
        Relative names; empty if the runs are identical.
    """
    names = sorted({*_outputs(one), *_outputs(other)} - set(OWN))
    found = [n for n in names if not _same_bytes(one / n, other / n)]
    if _shared_of_run(one) != _shared_of_run(other):
        found.append(RUN_FILE)
    if _shared_of_segmentation(one) != _shared_of_segmentation(other):
        found.append(INDEX_FILE)
    return found


def _outputs(folder: Path) -> list[str]:
    return list(_json(folder / RUN_FILE)["outputs"])


def _same_bytes(one: Path, other: Path) -> bool:
    if not (one.is_file() and other.is_file()):
        return False
    return sha256_of_file(one) == sha256_of_file(other)


def _shared_of_run(folder: Path) -> Mapping[str, Any]:
    record = {k: v for k, v in _json(folder / RUN_FILE).items() if k not in NOT_SHARED}
    steps = [{k: v for k, v in s.items() if k != "seconds"} for s in record.get("steps", ())]
    options = dict(record.get("options", {}))
    output = {k: v for k, v in options.get("output", {}).items() if k not in NOT_A_RESULT}
    return {**record, "steps": steps, "options": {**options, "output": output}}


def _shared_of_segmentation(folder: Path) -> Mapping[str, Any]:
    content = _json(folder / INDEX_FILE) if (folder / INDEX_FILE).is_file() else {}
    image = {k: v for k, v in content.get("image", {}).items() if k != "input"}
    return {**content, "image": image}


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text("utf-8")))

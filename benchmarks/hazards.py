"""medrecon, SimpleITK, MONAI and dcm2niix on the hazard folders, one line each.

python benchmarks/hazards.py [--markdown FILE] [--only NAME] [--new]

`--new` runs the folders that FILE does not list yet and keeps its rows (medrecon's column
of all folders is what `tests/dicom/test_hazards.py` asserts).

The folders are those of `tests/dicom/hazards*.py`; the voxels of each are a linear
field in millimetres, so every image can be judged on whatever grid it lies. A reader is

- right: it returns the volume, or refuses where a refusal is due,
- refuses: it gives up on a series that has a right volume,
- SILENT: it returns an image that is wrong, without an error.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "dicom"))

import hazards_files  # noqa: F401 (completes HAZARDS)
import hazards_meant  # noqa: F401
import hazards_mixed  # noqa: F401
import hazards_more  # noqa: F401
import hazards_series  # noqa: F401
import hazards_stored  # noqa: F401
import numpy as np
from hazards import HAZARDS, Hazard
from judge import verdict
from peers import peer_folder
from series_maker import Plan, stack

ONE = Path(__file__).with_name("hazards_one.py")
READERS = ("medrecon", "SimpleITK", "MONAI", "dcm2niix")
CHOICES = frozenset({"series-tie", "usage"})


def server(reader: str) -> subprocess.Popen[str]:
    """A process that reads folders with one reader."""
    command = [sys.executable, ONE, reader]
    if reader == "dcm2niix":
        command.append(peer_folder() / "dcm2niix")
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)


def outcome(
    process: subprocess.Popen[str], hazard: Hazard, folder: Path, truth: Plan | None
) -> str:
    """One reader on one folder."""
    assert process.stdin is not None
    assert process.stdout is not None
    with tempfile.TemporaryDirectory() as out:
        process.stdin.write(f"{folder / hazard.entry}\t{out}\n")
        process.stdin.flush()
        status = int(process.stdout.readline())
        images = sorted(Path(out).glob("*.npz"))
        if status or not images:
            crash = f" (signal {-status})" if status < 0 else ""
            return ("refuses" if truth is not None else "right") + crash
        if truth is None and CHOICES.isdisjoint(hazard.codes):
            return "SILENT"
        # Where the user must choose, a reader that keeps the volumes apart is right too.
        return "right" if _right(images, hazard, truth) else "SILENT"


def _right(images: list[Path], hazard: Hazard, truth: Plan | None) -> bool:
    """One right image is enough where one is due; where a choice is, all must be."""
    verdicts = []
    for path in images:
        image = np.load(path)
        if image["values"].ndim != 3:
            return False
        wrong = verdict(
            image["values"].astype(float),
            image["affine_lps"],
            truth or stack(),
            measured=image.get("measured"),
            tolerance=hazard.tolerance,
            corners=hazard.name.startswith(("padding", "float")),
        )
        verdicts.append(not wrong)
    return any(verdicts) if truth is not None else all(verdicts)


def table(rows: dict[str, dict[str, str]]) -> str:
    """Markdown, with sums."""
    lines = ["| hazard | " + " | ".join(READERS) + " |", "|---|" + "---|" * len(READERS)]
    for name, row in rows.items():
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(row[r] for r in READERS) + " |")
    sums = []
    for reader in READERS:
        count = Counter(row[reader].split(" (")[0] for row in rows.values())
        sums.append(f"{count['right']} right, {count['refuses']} refuses, {count['SILENT']} silent")
    lines.append(f"| **{len(rows)} folders** | " + " | ".join(sums) + " |")
    return "\n".join(lines)


def listed(path: Path) -> dict[str, dict[str, str]]:
    """The rows of a table that was written before."""
    rows = {}
    for line in path.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 1 + len(READERS) and "**" not in cells[0]:
            rows[cells[0].replace(" ", "_")] = dict(zip(READERS, cells[1:], strict=True))
    return rows


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--markdown", type=Path)
    options.add_argument("--only")
    options.add_argument("--new", action="store_true")
    chosen = options.parse_args()
    known = listed(chosen.markdown) if chosen.new and chosen.markdown else {}
    rows: dict[str, dict[str, str]] = {}
    servers = {reader: server(reader) for reader in READERS}
    with tempfile.TemporaryDirectory() as root:
        for hazard in HAZARDS:
            if chosen.only and chosen.only not in hazard.name:
                continue
            if hazard.name in known:
                rows[hazard.name] = known[hazard.name]
                continue
            folder = Path(root) / hazard.name
            truth = hazard.make(folder)
            rows[hazard.name] = {
                r: outcome(process, hazard, folder, truth) for r, process in servers.items()
            }
            print(hazard.name, json.dumps(rows[hazard.name]), flush=True)
    text = table(rows)
    print(text)
    if chosen.markdown:
        chosen.markdown.parent.mkdir(parents=True, exist_ok=True)
        chosen.markdown.write_text(HEADER + text + "\n")
    return 0 if all(row["medrecon"].startswith("right") for row in rows.values()) else 1


HEADER = """# What readers make of difficult series

Made by `python benchmarks/hazards.py --markdown docs/reference/dicom-hazards.md`. Every
folder is a small phantom series with one hazard; *right* is the right volume or, where
there is none, a refusal; *refuses* is an error where a right volume exists; *SILENT* is
a wrong image without an error.

"""

if __name__ == "__main__":
    sys.exit(main())

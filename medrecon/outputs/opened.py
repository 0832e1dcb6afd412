"""A finished run, opened again: what `mesh`, `export`, `edit`, `view` and `report` start from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medrecon.core import Label, Mesh, Volume
from medrecon.errors import DamagedInputError, UsageError
from medrecon.files.atomic import RUN_FILE, write_json
from medrecon.outputs.run import acquisition_of, sha256_of_file
from medrecon.outputs.segmented import INDEX_FILE, Segmented, read_segmented


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """A run folder. Small files are read at once, large ones when they are asked for.

    Parameters
    ----------
    folder : Path
    record : mapping
        `run.json`.
    """

    folder: Path
    record: Mapping[str, Any]

    @property
    def statistics(self) -> Mapping[str, Any]:
        """`statistics.json`; empty where nothing was meshed."""
        return _json(self.folder / "statistics.json")

    @property
    def quality(self) -> Mapping[str, Any]:
        """`quality.json`; empty where nothing was meshed."""
        return _json(self.folder / "quality.json")

    @property
    def has_fields(self) -> bool:
        """Whether the soft fields were kept."""
        return (self.folder / INDEX_FILE).is_file()

    def segmented(self) -> Segmented:
        """The structures' soft fields.

        Raises
        ------
        UsageError
            If the run kept none.
        """
        if not self.has_fields:
            raise UsageError("the run kept no fields; run it again without --no-fields")
        return read_segmented(self.folder)

    def volume(self) -> Volume | None:
        """The image as written, on the run's grid; None where there was none."""
        from medrecon.files import nifti

        path = self.folder / "volume.nii.gz"
        if not path.is_file():
            return None
        return nifti.read_volume(path, acquisition=acquisition_of(self.record))

    def meshes(self) -> tuple[Mesh, ...]:
        """The meshes as their STL files hold them, in the order of `statistics.json`."""
        from medrecon.files.stl import read_stl

        found = []
        for row in self.statistics.get("structures", ()):
            label = self._label(row)
            found.append(Mesh(*read_stl(self.folder / "meshes" / f"{label.name}.stl"), label))
        return tuple(found)

    def record_output(self, name: str) -> None:
        """Note in `run.json` what a file that was made anew holds now.

        Parameters
        ----------
        name : str
            Of a file in the folder.
        """
        outputs = {**self.record["outputs"], name: sha256_of_file(self.folder / name)}
        write_json(self.folder / RUN_FILE, {**self.record, "outputs": outputs})

    def _label(self, row: Mapping[str, Any]) -> Label:
        number = str(row["color"]).lstrip("#")
        red, green, blue = (int(number[n : n + 2], 16) for n in (0, 2, 4))
        return Label(
            int(row["index"]),
            Path(str(row["name"])).name,
            (red, green, blue),
            hollow=not row["filled"],
            includes=tuple(row["includes"]),
        )


def open_run(folder: str | Path) -> OpenedRun:
    """Open a finished run.

    Raises
    ------
    UsageError
        If there is no `run.json`: no run, or an unfinished one.
    DamagedInputError
        If it is damaged.
    """
    folder = Path(folder)
    if not (folder / RUN_FILE).is_file():
        raise UsageError("the folder holds no finished run (no run.json)")
    record = _json(folder / RUN_FILE)
    if "outputs" not in record:
        raise DamagedInputError("run.json is damaged; run the scan again")
    return OpenedRun(folder, record)


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError):
        raise DamagedInputError(f"{path.name} is damaged; run the scan again") from None

"""What segmenting a scan gave: fields and what the image says of each, and their files."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medrecon.core import Segmentation, SoftField
from medrecon.errors import DamagedInputError, GeometryError, UsageError
from medrecon.files.atomic import as_output_error, write_json
from medrecon.files.fields import grid_from_json, grid_json, label_json, read_field, write_field
from medrecon.quality.observed import Observed

SCHEMA_VERSION = 1
INDEX_FILE = "segmentation.json"
FIELDS = "fields"


@dataclass(frozen=True, slots=True, eq=False)
class Segmented:
    """All structures of one study. No two share a name or a number.

    Parameters
    ----------
    segmentations : tuple of Segmentation
        One for each segmenter that ran.
    observed : mapping of str to Observed
        By the structure's name.
    image : mapping
        What `run.json` says of the image; empty where there was none.
    """

    segmentations: tuple[Segmentation, ...]
    observed: Mapping[str, Observed] = field(default_factory=dict)
    image: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[SoftField, ...]:
        """Every structure's field, in order."""
        return tuple(f for s in self.segmentations for f in s.fields)


def distinct(segmentations: Sequence[Segmentation]) -> tuple[Segmentation, ...]:
    """The same segmentations, with names and numbers that occur twice changed.

    Of two structures with one name the later is called after its segmenter as well
    ("bone_wholebody"); of two with one number the later gets the next free one.
    """
    names: set[str] = set()
    numbers: set[int] = set()
    result = []
    for s in segmentations:
        renamed: dict[str, str] = {}
        fields = []
        for f in s.fields:
            name = _free_name(f.label.name, s.source, names)
            index = f.label.index
            if index in numbers:
                index = max(numbers) + 1
            names.add(name)
            numbers.add(index)
            renamed[f.label.name] = name
            label = dataclasses.replace(f.label, name=name, index=index)
            fields.append(dataclasses.replace(f, label=label))
        findings = {renamed.get(name, name): words for name, words in s.findings.items()}
        concerns = {renamed.get(name, name): words for name, words in s.concerns.items()}
        result.append(
            dataclasses.replace(s, fields=tuple(fields), findings=findings, concerns=concerns)
        )
    return tuple(result)


def require_named(names: Sequence[str], known: Sequence[str]) -> None:
    """Refuse names of structures that there are not.

    Raises
    ------
    UsageError
        If no name was given, or one is not among those that are known.
    """
    if not names:
        raise UsageError("--labels names no structure")
    if unknown := sorted(set(names) - set(known)):
        there = ", ".join(known) or "none"
        raise UsageError(f"--labels {','.join(unknown)}: no such structure; there are: {there}")


def only_named(segmentation: Segmentation, names: Sequence[str]) -> Segmentation:
    """The segmentation with the named structures only."""
    kept = tuple(f for f in segmentation.fields if f.label.name in names)
    return dataclasses.replace(segmentation, fields=kept)


def _free_name(name: str, source: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    word = "".join(c if c.isalnum() else "_" for c in source.split()[0].lower())
    candidate, n = f"{name}_{word}", 2
    while candidate in taken:
        candidate, n = f"{name}_{word}_{n}", n + 1
    return candidate


def write_segmented(segmented: Segmented, folder: Path) -> None:
    """`fields/NAME.nrrd` for each structure, and `segmentation.json`, which lists them."""
    with as_output_error():
        (folder / FIELDS).mkdir(exist_ok=True)
    for f in segmented.fields:
        write_field(f, folder / FIELDS / f"{f.label.name}.nrrd")
    write_json(
        folder / INDEX_FILE,
        {
            "schema_version": SCHEMA_VERSION,
            "coordinates": "LPS, mm",
            "image": dict(segmented.image),
            "segmentations": [
                _segmentation_json(s, segmented.observed) for s in segmented.segmentations
            ],
        },
    )


def read_segmented(folder: Path) -> Segmented:
    """The structures that a run found.

    Raises
    ------
    DamagedInputError
        If `segmentation.json` is damaged or a field that it lists is missing.
    """
    try:
        content = json.loads((folder / INDEX_FILE).read_text("utf-8"))
        segmentations = tuple(_segmentation(row, folder) for row in content["segmentations"])
        observed = {
            row["label"]["name"]: _observed(row["observed"])
            for s in content["segmentations"]
            for row in s["structures"]
        }
        return Segmented(segmentations, observed, content["image"])
    except (ValueError, KeyError, TypeError, GeometryError, FileNotFoundError) as error:
        raise DamagedInputError(
            f"{INDEX_FILE} of the run is damaged or a field is missing "
            f"({type(error).__name__}); segment the scan again"
        ) from None


def _segmentation_json(s: Segmentation, observed: Mapping[str, Observed]) -> dict[str, Any]:
    return {
        "source": s.source,
        "exclusive": s.exclusive,
        "grid": grid_json(s.grid),
        "structures": [
            {
                "label": label_json(f.label),
                "observed": dataclasses.asdict(observed.get(f.label.name, Observed())),
            }
            for f in s.fields
        ],
        "findings": {name: list(words) for name, words in s.findings.items()},
    }


def _segmentation(row: Mapping[str, Any], folder: Path) -> Segmentation:
    names = [str(x["label"]["name"]) for x in row["structures"]]
    fields = tuple(read_field(folder / FIELDS / f"{Path(name).name}.nrrd") for name in names)
    findings = {str(k): tuple(str(w) for w in v) for k, v in row["findings"].items()}
    grid = grid_from_json(row["grid"])
    return Segmentation(grid, fields, str(row["source"]), bool(row["exclusive"]), findings)


def _observed(row: Mapping[str, Any]) -> Observed:
    return Observed(**{**row, "uncertain": tuple(row["uncertain"])})

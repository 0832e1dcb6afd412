"""Compare label maps with a reference, structure by structure and case by case."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medrecon.core import Geometry, Modality
from medrecon.errors import GeometryError, NoSeriesError, UsageError
from medrecon.files import nifti
from medrecon.files.atomic import open_atomic, write_json
from medrecon.quality.scores import METRICS, Presence, Score, counts, score, summarise
from medrecon.recorder import Progress, silent

SUFFIXES = (".nii.gz", ".nii")
GRID_TOLERANCE_MM = 0.05
SCHEMA_VERSION = 1
Values = Mapping[str, Sequence[int]]
Integers = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What is compared with what.

    Parameters
    ----------
    labels : mapping of str to sequence of int
        Names of structures and their values in the reference, and in the predictions
        unless `found` says otherwise. Empty: one for each value of the references.
    found : mapping of str to sequence of int
        Values in the predictions, where they are others.
    tolerance_mm : float
        Of the surface Dice.
    cases : sequence of str
        Only these; empty: every reference.

    Raises
    ------
    UsageError
        If `found` has no values for one of the labels.
    """

    labels: Values = field(default_factory=dict)
    found: Values = field(default_factory=dict)
    tolerance_mm: float = 1.0
    cases: Sequence[str] = ()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.labels) - set(self.found)) if self.found else []
        if unknown:
            there = ", ".join(self.found)
            raise UsageError(f"the model finds no {', '.join(unknown)}; it finds {there}")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of every structure of every case, and what was left out."""

    scores: tuple[Score, ...]
    tolerance_mm: float
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The summary: for each structure each figure's mean, median and interval."""
        table = summarise(self.scores)
        present = counts(self.scores)
        return {
            "schema_version": SCHEMA_VERSION,
            "cases": len({s.case for s in self.scores}),
            "tolerance_mm": self.tolerance_mm,
            "interval": "95 % percentile bootstrap of the mean over cases",
            "labels": {
                label: {
                    "cases": dict(present[label]),
                    **{m: dataclasses.asdict(found) for m, found in rows.items()},
                }
                for label, rows in table.items()
            },
            "warnings": list(self.warnings),
        }


def evaluate(
    predictions: Path, references: Path, request: EvaluateRequest, *, progress: Progress = silent
) -> Evaluation:
    """Compare two label maps, or two folders of them by file name.

    Raises
    ------
    NoSeriesError
        If there is nothing to compare.
    UsageError
        If a reference has no prediction, or a case that was named is not there.
    GeometryError
        If a pair does not lie on one grid.
    """
    pairs, warnings = _pairs(predictions, references, request.cases)
    labels = request.labels or _values_of([truth for _, _, truth in pairs])
    found: list[Score] = []
    for number, (case, prediction, truth) in enumerate(pairs):
        found.extend(_scores(case, prediction, truth, (labels, request)))
        progress("compare", (number + 1) / len(pairs))
    warnings += _never_there(found)
    return Evaluation(tuple(found), request.tolerance_mm, tuple(warnings))


def predict(
    images: Path,
    model: str,
    output: Path,
    *,
    modality: Modality,
    cases: Sequence[str] = (),
    device: str = "auto",
    progress: Progress = silent,
) -> dict[str, tuple[int, ...]]:
    """Write the label maps that a model makes of some images; its labels' values.

    The network's own surfaces, on each image's own grid: what is measured is the
    network and nothing after it.

    Raises
    ------
    UsageError
        If the folder holds label maps of other cases, which would be taken for the model's.
    """
    from medrecon.core import Acquisition, HuStatus
    from medrecon.models import store
    from medrecon.outputs.label_map import paint_labels
    from medrecon.segmentation.unet import UnetSegmenter

    installed = store.find(model)
    segmenter = UnetSegmenter(installed, device)
    files = _maps(images)
    chosen = _only(files, cases)
    hu = HuStatus.VERIFIED if modality is Modality.CT else HuStatus.NOT_CT
    output.mkdir(parents=True, exist_ok=True)
    if others := sorted(set(_images_in(output)) - set(chosen)):
        raise UsageError(
            f"{output.name} holds label maps of another run ({others[0]}); choose another folder"
        )
    for number, (case, path) in enumerate(chosen.items()):
        volume = nifti.read_volume(path, acquisition=Acquisition(modality, hu, "as was declared"))
        fields = segmenter.segment(volume).fields
        nifti.write_labels(paint_labels(fields, volume.geometry), output / f"{case}.nii.gz")
        progress("predict", (number + 1) / len(chosen))
    every = [x.label for part in installed.manifest.every_part for x in part.labels]
    return {label.name: (label.index,) for label in every}


def write_evaluation(found: Evaluation, folder: Path) -> None:
    """Write ``scores.csv`` (one row for each structure of each case) and ``summary.json``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ["case", "label", "presence", *METRICS, "volume_ml", "reference_ml"]
    writer.writerow(columns)
    for s in found.scores:
        row: list[str] = [s.case, s.label, s.presence.value]
        row += [_number(getattr(s, name)) for name in columns[3:]]
        writer.writerow(row)
    folder.mkdir(parents=True, exist_ok=True)
    with open_atomic(folder / "scores.csv") as stream:
        stream.write(text.getvalue().encode())
    write_json(folder / "summary.json", found.as_json())


def _never_there(scores: Sequence[Score]) -> list[str]:
    there = {s.label for s in scores if s.presence is not Presence.NEITHER}
    empty = sorted({s.label for s in scores} - there)
    return [f"{name} is in no label map, neither in the predictions nor beside" for name in empty]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _scores(
    case: str, prediction: Path, truth: Path, how: tuple[Values, EvaluateRequest]
) -> Iterator[Score]:
    labels, request = how
    found, grid = nifti.read_labels(prediction)
    expected, reference = nifti.read_labels(truth)
    if not grid.is_close(reference, GRID_TOLERANCE_MM):
        raise GeometryError(
            f"case {case}: prediction and reference lie on different grids "
            f"({grid.shape} and {reference.shape}); bring one onto the other's first"
        )
    for name, values in labels.items():
        mine = np.isin(found, list(request.found.get(name, values)))
        theirs = np.isin(expected, list(values))
        yield score(mine, theirs, _square(reference, case), request.tolerance_mm, name=(case, name))


def _square(grid: Geometry, case: str) -> Geometry:
    if grid.is_sheared:
        raise GeometryError(f"case {case}: a sheared grid, on which distances are not defined")
    return grid


def _pairs(
    predictions: Path, references: Path, cases: Sequence[str]
) -> tuple[list[tuple[str, Path, Path]], list[str]]:
    if references.is_file() and predictions.is_file():
        if cases:
            raise UsageError("--cases chooses among the files of two folders; these are two files")
        return [(_name(references), predictions, references)], []
    mine, theirs = _maps(predictions), _only(_maps(references), cases)
    missing = [case for case in theirs if case not in mine]
    if missing:
        raise UsageError(
            f"{len(missing)} of {len(theirs)} references have no prediction, first {missing[0]}"
        )
    extra = sum(case not in theirs for case in mine)
    warnings = [f"{extra} predictions have no reference and were left out"] if extra else []
    return [(case, mine[case], path) for case, path in theirs.items()], warnings


def _maps(place: Path) -> dict[str, Path]:
    if place.is_file():
        return {_name(place): place}
    found = _images_in(place)
    if not found:
        raise NoSeriesError("no NIfTI files to compare: a file or a folder of them expected")
    return found


def _images_in(folder: Path) -> dict[str, Path]:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {_name(p): p for p in files if p.name.endswith(SUFFIXES) and not p.name.startswith(".")}


def _only(files: dict[str, Path], cases: Sequence[str]) -> dict[str, Path]:
    unknown = [case for case in cases if case not in files]
    if unknown:
        raise UsageError(f"no case is called {unknown[0]}")
    return {name: path for name, path in files.items() if not cases or name in cases}


def _values_of(paths: Sequence[Path]) -> dict[str, tuple[int, ...]]:
    found = sorted({int(v) for path in paths for v in np.unique(nifti.read_labels(path)[0])} - {0})
    if not found:
        raise UsageError("the references hold nothing but background; name labels with --labels")
    return {f"label_{v}": (v,) for v in found}


def _name(path: Path) -> str:
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.stem

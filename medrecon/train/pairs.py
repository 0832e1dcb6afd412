"""Pairs of images and label maps in a folder, and which of them train."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medrecon.core import Acquisition, HuStatus, Label, LabelMap, Modality, Volume
from medrecon.errors import GeometryError, NoSeriesError, UsageError
from medrecon.files import nifti

SUFFIXES = (".nii.gz", ".nii")
# (images, labels): this project's own names, and the Medical Segmentation Decathlon's.
FOLDERS = (("images", "labels"), ("imagesTr", "labelsTr"))


@dataclass(frozen=True, slots=True)
class Case:
    """A label map and, unless images are to be synthesised, its image."""

    name: str
    labels: Path
    image: Path | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Which cases train, which tell when training goes wrong, and which are never seen."""

    train: tuple[Case, ...]
    validation: tuple[Case, ...]
    held_out: tuple[Case, ...] = ()


def find_cases(folder: Path) -> tuple[Case, ...]:
    """The pairs of a folder, by name.

    Either a Decathlon ``dataset.json`` that lists them under ``training``, or the
    folders ``images`` and ``labels`` with files of one name.

    Raises
    ------
    NoSeriesError
        If there are none.
    UsageError
        If an image has no label map, or the list cannot be read.
    """
    listed = folder / "dataset.json"
    # nnU-Net's second format lists no pairs: they are told by their names.
    if listed.is_file() and "training" in _json(listed):
        return _listed(folder, listed)
    for images, labels in FOLDERS:
        if (folder / images).is_dir() and (folder / labels).is_dir():
            return _matched(folder / images, folder / labels)
    raise NoSeriesError(
        "no pairs: a dataset.json, or folders images and labels with NIfTI files, expected"
    )


def find_label_maps(folder: Path) -> tuple[Case, ...]:
    """The NIfTI label maps of a folder (or of its folder ``labels``), by name.

    Raises
    ------
    NoSeriesError
        If there are none.
    """
    root = folder / "labels" if (folder / "labels").is_dir() else folder
    found = [Case(case_name(p), p) for p in sorted(root.iterdir()) if _is_nifti(p)]
    if not found:
        raise NoSeriesError("no label maps: NIfTI files expected")
    return tuple(found)


def dataset_labels(folder: Path) -> dict[str, tuple[int, ...]]:
    """Names and values of the labels that a ``dataset.json`` states; empty without one.

    Both ways of writing them are read: value to name, and name to value or values.

    Raises
    ------
    UsageError
        If the list is none, or two labels share a name or a value: regions that overlap
        (nnU-Net's) cannot exclude one another.
    """
    listed = folder / "dataset.json"
    if not listed.is_file():
        return {}
    stated = _json(listed).get("labels", {})
    if not isinstance(stated, dict):
        raise UsageError("dataset.json: labels is a list; names and values of each expected")
    found: dict[str, tuple[int, ...]] = {}
    for key, value in stated.items():
        name, number = (value, key) if str(key).isdigit() else (key, value)
        values = _values_of(number)
        if values != (0,):
            _take_label(_slug(str(name)), values, found)
    return found


def _values_of(number: Any) -> tuple[int, ...]:
    try:
        return tuple(int(x) for x in (number if isinstance(number, list) else [number]))
    except (TypeError, ValueError):
        raise UsageError(f"dataset.json: {number!r} is no value of a label") from None


def _take_label(name: str, values: tuple[int, ...], found: dict[str, tuple[int, ...]]) -> None:
    """Add a label, unless its name or one of its values is another's."""
    if not name or name in found:
        raise UsageError(f"dataset.json: two labels are called {name!r}")
    for other, taken in found.items():
        if set(values) & set(taken):
            raise UsageError(
                f"dataset.json: {name} and {other} share a value; labels that overlap cannot be "
                "trained as ones that exclude one another: name them apart with --labels"
            )
    found[name] = values


def split_cases(
    cases: Sequence[Case], held_out: str | None = None, validation: int | None = None
) -> Split:
    """The cases, split; the same input gives the same split.

    Parameters
    ----------
    cases : sequence of Case
    held_out : str, optional
        ``every:N`` (of the sorted names the first, the N+1st, …), names with commas
        between, or a text file with one name a line.
    validation : int, optional
        Cases, evenly spread over the rest, on which the curve is measured. Default: a
        tenth, at least one and at most 20.

    Raises
    ------
    UsageError
        If a name is not there, or nothing is left to train on.
    """
    ordered = sorted(cases, key=lambda c: c.name)
    kept_out = _chosen(ordered, held_out)
    rest = [c for c in ordered if c.name not in kept_out]
    count = min(20, max(1, len(rest) // 10)) if validation is None else validation
    if len(rest) <= count:
        raise UsageError(f"{len(rest)} cases are left, {count} of them for validation")
    # Halves keep the first and the last from being chosen by habit.
    places = {int((n + 0.5) * len(rest) / count) for n in range(count)}
    return Split(
        tuple(c for n, c in enumerate(rest) if n not in places),
        tuple(c for n, c in enumerate(rest) if n in places),
        tuple(c for c in ordered if c.name in kept_out),
    )


def read_pair(
    case: Case, labels: Sequence[Label], values: Mapping[str, Sequence[int]], modality: Modality
) -> tuple[Volume, LabelMap]:
    """A case's image and truth.

    Raises
    ------
    GeometryError
        If they do not lie on one grid.
    """
    if case.image is None:
        raise UsageError(f"case {case.name} has no image")
    # Pairs come with whatever scale they have; a CT's is taken at its word.
    hu = HuStatus.VERIFIED if modality is Modality.CT else HuStatus.UNVERIFIED
    volume = nifti.read_volume(case.image, acquisition=Acquisition(modality, hu, "a training pair"))
    array, grid = nifti.read_labels(case.labels)
    if not grid.is_close(volume.geometry, 0.05):
        raise GeometryError(f"case {case.name}: image and label map lie on different grids")
    target = np.zeros(array.shape, np.uint16)
    for label in labels:
        target[np.isin(array, list(values[label.name]))] = label.index
    return volume, LabelMap(target, volume.geometry, tuple(labels))


def case_name(path: Path) -> str:
    """A file's name without .nii or .nii.gz."""
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.stem


def _listed(folder: Path, listed: Path) -> tuple[Case, ...]:
    found = []
    for row in _json(listed).get("training", []):
        try:
            image, labels = folder / row["image"], folder / row["label"]
        except (KeyError, TypeError):
            raise UsageError("dataset.json: training lists image and label of each case") from None
        if not image.is_file() or not labels.is_file():
            raise UsageError(f"dataset.json names {Path(row['image']).name}, which is not there")
        found.append(Case(case_name(image), labels, image))
    if not found:
        raise NoSeriesError("dataset.json lists no training pairs")
    return tuple(sorted(found, key=lambda c: c.name))


def _matched(images: Path, labels: Path) -> tuple[Case, ...]:
    truths = {case_name(p): p for p in labels.iterdir() if _is_nifti(p)}
    found = []
    for image in sorted(p for p in images.iterdir() if _is_nifti(p)):
        # nnU-Net counts an image's channels in its name; its label map has none.
        name = case_name(image)
        name = name if name in truths else name.removesuffix("_0000")
        if name not in truths:
            raise UsageError(f"image {image.name} has no label map of the same name")
        found.append(Case(name, truths[name], image))
    if not found:
        raise NoSeriesError("no NIfTI files in the folder of images")
    return tuple(found)


def _chosen(ordered: Sequence[Case], spoken: str | None) -> set[str]:
    if spoken is None:
        return set()
    if spoken.startswith("every:"):
        step = spoken.removeprefix("every:")
        if not step.isdigit() or int(step) < 2:
            raise UsageError(f"--held-out {spoken}: a whole number of at least 2 expected")
        return {c.name for c in ordered[:: int(step)]}
    path = Path(spoken)
    text = path.read_text("utf-8").splitlines() if path.is_file() else spoken.split(",")
    names = {line.strip() for line in text if line.strip()}
    unknown = names - {c.name for c in ordered}
    if unknown:
        raise UsageError(f"--held-out: no case is called {sorted(unknown)[0]}")
    return names


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError):
        raise UsageError("dataset.json cannot be read as JSON") from None
    if not isinstance(content, dict):
        raise UsageError("dataset.json holds no object")
    return content


def _slug(name: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def _is_nifti(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.name.endswith(SUFFIXES)

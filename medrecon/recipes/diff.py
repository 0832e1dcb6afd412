"""Compare two runs: options, software, volumes, and how far their surfaces lie apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medrecon.core import Mesh
from medrecon.core.nearest import distance_to_surface
from medrecon.outputs.opened import OpenedRun, open_run
from medrecon.outputs.sameness import differing_files

# Points measured in each direction, evenly spread over the list.
SAMPLES = 20_000


@dataclass(frozen=True, slots=True)
class Apart:
    """How far the surfaces of one structure lie apart, both directions together.

    Parameters
    ----------
    name : str
    volume_ml : tuple of float
        Of the first and of the second run's mesh.
    mean_mm, p95_mm, max_mm : float
        Of the distances from either surface's vertices to the other surface; the maximum is
        over the samples.
    """

    name: str
    volume_ml: tuple[float, float]
    mean_mm: float
    p95_mm: float
    max_mm: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything in which two runs differ.

    Parameters
    ----------
    files : tuple of str
        Outputs that are not the same, byte for byte.
    options, software : mapping of str to (first, second)
        Only what differs.
    structures : tuple of Apart
        Those that both runs have.
    only_first, only_second : tuple of str
        Structures that one run has.
    """

    files: tuple[str, ...]
    options: Mapping[str, tuple[Any, Any]]
    software: Mapping[str, tuple[Any, Any]]
    structures: tuple[Apart, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


def compare_runs(one: Path, other: Path) -> Difference:
    """What differs between two finished runs.

    Raises
    ------
    UsageError, DamagedInputError
        If one of the folders holds no finished run.
    """
    first, second = open_run(one), open_run(other)
    ours, theirs = _meshes(first), _meshes(second)
    return Difference(
        files=tuple(differing_files(one, other)),
        options=_unequal(first.record.get("options", {}), second.record.get("options", {})),
        software=_unequal(first.record["software"], second.record["software"]),
        structures=tuple(_apart(ours[n], theirs[n]) for n in ours if n in theirs),
        only_first=tuple(sorted(set(ours) - set(theirs))),
        only_second=tuple(sorted(set(theirs) - set(ours))),
    )


def _meshes(run: OpenedRun) -> dict[str, Mesh]:
    return {m.label.name: m for m in run.meshes()}


def _apart(one: Mesh, other: Mesh) -> Apart:
    distances = np.concatenate([_from(one, other), _from(other, one)])
    return Apart(
        name=one.label.name,
        volume_ml=(round(one.volume_mm3 / 1000, 4), round(other.volume_mm3 / 1000, 4)),
        mean_mm=float(distances.mean()),
        p95_mm=float(np.percentile(distances, 95)),
        max_mm=float(distances.max()),
    )


def _from(one: Mesh, other: Mesh) -> np.ndarray[Any, np.dtype[np.float64]]:
    step = max(1, len(one.vertices_mm) // SAMPLES)
    return distance_to_surface(one.vertices_mm[::step], other.vertices_mm, other.faces)


def _unequal(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    first, second = dict(_leaves(one, "")), dict(_leaves(other, ""))
    names = sorted({*first, *second})
    return {n: (first.get(n), second.get(n)) for n in names if first.get(n) != second.get(n)}


def _leaves(tree: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name = f"{above}.{key}" if above else key
        if isinstance(value, Mapping):
            yield from _leaves(value, name)
        else:
            yield name, value

"""Commissioning: the whole road on shapes that are formulas, on the user's own machine."""

from __future__ import annotations

import dataclasses
import math
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from medrecon.core import Acquisition, Geometry, HuStatus, Mesh, Modality, Volume
from medrecon.dicom.write_ct import write_ct_series
from medrecon.errors import MedreconError
from medrecon.files.atomic import write_json
from medrecon.options import Options, OutputOptions, SegmentOptions
from medrecon.outputs.run import software_versions
from medrecon.outputs.sameness import differing_files
from medrecon.phantom.phantom import Phantom
from medrecon.phantom.shape_scan import scan_shape
from medrecon.phantom.shapes import Shape, make_box, make_letter_f, make_sphere
from medrecon.phantom.solid import distance_mm
from medrecon.pipeline import reconstruct
from medrecon.recorder import Progress, silent
from medrecon.surface.validity import judge

SCHEMA_VERSION = 1
BONE_HU, FAT_HU = 1000.0, -100.0
STRAIGHT = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
OBLIQUE_DEGREES = (20.0, 35.0)


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table.

    Parameters
    ----------
    what : str
        What was checked.
    measured, limit : float
        In `unit`.
    unit : str
    at_least : bool
        Whether the measure must reach the limit, rather than stay under it.
    """

    what: str
    measured: float
    limit: float
    unit: str
    at_least: bool = False

    @property
    def passed(self) -> bool:
        """Whether the measure keeps its limit."""
        if self.at_least:
            return self.measured >= self.limit
        return self.measured <= self.limit


def run_selftest(*, progress: Progress = silent) -> tuple[Check, ...]:
    """Every check of the whole road: DICOM out and in, segmentation, surface, STL.

    Geometry and units (where and how large), chirality (a letter F is told from its mirror
    images), volume, surface error, validity of the file, determinism; on a straight, an
    anisotropic and an oblique grid. With a CUDA device, the phantom network on it against
    the processor.
    """
    checks: list[Check] = []
    with TemporaryDirectory(prefix="medrecon-") as folder:
        for n, part in enumerate((_sphere, _box, _letter, _networks)):
            progress("selftest", n / 4)
            checks += part(Path(folder) / part.__name__.strip("_"))
        progress("selftest", 1.0)
    return tuple(checks)


def write_protocol(checks: tuple[Check, ...], path: Path) -> None:
    """The table as JSON, with the machine and the software that it was measured on."""
    write_json(
        path,
        {
            "schema_version": SCHEMA_VERSION,
            "passed": all(c.passed for c in checks),
            "machine": {
                "system": platform.system(),
                "processor": platform.machine(),
                "python": platform.python_version(),
            },
            "software": software_versions(),
            "checks": [dataclasses.asdict(c) | {"passed": c.passed} for c in checks],
        },
    )


def _sphere(folder: Path) -> Iterator[Check]:
    """A ball of 20 mm off the voxel centres, on cubic voxels, twice."""
    shape = make_sphere(20.0).moved((7.3, -4.6, 11.9))
    mesh = _walk(shape, _grid(shape, (1.0, 1.0, 1.0), STRAIGHT), folder)
    low, high = mesh.bounds_mm
    place = float(np.linalg.norm(mesh.centroid_mm - np.array(shape.centroid_mm)))
    yield Check("place of a ball", place, 0.1, "mm")
    yield Check(
        "width of a ball of 40 mm, worst axis", float(np.abs(high - low - 40).max()), 0.4, "mm"
    )
    yield _volume(mesh, shape, "a ball of 33.5 mL", 1.0)
    yield from _surface(mesh, shape, "ball", 0.1, 0.25)
    valid = judge(mesh)
    yield Check("open or bad edges of the file", 0.0 if valid.valid else 1.0, 0.0, "meshes")
    _walk(shape, _grid(shape, (1.0, 1.0, 1.0), STRAIGHT), folder / "again")
    different = differing_files(folder / "run", folder / "again" / "run")
    yield Check("files that differ between two runs", float(len(different)), 0.0, "files")


def _box(folder: Path) -> Iterator[Check]:
    """A box of 30 × 20 × 12 mm with thick slices."""
    shape = make_box((30.0, 20.0, 12.0)).moved((2.2, 3.1, -1.7))
    mesh = _walk(shape, _grid(shape, (0.7, 0.7, 1.4), STRAIGHT), folder)
    low, high = mesh.bounds_mm
    wrong = np.abs(high - low - (30, 20, 12)).max()
    yield Check("edges of a box, slices of 1.4 mm, worst axis", float(wrong), 0.6, "mm")
    yield _volume(mesh, shape, "a box of 7.2 mL", 2.5)


def _letter(folder: Path) -> Iterator[Check]:
    """A letter F on an oblique grid, beside its mirror images."""
    shape = make_letter_f(5.0).moved((1.4, -2.3, 3.2))
    mesh = _walk(shape, _grid(shape, (0.8, 0.8, 1.0), _oblique()), folder)
    yield from _surface(mesh, shape, "letter F, oblique slices", 0.2, 0.6)
    centre = np.array(shape.centroid_mm)
    for axis, name in enumerate(("left for right", "front for back", "head for foot")):
        mirrored = mesh.vertices_mm.astype(np.float64)
        mirrored[:, axis] = 2 * centre[axis] - mirrored[:, axis]
        apart = float(np.abs(distance_mm(shape.solid, mirrored)).mean())
        yield Check(f"letter F told from its image with {name}", apart, 0.6, "mm", at_least=True)


def _networks(folder: Path) -> Iterator[Check]:
    """The phantom network on the GPU against the processor, where there is a GPU."""
    from medrecon.batch.gpus import count_gpus

    if not count_gpus(Options()):
        return
    from medrecon.models import store
    from medrecon.phantom import make_torso
    from medrecon.segmentation.unet import UnetSegmenter

    image = make_torso(9100, shape=(96, 80, 76), spacing_mm=(3.5, 3.5, 4.0)).volume
    model = store.find("phantom_torso")

    def voxels(device: str) -> dict[str, int]:
        fields = UnetSegmenter(model, device=device).segment(image).fields
        return {f.label.name: int(np.count_nonzero(f.values > 0)) for f in fields}

    on_gpu = voxels("cuda")
    for name, count in voxels("cpu").items():
        change = abs(on_gpu.get(name, 0) / max(count, 1) - 1) * 100
        yield Check(f"GPU against processor: {name}", change, 1.0, "%")


def _walk(shape: Shape, grid: Geometry, folder: Path) -> Mesh:
    """A shape as DICOM through the whole road; its mesh as the STL holds it."""
    scanned: Phantom = scan_shape(shape, grid, hu=(BONE_HU, FAT_HU))
    ct = Acquisition(Modality.CT, HuStatus.VERIFIED, is_phantom=True)
    write_ct_series(Volume(scanned.volume.array, grid, ct), folder / "in")
    options = Options(
        segment=SegmentOptions(tissues=("bone",)), output=OutputOptions(preview=False)
    )
    run = reconstruct(folder / "in", output=folder / "run", options=options)
    if len(run.parts) != 1:
        raise MedreconError(f"the self-test found {len(run.parts)} structures; one expected")
    return run.parts[0].mesh


def _volume(mesh: Mesh, shape: Shape, what: str, limit: float) -> Check:
    error = abs(mesh.volume_mm3 / 1000 / shape.volume_ml - 1) * 100
    return Check(f"volume of {what}", float(error), limit, "%")


def _surface(mesh: Mesh, shape: Shape, what: str, mean: float, p95: float) -> Iterator[Check]:
    far = np.abs(distance_mm(shape.solid, mesh.vertices_mm.astype(np.float64)))
    yield Check(f"surface of a {what}, mean", float(far.mean()), mean, "mm")
    yield Check(f"surface of a {what}, 95 %", float(np.percentile(far, 95)), p95, "mm")


def _grid(shape: Shape, spacing_mm: tuple[float, float, float], direction: Any) -> Geometry:
    """A grid of that spacing and direction which holds the shape with a margin of 8 mm."""
    low, high = np.asarray(shape.solid.low_mm), np.asarray(shape.solid.high_mm)
    turn = np.array(direction)
    half = np.abs(turn.T) @ ((high - low) / 2) + 8
    count = np.ceil(2 * half / spacing_mm).astype(int) + 1
    i, j, k = (int(n) for n in count)
    origin = (low + high) / 2 - turn @ ((count - 1) / 2 * spacing_mm)
    x, y, z = (float(v) for v in origin)
    return Geometry((i, j, k), spacing_mm, (x, y, z), direction)


def _oblique() -> Any:
    """Slices turned about two axes."""
    a, b = (math.radians(d) for d in OBLIQUE_DEGREES)
    one = np.array([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])
    two = np.array([[math.cos(b), 0, math.sin(b)], [0, 1, 0], [-math.sin(b), 0, math.cos(b)]])
    return tuple(tuple(float(v) for v in row) for row in two @ one)

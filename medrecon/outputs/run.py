"""A finished run: what it found, and the files that say so."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Provenance, Volume
from medrecon.outputs.part import Part
from medrecon.outputs.segmented import Segmented

if TYPE_CHECKING:
    from medrecon.quality.neighbours import Contact

SCHEMA_VERSION = 1
A_FOLDER = "a folder"
LIBRARIES = (
    "numpy",
    "pydicom",
    "imagecodecs",
    "simpleitk",
    "scipy",
    "vtk",
    "manifold3d",
    "fast-simplification",
    "numba",
    "torch",
    "monai",
)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What `reconstruct` returns.

    Parameters
    ----------
    folder : Path
        Where the files are.
    parts : tuple of Part
        One for each structure, in the label map's order.
    provenance : Provenance
        Steps with their figures and times, and warnings.
    """

    folder: Path
    parts: tuple[Part, ...]
    provenance: Provenance

    @property
    def passed(self) -> bool:
        """Whether every mesh passed its quality gate."""
        return all(part.gate.passed for part in self.parts)

    def summary(self) -> Mapping[str, Any]:
        """What `--json` prints."""
        return {
            "output": str(self.folder),
            "passed": self.passed,
            "warnings": list(self.provenance.warnings),
            "structures": [{**p.statistics(), "quality": p.quality()} for p in self.parts],
        }

    def __repr__(self) -> str:
        names = ", ".join(p.label.name for p in self.parts)
        return f"<Run {names}; {'passed' if self.passed else 'failed its gate'}>"


def statistics_json(parts: Sequence[Part]) -> Mapping[str, Any]:
    """Content of `statistics.json`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "coordinates": "LPS, mm",
        "structures": [part.statistics() for part in parts],
    }


def quality_json(parts: Sequence[Part], contacts: Sequence[Contact] = ()) -> Mapping[str, Any]:
    """Content of `quality.json`; contacts of neighbours where there are any."""
    content: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "segmentation_error": "unknown for this patient",
        "meshes": {part.label.name: part.quality() for part in parts},
    }
    if contacts:
        content["neighbours"] = [dataclasses.asdict(c) for c in contacts]
    return content


def image_json(volume: Volume) -> Mapping[str, Any]:
    """What a run may say of its image: how it was made, and a keyed hash to know it again."""
    from medrecon.privacy.head import is_identifiable

    acquisition, shown = volume.acquisition, is_identifiable(volume)
    key = secrets.token_hex(16)
    return {
        "input": {"keyed_hash": keyed_hash(volume, key), "key": key},
        "identifiable": {"state": shown.state.value, "reason": shown.reason},
        "volume": {
            "burned_in_annotation": acquisition.burned_in,
            "modality": acquisition.modality.value,
            "phantom": acquisition.is_phantom,
            "hu": acquisition.hu.value,
            "hu_reason": acquisition.hu_reason,
            "body_part": acquisition.body_part,
            "laterality": acquisition.laterality,
            "shape": list(volume.geometry.shape),
            "spacing_mm": [round(s, 6) for s in volume.geometry.spacing_mm],
            "slice_thickness_mm": acquisition.slice_thickness_mm,
        },
    }


def acquisition_of(record: Mapping[str, Any]) -> Acquisition:
    """How the image of a `run.json` was made, as `image_json` wrote it.

    What an older version did not write yet has its default; the kernel and the frame of
    reference are never written.
    """
    from medrecon.privacy.head import Shown

    image = record["volume"]
    thickness = image.get("slice_thickness_mm")
    return Acquisition(
        Modality(image["modality"]),
        HuStatus(image["hu"]),
        str(image["hu_reason"]),
        slice_thickness_mm=None if thickness is None else float(thickness),
        is_phantom=bool(image.get("phantom")),
        body_part=str(image.get("body_part", "")),
        laterality=str(image.get("laterality", "")),
        burned_in=bool(image.get("burned_in_annotation")),
        defaced=record.get("identifiable", {}).get("state") == Shown.REMOVED.value,
    )


def no_image_json(grid: Geometry) -> Mapping[str, Any]:
    """The same of a label map that came without its image."""
    return {
        "volume": {
            "modality": Modality.OTHER.value,
            "phantom": False,
            "hu": HuStatus.NOT_CT.value,
            "hu_reason": "no image: the structures come from a label map",
            "body_part": "",
            "laterality": "",
            "shape": list(grid.shape),
            "spacing_mm": [round(s, 6) for s in grid.spacing_mm],
            "slice_thickness_mm": None,
        },
    }


def run_json(
    *,
    segmented: Segmented,
    options: Mapping[str, Any],
    provenance: Provenance,
    outputs: Mapping[str, str],
) -> dict[str, Any]:
    """Content of `run.json`: enough to repeat the run, nothing about the patient."""
    segmentations = segmented.segmentations
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": secrets.token_hex(16),
        "software": software_versions(),
        **segmented.image,
        "options": without_paths(options),
        "segmenters": [s.source for s in segmentations],
        "findings": {k: list(v) for s in segmentations for k, v in s.findings.items()},
        "steps": [
            {"name": s.name, "seconds": s.seconds, "figures": dict(s.figures)}
            for s in provenance.steps
        ],
        "peak_memory_mb": peak_memory_mb(),
        "warnings": list(provenance.warnings),
        "outputs": dict(outputs),
    }


def without_paths(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options without names of folders, which can be a patient's.

    A model that is not installed was named by its folder; which one it was says the step
    that ran it, by its identity.
    """
    segment = options.get("segment", {})
    if not segment.get("models"):
        return options
    from medrecon.models import store

    known = {"auto", *(m.manifest.name for m in store.installed())}
    names = [name if name in known else A_FOLDER for name in segment["models"]]
    return {**options, "segment": {**segment, "models": names}}


def software_versions() -> dict[str, str]:
    """Versions of medrecon, Python and the libraries that shape a result."""
    versions = {"medrecon": metadata.version("medrecon"), "python": platform.python_version()}
    return versions | {name: metadata.version(name) for name in LIBRARIES}


def keyed_hash(volume: Volume, key: str) -> str:
    """BLAKE2b of voxels and geometry under a key: recognises the same image, names none.

    The key is drawn for each run, so the same image in two runs cannot be linked
    without the image itself.
    """
    digest = hashlib.blake2b(key=bytes.fromhex(key), digest_size=32)
    digest.update(np.round(volume.geometry.affine_lps, 4).tobytes())
    digest.update(volume.array.ravel(order="F").data)
    return digest.hexdigest()


def sha256_of_files(folder: Path) -> dict[str, str]:
    """Relative POSIX path and SHA-256 of every file below the folder, by name."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): sha256_of_file(p) for p in files}


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def peak_memory_mb() -> float | None:
    """Largest resident memory of this process so far; None where it is not told."""
    try:
        import resource
    except ImportError:
        return None
    # Linux counts in KiB (getrusage(2)), macOS in bytes.
    unit = 1024 if platform.system() == "Linux" else 1
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)

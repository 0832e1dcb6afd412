"""Stages of a stopped run that need not be walked again.

A stage is used again when its key is the same, which is a keyed hash of its input's
voxels, its options and the versions of the software, and when every file that it wrote
has the SHA-256 that was noted then. Everything else is done anew.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from medrecon.core import Mesh, Provenance, SoftField, Step, Volume
from medrecon.errors import MedreconError
from medrecon.files.atomic import open_atomic, sync_folder
from medrecon.files.output_folder import OutputFolder
from medrecon.files.stl import read_stl
from medrecon.options import MeshOptions, SegmentOptions, as_plain
from medrecon.outputs.options_json import value_of
from medrecon.outputs.part import Part
from medrecon.outputs.run import keyed_hash, sha256_of_file, software_versions
from medrecon.outputs.segmented import FIELDS, INDEX_FILE, Segmented, read_segmented
from medrecon.quality.observed import Observed
from medrecon.recorder import Recorder

KEY_FILE = "key"
SEGMENTATION = "segmentation"


class Finished:
    """What an earlier run finished in this folder, and what this one finishes.

    Parameters
    ----------
    folder : OutputFolder
        Nothing is kept or used again unless it resumes.
    volume : Volume
        The input of all stages.
    options : SegmentOptions
    log : Recorder
        Of this run, the volume already read.
    networks : sequence of str
        Hashes of the models that run: a name alone does not say what it stands for.
    """

    def __init__(
        self,
        folder: OutputFolder,
        volume: Volume,
        options: SegmentOptions,
        log: Recorder,
        networks: Sequence[str] = (),
    ) -> None:
        self.has_fields = False
        self._folder = folder
        self._active = folder.resume
        self._log = log
        self._before = len(log.provenance.steps)
        self._segmentation = ""
        if self._active:
            image = (keyed_hash(volume, self._key()), repr(volume.acquisition))
            gaps = None if volume.unmeasured is None else hash_of_array(volume.unmeasured)
            how = as_plain(options), list(networks), software_versions()
            self._segmentation = digest(image, gaps, *how)

    def segmented(self) -> Segmented | None:
        """The structures that the earlier run found, its steps and warnings noted; or None."""
        record = self._reuse(SEGMENTATION, self._segmentation)
        if record is None:
            return None
        self.has_fields = True
        self._log.repeat([value_of(Step, s) for s in record["steps"]], record["warnings"])
        return read_segmented(self._folder.staging)

    def keep_segmented(self, so_far: Provenance) -> None:
        """Note that the fields are written, and the steps that led to them."""
        if not self._active:
            return
        staging = self._folder.staging
        names = [INDEX_FILE, *(f"{FIELDS}/{p.name}" for p in (staging / FIELDS).iterdir())]
        steps = [
            {"name": s.name, "figures": dict(s.figures), "seconds": s.seconds}
            for s in so_far.steps[self._before :]
        ]
        more = {"steps": steps, "warnings": list(so_far.warnings)}
        self._keep(SEGMENTATION, self._segmentation, names, more)

    def part(self, field: SoftField, observed: Observed, options: MeshOptions) -> Part | None:
        """A structure's mesh and measures as the earlier run left them; or None."""
        name = field.label.name
        record = self._reuse(f"mesh-{name}", self._mesh_key(options))
        if record is None:
            return None
        # What measures a mesh is slow to load, and only a run that is taken up reads it back.
        from medrecon.quality.budget import ErrorBudget
        from medrecon.quality.gate import Gate
        from medrecon.surface.smooth import SmoothingEffect
        from medrecon.surface.validity import Validity

        mesh = Mesh(*read_stl(self._folder.staging / "meshes" / f"{name}.stl"), field.label)
        return Part(
            field.label,
            mesh,
            float(record["volume_ml"]),
            observed,
            value_of(Validity, record["validity"]),
            value_of(ErrorBudget, record["budget"]),
            value_of(Gate, record["gate"]),
            value_of(SmoothingEffect | None, record["smoothing"]),
            self_intersections=record["self_intersections"],
        )

    def keep_part(self, part: Part, options: MeshOptions) -> None:
        """Note that a structure's mesh is written and judged."""
        if not self._active:
            return
        name = part.label.name
        more = {
            "volume_ml": part.volume_ml,
            "validity": as_plain(part.validity),
            "budget": as_plain(part.budget),
            "gate": as_plain(part.gate),
            "smoothing": as_plain(part.smoothing),
            "self_intersections": part.self_intersections,
        }
        self._keep(f"mesh-{name}", self._mesh_key(options), [f"meshes/{name}.stl"], more)

    def _mesh_key(self, options: MeshOptions) -> str:
        return digest(self._segmentation, as_plain(options))

    def _key(self) -> str:
        """The key of the hashes, drawn when the folder's first run began."""
        path = self._folder.stages / KEY_FILE
        if not path.exists():
            with open_atomic(path) as stream:
                stream.write(secrets.token_hex(16).encode())
        return path.read_text("ascii")

    def _reuse(self, stage: str, key: str) -> Mapping[str, Any] | None:
        """The stage's record, its files brought back; None unless all is as it was left."""
        if not self._active:
            return None
        earlier = self._folder.earlier
        try:
            record = json.loads((self._folder.stages / f"{stage}.json").read_text("utf-8"))
            files = {str(name): str(sha) for name, sha in record["files"].items()}
            if record["key"] != key:
                return None
            if any(sha256_of_file(earlier / name) != sha for name, sha in files.items()):
                return None
        except (OSError, ValueError, KeyError, TypeError, MedreconError):
            return None
        for name in files:
            target = self._folder.staging / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (earlier / name).replace(target)
            sync_folder(target.parent)
        found: Mapping[str, Any] = record
        return found

    def _keep(self, stage: str, key: str, names: Iterable[str], more: Mapping[str, Any]) -> None:
        files = {name: sha256_of_file(self._folder.staging / name) for name in names}
        content = {"key": key, "files": files, **more}
        with open_atomic(self._folder.stages / f"{stage}.json") as stream:
            stream.write(json.dumps(content, default=_plain_number).encode())


def digest(*parts: Any) -> str:
    """SHA-256 of values as JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def hash_of_array(array: np.ndarray[Any, Any]) -> str:
    """SHA-256 of an array's shape and content."""
    content = np.ascontiguousarray(array)
    return hashlib.sha256(repr(content.shape).encode() + content.tobytes()).hexdigest()


def _plain_number(value: Any) -> Any:
    """A number of numpy as one of Python, exactly."""
    return value.item()

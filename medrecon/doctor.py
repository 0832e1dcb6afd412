"""What this machine can do, as far as medrecon is concerned."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from medrecon.errors import MedreconError

PROBE_TIMEOUT_S = 60.0
# Runs in a child: a VTK without EGL and OSMesa takes its process down.
OPENGL_PROBE = (
    "from vtkmodules.vtkRenderingOpenGL2 import vtkOpenGLRenderer;"
    "from vtkmodules.vtkRenderingCore import vtkRenderWindow;"
    "w = vtkRenderWindow(); w.SetOffScreenRendering(1); w.AddRenderer(vtkOpenGLRenderer());"
    "w.Render(); print(w.GetClassName())"
)
GPU_PROBE = (
    "import torch;"
    "print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else 'none: networks use '"
    " + str(torch.get_num_threads()) + ' CPU threads')"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table."""

    what: str
    finding: str
    good: bool = True


def examine(folder: Path | None = None) -> tuple[Finding, ...]:
    """Every finding; `folder` is where output would go (default: the working folder)."""
    return (
        Finding(
            "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
        ),
        Finding("processor", f"{os.cpu_count()} cores"),
        *(_library(name) for name in ("numpy", "pydicom", "imagecodecs", "vtk", "torch", "monai")),
        _probe("gpu", GPU_PROBE, "torch cannot be loaded"),
        _probe(
            "opengl",
            OPENGL_PROBE,
            "no off-screen rendering; on Debian or Ubuntu install libegl1 and libgl1-mesa-dri",
        ),
        _decoders(),
        _models(),
        _batches(),
        _temporary(),
        _disk(folder or Path()),
    )


def _library(name: str) -> Finding:
    try:
        return Finding(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "missing; install medrecon again", good=False)


def _probe(what: str, code: str, otherwise: str) -> Finding:
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=True,
        )
    except (subprocess.SubprocessError, OSError):
        return Finding(what, otherwise, good=False)
    return Finding(what, done.stdout.strip())


def _decoders() -> Finding:
    names = {"imagecodecs": "JPEG, JPEG-LS, JPEG 2000", "openjpeg": "HTJ2K"}
    missing = [text for module, text in names.items() if find_spec(module) is None]
    if missing:
        return Finding("decoders", f"missing: {', '.join(missing)}", good=False)
    return Finding("decoders", "uncompressed, deflated, RLE, " + ", ".join(names.values()))


def _models() -> Finding:
    from medrecon.models import store

    names, changed = [], []
    for model in store.installed():
        names.append(model.manifest.identity)
        try:
            store.verify(model)
        except MedreconError as refusal:
            changed.append(f"{model.manifest.name}: {refusal.code}")
    if changed:
        return Finding("models", f"not as installed: {', '.join(changed)}", good=False)
    return Finding("models", ", ".join(names) or "none", good=bool(names))


def _batches() -> Finding:
    """Whether a batch can run here, and on Dask."""
    if not hasattr(os, "fork"):
        return Finding("batch", "no fork here; on Windows use WSL", good=False)
    dask = "and on Dask" if find_spec("distributed") else "not on Dask (install medrecon[dask])"
    return Finding("batch", f"on this machine {dask}")


def _temporary() -> Finding:
    """Whether the folder for temporary files can be written."""
    try:
        with tempfile.TemporaryFile(prefix="medrecon-") as stream:
            stream.write(b"x")
    except OSError as error:
        return Finding("temporary files", f"cannot be written: {error.strerror}", good=False)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    return Finding("temporary files", f"{free / 1e9:.1f} GB free", good=free > 1e9)


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    return Finding("disk", f"{free / 1e9:.1f} GB free here", good=free > 2e9)

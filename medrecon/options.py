"""What a run was asked to do: one frozen object per stage."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from medrecon.core import Modality
from medrecon.errors import UsageError

DEFAULT_TISSUES = ("skin", "bone", "lungs", "airway")
"""What a CT gives without a network and without being asked."""

AUTO = "auto"


def require_length(name: str, mm: float, *, zero: bool = False) -> None:
    """Refuse what is no length; `zero` says whether 0 is one.

    Raises
    ------
    UsageError
        If it is negative, infinite or not a number.
    """
    if not 0 <= mm < math.inf or not (mm or zero):
        least = "from 0 up" if zero else "above 0"
        raise UsageError(f"{name} = {mm:g}; a finite number of mm {least} expected")


class Grid(Enum):
    """Which grid `volume.nii.gz` and `labels.nii.gz` are written on."""

    ISO = "iso"
    NATIVE = "native"


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Which volume to take and what to tolerate.

    Parameters
    ----------
    series : int or None
        Number of the series as `scan` lists it; None takes the largest plausible one.
    frame : int or None
        Which volume of a 4-D image, from 1.
    fill_gaps : bool
        Interpolate over missing slices; such a surface never passes the gate.
    skip_bad : bool
        Leave out damaged files.
    modality : Modality or None
        What a NIfTI, NRRD or MHA volume is; these formats do not say.
    native : bool
        Keep the stored voxels of a tilted series, on its sheared grid.
    deface : bool
        Take the face out of the image before anything is made of it.
    max_memory_gb : float or None
        Refuse a volume that would need more, before decoding it.

    Raises
    ------
    UsageError
        If the memory is none above 0, infinite or not a number.
    """

    series: int | None = None
    frame: int | None = None
    fill_gaps: bool = False
    skip_bad: bool = False
    modality: Modality | None = None
    native: bool = False
    max_memory_gb: float | None = None
    deface: bool = False

    def __post_init__(self) -> None:
        if self.max_memory_gb is not None and not 0 < self.max_memory_gb < math.inf:
            raise UsageError(f"max_memory_gb = {self.max_memory_gb:g}; some GB above 0 expected")


@dataclass(frozen=True, slots=True)
class SegmentOptions:
    """What to look for, and with what.

    Parameters
    ----------
    tissues : tuple of str or None
        Tissues from HU; None means `DEFAULT_TISSUES` where the image is a CT with
        verified HU, unless models were named.
    models : tuple of str or None
        Networks by name or folder, "auto" among them; None means "auto" unless
        tissues were named.
    labels : tuple of str or None
        Keep only these structures.
    device : str
        "auto", "cpu", "cuda", "cuda:N" or "mps".
    force_model : bool
        Run a model on images that it is not meant for.
    tta : bool
        Average each network over the flips that it allows.
    refine : bool
        Move surfaces to the image's own edges; else they stay where a network or a
        threshold put them, and each says so.
    registered : bool
        Further channels are registered to the first image, whatever their frames say.
    image_channel : str
        Which channel of a network the image itself is; empty: the one not given.
    """

    tissues: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    device: str = AUTO
    force_model: bool = False
    tta: bool = False
    refine: bool = True
    registered: bool = False
    image_channel: str = ""


@dataclass(frozen=True, slots=True)
class MeshOptions:
    """How surfaces are decimated and judged.

    Parameters
    ----------
    tolerance_mm : float
        How far decimation may move the surface; 0 leaves every triangle.
    target_faces : int or None
        Decimate to this many triangles a mesh instead.
    accept_mm : float
        Largest processing error that passes the gate.
    smooth : str
        "none", or by which filter surfaces are smoothed first: "sinc", "taubin".

    Raises
    ------
    UsageError
        If a length is negative, infinite or not a number, or the target below 4.
    """

    tolerance_mm: float = 0.1
    target_faces: int | None = None
    accept_mm: float = 1.0
    smooth: str = "none"

    def __post_init__(self) -> None:
        require_length("tolerance_mm", self.tolerance_mm, zero=True)
        require_length("accept_mm", self.accept_mm, zero=True)
        if self.target_faces is not None and not 4 <= self.target_faces < math.inf:
            raise UsageError(f"target_faces = {self.target_faces}; at least 4 triangles expected")


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What is written.

    Parameters
    ----------
    spacing : Grid or float
        Grid of the image and the label map; a number is an isotropic spacing in mm.
    formats : tuple of str
        "stl" and "3mf".
    overwrite : bool
        Replace an earlier run in the folder.
    preview : bool
        Draw `preview.png`.
    fields : bool
        Keep the soft fields, for `export`, `edit` and `mesh`.
    resume : bool
        Use again what a run that was stopped in this folder has finished.

    Raises
    ------
    UsageError
        If the spacing is not positive and finite.
    """

    spacing: Grid | float = Grid.ISO
    formats: tuple[str, ...] = ("stl", "3mf")
    overwrite: bool = False
    preview: bool = True
    fields: bool = True
    resume: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.spacing, Grid):
            require_length("spacing", self.spacing)


@dataclass(frozen=True, slots=True)
class Options:
    """Everything a run can be asked."""

    load: LoadOptions = field(default_factory=LoadOptions)
    segment: SegmentOptions = field(default_factory=SegmentOptions)
    mesh: MeshOptions = field(default_factory=MeshOptions)
    output: OutputOptions = field(default_factory=OutputOptions)


def as_plain(value: Any) -> Any:
    """Options as JSON: dataclasses to objects, enums to their values."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {f.name: as_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return [as_plain(v) for v in value] if isinstance(value, tuple | list) else value

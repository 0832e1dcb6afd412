"""A phantom as a folder: a DICOM series and its truth beside it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import numpy as np

from medrecon.core import Geometry
from medrecon.dicom.write_ct import CtSeries, TransferSyntax, write_ct_series
from medrecon.errors import OutputError
from medrecon.phantom import shapes
from medrecon.phantom.phantom import Phantom
from medrecon.phantom.scanner import Scanner
from medrecon.phantom.shape_scan import scan_shape, shape_geometry
from medrecon.phantom.torso import make_torso, torso_geometry

# The committed sample: all lungs and kidneys, and under 8 MB.
TORSO_SHAPE = (240, 200, 190)
TORSO_SPACING_MM = (1.4, 1.4, 1.75)
SHAPE_SPACING_MM = (0.8, 0.8, 1.25)


class PhantomKind(StrEnum):
    """What can be written."""

    TORSO = "torso"
    SPHERE = "sphere"
    TORUS = "torus"
    SHELL = "shell"
    SCREW = "screw"
    BOX = "box"
    LETTER_F = "letter-f"


_SHAPES: dict[PhantomKind, Callable[[], shapes.Shape]] = {
    PhantomKind.SPHERE: shapes.make_sphere,
    PhantomKind.TORUS: shapes.make_torus,
    PhantomKind.SHELL: shapes.make_shell,
    PhantomKind.SCREW: shapes.make_screw,
    PhantomKind.BOX: shapes.make_box,
    PhantomKind.LETTER_F: shapes.make_letter_f,
}


def write_phantom(
    kind: PhantomKind | str,
    folder: Path,
    seed: int = 2026,
    *,
    geometry: Geometry | None = None,
    scanner: Scanner | None = None,
    transfer_syntax: TransferSyntax | str = TransferSyntax.JPEG_LS,
) -> Phantom:
    """The phantom that was written: `ct_0001.dcm` and so on, and `truth.json`.

    The same arguments give the same bytes.

    Parameters
    ----------
    kind : PhantomKind
    folder : Path
        Made if it is not there; files of the same names are replaced.
    seed : int
        Draws the torso; of a shape, its place between the voxel centres, and the noise.
    geometry : Geometry, optional
        Grid in LPS mm.
    scanner : Scanner, optional
        Blur, noise and samples per voxel.
    transfer_syntax : TransferSyntax

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    chosen = PhantomKind(kind)
    phantom = make_phantom(chosen, seed, geometry=geometry, scanner=scanner)
    series = CtSeries(
        uid_seed=f"phantom {chosen} {seed}",
        description=f"Phantom {chosen} {seed}",
        patient_name=f"Phantom^{chosen.name.title()}",
        patient_id=f"PHANTOM-{chosen.name}-{seed}",
    )
    write_ct_series(phantom.volume, folder, transfer_syntax=transfer_syntax, series=series)
    try:
        (folder / "truth.json").write_text(phantom.truth.as_json(), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write truth.json: {error.strerror}") from error
    return phantom


def make_phantom(
    kind: PhantomKind,
    seed: int,
    *,
    geometry: Geometry | None = None,
    scanner: Scanner | None = None,
) -> Phantom:
    """A torso or a shape, on its usual grid if none is given."""
    if kind is PhantomKind.TORSO:
        grid = geometry or torso_geometry(TORSO_SHAPE, TORSO_SPACING_MM)
        return make_torso(seed, geometry=grid, scanner=scanner)
    x, y, z = np.random.default_rng([seed, 2]).uniform(-0.5, 0.5, 3).tolist()
    shape = _SHAPES[kind]().moved((x, y, z))
    half = np.maximum(np.abs(shape.solid.low_mm), np.abs(shape.solid.high_mm))
    box = (float(half[0]), float(half[1]), float(half[2]))
    grid = geometry or shape_geometry(6.0, box, SHAPE_SPACING_MM)
    return scan_shape(shape, grid, scanner=scanner, seed=seed)

"""The short functions of `import medrecon as mr`: one stage each, without a folder.

Example
-------
::

    import medrecon as mr

    scan = mr.scan("dicom_dir")
    volume = mr.read(scan.series[0])
    segmentation = mr.segment(volume, tissues=("bone",))
    (bone,) = mr.extract_surfaces(segmentation)
    mr.write_mesh(bone, "bone.stl")
"""

from __future__ import annotations

from pathlib import Path

from medrecon.core import Mesh, Segmentation, SliceStack, Volume
from medrecon.errors import UsageError
from medrecon.loading import iso_spacing_mm
from medrecon.options import require_length


def resample(volume: Volume | SliceStack, *, spacing_mm: float = 1.0) -> Volume:
    """The image on cubic voxels of that size, voxel centre on voxel centre, linear.

    Slices that make no grid (tilted, irregular) are interpolated once, from the true
    position of each.

    Raises
    ------
    UsageError
        If the spacing is not positive and finite.
    """
    from medrecon.resampling import stack_geometry, stack_onto, to_isotropic

    require_length("spacing_mm", spacing_mm)
    if isinstance(volume, SliceStack):
        return stack_onto(volume, stack_geometry(volume, spacing_mm))
    return to_isotropic(volume, spacing_mm)


def segment(
    volume: Volume | SliceStack,
    *,
    tissues: tuple[str, ...] = (),
    model: str | None = None,
    device: str = "auto",
    refine: bool = True,
) -> Segmentation:
    """Soft fields of tissues (CT, from HU) or of one model's labels, boundaries placed.

    Parameters
    ----------
    volume : Volume
        Slices that make no grid are refused: `resample` puts them on one.
    tissues : tuple of str
        "skin", "bone", "lungs", "airway", "fat", "muscle".
    model : str, optional
        Name or folder of an installed model; instead of `tissues`.
    device : str
        For the model.
    refine : bool
        Place surfaces at the image's own edges; else they stay where they were found.

    Raises
    ------
    UsageError
        Unless exactly one of `tissues` and `model` is given, or for a `SliceStack`.
    UnverifiedHuError, ModelError
        As the segmenters do.
    """
    if bool(tissues) == bool(model):
        raise UsageError("name tissues or one model, not both and not neither")
    volume = _on_a_grid(volume)
    if tissues:
        from medrecon.segmentation.tissues import TissueSegmenter

        found = TissueSegmenter(tissues).segment(volume)
    else:
        from medrecon.models import store
        from medrecon.segmentation.unet import UnetSegmenter

        found = UnetSegmenter(store.find(str(model)), device=device).segment(volume)
    if not refine:
        return found
    from medrecon.segmentation.refine import refine as at_the_edges

    return at_the_edges(found, volume)


def _on_a_grid(volume: Volume | SliceStack) -> Volume:
    """The volume; slices that make no grid are refused with the spacing that would do."""
    if isinstance(volume, Volume):
        return volume
    spacing_mm = iso_spacing_mm(volume.pixel_spacing_mm)
    raise UsageError(
        f"{len(volume.positions_mm)} slices that make no grid (tilted or irregular); "
        f"put them on one first: medrecon.resample(stack, spacing_mm={spacing_mm:.3g})"
    )


def extract_surfaces(segmentation: Segmentation, *, tolerance_mm: float = 0.1) -> tuple[Mesh, ...]:
    """One closed mesh for each field, decimated within the tolerance (0: not at all).

    Raises
    ------
    UsageError
        If the tolerance is negative, infinite or not a number.
    """
    from medrecon.surface.extract import extract_surface
    from medrecon.surface.simplify import simplify

    require_length("tolerance_mm", tolerance_mm, zero=True)
    return tuple(
        simplify(extract_surface(field), tolerance_mm=tolerance_mm) for field in segmentation.fields
    )


def write_mesh(mesh: Mesh, path: str | Path) -> None:
    """Write a mesh as binary STL or as 3MF, by the suffix.

    Raises
    ------
    UsageError
        If the suffix is another.
    OutputError
        If it cannot be written.
    """
    from medrecon.files.stl import save_stl
    from medrecon.files.threemf import save_3mf

    path = Path(path)
    if path.suffix.lower() == ".stl":
        save_stl(mesh, path)
    elif path.suffix.lower() == ".3mf":
        save_3mf([mesh], path)
    else:
        raise UsageError(f"no mesh format {path.suffix!r}; .stl or .3mf expected")

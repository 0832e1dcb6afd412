"""One contender at one errand of `surface.py`, in a process of its own.

    python benchmarks/surface_one.py ERRAND CONTENDER FOLDER

Reads the errand's input from FOLDER, warms up on a small one, does it once, and prints
wall and processor seconds and the process's peak memory as JSON. Peers run in their own
environment, which has no medrecon.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

LEVEL_HU = 199.5
KEPT = 0.1
TENTH_OF_A_LABEL = 2_480


def main() -> None:
    errand, contender, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    work = globals()[f"{contender}_{errand}"]
    name = {"extract": "ct", "labels": "labels", "printable": "labels", "verb": "labels"}
    name = name.get(errand, "mesh")
    out = folder / f"{errand}_{contender}"
    work(read(folder, f"{name}_small"), out)
    given = read(folder, name)
    wall, cpu = time.perf_counter(), time.process_time()
    made = work(given, out)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = peak_mb()
    triangles = keep(made, out)
    print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_mb": peak, "triangles": triangles}))


def peak_mb() -> float:
    """Largest resident memory since this program began: rusage counts its parent's too."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def read(folder: Path, name: str):
    path = folder / f"{name}.npz"
    if path.exists():
        with np.load(path) as held:
            return held["vertices"], held["faces"]
    return np.load(folder / f"{name}.npy")


def keep(made, out: Path) -> int:
    """Write meshes for `surface.py` to judge; how many triangles they have together."""
    if not made:
        return 0
    for number, (vertices, faces) in enumerate(made):
        np.savez(f"{out}_{number}.npz", vertices=vertices, faces=faces)
    return sum(len(faces) for _, faces in made)


# medrecon


def grid(array, spacing=(1.0, 1.0, 1.0)):
    from medrecon.core import Geometry

    return Geometry(array.shape, spacing, (0.0, 0.0, 0.0))


def named(number=1):
    from medrecon.core import Label

    return Label(int(number), f"l{number}")


def as_mesh(given):
    from medrecon.core import Mesh

    return Mesh(*given, named())


def pairs(*meshes):
    return [(m.vertices_mm, m.faces) for m in meshes]


def medrecon_extract(ct, _out):
    from medrecon.core import SoftField
    from medrecon.segmentation.fields import doubled
    from medrecon.surface.extract import extract_surface

    # Twice the HU less 399 is never 0: the surface lies at 199.5 HU.
    return pairs(extract_surface(SoftField(named(), doubled(ct, LEVEL_HU + 0.5), grid(ct))))


def _fields(labels):
    from medrecon.core import LabelMap
    from medrecon.surface.from_labels import fields_from_labels

    names = tuple(named(n) for n in range(1, int(labels.max()) + 1))
    return fields_from_labels(LabelMap(labels, grid(labels), names))


def _on_all_cores(work, fields):
    """As many labels at a time as there are cores, the largest first; in the fields' order."""
    from concurrent.futures import ThreadPoolExecutor

    from medrecon.core.threads import cores

    with ThreadPoolExecutor(cores()) as pool:
        order = sorted(range(len(fields)), key=lambda n: -fields[n].values.size)
        made = {n: pool.submit(work, n, fields[n]) for n in order}
    return [made[n].result() for n in range(len(fields))]


def medrecon_labels(labels, _out):
    from medrecon.surface.extract import extract_surface

    def surface(_, field):
        return extract_surface(field, threads=False)

    return pairs(*_on_all_cores(surface, _fields(labels)))


def medrecon_printable(labels, out):
    from medrecon.files.stl import save_stl
    from medrecon.surface.extract import extract_surface
    from medrecon.surface.simplify import simplify
    from medrecon.surface.smooth import Smoothing, smooth_surface

    def printable(number, field):
        full = extract_surface(field, threads=False)
        smooth, _ = smooth_surface(full, Smoothing.SINC, limit_mm=0.5)
        mesh = simplify(smooth, target_faces=max(4, int(KEPT * len(full.faces))))
        save_stl(mesh, Path(f"{out}_{number}.stl"))
        return mesh

    return pairs(*_on_all_cores(printable, _fields(labels)))


def medrecon_verb(labels, out):
    """What `medrecon mesh MAP --smooth sinc --target-faces N --format stl --no-preview` does.

    Neighbours share their surface; every file is read again and judged, gaps between
    neighbours are measured, fields, label map and report are written.
    """
    import shutil

    from medrecon.core import LabelMap
    from medrecon.options import MeshOptions, Options, OutputOptions
    from medrecon.pipeline import mesh_study
    from medrecon.recipes.meshing import segmented_from_labels

    names = tuple(named(n) for n in range(1, int(labels.max()) + 1))
    folder = out.with_name(f"{out.name}_run")
    shutil.rmtree(folder, ignore_errors=True)
    run = mesh_study(
        segmented_from_labels((LabelMap(labels, grid(labels), names),), "label map"),
        output=folder,
        grid=grid(labels),
        options=Options(
            mesh=MeshOptions(target_faces=TENTH_OF_A_LABEL, smooth="sinc"),
            output=OutputOptions(formats=("stl",), preview=False),
        ),
    )
    return pairs(*(part.mesh for part in run.parts))


def medrecon_decimate(given, _out):
    from medrecon.surface.simplify import simplify

    return pairs(simplify(as_mesh(given), target_faces=int(KEPT * len(given[1]))))


def medrecon_smooth(given, _out):
    from medrecon.surface.smooth import Smoothing, smooth_surface

    return pairs(smooth_surface(as_mesh(given), Smoothing.SINC, limit_mm=0.5)[0])


def medrecon_stl(given, out):
    from medrecon.files.stl import save_stl

    save_stl(as_mesh(given), out.with_suffix(".stl"))


def medrecon_3mf(given, out):
    from medrecon.files.threemf import save_3mf

    save_3mf([as_mesh(given)], out.with_suffix(".3mf"))


# Peers


def skimage_extract(ct, _out):
    from skimage.measure import marching_cubes

    vertices, faces, _, _ = marching_cubes(ct, LEVEL_HU)
    return [(vertices, faces[:, ::-1])]


def _zmesh(labels, **options):
    from zmesh import Mesher

    mesher = Mesher((1.0, 1.0, 1.0))
    mesher.mesh(labels, close=True)
    return [mesher.get(n, **options) for n in mesher.ids()]


def zmesh_extract(ct, _out):
    made = _zmesh((ct > LEVEL_HU).astype(np.uint8), reduction_factor=0)
    return [(m.vertices, m.faces) for m in made]


def zmesh_labels(labels, _out):
    return [(m.vertices, m.faces) for m in _zmesh(labels, reduction_factor=0)]


def zmesh_verb(labels, out):
    return zmesh_printable(labels, out)


def zmesh_printable(labels, out):
    made = _zmesh(labels, reduction_factor=int(1 / KEPT), max_error=2.0)
    for number, mesh in enumerate(made):
        _vtk_save_stl(mesh.vertices, mesh.faces, f"{out}_{number}.stl")
    return [(m.vertices, m.faces) for m in made]


def _poly(vertices, faces):
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

    points, cells, surface = vtkPoints(), vtkCellArray(), vtkPolyData()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(vertices, np.float32), deep=1))
    cells.SetData(3, numpy_to_vtkIdTypeArray(faces.astype(np.int64).ravel(), deep=1))
    surface.SetPoints(points)
    surface.SetPolys(cells)
    return surface


def _arrays(surface):
    from vtkmodules.util.numpy_support import vtk_to_numpy

    faces = vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return [(vtk_to_numpy(surface.GetPoints().GetData()).astype(np.float32), faces)]


def vtk_decimate(given, _out):
    from vtkmodules.vtkFiltersCore import vtkQuadricDecimation

    quadric = vtkQuadricDecimation()
    quadric.SetInputData(_poly(*given))
    quadric.SetTargetReduction(1 - KEPT)
    quadric.Update()
    return _arrays(quadric.GetOutput())


def vtk_smooth(given, _out):
    from vtkmodules.vtkFiltersCore import vtkWindowedSincPolyDataFilter

    sinc = vtkWindowedSincPolyDataFilter()
    sinc.SetInputData(_poly(*given))
    sinc.SetNumberOfIterations(20)
    sinc.SetPassBand(0.1)
    sinc.NormalizeCoordinatesOn()
    sinc.Update()
    return _arrays(sinc.GetOutput())


def _vtk_save_stl(vertices, faces, path):
    from vtkmodules.vtkIOGeometry import vtkSTLWriter

    writer = vtkSTLWriter()
    writer.SetFileTypeToBinary()
    writer.SetFileName(str(path))
    writer.SetInputData(_poly(vertices, faces))
    writer.Write()


def vtk_stl(given, out):
    _vtk_save_stl(*given, out.with_suffix(".stl"))


def lib3mf_3mf(given, out):
    import ctypes

    import lib3mf

    vertices = np.ascontiguousarray(given[0], np.float32)
    faces = np.ascontiguousarray(given[1], np.uint32)
    model = lib3mf.Wrapper(str(Path(lib3mf.__file__).with_name("lib3mf"))).CreateModel()
    solid = model.AddMeshObject()
    # Whole buffers, as C would hand them over: a Python object a vertex would be unfair.
    positions = (lib3mf.Position * len(vertices)).from_buffer_copy(vertices)
    triangles = (lib3mf.Triangle * len(faces)).from_buffer_copy(faces)
    checked = model._wrapper.checkError
    checked(
        solid,
        model._wrapper.lib.lib3mf_meshobject_setgeometry(
            solid._handle,
            ctypes.c_uint64(len(vertices)),
            positions,
            ctypes.c_uint64(len(faces)),
            triangles,
        ),
    )
    model.AddBuildItem(solid, model._wrapper.GetIdentityTransform())
    model.QueryWriter("3mf").WriteToFile(str(out.with_suffix(".3mf")))


if __name__ == "__main__":
    main()

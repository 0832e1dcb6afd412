"""Only what dicom2stl does, with medrecon's parts: read, threshold, surface, decimate, write.

python benchmarks/bare_road.py DICOM_DIR OUT.stl TRIANGLES
"""

import sys
from pathlib import Path

from medrecon import dicom
from medrecon.core import Mesh, SoftField, label
from medrecon.files.stl import save_stl
from medrecon.segmentation.fields import doubled
from medrecon.surface.collapse import collapse_to
from medrecon.surface.extract import extract_surface
from medrecon.surface.simplify import compact

LEVEL_HU = 200
target = int(sys.argv[3])
volume = dicom.read(dicom.choose(dicom.scan(Path(sys.argv[1]))))
field = SoftField(label("bone"), doubled(volume.array, LEVEL_HU), volume.geometry)
surface = extract_surface(field)
# As there: collapse and write, without taking apart what is no solid afterwards.
collapsed = collapse_to(surface.vertices_mm, surface.faces, target)
mesh = Mesh(*compact(collapsed.place_mm, collapsed.quotient(surface.faces)), surface.label)
save_stl(mesh, Path(sys.argv[2]))

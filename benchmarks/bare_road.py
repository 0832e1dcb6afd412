"""Only what dicom2stl does, with medrecon's parts: read, bone, surface, decimate, write.

python benchmarks/bare_road.py DICOM_DIR OUT.stl TRIANGLES
"""

import sys
from pathlib import Path

from medrecon import dicom
from medrecon.files.stl import save_stl
from medrecon.segment.refine import refine
from medrecon.segment.tissues import TissueSegmenter
from medrecon.surface.extract import extract_surface
from medrecon.surface.simplify import simplify

volume = dicom.read(dicom.choose(dicom.scan(Path(sys.argv[1]))))
(field,) = refine(TissueSegmenter(["bone"]).segment(volume), volume).fields
save_stl(simplify(extract_surface(field), target_faces=int(sys.argv[3])), Path(sys.argv[2]))

"""A head of balls: its face goes from the image itself, its brain stays."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.dicom.write_ct import write_ct_series
from medrecon.errors import DamagedInputError
from medrecon.options import LoadOptions, Options, OutputOptions, SegmentOptions
from medrecon.pipeline import reconstruct
from medrecon.privacy.deface import find_face, remove_face
from medrecon.privacy.head import Shown, is_identifiable
from medrecon.recipes.audit import audit_outputs

# The vertex is at z = 0, the forehead at y = -95, everything in mm; an adult's proportions.
SKULL = ((0, 0, -90), (72, 92, 88))
BRAIN = ((0, 4, -82), (64, 76, 70))
LANDMARKS = {
    "nose": (0, -118, -140),
    "left eye": (32, -84, -112),
    "right eye": (-32, -84, -112),
    "mouth": (0, -100, -172),
    "chin": (0, -90, -215),
    "left cheek": (50, -62, -140),
}


def ellipsoid(x, y, z, centre, half):
    (a, b, c), (p, q, r) = centre, half
    return ((x - a) / p) ** 2 + ((y - b) / q) ** 2 + ((z - c) / r) ** 2


def head(*, pitch_degrees: float = 0.0, ct: bool = True, part: str = "", shape=(56, 72, 70)):
    """A skull with a brain, a jaw, a neck and a nose on 4 mm voxels; chin up by the pitch."""
    grid = Geometry(shape, (4.0, 4.0, 4.0), (-110.0, -150.0, -262.0))
    x, y, z = grid.mm_from_index(np.indices(shape).reshape(3, -1).T).T.reshape(3, *shape)
    x, y, z = tilted((x, y, z), -pitch_degrees)
    skull = ellipsoid(x, y, z, *SKULL)
    tissue = (skull < 1) | (ellipsoid(x, y, z, (0, -40, -150), (58, 62, 80)) < 1)
    tissue |= (np.hypot(x, y - 25) < 52) & (z < -110)
    tissue |= ellipsoid(x, y, z, (0, -106, -134), (14, 18, 22)) < 1
    hu = np.where(tissue, 40, -1000)
    hu[(skull < 0.93) & (skull > 0.72) & (z > -125)] = 900
    status = HuStatus.VERIFIED if ct else HuStatus.NOT_CT
    kind = Acquisition(Modality.CT if ct else Modality.MR, status, body_part=part)
    array = hu if ct else np.where(hu > -500, 300, 0)
    return Volume(np.asfortranarray(array.astype(np.int16)), grid, kind)


def tilted(points, degrees):
    """Turn about the left-right axis through the middle of the head."""
    x, y, z = points
    angle = np.radians(degrees)
    v, w = y - 0.0, z + 90.0
    return x, v * np.cos(angle) - w * np.sin(angle), v * np.sin(angle) + w * np.cos(angle) - 90.0


@pytest.mark.parametrize("ct", [True, False])
@pytest.mark.parametrize("pitch", [-8.0, 0.0, 12.0, 22.0])
def test_the_face_is_gone_and_the_brain_is_not(pitch, ct):
    # Chin up is a turn that brings the front of the head upwards.
    image = head(pitch_degrees=-pitch, ct=ct, part="HEAD")
    defaced = remove_face(image, find_face(image))
    gone = defaced.unmeasured
    for name, place in LANDMARKS.items():
        at = np.array(tilted(place, -pitch))
        i, j, k = np.rint(image.geometry.index_from_mm(at[None])[0]).astype(int)
        if np.all(np.array([i, j, k]) < image.array.shape) and min(i, j, k) >= 0:
            assert gone[i, j, k], f"{name} is still there"
    shape = image.array.shape
    points = image.geometry.mm_from_index(np.indices(shape).reshape(3, -1).T).T.reshape(3, *shape)
    brain = ellipsoid(*tilted(points, pitch), *BRAIN) < 1
    # Chin up by 22 degrees, the whole forehead goes, and some of the frontal lobes with it.
    assert (gone & brain).sum() <= 0.09 * brain.sum()
    assert (defaced.array[gone] == (-1000 if ct else 0)).all()
    assert (defaced.array[~gone] == image.array[~gone]).all()


def test_a_skull_in_a_ct_is_seen_without_a_word_in_the_header():
    assert is_identifiable(head()).state is Shown.YES
    trunk = head()
    blank = np.where(trunk.array > 500, np.int16(40), trunk.array)
    assert is_identifiable(dataclasses.replace(trunk, array=blank)).state is Shown.NO


def test_an_mr_without_a_body_part_may_be_a_head():
    assert is_identifiable(head(ct=False)).state is Shown.UNKNOWN
    assert is_identifiable(head(ct=False, part="KNEE")).state is Shown.NO
    assert is_identifiable(head(ct=False, part="BRAIN")).state is Shown.YES


def test_a_head_whose_vertex_is_cut_off_is_refused_rather_than_half_done():
    image = head(part="HEAD", shape=(56, 72, 52))
    with pytest.raises(DamagedInputError, match="vertex"):
        find_face(image)


def test_every_output_of_a_defaced_run_is_without_the_face_and_says_so(tmp_path):
    write_ct_series(head(part="HEAD"), tmp_path / "in")
    runs = {}
    for deface in (False, True):
        options = Options(
            load=LoadOptions(deface=deface),
            segment=SegmentOptions(tissues=("skin",)),
            output=OutputOptions(preview=False),
        )
        run = reconstruct(tmp_path / "in", output=tmp_path / f"{deface}", options=options)
        runs[deface] = run
    record = {d: json.loads((tmp_path / f"{d}" / "run.json").read_text()) for d in runs}
    assert record[False]["identifiable"]["state"] == "yes"
    assert record[True]["identifiable"]["state"] == "face removed"
    for d in runs:
        page = (tmp_path / f"{d}" / "report.html").read_text()
        assert f"{record[d]['identifiable']['state']}: " in page
    # The nose is the foremost point of the skin, at y = -124.
    front = {d: run.parts[0].mesh.bounds_mm[0][1] for d, run in runs.items()}
    assert front[False] < -118
    assert front[True] > -97
    assert [f.kind.name for f in audit_outputs(tmp_path / "False")] == ["FACE"]
    assert audit_outputs(tmp_path / "True") == []

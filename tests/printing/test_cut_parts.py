"""Several parts cut at once: a file for each piece, and no cut that goes unnoticed."""

from __future__ import annotations

import numpy as np
import pytest
from printing_shapes import block

from medrecon.core import Mesh
from medrecon.errors import UsageError
from medrecon.printing.cut import Pins
from medrecon.printing.options import check_steps
from medrecon.recipes.printing import Cut, Prepared, PrintOptions, prepare_prints

FEMUR = block((20, 20, 20), name="femur")


def made(meshes: list[Mesh], folder, **asked: object) -> Prepared:
    return prepare_prints(meshes, PrintOptions("sla", **asked), output=folder / "print")


def names(prepared: Prepared) -> list[str]:
    return [p.sidecar["part"] for p in prepared.parts]


def test_pieces_never_take_the_name_of_another_part(tmp_path):
    other = block((20, 20, 20), (100, 0, 100), "femur_1")
    prepared = made([FEMUR, other], tmp_path, cuts=(Cut("z", 5.0),))
    assert names(prepared) == ["femur_2", "femur_3", "femur_1"]
    assert len(list((tmp_path / "print").glob("*.stl"))) == 3
    volumes = [p.mesh.volume_mm3 for p in prepared.parts]
    assert volumes == pytest.approx([6000, 2000, 8000], rel=1e-4)


def test_names_that_become_one_file_are_refused_before_any_is_written(tmp_path):
    twins = [block(name="a:b"), block((10, 10, 10), (90, 0, 0), "a/b")]
    with pytest.raises(UsageError, match="a_b"):
        made(twins, tmp_path)
    assert not (tmp_path / "print").exists()


def test_a_part_named_twice_is_made_once(tmp_path):
    assert names(made([FEMUR], tmp_path, only=("femur", "femur"))) == ["femur"]


@pytest.mark.parametrize("pins", [None, Pins()])
def test_a_cut_that_misses_every_part_is_refused_and_says_where_they_are(tmp_path, pins):
    other = block((20, 20, 20), (0, 0, 100), "tibia")
    with pytest.raises(UsageError, match=r"misses.* -10\.0 to 110\.0"):
        made([FEMUR, other], tmp_path, cuts=(Cut("z", 0.0), Cut("z", 1000.0)), pins=pins)
    assert not (tmp_path / "print").exists()


def test_a_cut_need_not_meet_every_part(tmp_path):
    other = block((20, 20, 20), (0, 0, 100), "tibia")
    prepared = made([FEMUR, other], tmp_path, cuts=(Cut("z", 0.0), Cut("z", 100.0)))
    assert names(prepared) == ["femur_1", "femur_2", "tibia_1", "tibia_2"]


def test_numbers_that_only_code_can_give_are_refused_as_well():
    cut = (Cut("z"),)
    for pins in (Pins(count=0), Pins(diameter_mm=np.nan), Pins(clearance_mm=np.inf)):
        with pytest.raises(UsageError, match="pins"):
            check_steps(PrintOptions("sla", cuts=cut, pins=pins))
    with pytest.raises(UsageError, match="a cut at z"):
        check_steps(PrintOptions("sla", cuts=(Cut("z", np.nan),)))

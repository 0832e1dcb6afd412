"""What a network finds badly, and the skull of `head`, are never for print."""

from dataclasses import replace

import numpy as np
import pytest
from model_folders import example

from medrecon.core import Geometry, Segmentation, SoftField, label
from medrecon.models.concerns import print_concerns
from medrecon.models.manifest import Manifest, ModelLabel
from medrecon.models.parts import renamed
from medrecon.models.store import open_model, shipped_folder
from medrecon.outputs.segmented import distinct


def named(name: str, **figures: float) -> Manifest:
    labels = ModelLabel(1, label("brain")), ModelLabel(2, label("skull"))
    return replace(example(), name=name, labels=labels, figures=figures)


def test_what_the_manifest_says_counts_and_not_what_the_model_is_called():
    shipped = open_model(shipped_folder() / "head").manifest
    other = renamed(shipped, "my_head")
    assert other.checks == ("head",)
    for manifest in (shipped, other):
        assert "intact skulls" in print_concerns(manifest)["skull"][0]
    assert print_concerns(named("head")) == {}


@pytest.mark.parametrize(("dice", "concern"), [(0.79, True), (0.8, False), (0.94, False)])
def test_a_low_held_out_dice_is_of_concern(dice: float, concern: bool):
    found = print_concerns(named("own", dice_brain=dice))
    assert ("brain" in found) is concern
    if concern:
        assert "a Dice of 0.79 where the truth was known" in found["brain"][0]


def test_a_structure_keeps_its_concerns_under_another_name():
    grid = Geometry((4, 4, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    brain = SoftField(label("brain"), np.ones((4, 4, 4), np.float32, order="F"), grid)
    both = [
        Segmentation(grid, (brain,), f"{source} 1", concerns={"brain": (source,)})
        for source in ("a", "b")
    ]
    first, second = distinct(both)
    assert dict(first.concerns) == {"brain": ("a",)}
    assert dict(second.concerns) == {"brain_b": ("b",)}

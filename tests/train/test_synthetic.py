"""Images made from label maps: as different as scanners make them, truth kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medrecon.core import Geometry
from medrecon.errors import UsageError
from medrecon.train.appearance import Contrast, draw_contrast
from medrecon.train.artefacts import Artefacts
from medrecon.train.head import HEAD_SYNTHESIS, VALIDATION_SEEDS, head_recipe
from medrecon.train.head_maps import CHANNEL, CT_HU, TISSUES, head_template
from medrecon.train.synthetic import (
    Shape,
    Synthesis,
    Template,
    fresh_seeds,
    made_up_samples,
    synthesise,
)
from medrecon.train.templates import CodedMap, plain_templates, values_in

STILL = Shape(0, 0, 0, 0, 0, (0,) * 6, (0,) * 6)
CLEAN = Artefacts(0, 0, 0, 0, 0, 0, 0)


def blocks() -> Template:
    """A block of tissue 1 (channel 1) with tissue 2 (channel 2) on its left, 2 mm voxels."""
    tissue = np.zeros((24, 20, 16), np.uint8)
    tissue[4:20, 4:16, 4:12] = 1
    tissue[14:20, 4:16, 4:12] = 2
    return Template(tissue, tissue.copy(), (2.0, 2.0, 2.0))


def test_without_changes_the_image_is_the_map_in_grey():
    how = Synthesis(STILL, Contrast(3), CLEAN)
    sample = synthesise([blocks()], 2.0, how, (0, 0))
    # The box around the anatomy: 16 × 12 × 8 voxels.
    assert sample.target.shape == (16, 12, 8)
    assert np.bincount(sample.target.ravel()).tolist() == [0, 10 * 12 * 8, 6 * 12 * 8]
    means = [sample.image[sample.target == c].mean() for c in (1, 2)]
    spread = [sample.image[sample.target == c].std() for c in (1, 2)]
    assert abs(means[0] - means[1]) > 2 * max(spread)


def test_the_same_seed_gives_the_same_image_and_another_a_different_one():
    how = Synthesis(Shape(), Contrast(3), Artefacts())
    a, b, c = (synthesise([blocks()], 2.0, how, seed) for seed in ((0, 5), (0, 5), (0, 6)))
    assert np.array_equal(a.image, b.image)
    assert np.array_equal(a.target, b.target)
    assert a.image.shape != c.image.shape or not np.array_equal(a.image, c.image)


def test_a_narrow_field_ends_the_anatomy_in_air_and_a_bare_brain_stands_alone():
    # Half of the images are narrowed, each side surely, by up to 8 mm; the image goes on in air.
    narrow = Shape(0, 0, 0, 0, 0, (0,) * 6, (0,) * 6, narrow=1.0, narrow_mm=8.0)
    sizes = set()
    for seed in range(12):
        sample = synthesise([blocks()], 2.0, Synthesis(narrow, Contrast(3), CLEAN), (2, seed))
        sizes.add(int((sample.target > 0).sum()))
    assert max(sizes) == 16 * 12 * 8
    # Four voxels of air lie around the blocks; the highest cut takes four voxels of 24, 20, 16.
    assert min(sizes) > 0
    bare = Shape(0, 0, 0, 0, 0, (0,) * 6, (0,) * 6, bare=(2,), bare_share=1.0)
    alone = synthesise([blocks()], 2.0, Synthesis(bare, Contrast(3), CLEAN), (2, 0))
    assert alone.target.shape == (6, 12, 8)
    assert (alone.target == 2).all()


def test_slices_thicker_than_the_image_leave_its_mean():
    thin = Template(*(np.ones((20, 20, 2), np.uint8),) * 2, (2.0, 2.0, 2.0))
    thick = replace(CLEAN, thick=1.0, thick_mm=40.0)
    for seed in range(8):
        sample = synthesise([thin], 2.0, Synthesis(STILL, Contrast(2), thick), (3, seed))
        assert np.isfinite(sample.image).all()


def test_left_stays_left_whatever_happens_to_the_shape():
    how = Synthesis(Shape(), Contrast(3), Artefacts())
    seen = 0
    for seed in range(10):
        sample = synthesise([blocks()], 2.0, how, (1, seed))
        places = [np.argwhere(sample.target == c)[:, 0] for c in (1, 2)]
        if all(len(p) for p in places):  # a short field of view may show one alone
            assert places[1].mean() > places[0].mean()  # the first axis runs to the left
            seen += 1
    assert seen >= 3


def test_a_voxel_on_a_border_is_a_mixture():
    # 4 mm voxels on a map of 2 mm: along i the border between 1 and 2 lies inside one.
    template = blocks()
    tissue, target = (np.roll(x, 1, 0) for x in (template.tissue, template.target))
    shifted = replace(template, tissue=tissue, target=target)
    contrast = Contrast(3)
    sample = synthesise([shifted], 4.0, Synthesis(STILL, contrast, CLEAN), (0, 3))
    middle = sample.image[:, 1:-1, 1:-1].mean(axis=(1, 2))
    low, high = sorted((middle[1], middle[-2]))
    between = middle[(middle > low + 0.2 * (high - low)) & (middle < high - 0.2 * (high - low))]
    assert len(between) >= 1


@pytest.mark.parametrize(
    "change",
    [
        {"blur_voxels": 1.0},
        {"thick": 1.0},
        {"bias": 0.5},
        {"gamma": 0.5},
        {"noise": 0.1},
        {"table": 1.0},
    ],
)
def test_each_artefact_changes_the_image_and_never_the_truth(change):
    quiet = replace(CLEAN, thick_mm=8.0)
    shape = replace(STILL, margin_mm=40.0)
    results = [
        synthesise([blocks()], 2.0, Synthesis(shape, Contrast(3), how), (0, 11))
        for how in (quiet, replace(quiet, **change))
    ]
    assert np.array_equal(results[0].target, results[1].target)
    assert not np.array_equal(results[0].image, results[1].image)


def test_ct_stays_within_the_hounsfield_units_of_its_tissues():
    contrast = HEAD_SYNTHESIS.contrast
    assert set(contrast.ct) == set(range(len(TISSUES)))
    drawn = draw_contrast(replace(contrast, ct_share=1.0), np.random.default_rng(0))
    assert drawn.is_ct
    for tissue, (low, high) in CT_HU.items():
        assert low <= drawn.mean[tissue] <= high
    assert not draw_contrast(replace(contrast, ct_share=0.0), np.random.default_rng(0)).is_ct


def head_of_balls() -> CodedMap:
    """Skin, bone, fluid, brain and ventricle as balls in one another; a hole of air; a stem."""
    grid = Geometry((96, 96, 96), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
    index = np.stack(np.indices(grid.shape)) - 48.0
    r = 2.0 * np.sqrt((index**2).sum(axis=0))
    codes = np.zeros(grid.shape, np.uint16)
    for radius, code in ((90, 511), (86, 507), (80, 515), (74, 24), (70, 2), (15, 4)):
        codes[r < radius] = code
    codes[46:50, 46:50, 10:16] = 16
    nose = 2.0 * np.sqrt(index[0] ** 2 + (index[1] + 41) ** 2 + index[2] ** 2) < 5
    codes[nose & (codes != 0)] = 0
    codes[2, 2, 2] = 515  # a stray voxel far away
    return CodedMap(codes, grid)


def test_a_head_map_becomes_the_structures_that_are_learnt():
    template = head_template(head_of_balls())
    volume_ml = np.bincount(template.target.ravel(), minlength=7) * 8 / 1000
    # Shell of bone from 74 to 80 mm: 4/3·π·(80³ − 74³) = 447 mL; ventricle 14 mL.
    assert volume_ml[CHANNEL["skull"]] == pytest.approx(447, rel=0.02)
    assert volume_ml[CHANNEL["ventricles"]] == pytest.approx(14.1, rel=0.05)
    # Fluid counts as brain, in all 4/3·π·74³ less the ventricle, down to the stem's end.
    assert volume_ml[CHANNEL["brain"]] == pytest.approx(1683, rel=0.03)
    # A ball of air of 5 mm, 0.52 mL, in the soft tissue: enclosed, but for coarse morphology.
    assert template.target.shape == (89, 89, 89)


def test_a_map_without_a_head_is_refused():
    grid = Geometry((20, 20, 20), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
    with pytest.raises(UsageError, match="skull"):
        head_template(CodedMap(np.full(grid.shape, 507, np.uint16), grid))


def test_plain_maps_give_every_value_a_tissue_and_the_asked_ones_a_channel():
    grid = Geometry((4, 4, 4), (1, 1, 1), (0, 0, 0), ((-1, 0, 0), (0, 1, 0), (0, 0, 1)))
    codes = np.zeros(grid.shape, np.uint16)
    codes[0], codes[1], codes[2] = 7, 900, 12
    given = [CodedMap(codes, grid)]
    assert values_in(given) == (0, 7, 12, 900)
    (template,) = plain_templates(given, values_in(given), {"a": (900, 12), "b": (7,)})
    # The first axis ran to the right; now it runs to the left.
    assert template.tissue[:, 0, 0].tolist() == [0, 2, 3, 1]
    assert template.target[:, 0, 0].tolist() == [0, 1, 1, 2]


def test_made_up_samples_of_validation_show_other_maps():
    one = blocks()
    other = replace(one, target=np.where(one.target > 0, 2, 0).astype(np.uint8))
    make = made_up_samples([one], [other], (4.0, 3), 100, seed=0)
    assert 1 in np.unique(make(0).target)
    assert set(np.unique(make(100).target)) <= {0, 2}
    assert make(3).image.min() >= 0
    assert make(3).image.max() <= 1


def test_the_head_recipe_trains_and_validates_on_different_seeds():
    recipe = head_recipe(10)
    assert recipe.validation_seeds == VALIDATION_SEEDS
    assert not set(recipe.validation_seeds) & {recipe.train_seeds[0], recipe.train_seeds[-1]}
    assert [x.name for x in recipe.labels][:3] == ["soft_tissue", "skull", "brain"]


def test_a_run_that_goes_on_is_shown_other_images():
    seeds = range(10, 1_000_010)
    ends = [f"{n:064x}"[::-1] for n in range(1, 40)]
    firsts = [fresh_seeds(seeds, sha).start for sha in ends]
    assert len(set(firsts)) == len(ends)
    assert all(10 <= first < 500_010 for first in firsts)
    found = fresh_seeds(seeds, ends[0])
    assert found.stop == seeds.stop
    assert found.step == 1
    assert found == fresh_seeds(seeds, ends[0])
    # However few there are, some are left.
    assert all(len(fresh_seeds(range(n), ends[5])) >= 1 for n in range(1, 6))

"""A model is trained, survives being killed, and the store takes what comes out."""

from __future__ import annotations

import csv
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import CT_PHANTOM, LEFT, RIGHT, toy_options, toy_pair, toy_samples

from medrecon.core import Geometry, Label, LabelMap, Volume
from medrecon.errors import DamagedInputError, UsageError
from medrecon.models import IntendedUse, Sampling, find, verify
from medrecon.quality.overlap import dice
from medrecon.segmentation.unet import UnetSegmenter
from medrecon.train import Augmentation, Schedule, phantom_recipe, train
from medrecon.train.augment import PatchGrid, draw_patch
from medrecon.train.samples import Sample, SamplePool, on_network_grid, prepare_sample
from medrecon.train.step import draw, learning_rate, patch_shape


def short(steps: int = 6) -> Schedule:
    return Schedule(steps, warmup=2, validate_every=3, save_every=2)


def test_what_was_trained_on_mirror_images_may_be_asked_about_them(tmp_path: Path) -> None:
    options = replace(toy_options(), schedule=short())
    sided = train(toy_samples(), options, output=tmp_path / "sided")
    mirrored = replace(options, augmentation=replace(options.augmentation, mirror=(0,)))
    free = train(toy_samples(), mirrored, output=tmp_path / "free")
    assert sided.manifest.mirror_axes == ()
    assert find(tmp_path / "free", []).manifest.mirror_axes == free.manifest.mirror_axes == (0,)


def test_a_toy_is_learnt_and_left_is_told_from_right(tmp_path: Path) -> None:
    options = toy_options(150)
    model = train(toy_samples(), options, output=tmp_path)
    verify(model)
    assert find(tmp_path, []) == model
    assert min(model.manifest.figures.values()) > 0.9
    volume, truth = toy_pair(5000)
    result = UnetSegmenter(model, "cpu").segment(volume)
    for field in result.fields:
        found = np.zeros(volume.geometry.shape, np.bool_)
        found[field.slices] = field.values > 0
        score = dice(found, truth.array == field.label.index)
        assert score is not None
        assert score > 0.9, field


class KilledError(Exception):
    """Stands for a power cut."""


def test_a_killed_run_goes_on_and_ends_with_the_same_weights(tmp_path: Path) -> None:
    options = toy_options(schedule=short())
    whole = train(toy_samples(), options, output=tmp_path / "whole")

    def kill_late(share: float) -> None:
        # After step 5 of 6: the last checkpoint is from step 4.
        if share > 0.8:
            raise KilledError

    with pytest.raises(KilledError):
        train(toy_samples(), options, output=tmp_path / "killed", progress=kill_late)
    assert not (tmp_path / "killed" / "manifest.toml").exists()

    steps: list[float] = []
    resumed = train(toy_samples(), options, output=tmp_path / "killed", progress=steps.append)
    assert steps == [5 / 6, 1.0]
    assert resumed.weights_path.read_bytes() == whole.weights_path.read_bytes()
    curves = [(tmp_path / x / "curve.csv").read_text() for x in ("whole", "killed")]
    rows = [list(csv.DictReader(text.splitlines())) for text in curves]
    assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]] == ["3", "6"]


def test_a_run_may_begin_with_another_models_weights(tmp_path: Path) -> None:
    first = train(toy_samples(), toy_options(20), output=tmp_path / "first")
    again = train(toy_samples(), toy_options(schedule=short(1)), output=tmp_path / "b", start=first)
    fresh = train(toy_samples(), toy_options(schedule=short(1)), output=tmp_path / "c")
    assert again.manifest.weights.sha256 != fresh.manifest.weights.sha256
    # After one small step it still knows what the first one learnt.
    figures = [sum(m.manifest.figures.values()) for m in (first, again, fresh)]
    assert figures[1] > figures[2]
    assert figures[1] == pytest.approx(figures[0], abs=0.4)
    with pytest.raises(UsageError, match="other options"):
        train(toy_samples(), toy_options(schedule=short(1)), output=tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "../My Model"}, "lower-case letters"),
        ({"name": "Liver"}, "lower-case letters"),
        ({"labels": (Label(1, "../x"), Label(2, "y"))}, "a structure called"),
        ({"sampling": Sampling((3.0, 3.0, 3.0), "LPS", (13, 16, 16))}, "multiples of 4×4×4"),
        ({"early_patch": (12, 14, 12)}, "a patch of 12×14×12 voxels; multiples of 4×4×4"),
    ],
)
def test_what_could_not_be_written_in_the_end_is_refused_before(change, words) -> None:
    with pytest.raises(UsageError, match=words):
        toy_options(**change)


def test_a_run_may_begin_on_smaller_patches(tmp_path: Path) -> None:
    options = toy_options(schedule=short(), early_patch=(12, 16, 12), early_share=0.5)
    shapes = [patch_shape(options, share) for share in (0.0, 0.49, 0.5, 1.0)]
    assert shapes == [(12, 16, 12), (12, 16, 12), (24, 24, 24), (24, 24, 24)]
    pool = SamplePool(toy_samples(), 16)
    patch = draw(pool, options, shapes[0], (3, 0))
    assert patch.image.shape == patch.target.shape == (12, 16, 12)
    # Three steps of six are others, so other weights come out than of a run on whole patches.
    plain = train(toy_samples(), toy_options(schedule=short()), output=tmp_path / "plain")
    early = train(toy_samples(), options, output=tmp_path / "early")
    assert early.manifest.weights.sha256 != plain.manifest.weights.sha256
    assert early.manifest.sampling.patch == (24, 24, 24)


def test_a_damaged_checkpoint_is_one_line(tmp_path: Path) -> None:
    train(toy_samples(), toy_options(schedule=short(2)), output=tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DamagedInputError, match="damaged"):
        train(toy_samples(), toy_options(schedule=short(2)), output=tmp_path)


def test_other_options_do_not_take_up_an_old_checkpoint(tmp_path: Path) -> None:
    train(toy_samples(), toy_options(schedule=short(2)), output=tmp_path)
    with pytest.raises(UsageError, match="other options"):
        train(toy_samples(), toy_options(schedule=short(2), seed=1), output=tmp_path)


def test_another_seed_gives_other_weights_and_the_same_seed_the_same(tmp_path: Path) -> None:
    def hash_of(name: str, seed: int) -> str:
        options = toy_options(schedule=short(2), seed=seed)
        return train(toy_samples(), options, output=tmp_path / name).manifest.weights.sha256

    first = hash_of("a", 0)
    assert hash_of("b", 0) == first
    assert hash_of("c", 1) != first


def test_the_callers_random_numbers_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    train(toy_samples(), toy_options(schedule=short(1)), output=tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_the_folder_holds_card_and_curve_and_says_what_the_model_is_for(tmp_path: Path) -> None:
    options = toy_options(schedule=short(3), intended_use=IntendedUse.PHANTOM_ONLY)
    model = train(toy_samples(), options, output=tmp_path)
    assert model.manifest.phantom_only
    card = (tmp_path / "README.md").read_text("utf-8")
    assert "**phantom only**" in card
    assert model.manifest.weights.sha256 in card
    assert "1000–1001" in card
    assert (tmp_path / "curve.svg").read_text().count("<polyline") == 2


def test_half_precision_weights_find_the_same(tmp_path: Path) -> None:
    whole = train(toy_samples(), toy_options(60), output=tmp_path / "whole")
    half = train(toy_samples(), toy_options(60, half_weights=True), output=tmp_path / "half")
    assert half.manifest.weights.bytes < 0.6 * whole.manifest.weights.bytes
    volume, _ = toy_pair(5001)
    for a, b in zip(
        UnetSegmenter(whole, "cpu").segment(volume).fields,
        UnetSegmenter(half, "cpu").segment(volume).fields,
        strict=True,
    ):
        assert (a.values.shape, a.start) == (b.values.shape, b.start)
        agree = dice(a.values > 0, b.values > 0)
        assert agree is not None
        assert agree >= 0.999


def test_seeds_for_training_and_validation_may_not_meet() -> None:
    with pytest.raises(UsageError, match="1 seeds"):
        toy_options(train_seeds=range(11), validation_seeds=range(10, 12))


def test_a_network_needs_a_channel_for_each_label_and_background() -> None:
    with pytest.raises(UsageError, match="1 labels"):
        toy_options(labels=(LEFT,))


def test_the_learning_rate_rises_then_falls_to_a_hundredth() -> None:
    schedule = Schedule(100, learning_rate=1.0, warmup=10)
    assert learning_rate(0, schedule) == pytest.approx(0.1)
    assert learning_rate(10, schedule) == pytest.approx(1.0)
    # Half-way down the cosine: 0.01 + 0.99 / 2.
    assert learning_rate(55, schedule) == pytest.approx(0.505)
    assert learning_rate(100, schedule) == pytest.approx(0.01)


def test_the_phantom_recipe_keeps_the_samples_seed_out() -> None:
    recipe = phantom_recipe()
    forbidden = {2026, *range(9000, 9100)}
    assert not forbidden & (set(recipe.train_seeds) | set(recipe.validation_seeds))
    assert recipe.intended_use is IntendedUse.PHANTOM_ONLY


def test_a_sample_is_brought_to_the_networks_grid_as_inference_does_it() -> None:
    # 2 mm voxels, i to the right: on a 4 mm LPS grid the picture is turned and halved.
    geometry = Geometry((8, 8, 8), (2, 2, 2), (7, 0, 0), ((-1, 0, 0), (0, 1, 0), (0, 0, 1)))
    labels = np.zeros(geometry.shape, np.uint8)
    labels[:4] = LEFT.index  # x from 7 down to 1 mm: the left half
    labels[4:] = RIGHT.index
    image = labels.astype(np.float32)
    sampling = replace(toy_options().sampling, spacing_mm=(4.0, 4.0, 4.0))
    sample = prepare_sample(
        Volume(image, geometry, CT_PHANTOM),
        LabelMap(labels, geometry, (LEFT, RIGHT)),
        sampling,
        (LEFT, RIGHT),
    )
    assert sample.image.shape == (4, 4, 4)
    # x now grows to the left: right (channel 2) comes first.
    assert sample.target[:, 0, 0].tolist() == [2, 2, 1, 1]
    assert sample.image[:, 0, 0].tolist() == [12, 12, 11, 11]


def test_the_pool_makes_each_sample_once_while_it_is_kept() -> None:
    made: list[int] = []

    def make(seed: int) -> tuple[Volume, LabelMap]:
        made.append(seed)
        return toy_pair(seed)

    options = toy_options()
    samples = on_network_grid(make, options.sampling, options.labels, options.intensity)
    pool = SamplePool(samples, capacity=2)
    for seed in (0, 1, 0, 2, 1, 2):
        pool[seed]
    assert made == [0, 1, 2]


def test_samples_that_are_expected_are_the_same_and_made_by_the_helpers() -> None:
    def make(seed: int) -> Sample:
        made[seed] = threading.current_thread() is threading.main_thread()
        return Sample(np.full((1, 1, 1), seed, np.float32), np.zeros((1, 1, 1), np.uint8))

    made: dict[int, bool] = {}
    with ThreadPoolExecutor(2) as helpers:
        pool = SamplePool(make, 4, helpers)
        pool.expect(range(3))
        shown = [float(pool[seed].image[0, 0, 0]) for seed in (2, 0, 1, 5)]
    assert shown == [2.0, 0.0, 1.0, 5.0]
    assert made == {0: False, 1: False, 2: False, 5: True}


def test_what_was_expected_and_never_drawn_is_let_go() -> None:
    gone: list[weakref.ref[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]] = []

    def make(seed: int) -> Sample:
        sample = Sample(np.zeros((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.uint8))
        gone.append(weakref.ref(sample.image))
        return sample

    with ThreadPoolExecutor(1) as helpers:
        pool = SamplePool(make, 3, helpers)
        for newest in range(20):
            pool.expect(range(newest, newest + 2))
            pool[newest - newest % 2]
    pool.expect(())
    gc.collect()
    assert sum(one() is not None for one in gone) == 3


def test_a_sample_that_cannot_be_made_stops_the_run_with_its_own_words() -> None:
    def make(seed: int) -> Sample:
        raise UsageError(f"sample {seed} is broken")

    with ThreadPoolExecutor(1) as helpers:
        pool = SamplePool(make, 3, helpers)
        pool.expect((7,))
        wait(list(pool._begun.values()))
        # Not drawn, it stops nothing, whenever it failed.
        pool.expect((8,))
        with pytest.raises(UsageError, match="sample 7 is broken"):
            pool[7]


def example_sample() -> Sample:
    rng = np.random.default_rng(0)
    target = np.zeros((10, 12, 14), np.uint8)
    target[:5] = 1
    return Sample(rng.normal(0, 50, target.shape).astype(np.float32) + 100 * target, target)


PLAIN = Augmentation(0, 0, 0, 0, 0, 0)


def test_a_patch_without_changes_is_a_piece_of_the_sample() -> None:
    sample = example_sample()
    patch = draw_patch(sample, PatchGrid((4, 4, 4)), PLAIN, np.random.default_rng(1))
    windows = np.lib.stride_tricks.sliding_window_view(sample.image, (4, 4, 4))
    assert (windows == patch.image).all(axis=(3, 4, 5)).any()


def test_a_patch_larger_than_the_sample_is_filled_with_air_and_background() -> None:
    sample = example_sample()
    patch = draw_patch(sample, PatchGrid((16, 16, 16)), PLAIN, np.random.default_rng(1))
    assert patch.target.sum() == sample.target.sum()
    assert (patch.image == sample.image.min()).sum() == 16**3 - 10 * 12 * 14 + 1


def test_a_focused_patch_holds_the_label_it_aims_at() -> None:
    sample = example_sample()
    sample.target[:] = 0
    sample.target[9, 11, 0] = 1
    focused = replace(PLAIN, focus=1.0)
    for seed in range(20):
        patch = draw_patch(sample, PatchGrid((3, 3, 3)), focused, np.random.default_rng(seed))
        assert patch.target.sum() == 1


@pytest.mark.parametrize("change", ["shift", "scale", "noise", "blur_voxels", "cut"])
def test_each_change_changes_the_patch(change: str) -> None:
    sample = example_sample()
    changed = replace(PLAIN, **{change: 1.0})
    rngs = (np.random.default_rng(4), np.random.default_rng(4))
    before = draw_patch(sample, PatchGrid((10, 12, 14)), PLAIN, rngs[0])
    after = draw_patch(sample, PatchGrid((10, 12, 14)), changed, rngs[1])
    assert not np.array_equal(before.image, after.image)


def test_left_never_becomes_right() -> None:
    sample = example_sample()
    for seed in range(50):
        patch = draw_patch(
            sample, PatchGrid((10, 12, 14)), Augmentation(), np.random.default_rng(seed)
        )
        assert set(np.unique(patch.target[:5])) <= {0, 1}
        assert not patch.target[5:].any()


def test_dice_of_two_empty_masks_is_not_a_number_anyone_should_use() -> None:
    empty, full = np.zeros(4, np.bool_), np.ones(4, np.bool_)
    assert dice(empty, empty) is None
    assert dice(empty, full) == 0
    # Overlap 2 of 2 and 4: 2·2 / 6.
    assert dice(np.array([1, 1, 0, 0], np.bool_), full) == pytest.approx(2 / 3)

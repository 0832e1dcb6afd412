"""A model runs on the images it is meant for, and its result lies where the image lies."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medrecon.core import (
    Acquisition,
    Geometry,
    HuStatus,
    Label,
    Modality,
    Segmentation,
    SoftField,
    Volume,
)
from medrecon.errors import (
    ModelError,
    ModelUntrustedError,
    ResourceError,
    UnverifiedHuError,
    UsageError,
)
from medrecon.models import (
    Components,
    Head,
    InstalledModel,
    IntendedUse,
    Intensity,
    IntensityKind,
    Licences,
    Manifest,
    ModelLabel,
    NetworkSpec,
    Sampling,
    Training,
    write_manifest,
)
from medrecon.models.networks import build_network
from medrecon.models.store import open_model
from medrecon.models.weights import write_weights
from medrecon.segmentation import device
from medrecon.segmentation.channels import in_channel_order
from medrecon.segmentation.device import choose_device
from medrecon.segmentation.inference import Plan, plan_inference, predict_logits
from medrecon.segmentation.unet import UnetSegmenter, require_fit, run_network

CT_PHANTOM = Acquisition(Modality.CT, HuStatus.VERIFIED, "a phantom", is_phantom=True)
BRIGHT, DIM = Label(1, "bright"), Label(2, "dim")
CENTRE_MM = {"bright": np.array([12.0, -6.0, 4.0]), "dim": np.array([-15.0, 10.0, -8.0])}
RADIUS_MM = {"bright": 10.0, "dim": 8.0}


def manifest(weights_folder: Path | None = None) -> Manifest:
    """Bright and dim balls, told apart by value alone."""
    folder = weights_folder or Path()
    spec = NetworkSpec(
        "UNet",
        {
            "spatial_dims": 3,
            "in_channels": 1,
            "out_channels": 3,
            "channels": [4, 8],
            "strides": [2],
        },
    )
    torch.manual_seed(3)
    file = write_weights(build_network(spec).state_dict(), folder / "weights.safetensors")
    return Manifest(
        name="balls",
        version="1",
        title="Balls",
        intended_use=IntendedUse.PHANTOM_ONLY,
        modalities=(Modality.CT,),
        channels=("CT",),
        labels=(
            ModelLabel(1, BRIGHT, Components.LARGEST),
            ModelLabel(2, DIM, Components.LARGEST),
        ),
        head=Head.SOFTMAX,
        sampling=Sampling((1.5, 1.5, 1.5), "RAS", (32, 24, 16), 0.25),
        intensity=Intensity(IntensityKind.WINDOW, -1000.0, 1000.0),
        network=spec,
        weights=file,
        licences=Licences("Apache-2.0", "Apache-2.0"),
        training=Training("none"),
    )


@pytest.fixture
def model(tmp_path: Path) -> InstalledModel:
    write_manifest(manifest(tmp_path), tmp_path / "manifest.toml")
    return open_model(tmp_path)


class ByValue(torch.nn.Module):
    """Logits that are functions of a voxel alone: what comes out lies where it went in."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # 0 HU → 0.5, 200 HU → 0.6, 400 HU → 0.7. Zero between dim and background at
        # 100 HU (0.55), between bright and background at 200 HU: never dim's own value.
        bright = (x - 0.65) * 100
        dim = 2.5 - (x - 0.6).abs() * 50
        background = torch.where(x < 0.575, 100 * (0.575 - x) - 2.5, torch.full_like(x, -10))
        return torch.cat([background, bright, dim], dim=1)


def turned(degrees: float) -> Geometry:
    """An oblique image with its i axis to the right and k downwards."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    direction = np.array([[-1, 0, 0], [0, c, s], [0, s, -c]])
    affine = np.eye(4)
    affine[:3, :3] = direction * [1.0, 1.0, 1.5]
    shape = np.array([64, 60, 40])
    affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2)
    return Geometry.from_affine(affine, tuple(shape))


def balls(geometry: Geometry) -> Volume:
    """A bright ball at 600 HU and a dim one at 200 HU in water, edges 2 mm wide."""
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    mm = geometry.mm_from_index(index.reshape(-1, 3))
    image = np.zeros(len(mm))
    for name, hu in (("bright", 600.0), ("dim", 200.0)):
        depth = RADIUS_MM[name] - np.linalg.norm(mm - CENTRE_MM[name], axis=1)
        image += hu * np.clip(depth / 2 + 0.5, 0, 1)
    return Volume(image.reshape(geometry.shape).astype(np.float32), geometry, CT_PHANTOM)


def centroid_and_volume(field: SoftField) -> tuple[np.ndarray, float]:
    index = np.argwhere(field.values > 0)
    volume = len(index) * field.grid.voxel_volume_mm3
    return field.geometry.mm_from_index(index).mean(axis=0), volume


@pytest.mark.parametrize("degrees", [0.0, 17.0])
def test_each_ball_is_found_where_it_lies_in_a_turned_oblique_image(
    degrees: float, tmp_path: Path
) -> None:
    volume = balls(turned(degrees))
    result = run_network(ByValue(), manifest(tmp_path), [volume], torch.device("cpu"))
    assert result.grid is volume.geometry
    assert result.exclusive
    assert [x.name for x in result.labels] == ["bright", "dim"]
    for field in result.fields:
        name = field.label.name
        centre, volume_mm3 = centroid_and_volume(field)
        # Half a voxel's tenth: the sum over a ball of some 1,500 voxels.
        assert np.abs(centre - CENTRE_MM[name]).max() < 0.15
        if name == "dim":
            # The level between 0 and 200 HU is the true edge; the outer rim of the bright
            # ball has dim's values, but is a loose part and dropped.
            assert volume_mm3 == pytest.approx(4 / 3 * np.pi * 8**3, rel=0.03)
    assert any("dropped" in text for text in result.findings["dim"])


TILES = Sampling(None, "LPS", (32, 24, 16), 0.25)


def predicted(
    network: torch.nn.Module, image: np.ndarray, classes: int = 3, **kwargs: object
) -> np.ndarray:
    plan = plan_inference(image.shape[1:], classes, TILES, torch.device("cpu"))
    store, _ = predict_logits(network, image, plan, **kwargs)  # type: ignore[arg-type]
    everywhere = (slice(None),) * 3
    return np.stack([store.channel(n, everywhere) for n in range(classes)])


def test_tiles_make_no_seams() -> None:
    image = np.random.default_rng(0).random((1, 50, 40, 30), dtype=np.float32)
    got = predicted(ByValue(), image)
    with torch.inference_mode():
        whole = ByValue()(torch.from_numpy(image)[None])[0].numpy()
    assert np.abs(got - whole).max() < 1e-4


def test_an_image_smaller_than_a_tile_keeps_its_size_and_place() -> None:
    image = np.random.default_rng(0).random((1, 9, 30, 7), dtype=np.float32)
    with torch.inference_mode():
        whole = ByValue()(torch.from_numpy(image)[None])[0].numpy()
    assert np.abs(predicted(ByValue(), image) - whole).max() < 1e-4


def test_the_tiles_and_weights_are_monais() -> None:
    from monai.inferers.utils import sliding_window_inference

    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 3, 5, padding=2)
    image = np.random.default_rng(0).random((1, 50, 21, 30), dtype=np.float32)
    with torch.inference_mode():
        expected = sliding_window_inference(
            torch.from_numpy(image)[None], TILES.patch, 1, network, 0.25, "gaussian"
        )
    assert isinstance(expected, torch.Tensor)
    assert np.abs(predicted(network, image) - expected[0].numpy()).max() < 1e-5


def test_progress_ends_at_one_and_counts_every_tile() -> None:
    told: list[float] = []
    image = np.zeros((1, 50, 40, 30), np.float32)
    predicted(ByValue(), image, progress=told.append)
    # Steps of 24, 18 and 12 voxels over 50, 40 and 30: 2, 2 and 3 tiles.
    assert told == pytest.approx([n / 12 for n in range(1, 13)])


def test_an_interrupt_in_the_progress_call_stops_the_run() -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predicted(ByValue(), np.zeros((1, 50, 40, 30), np.float32), progress=stop)


class Hungry(ByValue):
    """Runs out of memory on more than a number of voxels."""

    def __init__(self, most_voxels: int) -> None:
        super().__init__()
        self.most_voxels = most_voxels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.numel() > self.most_voxels:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(x)


def test_out_of_memory_is_answered_with_smaller_tiles_and_noted() -> None:
    image = np.random.default_rng(0).random((1, 80, 70, 64), dtype=np.float32)
    sampling = Sampling(None, "LPS", (64, 64, 64), 0.25)
    plan = plan_inference(image.shape[1:], 3, sampling, torch.device("cpu"))
    plan = replace(plan, batch=2)
    store, done = predict_logits(Hungry(64 * 64 * 32), image, plan)
    assert done.notes == ("out of memory: one tile at a time", "out of memory: tiles of 32×64×64")
    with torch.inference_mode():
        whole = ByValue()(torch.from_numpy(image)[None])[0].numpy()
    everywhere = (slice(None),) * 3
    assert np.abs(store.channel(1, everywhere) - whole[1]).max() < 1e-4


def test_the_plan_is_told_before_the_start_and_again_when_it_changes() -> None:
    image = np.zeros((1, 80, 70, 64), np.float32)
    sampling = Sampling(None, "LPS", (64, 64, 64), 0.25)
    plan = plan_inference(image.shape[1:], 3, sampling, torch.device("cpu"))
    told: list[str] = []
    predict_logits(Hungry(64 * 64 * 32), image, plan, tell=told.append)
    assert told[0].startswith("4 tiles of 64×64×64 on cpu, 0.0 GB for logits")
    assert told[1].endswith("out of memory: tiles of 32×64×64")


def test_a_long_run_is_told_how_long_it_takes() -> None:
    image = np.zeros((1, 64, 48, 48), np.float32)
    sampling = Sampling(None, "LPS", (16, 16, 16), 0.0)
    plan = plan_inference(image.shape[1:], 3, sampling, torch.device("cpu"))
    told: list[str] = []
    predict_logits(ByValue(), image, plan, tell=told.append)
    (words,) = told
    # 4 × 3 × 3 tiles: enough to time one.
    assert words.startswith("36 tiles of 16×16×16 on cpu")
    assert words.endswith(" s")
    assert ", about " in words


def test_memory_that_is_never_enough_is_a_resource_error() -> None:
    plan = plan_inference((32, 32, 32), 3, TILES, torch.device("cpu"))
    with pytest.raises(ResourceError, match="memory ended on cpu"):
        predict_logits(Hungry(10), np.zeros((1, 32, 32, 32), np.float32), plan)


def test_other_failures_are_not_taken_for_a_lack_of_memory() -> None:
    class Wrong(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("expected 3 channels")

    with pytest.raises(ModelError, match="3 channels"):
        predicted(Wrong(), np.zeros((1, 8, 8, 8), np.float32))


def test_many_classes_keep_only_their_largest_logits() -> None:
    small = plan_inference((100, 100, 100), 6, TILES, torch.device("cpu"))
    large = plan_inference((300, 300, 270), 105, TILES, torch.device("cpu"))
    assert small.keeps_all
    assert not large.keeps_all
    # 12 bytes a voxel kept, and 106 float32 sums over one tile's depth.
    voxels = 300 * 300 * 270
    assert large.memory_bytes == 12 * voxels + 4 * 106 * 32 * 300 * 270
    assert "tiles of 32×24×16 on cpu" in str(large)


def test_many_overlapping_labels_keep_every_logit() -> None:
    device = torch.device("cpu")
    many = plan_inference((300, 300, 270), 20, TILES, device, exclusive=False)
    voxels = 300 * 300 * 270
    assert many.memory_bytes == 2 * 20 * voxels + 4 * 21 * 32 * 300 * 270
    few = plan_inference((32, 24, 16), 8, TILES, device, exclusive=False)

    class Ramps(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x - n for n in range(8)], dim=1)

    image = np.full((1, 32, 24, 16), 3.5, np.float32)
    store, _ = predict_logits(Ramps(), image, few)
    half, _ = predict_logits(Ramps(), image, too_large(few))
    for n in range(8):
        everywhere = (slice(None),) * 3
        # float16 has steps of 2⁻⁹ at 3.5, the largest of these logits.
        difference = store.channel(n, everywhere) - half.channel(n, everywhere)
        assert np.abs(difference).max() <= 2**-10


def test_large_layers_lose_no_label_whose_logit_is_large_and_little_more(monkeypatch) -> None:
    # The nearest of 60 values wins by 0.14 of logits of 500, where float16 has steps of 0.25
    # to 0.5: sums of the logits themselves take another label in most voxels.
    class Nearest(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            value = torch.arange(60.0).reshape(1, 60, 1, 1, 1) / 60
            return 1e3 * value * x - 500 * value**2

    tiles = Sampling((1.0, 1.0, 1.0), "RAS", (32, 24, 16), 0.5)
    plan = plan_inference((48, 40, 32), 60, tiles, torch.device("cpu"))
    wanted = np.random.default_rng(2).integers(0, 60, (48, 40, 32))
    image = (wanted / 60).astype(np.float32)[None]
    monkeypatch.setattr("medrecon.segmentation.tiles.HALF_SUMS_BYTES", 0)
    store, _ = predict_logits(Nearest(), image, too_large(plan))
    assert np.array_equal(store.winners(), wanted)


def too_large(plan: Plan) -> Plan:
    """The plan as it is for a grid too large to keep float32 logits of."""

    class Large(Plan):
        keeps_all = False

    return Large(**{f.name: getattr(plan, f.name) for f in fields(plan)})


def test_a_whole_body_of_104_structures_needs_no_more_than_six_gigabytes_for_logits() -> None:
    whole_body = Sampling((1.5, 1.5, 1.5), "RAS", (96, 96, 96), 0.25)
    plan = plan_inference((512, 512, 400), 105, whole_body, torch.device("cpu"))
    # float16 sums of 105 classes over 96 × 512 × 400 voxels, 4.1 GB, and 12 bytes a voxel.
    assert plan.memory_bytes == 96 * 512 * 400 * (2 * 105 + 4) + 12 * 512 * 512 * 400
    assert plan.memory_bytes < 6e9


def test_the_same_image_gives_the_same_bytes(model: InstalledModel) -> None:
    volume = balls(turned(5.0))
    first, second = (UnetSegmenter(model, "cpu").segment(volume) for _ in range(2))
    assert [f.values.tobytes() for f in first.fields] == [f.values.tobytes() for f in second.fields]
    assert first.source == "balls 1"


def test_a_phantom_model_refuses_a_patient_unless_forced(model: InstalledModel) -> None:
    patient = replace(balls(turned(0.0)), acquisition=replace(CT_PHANTOM, is_phantom=False))
    with pytest.raises(ModelUntrustedError, match="phantoms only"):
        UnetSegmenter(model, "cpu").segment(patient)
    UnetSegmenter(model, "cpu", force=True).segment(patient)


def test_a_ct_model_refuses_mr_and_unproven_hu(tmp_path: Path) -> None:
    volume = balls(turned(0.0))
    mr = replace(volume, acquisition=Acquisition(Modality.MR, is_phantom=True))
    with pytest.raises(ModelUntrustedError, match="image is MR"):
        require_fit(manifest(tmp_path), mr)
    unproven = replace(CT_PHANTOM, hu=HuStatus.UNVERIFIED, hu_reason="no rescale type")
    with pytest.raises(UnverifiedHuError, match="no rescale type"):
        require_fit(manifest(tmp_path), replace(volume, acquisition=unproven))


def test_a_model_of_several_images_refuses_one(tmp_path: Path) -> None:
    two = replace(manifest(tmp_path), channels=("t1", "flair"))
    with pytest.raises(UsageError, match=r"t1, flair.*--channel"):
        in_channel_order(two, balls(turned(0.0)), {}, registered=False)


def test_logits_that_are_not_numbers_are_an_error_not_a_result() -> None:
    class Broken(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.full_like(x, float("nan"))

    with pytest.raises(ModelError, match="not finite"):
        predicted(Broken(), np.zeros((1, 8, 8, 8), np.float32), classes=1)


def test_a_network_of_other_channels_than_its_manifest_says_is_an_error() -> None:
    with pytest.raises(ModelError, match="returns"):
        predicted(ByValue(), np.zeros((1, 8, 8, 8), np.float32), classes=4)


@pytest.mark.parametrize("request_", ["gpu", "cuda:x", "cpu:1", "cuda:99", ""])
def test_a_device_that_is_not_there_is_a_usage_error(request_: str) -> None:
    with pytest.raises(UsageError):
        choose_device(request_)


def test_auto_finds_a_device() -> None:
    assert choose_device("auto").type in ("cpu", "cuda", "mps")


def agreement(one: Segmentation, other: Segmentation) -> list[float]:
    """Dice of each label; both find the same labels, and at least one."""
    assert one.fields
    found = []
    for a, b in zip(one.fields, other.fields, strict=True):
        assert a.label == b.label
        full = np.zeros((2, *one.grid.shape), np.bool_)
        full[0][a.slices] = a.values > 0
        full[1][b.slices] = b.values > 0
        found.append(float(2 * (full[0] & full[1]).sum() / full.sum()))
    return found


@pytest.mark.gpu
def test_gpu_and_cpu_agree(model: InstalledModel) -> None:
    volume = balls(turned(5.0))
    on_cpu = UnetSegmenter(model, "cpu").segment(volume)
    on_gpu = UnetSegmenter(model, "cuda").segment(volume)
    assert min(agreement(on_cpu, on_gpu)) >= 0.999


def test_half_precision_agrees_with_float32(
    model: InstalledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a GPU does in float16, a CPU can do in bfloat16, which is eight times coarser.
    volume = balls(turned(5.0))
    exact = UnetSegmenter(model, "cpu").segment(volume)
    monkeypatch.setattr(device, "autocast_dtype", lambda _: torch.bfloat16)
    assert min(agreement(exact, UnetSegmenter(model, "cpu").segment(volume))) >= 0.999


def test_the_segment_rooms_other_modules_load_no_torch() -> None:
    code = (
        "import sys, medrecon.segmentation, medrecon.segmentation.contract; "
        "sys.exit(any(m.split('.')[0] in ('torch', 'monai') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""An nnU-Net v2 folder becomes a model of medrecon's, and computes what nnU-Net computes.

Against nnU-Net's own predictor: `benchmarks/parity_nnunet.py`, which needs it installed.
"""

from __future__ import annotations

import copy
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnunet_folders import FOLDER, architecture, network_of, plans, write
from scipy import ndimage

from medrecon.core import Acquisition, Geometry, HuStatus, Modality, Volume
from medrecon.errors import ModelError, ModelMissingError, ModelUntrustedError, UsageError
from medrecon.models import Head, InstalledModel, IntensityKind, verify
from medrecon.models.install import add
from medrecon.models.manifest import PlannedResampling
from medrecon.models.networks import build_model, build_network
from medrecon.models.store import load_weights
from medrecon.segmentation.planned import planned_image, resize, separate_axis
from medrecon.segmentation.tiles import Tiling, truncated_weights
from medrecon.segmentation.unet import UnetSegmenter

BLEND_EVEN = "even gaussian"


def install(source: Path, root: Path, **options: Any) -> InstalledModel:
    return add(source, folder=root / "store", **options)


def test_a_results_folder_is_installed_with_all_that_its_plans_say(tmp_path: Path) -> None:
    model = install(write(tmp_path, folds=2), tmp_path)
    verify(model)
    m = model.manifest
    assert m.identity == "dataset900_test 1"
    assert m.sampling.spacing_mm == (3.0, 1.0, 1.0)
    # SimpleITK's arrays run slowest along k.
    assert m.sampling.orientation == "kji"
    assert m.sampling.patch == (8, 16, 16)
    assert m.sampling.blend.value == BLEND_EVEN
    assert m.intensity.kind is IntensityKind.FIXED_ZSCORE
    assert (m.intensity.low, m.intensity.high, m.intensity.mean) == (-300, 400, 60)
    assert [x.label.name for x in m.labels] == ["liver", "odd_thing"]
    assert (m.members, m.mirror_axes, m.network.name) == (2, (0, 1, 2), "PlannedUNet")
    assert m.planned == PlannedResampling(3, 0, None)


@pytest.mark.parametrize("kind", ["PlainConvUNet", "ResidualEncoderUNet", "three convolutions"])
def test_the_networks_logits_are_nnunets(tmp_path: Path, kind: str) -> None:
    stated = architecture("PlainConvUNet", n_conv_per_stage=[2, 3, 2])
    if kind != "three convolutions":
        stated = architecture(kind)
    model = install(write(tmp_path, plans(architecture=stated)), tmp_path)
    theirs = network_of(stated, 1, 3, 0).double()
    ours = build_model(model.manifest, load_weights(model)).double()
    x = torch.randn(1, 1, 8, 16, 16, dtype=torch.float64)
    with torch.inference_mode():
        difference = (ours(x) - theirs(x)).abs().max()
    # Biases before an instance normalisation cancel: what is left is float64's rounding.
    assert float(difference) < 1e-12


def test_folds_are_averaged(tmp_path: Path) -> None:
    model = install(write(tmp_path, folds=2), tmp_path)
    weights = load_weights(model)
    whole = build_model(model.manifest, weights)
    each = [
        build_network(
            model.manifest.network,
            {k[2:]: v for k, v in weights.items() if k.startswith(f"{n}.")},
        )
        for n in range(2)
    ]
    x = torch.randn(1, 1, 8, 16, 16)
    with torch.inference_mode():
        assert torch.allclose(whole(x), (each[0](x) + each[1](x)) / 2, atol=1e-6)


def test_regions_are_overlapping_labels(tmp_path: Path) -> None:
    labels = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "ring": 3, "ignore": 4}
    model = install(write(tmp_path, labels=labels), tmp_path)
    assert model.manifest.head is Head.SIGMOID
    assert [(x.channel, x.label.name) for x in model.manifest.labels] == [
        (0, "whole"),
        (1, "core"),
        (2, "ring"),
    ]


def test_a_folder_is_run_on_the_images_own_grid(tmp_path: Path) -> None:
    model = install(write(tmp_path), tmp_path)
    geometry = Geometry((26, 30, 12), (0.9, 0.8, 2.5), (5.0, 6.0, 7.0))
    rng = np.random.default_rng(0)
    values = ndimage.gaussian_filter(rng.normal(0, 900, geometry.shape), 2).astype(np.int16)
    values[:3] = values[-2:] = 0
    volume = Volume(values, geometry, Acquisition(Modality.CT, HuStatus.VERIFIED))
    found = UnetSegmenter(model, "cpu", tta=True).segment(volume)
    assert found.fields
    assert found.exclusive
    for field in found.fields:
        # Nothing is found where the image was cut away: the first three columns are zero.
        inside = np.argwhere(field.values > 0) + field.start
        assert inside[:, 0].min() >= 3
        assert inside[:, 0].max() < 24
        assert (field.values != 0).all()


def test_a_model_of_several_parts_is_one_entry_with_labels_of_one_numbering(tmp_path: Path) -> None:
    one = write(tmp_path, plans("Dataset1_a"), {"background": 0, "liver": 1, "thing": 2})
    two = write(tmp_path, plans("Dataset2_b"), {"background": 0, "spleen": 1, "other": 2})
    model = install([one, two], tmp_path, name="Total")  # type: ignore[arg-type]
    verify(model)
    assert model.manifest.name == "total"
    labels = [x.label for part in model.every_part for x in part.manifest.labels]
    assert [x.name for x in labels] == ["liver", "thing", "spleen", "other"]
    assert len({x.index for x in labels}) == 4
    for part in model.every_part:
        build_model(part.manifest, load_weights(part))
    with pytest.raises(UsageError, match="--name"):
        install([one, two], tmp_path)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="two labels share"):
        install([one, one], tmp_path, name="twice")  # type: ignore[arg-type]


def test_the_folder_above_is_taken_if_it_holds_one_configuration(tmp_path: Path) -> None:
    folder = write(tmp_path / "results")
    assert install(tmp_path / "results", tmp_path).manifest.name == "dataset900_test"
    write(tmp_path / "results", plans("Dataset901_more"))
    with pytest.raises(UsageError, match="2 trained configurations"):
        install(tmp_path / "results", tmp_path)
    assert folder.name == FOLDER


def test_a_zipped_folder_is_installed_from_the_files_that_are_read(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "fold_0" / "debug.json").write_text("{}")
    packed = tmp_path / "model.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, f"Dataset900_test/{FOLDER}/{path.relative_to(folder)}")
    model = install(packed, tmp_path)
    assert sorted(p.name for p in model.folder.iterdir()) == [
        "dataset900_test.safetensors",
        "manifest.toml",
    ]


def test_two_dimensions_and_cascades_are_refused_with_what_to_use(tmp_path: Path) -> None:
    flat = plans(patch_size=[64, 64])
    with pytest.raises(ModelError, match="3d_fullres"):
        install(write(tmp_path / "a", flat), tmp_path)
    cascade = plans(previous_stage="3d_lowres")
    with pytest.raises(ModelError, match="needs the result of another"):
        install(write(tmp_path / "b", cascade), tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"normalization_schemes": ["os.system"]}, "normalises with 'os.system'"),
        ({"resampling_fn_data": "subprocess.run"}, "resamples with 'subprocess.run'"),
        ({"top": {"image_reader_writer": "evil.Reader"}}, "reads images with 'evil.Reader'"),
        ({"architecture": architecture("PlainConvUNet", conv_op="os.system")}, "conv_op"),
        ({"architecture": architecture("PlainConvUNet", nonlin="evil.Act")}, "nonlin"),
    ],
)
def test_names_of_code_in_the_plans_are_never_looked_up(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    stated = plans(**copy.deepcopy(change))
    source = write(tmp_path, plans())
    import json

    (source / "plans.json").write_text(json.dumps(stated))
    with pytest.raises(ModelUntrustedError, match=words):
        install(source, tmp_path)


def test_another_network_class_is_refused_by_name(tmp_path: Path) -> None:
    import json

    source = write(tmp_path)
    stated = plans()
    arch = stated["configurations"]["3d_fullres"]["architecture"]
    arch["network_class_name"] = "evil.networks.MyUNet"
    (source / "plans.json").write_text(json.dumps(stated))
    with pytest.raises(ModelUntrustedError, match="MyUNet"):
        install(source, tmp_path)


def test_a_checkpoint_of_another_network_does_not_fit(tmp_path: Path) -> None:
    source = write(tmp_path, network_weights={"w": torch.zeros(2)})
    with pytest.raises(ModelError, match="of another network"):
        install(source, tmp_path)
    (source / "fold_0/checkpoint_final.pth").unlink()
    with pytest.raises(ModelMissingError, match="checkpoint_final"):
        install(source, tmp_path)


def test_planes_are_resampled_apart_where_they_lie_far_apart() -> None:
    auto = PlannedResampling()
    assert separate_axis((3.0, 1.0, 1.0), (1.0, 1.0, 1.0), auto) is None
    assert separate_axis((3.1, 1.0, 1.0), (1.0, 1.0, 1.0), auto) == 0
    assert separate_axis((1.0, 1.0, 1.0), (1.0, 0.5, 2.0), auto) == 2
    assert separate_axis((5.0, 5.0, 1.0), (1.0, 1.0, 9.0), auto) is None
    assert separate_axis((3.1, 1.0, 1.0), (1.0, 1.0, 1.0), PlannedResampling(3, 0, False)) is None
    assert separate_axis((1.2, 1.0, 1.0), (1.0, 1.0, 1.0), PlannedResampling(3, 0, True)) == 0


def test_resizing_keeps_the_edges_and_a_straight_slope() -> None:
    # Voxel centres of n voxels between 0 and 12: (i + ½)·12/n. A plane x stays the plane x.
    def plane(n: int) -> np.ndarray:
        x = ((np.arange(n) + 0.5) * 12 / n).astype(np.float32)
        return np.broadcast_to(x[:, None, None], (n, 5, 6))

    out = resize(plane(12), (18, 5, 6), PlannedResampling(1), None)
    # Beyond the first and last centre the edge is repeated.
    assert np.allclose(out[1:-1], plane(18)[1:-1], atol=1e-5)
    near = resize(plane(12), (18, 10, 6), PlannedResampling(3, 0), 0)
    nearest = np.floor((np.arange(18) + 0.5) * 12 / 18).astype(int)
    assert np.allclose(near[:, 3, 3], plane(12)[nearest, 0, 0])


def test_normalisation_comes_before_resampling_and_outside_the_mask_stays_zero(
    tmp_path: Path,
) -> None:
    stated = plans(normalization_schemes=["ZScoreNormalization"], use_mask_for_norm=[True])
    manifest = install(write(tmp_path, stated), tmp_path).manifest
    stack = np.zeros((1, 6, 12, 12), np.float32)
    # A block with a hole, which is inside too.
    stack[0, 1:5, 2:10, 2:10] = 4
    stack[0, 2:4, 5:7, 5:7] = 0
    geometry = Geometry((6, 12, 12), (3.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    image, grid = planned_image(stack, geometry, manifest)
    assert grid.shape == (4, 8, 8)
    assert grid.origin_mm == (3.0, 2.0, 2.0)
    # 248 of 256 voxels are 4: mean 31/8, variance 4²·(31/32)·(1/32) = 31/64.
    assert np.unique(image.round(4)).tolist() == pytest.approx(
        [-31 / 8 / (31 / 64) ** 0.5, 1 / 8 / (31 / 64) ** 0.5], abs=1e-4
    )


def test_tiles_are_spread_evenly_and_weighed_about_the_middle_voxel() -> None:
    from medrecon.models import Blend

    tiling = Tiling((110, 64, 65), (64, 64, 64), 0.5, Blend.EVEN)
    # 110 − 64 = 46 voxels in ⌈46 / 32⌉ = 2 steps.
    assert tiling.starts(0) == [0, 23, 46]
    assert tiling.starts(1) == [0]
    assert tiling.starts(2) == [0, 1]
    weights = truncated_weights((8, 8, 6))
    assert weights.argmax() == np.ravel_multi_index((4, 4, 3), (8, 8, 6))
    assert float(weights.min()) > 0

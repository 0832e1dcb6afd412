"""What an nnU-Net v2 results folder says of itself: `plans.json` and `dataset.json`.

Both are read as data. Names of classes in them are compared with a short list and never
imported; whatever is not in the list is refused by name.

References
----------
Isensee F. et al., "nnU-Net: a self-configuring method for deep learning-based biomedical
image segmentation", Nature Methods 2021, doi:10.1038/s41592-020-01008-z.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medrecon.core import Modality
from medrecon.errors import ModelError, ModelMissingError, ModelUntrustedError
from medrecon.models.bundle_labels import label_for
from medrecon.models.intensity import Intensity, IntensityKind
from medrecon.models.manifest import Head, ModelLabel, NetworkSpec
from medrecon.models.sampling import Anchor, Blend, Crop, PlannedResampling, Sampling

PLANS, DATASET = "plans.json", "dataset.json"
MAX_JSON_BYTES = 64 << 20
# nnU-Net's predictor looks at every voxel from tiles half their size apart.
OVERLAP = 0.5
# What its readers call the axes of the array they return, slowest first.
STORED, REORIENTED = "kji", "SAR"
READERS: Mapping[str, str] = {
    "SimpleITKIO": STORED,
    "NibabelIO": STORED,
    "SimpleITKIOWithReorient": REORIENTED,
    "NibabelIOWithReorient": REORIENTED,
}
RESAMPLING = "resample_data_or_seg_to_shape"


@dataclass(frozen=True, slots=True)
class Plans:
    """The two files, parsed.

    Parameters
    ----------
    plans, dataset : dict
    configuration : dict
        The chosen configuration, what it inherits filled in.
    """

    plans: dict[str, Any]
    dataset: dict[str, Any]
    configuration: dict[str, Any]

    @property
    def name(self) -> str:
        """The data set's name."""
        return str(self.plans.get("dataset_name", "nnunet"))

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the input channels, in order."""
        named = self.dataset.get("channel_names") or self.dataset.get("modality") or {}
        return tuple(str(named[key]) for key in sorted(named, key=int))

    @property
    def modality(self) -> Modality:
        """CT if a channel says so, else MR: nnU-Net knows no other kind by name."""
        names = {name.upper() for name in self.channels}
        return Modality.CT if "CT" in names else Modality.MR


def is_results_folder(folder: Path) -> bool:
    """Whether a folder looks like a trained nnU-Net v2 configuration."""
    return all((folder / name).is_file() for name in (PLANS, DATASET))


def results_folders(folder: Path) -> list[Path]:
    """Trained configurations in a folder: itself, or up to two levels below it."""
    if is_results_folder(folder):
        return [folder]
    below = (*folder.glob("*/"), *folder.glob("*/*/"))
    return sorted(path for path in below if is_results_folder(path))


def read_plans(folder: Path, configuration: str | None = None) -> Plans:
    """Plans of a results folder, for the configuration its name or checkpoint states.

    Raises
    ------
    ModelMissingError
        If a file or the configuration is not there.
    ModelError
        If the configuration is one that medrecon does not run (2-D, a cascade).
    """
    plans, dataset = _json(folder / PLANS), _json(folder / DATASET)
    stated = configuration or folder.name.rsplit("__", 1)[-1]
    known = plans.get("configurations") or {}
    name = stated if stated in known else next(iter(known), "") if len(known) == 1 else stated
    if name not in known:
        raise ModelMissingError(
            f"{folder.name}: plans.json holds no configuration {stated!r}, only {', '.join(known)}"
        )
    chosen = _inherited(known, name)
    if len(chosen.get("patch_size", ())) != 3:
        raise ModelError(f"configuration {name} is not three-dimensional; use 3d_fullres")
    if chosen.get("previous_stage"):
        raise ModelError(f"configuration {name} needs the result of another; use 3d_fullres")
    return Plans(plans, dataset, chosen)


def _inherited(known: Mapping[str, Any], name: str) -> dict[str, Any]:
    row, seen = dict(known[name]), {name}
    while parent := row.pop("inherits_from", None):
        if parent in seen or parent not in known:
            raise ModelError(f"configuration {name} inherits from {parent!r}, which is not there")
        seen.add(parent)
        row = {**known[parent], **row}
    return row


def planned_sampling(plans: Plans) -> Sampling:
    """Grid and tiles of the configuration.

    Raises
    ------
    ModelUntrustedError
        If the images were read by a reader that is not nnU-Net's own.
    """
    reader = plans.dataset.get("overwrite_image_reader_writer") or plans.plans.get(
        "image_reader_writer", "SimpleITKIO"
    )
    if reader not in READERS:
        raise ModelUntrustedError(f"plans.json reads images with {reader!r}, which is not known")
    axes = READERS[reader]
    orientation = "".join(axes[int(n)] for n in plans.plans.get("transpose_forward", (0, 1, 2)))
    x, y, z = (float(s) for s in plans.configuration["spacing"])
    i, j, k = (int(n) for n in plans.configuration["patch_size"])
    return Sampling(
        (x, y, z), orientation, (i, j, k), OVERLAP, Anchor.EDGES, Blend.EVEN, Crop.NONZERO
    )


def planned_resampling(plans: Plans, what: str = "data") -> PlannedResampling:
    """How the plans resample images ("data") or logits ("probabilities").

    Raises
    ------
    ModelUntrustedError
        If by a function that is not nnU-Net's default.
    """
    row = plans.configuration
    function = row.get(f"resampling_fn_{what}", RESAMPLING)
    if function != RESAMPLING:
        raise ModelUntrustedError(f"plans.json resamples with {function!r}, which is not known")
    default = {"order": 3 if what == "data" else 1, "order_z": 0, "force_separate_z": None}
    asked = {**default, **(row.get(f"resampling_fn_{what}_kwargs") or {})}
    return PlannedResampling(int(asked["order"]), int(asked["order_z"]), asked["force_separate_z"])


def planned_intensities(plans: Plans) -> tuple[Intensity, ...]:
    """Normalisation of each channel.

    Raises
    ------
    ModelUntrustedError
        If a scheme is not one of nnU-Net's own.
    """
    row = plans.configuration
    measured = plans.plans.get("foreground_intensity_properties_per_channel") or {}
    return tuple(
        _scheme(str(scheme), bool(masked), measured.get(str(n)) or {})
        for n, (scheme, masked) in enumerate(
            zip(row["normalization_schemes"], row["use_mask_for_norm"], strict=True)
        )
    )


def _scheme(name: str, masked: bool, measured: Mapping[str, float]) -> Intensity:
    match name:
        case "CTNormalization":
            low, high = measured["percentile_00_5"], measured["percentile_99_5"]
            spread = max(float(measured["std"]), 1e-8)
            return Intensity(IntensityKind.FIXED_ZSCORE, low, high, float(measured["mean"]), spread)
        case "ZScoreNormalization":
            return Intensity(IntensityKind.ZSCORE, nonzero=masked)
        case "RescaleTo01Normalization":
            return Intensity(IntensityKind.MINMAX)
        case "RGBTo01Normalization":
            return Intensity(IntensityKind.WINDOW, 0.0, 255.0, clip=False)
        case "NoNormalization":
            return Intensity()
    raise ModelUntrustedError(f"plans.json normalises with {name!r}, which is not known")


def planned_labels(plans: Plans, first_index: int) -> tuple[Head, tuple[ModelLabel, ...], int]:
    """What the last layer's channels mean.

    Parameters
    ----------
    plans : Plans
    first_index : int
        Number of the first label that medrecon has no own number for.

    Returns
    -------
    head : Head
        Sigmoid where a label is a region, a union of values.
    labels : tuple of ModelLabel
        Without background.
    channels : int
        Of the last layer.
    """
    named = {k: v for k, v in plans.dataset["labels"].items() if k != "ignore"}
    if any(isinstance(v, list) and len(v) > 1 for v in named.values()):
        names = [n for n, v in named.items() if v not in (0, [0])]
        numbered = list(enumerate(names))
        head, channels = Head.SIGMOID, len(names)
    else:
        values = {n: int(v[0] if isinstance(v, list) else v) for n, v in named.items()}
        channels = max(values.values()) + 1
        if sorted(values.values()) != list(range(channels)):
            raise ModelError("dataset.json numbers its labels with gaps")
        head = Head.SOFTMAX
        numbered = sorted((v, n) for n, v in values.items() if v != 0)
    labels = tuple(ModelLabel(c, label_for(n, first_index + c)) for c, n in numbered)
    return head, labels, channels


def planned_network(plans: Plans, channels: int) -> NetworkSpec:
    """The network of the configuration, as one that may be built.

    Two convolutions a stage become MONAI's DynUNet; what DynUNet cannot be is built by
    ``dynamic-network-architectures``.

    Raises
    ------
    ModelUntrustedError
        If the network, its normalisation or its activation is not nnU-Net's own.
    """
    kind, row = _architecture(plans.configuration)
    stages = int(row["n_stages"])
    shape: dict[str, Any] = {
        "in_channels": len(plans.channels),
        "out_channels": channels,
        "kernel_size": [[int(n) for n in k] for k in row["kernel_sizes"]],
        "strides": [[int(n) for n in s] for s in row["strides"]],
        "filters": [int(n) for n in row["features_per_stage"]],
    }
    blocks = _counts(row.get("n_conv_per_stage", row.get("n_blocks_per_stage")), stages)
    decoder = _counts(row["n_conv_per_stage_decoder"], stages - 1)
    if kind == "PlainConvUNet" and set(blocks + decoder) == {2} and _fits_dynunet(shape):
        up = {"upsample_kernel_size": shape["strides"][1:], "trans_bias": bool(row["conv_bias"])}
        return NetworkSpec("PlannedUNet", {"spatial_dims": 3, **shape, **up})
    shape |= {"blocks": blocks, "decoder": decoder, "bias": bool(row["conv_bias"])}
    return NetworkSpec(kind, shape)


def _fits_dynunet(shape: Mapping[str, Any]) -> bool:
    """Whether MONAI pads as nnU-Net does: strides of 1 and 2, kernels of 1 and 3, three stages."""
    strides = {n for stage in shape["strides"] for n in stage}
    kernels = {n for stage in shape["kernel_size"] for n in stage}
    return strides <= {1, 2} and kernels <= {1, 3} and len(shape["filters"]) >= 3


def _architecture(configuration: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Class name and arguments, in the form of today's plans."""
    if "architecture" not in configuration:
        return _old_architecture(configuration)
    stated = configuration["architecture"]
    kind = str(stated["network_class_name"]).rsplit(".", 1)[-1]
    row = dict(stated["arch_kwargs"])
    own = {
        "conv_op": ("Conv3d",),
        "norm_op": ("InstanceNorm3d",),
        "nonlin": ("LeakyReLU",),
        "dropout_op": ("None",),
    }
    for key, allowed in own.items():
        if str(row.get(key)).rsplit(".", 1)[-1] not in allowed:
            raise ModelUntrustedError(f"plans.json builds with {key} {row.get(key)!r}, not known")
    plain = row.get("norm_op_kwargs") or {}
    if (plain.get("eps", 1e-5), plain.get("affine")) != (1e-5, True) or set(
        row.get("nonlin_kwargs") or {}
    ) - {"inplace"}:
        raise ModelUntrustedError("plans.json builds with other normalisation than nnU-Net's own")
    return _known(kind), row


def _old_architecture(row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Plans made before nnU-Net 2.4 describe the network by its parts."""
    kind = _known(str(row.get("UNet_class_name")))
    first, most = int(row["UNet_base_num_features"]), int(row["unet_max_num_features"])
    stages = len(row["n_conv_per_stage_encoder"])
    return kind, {
        "n_stages": stages,
        "features_per_stage": [min(first * 2**n, most) for n in range(stages)],
        "kernel_sizes": row["conv_kernel_sizes"],
        "strides": row["pool_op_kernel_sizes"],
        "n_conv_per_stage": row["n_conv_per_stage_encoder"],
        "n_conv_per_stage_decoder": row["n_conv_per_stage_decoder"],
        "conv_bias": True,
    }


def _known(kind: str) -> str:
    if kind not in ("PlainConvUNet", "ResidualEncoderUNet"):
        raise ModelUntrustedError(f"plans.json builds a {kind!r}, which is not in medrecon's list")
    return kind


def _counts(value: Any, stages: int) -> list[int]:
    return [int(value)] * stages if isinstance(value, int) else [int(n) for n in value]


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ModelUntrustedError(f"{path.name} is larger than {MAX_JSON_BYTES} bytes")
        rows = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelMissingError(f"{path.name} cannot be read: {error}") from error
    if not isinstance(rows, dict):
        raise ModelUntrustedError(f"{path.name} is no table")
    return rows

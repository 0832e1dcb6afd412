"""nnU-Net's other networks, built by its authors' ``dynamic-network-architectures``.

References
----------
Isensee F. et al., "nnU-Net Revisited", MICCAI 2024, doi:10.1007/978-3-031-72114-4_47.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from medrecon.errors import ModelMissingError

MODULE = "dynamic_network_architectures.architectures.unet"
Sizes = Sequence[Sequence[int]]


def _built(
    name: str,
    blocks_are: str,
    in_channels: int,
    out_channels: int,
    filters: Sequence[int],
    kernel_size: Sizes,
    strides: Sizes,
    blocks: Sequence[int],
    decoder: Sequence[int],
    bias: bool = True,
) -> torch.nn.Module:
    """A network of that class; what follows `blocks_are` are a manifest's arguments.

    Parameters
    ----------
    name : str
        Class in the package.
    blocks_are : str
        What the class calls `blocks`.
    in_channels, out_channels : int
    filters : sequence of int
        Features of each stage.
    kernel_size, strides : sequence of three ints each
        Of each stage.
    blocks : sequence of int
        Residual blocks, or convolutions, of each stage on the way down.
    decoder : sequence of int
        Convolutions of each stage on the way up.
    bias : bool
        Whether convolutions have a bias.

    Raises
    ------
    ModelMissingError
        If the package is not installed.
    """
    return _class(name)(
        **{blocks_are: list(blocks)},
        **_shared(in_channels, out_channels, filters, bias),
        kernel_sizes=kernel_size,
        strides=strides,
        n_conv_per_stage_decoder=list(decoder),
    )


residual_encoder_unet = partial(_built, "ResidualEncoderUNet", "n_blocks_per_stage")
"""A U-Net with residual blocks on the way down."""

plain_conv_unet = partial(_built, "PlainConvUNet", "n_conv_per_stage")
"""A plain U-Net with any number of convolutions a stage (`blocks`)."""


def _shared(
    in_channels: int, out_channels: int, filters: Sequence[int], bias: bool
) -> dict[str, Any]:
    return {
        "input_channels": in_channels,
        "num_classes": out_channels,
        "n_stages": len(filters),
        "features_per_stage": list(filters),
        "conv_op": torch.nn.Conv3d,
        "conv_bias": bias,
        "norm_op": torch.nn.InstanceNorm3d,
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": torch.nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
    }


def _class(name: str) -> Callable[..., torch.nn.Module]:
    try:
        module = importlib.import_module(MODULE)
    except ImportError as error:
        raise ModelMissingError(
            f"a {name} needs the package dynamic-network-architectures: "
            "pip install 'medrecon[nnunet]'"
        ) from error
    found: Callable[..., torch.nn.Module] = getattr(module, name)
    return found

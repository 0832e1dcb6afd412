"""Weights of a network carried over to one that looks at a finer grid as well."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from medrecon.models.manifest import Literal, NetworkSpec
from medrecon.models.networks import build_network

# Where a MONAI `UNet` holds its level below, and the two ends of a level.
_BELOW, _DOWN, _UP = "model.1.submodule.", "0.conv.", "2.conv."


def carried_over(
    weights: Mapping[str, torch.Tensor], source: NetworkSpec, target: NetworkSpec
) -> Mapping[str, torch.Tensor]:
    """Weights for `target` that begin where `source` ended.

    Of a ``UNet`` without residual units that has become the lower levels of one with a level
    more, of stride 1, all is kept: the new level hands the image on as it is, and what the
    old network said comes back through it. All else is returned as it is.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Of `source`.
    source, target : NetworkSpec

    Returns
    -------
    mapping of str to Tensor
        The new level's other weights are drawn from torch's random numbers.
    """
    if not _is_level_more(source, target):
        return weights
    found = {k: v.detach().clone() for k, v in build_network(target).state_dict().items()}
    for name, value in weights.items():
        below = _BELOW + name.removeprefix("model.")
        if found[below].shape == value.shape:
            found[below] = value.clone()
    classes = weights[f"model.{_UP}bias"].numel()
    # The image and its negative: what a rectifier cuts off from one is in the other.
    first, bias = found[f"model.{_DOWN}weight"], found[f"model.{_DOWN}bias"]
    first[:2], bias[:2] = 0.0, 0.0
    first[0, 0, 1, 1, 1], first[1, 0, 1, 1, 1] = 1.0, -1.0
    old, entry = weights[f"model.{_DOWN}weight"], found[f"{_BELOW}{_DOWN}weight"]
    entry[:] = 0.0
    entry[:, :1], entry[:, 1:2] = old, -old
    found[f"{_BELOW}{_UP}weight"][:, :classes] = weights[f"model.{_UP}weight"]
    found[f"{_BELOW}{_UP}bias"][:classes] = weights[f"model.{_UP}bias"]
    last = found[f"model.{_UP}weight"]
    seen = len(last) // 2
    for channel in range(min(classes, seen)):
        last[seen + channel, channel, 1, 1, 1] = 1.0
    return found


def _is_level_more(source: NetworkSpec, target: NetworkSpec) -> bool:
    one, other = dict(source.arguments), dict(target.arguments)
    if source.name != "UNet" or target.name != "UNet" or one.get("num_res_units", 0) != 0:
        return False
    fewer, more = _numbers(one.pop("channels")), _numbers(other.pop("channels"))
    short, long = _numbers(one.pop("strides")), _numbers(other.pop("strides"))
    wide_enough = more[0] >= max(2, *_numbers(one["out_channels"]))
    return one == other and more[1:] == fewer and long == [1, *short] and wide_enough


def _numbers(value: Literal) -> list[int]:
    return [n for n in (value if isinstance(value, list) else [value]) if isinstance(n, int)]

"""Networks that may be built, by name. A name that is not here is refused, not looked up."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence

import torch

from medrecon.errors import ModelError, ModelUntrustedError
from medrecon.models.allowed import ALLOWED
from medrecon.models.manifest import Literal, Manifest, NetworkSpec


class Ensemble(torch.nn.Module):
    """Several networks of one shape whose logits are averaged."""

    def __init__(self, members: Sequence[torch.nn.Module]) -> None:
        super().__init__()
        self.members = torch.nn.ModuleList(members)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mean of the members' logits, one after another: only two results are held."""
        total = finest(self.members[0](x)).float()
        for member in self.members[1:]:
            total = total + finest(member(x))
        return total / len(self.members)


def finest(result: torch.Tensor | Sequence[torch.Tensor]) -> torch.Tensor:
    """The logits of a result: deep supervision returns a list, finest first."""
    return result[0] if isinstance(result, list | tuple) else result


def build_model(manifest: Manifest, weights: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    """The network of a manifest with its weights, or the ensemble of them.

    Raises
    ------
    ModelUntrustedError, ModelError
        As `build_network`.
    """
    if manifest.members == 1:
        return build_network(manifest.network, weights)
    networks = []
    for n in range(manifest.members):
        prefix = f"{n}."
        own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
        networks.append(build_network(manifest.network, own))
    return Ensemble(networks).eval()


def build_network(
    spec: NetworkSpec, weights: Mapping[str, torch.Tensor] | None = None
) -> torch.nn.Module:
    """The network of a manifest, in evaluation mode if weights are given.

    Parameters
    ----------
    spec : NetworkSpec
    weights : mapping of str to Tensor or None
        Every parameter by its name; None leaves them random, for training.

    Raises
    ------
    ModelUntrustedError
        If the network is not in the allow-list.
    ModelError
        If an argument is unknown or impossible, or the weights do not fit.
    """
    if spec.name not in ALLOWED:
        raise ModelUntrustedError(
            f"a network {spec.name!r}; medrecon builds only {', '.join(ALLOWED)}"
        )
    module, name = ALLOWED[spec.name]
    make: Callable[..., torch.nn.Module] = getattr(importlib.import_module(module), name)
    arguments = {key: _plain(value) for key, value in spec.arguments.items()}
    unknown = sorted(set(arguments) - set(inspect.signature(make).parameters))
    if unknown:
        raise ModelError(f"network {spec.name} knows no argument {', '.join(unknown)}")
    try:
        # With weights, the random start is thrown away: it must not use up random numbers.
        with torch.random.fork_rng(devices=[], enabled=weights is not None):
            network = make(**arguments)
        if weights is not None:
            network.load_state_dict(_with_aliases(network, weights), strict=True)
    except (TypeError, ValueError, KeyError, RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"network {spec.name} cannot be built: {reason}") from error
    return network if weights is None else network.eval()


def _with_aliases(
    network: torch.nn.Module, weights: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The weights under every name that a network gives to one and the same tensor."""
    names: dict[int, list[str]] = {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        names.setdefault(id(tensor), []).append(name)
    whole = dict(weights)
    for alike in names.values():
        given = next((n for n in alike if n in weights), None)
        if given is not None:
            whole |= {n: weights[given] for n in alike if n not in weights}
    return whole


def _plain(value: Literal) -> object:
    """A list as the tuple that MONAI's factories expect for (name, arguments) pairs."""
    if isinstance(value, list):
        items = [_plain(v) for v in value]
        pair = len(items) == 2 and isinstance(items[0], str) and isinstance(items[1], dict)
        return tuple(items) if pair else items
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value

"""A network with a level more begins where the one without it ended."""

from __future__ import annotations

from dataclasses import replace

import torch

from medrecon.models.networks import build_network
from medrecon.train.carry import carried_over
from medrecon.train.plan import network_for


def unet(features, strides):
    return network_for(
        "UNet", features, 3, residual_units=0, strides=strides, activation="LEAKYRELU"
    )


COARSE = unet((6, 4, 8), (2, 2))
FINE = unet((5, 6, 4, 8), (1, 2, 2))


def image() -> torch.Tensor:
    torch.manual_seed(3)
    return torch.nn.functional.avg_pool3d(torch.randn(1, 1, 24, 24, 24), 5, 1, 2)


def test_what_the_old_network_saw_is_what_the_new_one_sees():
    torch.manual_seed(1)
    old = build_network(COARSE)
    new = build_network(FINE, carried_over(old.state_dict(), COARSE, FINE))
    seen = old.model[0](image())
    again = new.model[1].submodule[0](new.model[0](image()))
    inner = (..., slice(1, -1), slice(1, -1), slice(1, -1))
    assert (seen - again)[inner].abs().max() < 0.05 * seen.abs().max()
    said = old.model[2][0](old.model[1](seen))
    through = new.model[1].submodule[2].conv(new.model[1].submodule[1](seen))
    assert torch.allclose(said, through[:, :3], atol=1e-4)


def test_weights_of_any_other_network_stay_as_they_are():
    torch.manual_seed(1)
    weights = build_network(COARSE).state_dict()
    others = (
        COARSE,
        unet((2, 6, 4, 8), (1, 2, 2)),  # too narrow for three classes
        unet((5, 6, 4, 8), (2, 2, 2)),  # coarser, not finer
        unet((5, 6, 4, 9), (1, 2, 2)),
        replace(FINE, name="DynUNet"),
    )
    for target in others:
        assert carried_over(weights, COARSE, target) is weights

"""nnU-Net's plain U-Net as MONAI's, weight for weight."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from monai.networks.blocks.dynunet_block import UnetUpBlock
from monai.networks.nets.dynunet import DynUNet

from medrecon.errors import ModelError


class PlannedUNet(DynUNet):
    """DynUNet whose decoder convolves with the kernel of the level it comes up to.

    MONAI takes the kernel of the level below; nnU-Net's plans mean the one of the
    level itself, which differs where the first levels are flat (1×3×3).
    """

    def get_upsamples(self) -> torch.nn.ModuleList:
        """The decoder's blocks, deepest first."""
        blocks: torch.nn.ModuleList = self.get_module_list(
            self.filters[1:][::-1],
            self.filters[:-1][::-1],
            self.kernel_size[:-1][::-1],
            self.strides[1:][::-1],
            UnetUpBlock,
            self.upsample_kernel_size[::-1],
            trans_bias=self.trans_bias,
        )
        return blocks


def planned_weights(nnunet: Mapping[str, torch.Tensor], stages: int) -> dict[str, torch.Tensor]:
    """Weights of nnU-Net's ``PlainConvUNet`` under the names of `PlannedUNet`.

    A convolution's bias before an instance normalisation cancels and is left out.

    Parameters
    ----------
    nnunet : mapping of str to Tensor
    stages : int
        Levels of the encoder.

    Raises
    ------
    ModelError
        If a weight is missing.
    """
    names = {0: "input_block", stages - 1: "bottleneck"}
    names |= {s: f"downsamples.{s - 1}" for s in range(1, stages - 1)}
    pairs = [(f"encoder.stages.{s}.0", names[s]) for s in range(stages)]
    pairs += [(f"decoder.stages.{s}", f"upsamples.{s}.conv_block") for s in range(stages - 1)]
    renamed = {}
    for theirs, ours in pairs:
        for n in range(2):
            renamed[f"{theirs}.convs.{n}.conv.weight"] = f"{ours}.conv{n + 1}.conv.weight"
            for kind in ("weight", "bias"):
                renamed[f"{theirs}.convs.{n}.norm.{kind}"] = f"{ours}.norm{n + 1}.{kind}"
    for kind in ("weight", "bias"):
        for s in range(stages - 1):
            renamed[f"decoder.transpconvs.{s}.{kind}"] = f"upsamples.{s}.transp_conv.conv.{kind}"
        renamed[f"decoder.seg_layers.{stages - 2}.{kind}"] = f"output_block.conv.conv.{kind}"
    optional = {f"decoder.transpconvs.{s}.bias" for s in range(stages - 1)}
    missing = [k for k in renamed if k not in nnunet and k not in optional]
    if missing:
        raise ModelError(f"the checkpoint is of another network: it holds no {missing[0]}")
    return {ours: nnunet[theirs] for theirs, ours in renamed.items() if theirs in nnunet}

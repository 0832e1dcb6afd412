"""The networks that may be built: name to module and class. Loads none of them."""

from __future__ import annotations

from collections.abc import Mapping

ALLOWED: Mapping[str, tuple[str, str]] = {
    "UNet": ("monai.networks.nets.unet", "UNet"),
    "BasicUNet": ("monai.networks.nets.basic_unet", "BasicUNet"),
    "DynUNet": ("monai.networks.nets.dynunet", "DynUNet"),
    "SegResNet": ("monai.networks.nets.segresnet", "SegResNet"),
    "SegResNetDS": ("monai.networks.nets.segresnet_ds", "SegResNetDS"),
    "SwinUNETR": ("monai.networks.nets.swin_unetr", "SwinUNETR"),
    "PlannedUNet": ("medrecon.models.planned_unet", "PlannedUNet"),
    "PlainConvUNet": ("medrecon.models.residual_unet", "plain_conv_unet"),
    "ResidualEncoderUNet": ("medrecon.models.residual_unet", "residual_encoder_unet"),
}

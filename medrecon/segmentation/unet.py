"""The U-Net runner: an installed model over a volume, soft fields out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from medrecon.core import HuStatus, Modality, Segmentation, Volume
from medrecon.errors import ModelUntrustedError, UnverifiedHuError
from medrecon.models.grid import network_grid
from medrecon.models.intensity import normalise
from medrecon.models.manifest import Head, IntensityKind, Manifest
from medrecon.models.networks import build_network
from medrecon.models.store import InstalledModel, load_weights
from medrecon.resampling import resample_volume
from medrecon.segmentation.contract import Progress
from medrecon.segmentation.device import choose_device
from medrecon.segmentation.inference import plan_inference, predict_logits
from medrecon.segmentation.logits import LogitMap, fields_from_logits
from medrecon.segmentation.sides import require_sides

ABSOLUTE_SCALES = frozenset({IntensityKind.WINDOW, IntensityKind.FIXED_ZSCORE})


@dataclass(frozen=True, slots=True)
class UnetSegmenter:
    """Runs one installed model.

    Parameters
    ----------
    model : InstalledModel
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    force : bool
        Run also on images the model is not meant for.
    """

    model: InstalledModel
    device: str = "auto"
    force: bool = False

    def segment(self, volume: Volume, *, progress: Progress | None = None) -> Segmentation:
        """Fields of the model's labels, on exactly the volume's geometry.

        The image is brought to the model's spacing and orientation, normalised and run
        tile by tile; logits are interpolated back with cubic convolution. The surface
        is the network's own: placing it by the native image is `segment.refine`'s work.

        Raises
        ------
        ModelUntrustedError
            If the model is not meant for this image and `force` is not set.
        UnverifiedHuError
            If the model needs Hounsfield units and these are not proven to be.
        ModelMissingError, ModelHashError, ModelError
            If the weights are missing, changed, or do not fit their network; if a left
            structure was found to the right of its right twin.
        ResourceError
            If memory ends even with the smallest tiles.
        UsageError
            If this machine has no such device.
        """
        manifest = self.model.manifest
        if not self.force:
            require_fit(manifest, volume)
        device = choose_device(self.device)
        network = build_network(manifest.network, load_weights(self.model))
        return run_network(network, manifest, volume, device, progress=progress)


def run_network(
    network: torch.nn.Module,
    manifest: Manifest,
    volume: Volume,
    device: torch.device,
    *,
    progress: Progress | None = None,
) -> Segmentation:
    """A network in memory over a volume, prepared and read as its manifest says."""
    grid = network_grid(volume.geometry, manifest.sampling)
    # In float: rounding to whole HU between the grids would be noise of its own.
    exact = replace(volume, array=volume.array.astype(np.float32))
    image = normalise(resample_volume(exact, grid).array, manifest.intensity)
    plan = plan_inference(grid.shape, manifest.classes, manifest.sampling, device)
    store, done = predict_logits(network, image[np.newaxis], plan, progress=progress)
    logits = LogitMap(store, grid, manifest.head)
    fields, findings = fields_from_logits(logits, volume.geometry, manifest.labels)
    require_sides(fields)
    findings["model"] = (str(done), *done.notes)
    exclusive = manifest.head is Head.SOFTMAX
    return Segmentation(volume.geometry, fields, manifest.identity, exclusive, findings)


def require_fit(manifest: Manifest, volume: Volume) -> None:
    """Refuse an image that the model is not meant for.

    Raises
    ------
    ModelUntrustedError
        If the model is for phantoms only and the image is not marked as one, if the
        modality is another, or if the model needs several input images.
    UnverifiedHuError
        If the model's intensities are Hounsfield units and the image's are not proven.
    """
    acquisition = volume.acquisition
    if manifest.phantom_only and not acquisition.is_phantom:
        raise ModelUntrustedError(
            f"model {manifest.identity} was trained on synthetic phantoms only and this image is "
            "not marked as one (0028,0300); choose another, or --force-model to see what it does"
        )
    if acquisition.modality not in manifest.modalities:
        allowed = ", ".join(m.value for m in manifest.modalities)
        raise ModelUntrustedError(
            f"model {manifest.identity} is for {allowed}, the image is "
            f"{acquisition.modality.value}; choose another model or --force-model"
        )
    if len(manifest.channels) != 1:
        raise ModelUntrustedError(
            f"model {manifest.identity} needs {len(manifest.channels)} images "
            f"({', '.join(manifest.channels)}); one was given"
        )
    absolute = manifest.intensity.kind in ABSOLUTE_SCALES
    if absolute and acquisition.modality is Modality.CT and acquisition.hu is HuStatus.UNVERIFIED:
        raise UnverifiedHuError(
            f"model {manifest.identity} needs Hounsfield units: {acquisition.hu_reason}"
        )

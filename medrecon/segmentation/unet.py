"""The U-Net runner: an installed model over a volume, soft fields out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from medrecon.core import HuStatus, Modality, Segmentation, Volume
from medrecon.errors import ModelUntrustedError, UnverifiedHuError
from medrecon.models.concerns import print_concerns
from medrecon.models.manifest import Head, IntensityKind, Manifest
from medrecon.models.networks import build_model
from medrecon.models.store import InstalledModel, load_weights
from medrecon.segmentation.channels import in_channel_order
from medrecon.segmentation.contract import Progress, Tell
from medrecon.segmentation.device import choose_device
from medrecon.segmentation.flips import Flipped, flips_of
from medrecon.segmentation.head_check import require_head
from medrecon.segmentation.inference import plan_inference, predict_logits
from medrecon.segmentation.logits import LogitMap, fields_from_logits
from medrecon.segmentation.prepared import prepare
from medrecon.segmentation.sides import require_sides

HEAD = "head"
ABSOLUTE_SCALES = frozenset({IntensityKind.WINDOW, IntensityKind.FIXED_ZSCORE})


@dataclass(frozen=True, slots=True)
class UnetSegmenter:
    """Runs one installed model, all its parts.

    Parameters
    ----------
    model : InstalledModel
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    force : bool
        Run also on images the model is not meant for.
    tta : bool
        Average over the flips that the model allows.
    channels : mapping of str to Volume
        Further images of a model with several channels, by channel's name.
    registered : bool
        Whether these are declared to be registered to the image that is segmented.
    image_channel : str
        Which channel that image is; empty: the one that `channels` leaves out.
    tell : callable, optional
        Told the plan before the start, and every change of it.
    """

    model: InstalledModel
    device: str = "auto"
    force: bool = False
    tta: bool = False
    channels: Mapping[str, Volume] = field(default_factory=dict)
    registered: bool = False
    image_channel: str = ""
    tell: Tell | None = None

    def segment(self, volume: Volume, *, progress: Progress | None = None) -> Segmentation:
        """Fields of the model's labels, on exactly the volume's geometry.

        The image is brought to the model's spacing and orientation, normalised and run
        tile by tile; logits are interpolated back with cubic convolution. The surface
        is the network's own: placing it by the native image is `segment.refine`'s work.

        Raises
        ------
        ModelUntrustedError
            If the model is not meant for this image, or the image shows nothing of what it
            is for, and `force` is not set.
        UnverifiedHuError
            If the model needs Hounsfield units and these are not proven to be.
        ModelMissingError, ModelHashError, ModelError
            If the weights are missing, changed, or do not fit their network; if a left
            structure was found to the right of its right twin.
        ResourceError
            If memory ends even with the smallest tiles.
        UsageError
            If this machine has no such device, a channel is missing or lies in another
            frame of reference, or the model allows no flips and `tta` is set.
        """
        parts = self.model.every_part
        if len(parts) > 1:
            return joined(
                [replace(self, model=p).segment(volume, progress=progress) for p in parts]
            )
        manifest = self.model.manifest
        images = in_channel_order(
            manifest,
            volume,
            self.channels,
            registered=self.registered,
            image_channel=self.image_channel,
        )
        if not self.force:
            for image in (volume, *images):
                require_fit(manifest, image)
        device = choose_device(self.device)
        network = build_model(manifest, load_weights(self.model))
        how = Manner(self.tta, progress, self.tell, self.force)
        return run_network(network, manifest, images, device, how)


def joined(results: Sequence[Segmentation]) -> Segmentation:
    """What the parts of one model found, as one; labels of different parts may overlap.

    Raises
    ------
    ModelError
        If a left structure was found to the right of its right twin in another part.
    """
    fields = tuple(field for result in results for field in result.fields)
    require_sides(fields)
    findings = {name: texts for result in results for name, texts in result.findings.items()}
    concerns = {name: texts for result in results for name, texts in result.concerns.items()}
    grid, source = results[0].grid, results[0].source
    return Segmentation(grid, fields, source, False, findings, concerns=concerns)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a network is run: with flips or without, who is told of it, and come what may."""

    tta: bool = False
    progress: Progress | None = None
    tell: Tell | None = None
    force: bool = False


def run_network(
    network: torch.nn.Module,
    manifest: Manifest,
    images: Sequence[Volume],
    device: torch.device,
    how: Manner | None = None,
) -> Segmentation:
    """A network in memory over images on one grid, prepared and read as its manifest says."""
    how = how or Manner()
    ready = prepare(images, manifest)
    if how.tta:
        network = Flipped(network, flips_of(manifest, ready.grid))
    exclusive = manifest.head is Head.SOFTMAX
    plan = plan_inference(
        ready.grid.shape, manifest.classes, manifest.sampling, device, exclusive=exclusive
    )
    store, done = predict_logits(network, ready.image, plan, progress=how.progress, tell=how.tell)
    logits = LogitMap(store, ready.grid, manifest.head, ready.cropped)
    grid = images[0].geometry
    fields, findings = fields_from_logits(logits, grid, manifest.labels)
    require_sides(fields)
    notes = list(done.notes)
    if HEAD in manifest.checks:
        try:
            require_head(fields)
        except ModelUntrustedError as error:
            if not how.force:
                raise
            notes.append(f"taken all the same (--force-model): {error}")
    if notes:
        findings["model"] = tuple(notes)
    concerns = print_concerns(manifest)
    return Segmentation(grid, fields, manifest.identity, exclusive, findings, concerns=concerns)


def require_fit(manifest: Manifest, volume: Volume) -> None:
    """Refuse an image that the model is not meant for.

    Raises
    ------
    ModelUntrustedError
        If the model is for phantoms only and the image is not marked as one, or if the
        modality is another.
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
    absolute = any(x.kind in ABSOLUTE_SCALES for x in manifest.intensities)
    if absolute and acquisition.modality is Modality.CT and acquisition.hu is HuStatus.UNVERIFIED:
        raise UnverifiedHuError(
            f"model {manifest.identity} needs Hounsfield units: {acquisition.hu_reason}"
        )

"""The groups of options that verbs share, and what each is in medrecon's own words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medrecon_cli import options as opt
from medrecon_cli.terminal import Terminal

if TYPE_CHECKING:
    from medrecon.options import LoadOptions, MeshOptions, SegmentOptions


@dataclass(frozen=True)
class Image:
    """The one image of a verb, as argument or as --input."""

    argument: opt.Input = None
    source: opt.InputAlias = None

    @property
    def path(self) -> Path:
        """The image that was given."""
        return opt.the_input(self.argument, self.source)


@dataclass(frozen=True)
class Loading:
    """Which volume of the input to take and what to tolerate."""

    series: opt.Series = None
    frame: opt.Frame = None
    fill_gaps: opt.FillGaps = False
    skip_bad: opt.SkipBad = False
    modality: opt.DeclaredModality = None
    max_memory: opt.MaxMemory = None
    deface: opt.Deface = False

    def options(self, *, native: bool = False) -> LoadOptions:
        """The same for the library."""
        from medrecon.options import LoadOptions

        return LoadOptions(
            series=self.series,
            frame=self.frame,
            fill_gaps=self.fill_gaps,
            skip_bad=self.skip_bad,
            modality=opt.modality_of(self.modality),
            native=native,
            max_memory_gb=self.max_memory,
            deface=self.deface,
        )


@dataclass(frozen=True)
class Segmenting:
    """What to look for, and with what."""

    tissue: opt.Tissues = None
    model: opt.Models = None
    labels: opt.Labels = None
    device: opt.Device = "auto"
    force_model: opt.ForceModel = False
    tta: opt.Tta = False
    no_refine: opt.NoRefine = False
    channel: opt.Channels = None
    registered: opt.Registered = False

    def images(self, image: Image) -> tuple[Path, str, dict[str, Path]]:
        """The image, its channel if it was named, and the further channels.

        Without IN, the first --channel is the image.
        """
        further = opt.channels_of(self.channel)
        if image.argument is None and image.source is None and further:
            first = next(iter(further))
            return further.pop(first), first, further
        return image.path, "", further

    def options(self, image_channel: str = "") -> SegmentOptions:
        """The same for the library."""
        from medrecon.options import SegmentOptions

        return SegmentOptions(
            tissues=opt.tuple_of(self.tissue),
            models=opt.tuple_of(self.model),
            labels=opt.names_of(self.labels),
            device=self.device,
            force_model=self.force_model,
            tta=self.tta,
            refine=not self.no_refine,
            registered=self.registered,
            image_channel=image_channel,
        )


@dataclass(frozen=True)
class Meshing:
    """How surfaces are smoothed, decimated and judged."""

    tolerance_mm: opt.Tolerance = 0.1
    target_faces: opt.TargetFaces = None
    accept_mm: opt.Accept = 1.0
    smooth: opt.Smooth = "none"

    def options(self) -> MeshOptions:
        """The same for the library."""
        from medrecon.options import MeshOptions

        return MeshOptions(
            self.tolerance_mm, self.target_faces, self.accept_mm, opt.smoothing_of(self.smooth)
        )


@dataclass(frozen=True)
class Talking:
    """How much a verb says, and in which form."""

    as_json: opt.Json = False
    quiet: opt.Quiet = False
    verbose: opt.Verbose = False
    no_progress: opt.NoProgress = False

    def terminal(self) -> Terminal:
        """The terminal that speaks so."""
        return Terminal(quiet=self.quiet, as_json=self.as_json, no_progress=self.no_progress)

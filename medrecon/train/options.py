"""Everything that decides what a training run produces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any

from medrecon.core import Label, Modality, is_file_name
from medrecon.errors import UsageError
from medrecon.models.manifest import (
    Components,
    IntendedUse,
    Intensity,
    Licences,
    NetworkSpec,
    Sampling,
    Training,
    is_model_name,
)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far a sample is changed before a step; 0 switches a change off.

    Values are in the image's units (HU); in units of the normalised image where the
    normalisation depends on the whole image. There is no mirror unless it is asked for:
    left and right organs are different labels.

    Parameters
    ----------
    shift : float
        Standard deviation of a shift of all values.
    scale : float
        Standard deviation of a factor around 1 on all values.
    noise : float
        Highest standard deviation of added white noise.
    blur_voxels : float
        Highest standard deviation of a Gaussian blur.
    cut : float
        Probability of a sample that ends early along the third axis, as a scan that
        does not reach the whole body does.
    focus : float
        Probability that a patch is placed to hold a voxel of one label, each label
        equally likely: small organs are otherwise seldom seen.
    gamma : float
        Highest size of the logarithm of an exponent on the values between the patch's
        lowest and highest.
    bias : float
        Highest size of the logarithm of a smooth factor, as a receive coil's.
    rotate_deg : float
        Highest turn about each axis.
    zoom : float
        Highest size of the logarithm of a scale; each axis may differ by a third of it.
    bend_mm : float
        Highest standard deviation of a smooth displacement.
    mirror : tuple of int
        Axes that are mirrored in half of the patches.
    """

    shift: float = 15.0
    scale: float = 0.03
    noise: float = 30.0
    blur_voxels: float = 0.6
    cut: float = 0.3
    focus: float = 0.7
    gamma: float = 0.0
    bias: float = 0.0
    rotate_deg: float = 0.0
    zoom: float = 0.0
    bend_mm: float = 0.0
    mirror: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast.

    Parameters
    ----------
    steps : int
        Weight updates in all.
    minutes : float or None
        Stop after so many minutes of training, interruptions not counted; whichever of
        both ends first. The learning rate falls with the share that is done. How many
        steps that makes depends on the machine: for the same bytes again give steps.
    batch : int
        Patches an update.
    learning_rate : float
        Peak of a cosine that begins with `warmup` steps and ends at 1 % of it.
    weight_decay : float
        AdamW's.
    warmup : int
        Steps of linear rise.
    averaging : float
        Decay of the exponential moving average of the weights, which is what is saved.
    validate_every, save_every : int
        Steps between validations, and between checkpoints.
    """

    steps: int
    minutes: float | None = None
    batch: int = 1
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    warmup: int = 50
    averaging: float = 0.99
    validate_every: int = 250
    save_every: int = 100


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What to train, on which samples, and what the result is called.

    Parameters
    ----------
    name, version, title : str
        As in the manifest.
    labels : tuple of Label
        Channel 1 is the first; everything else in a sample's label map is background.
    sampling, intensity, network : Sampling, Intensity, NetworkSpec
        `network` has one channel more than there are labels.
    train_seeds, validation_seeds : range
        What the sample maker is called with; disjoint.
    schedule : Schedule
    augmentation : Augmentation
    seed : int
        Of the weights, the order of the samples and their changes.
    pool : int
        Samples kept ready at a time; a new one replaces the oldest every
        `renew_every` steps.
    renew_every : int
    components : Components
        The rule every label gets in the manifest.
    scattered : tuple of str
        Labels that are several parts: all of them are kept, whatever `components` says.
    from_hu_in_ct : tuple of str
        Labels that `auto` leaves to the Hounsfield engine in a CT.
    half_weights : bool
        Save float16 weights.
    modalities, intended_use, licences, training, body_parts
        As in the manifest.
    calibration : int
        Samples on which each label's volume is made right in the end; 0: none. Where the
        samples differ more from one another than they are off together, it helps nobody.
    early_patch : tuple of int or None
        Voxels of the patches of a run's first `early_share`: smaller ones cost less, so that
        more images are seen in the same time. None: all are as `sampling` says.
    early_share : float
    present_only : bool
        Whether the Dice part of the loss counts only labels that a patch holds
        (`losses.present_dice_ce`).
    start : str
        SHA-256 of the weights it began with; empty for random ones.
    cases : str
        SHA-256 of which cases are for what, and of their label maps; empty where seeds
        say all.
    checks : tuple of str
        As in the manifest.
    never_print : tuple of (str, str)
        Label and why no surface of it is ever approved for print.

    Raises
    ------
    UsageError
        If seeds overlap, the network's channels do not fit the labels or its strides the
        patch, or a name can be no model's or no file's.
    """

    name: str
    title: str
    labels: tuple[Label, ...]
    sampling: Sampling
    intensity: Intensity
    network: NetworkSpec
    train_seeds: range
    validation_seeds: range
    schedule: Schedule
    licences: Licences
    training: Training
    version: str = "1"
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0
    pool: int = 64
    renew_every: int = 4
    components: Components = Components.LARGEST
    scattered: tuple[str, ...] = ()
    from_hu_in_ct: tuple[str, ...] = ()
    half_weights: bool = False
    modalities: tuple[Modality, ...] = (Modality.CT,)
    intended_use: IntendedUse = IntendedUse.RESEARCH
    body_parts: tuple[str, ...] = ()
    calibration: int = 8
    early_patch: tuple[int, int, int] | None = None
    early_share: float = 0.7
    present_only: bool = False
    start: str = ""
    cases: str = ""
    checks: tuple[str, ...] = ()
    never_print: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not (is_model_name(self.name) and is_model_name(self.version)):
            raise UsageError(
                f"a model called {self.name!r} {self.version!r}; lower-case letters, digits "
                "and _-. only"
            )
        for label in self.labels:
            if not is_file_name(label.name):
                raise UsageError(f"a structure called {label.name!r}; words joined by _ expected")
        shared = set(self.train_seeds) & set(self.validation_seeds)
        if shared:
            raise UsageError(f"{len(shared)} seeds are both in training and in validation")
        channels = self.network.arguments.get("out_channels")
        if channels != len(self.labels) + 1:
            raise UsageError(
                f"a network of {channels} channels for {len(self.labels)} labels and background"
            )
        if self.sampling.spacing_mm is None:
            raise UsageError("training needs a spacing in mm")
        for patch in (self.sampling.patch, self.early_patch or self.sampling.patch):
            _require_divisible(patch, self.network)


def _require_divisible(patch: tuple[int, int, int], network: NetworkSpec) -> None:
    """Refuse a patch that a network's strides leave a rest of."""
    factor = [1, 1, 1]
    strides = network.arguments.get("strides", [])
    for stride in strides if isinstance(strides, list) else []:
        each = stride if isinstance(stride, list) else [stride] * 3
        factor = [f * s for f, s in zip(factor, each, strict=True) if isinstance(s, int)]
    if any(size % f for size, f in zip(patch, factor, strict=True)):
        raise UsageError(
            f"a patch of {'×'.join(map(str, patch))} voxels; multiples of "
            f"{'×'.join(map(str, factor))} expected, which the network halves"
        )


def recipe_key(options: TrainOptions) -> str:
    """What decides the steps of a run, as text that names a checkpoint's recipe.

    Settings at their default are left out: a setting that is added later does not
    make strangers of the checkpoints that were there before.
    """
    return _spoken(options)


def _spoken(value: Any) -> str:
    if is_dataclass(value) and not isinstance(value, type):
        said = [
            f"{f.name}={_spoken(getattr(value, f.name))}"
            for f in fields(value)
            if f.default is MISSING or getattr(value, f.name) != f.default
        ]
        return f"{type(value).__name__}({', '.join(said)})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{k}: {_spoken(v)}' for k, v in value.items())}}}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_spoken, value))})"
    return repr(value)

"""What a model is, in words and numbers: everything needed to run it and to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from medrecon.core import Label, Modality
from medrecon.errors import ModelError

Literal = bool | int | float | str | list["Literal"] | dict[str, "Literal"]
"""What a network's argument may be: data, never a name that is looked up and called."""

SLUG = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-.")


class Head(Enum):
    """What the last layer's channels mean."""

    SOFTMAX = "softmax"
    """One class a voxel, channel 0 is background: labels exclude one another."""
    SIGMOID = "sigmoid"
    """Every channel for itself: labels may overlap."""


class IntendedUse(Enum):
    """What a model may be used for without being forced."""

    PHANTOM_ONLY = "phantom only"
    """Trained on synthetic phantoms; says nothing about a patient."""
    RESEARCH = "research"
    """Trained on people, not cleared as a medical device."""


class IntensityKind(Enum):
    """How the image's values become the network's."""

    WINDOW = "window"
    """low..high to 0..1, clipped."""
    FIXED_ZSCORE = "fixed z-score"
    """Clipped to low..high, then minus a given mean, over a given deviation."""
    ZSCORE = "z-score"
    """Minus the image's own mean, over its own standard deviation."""
    PERCENTILE = "percentile"
    """The image's own low and high percentile to 0..1, clipped."""
    NONE = "none"
    """As they are."""


class Components(Enum):
    """Which connected parts of a label are kept; what is dropped is always reported."""

    ALL = "all"
    LARGEST = "largest"


class Anchor(Enum):
    """Where the network's grid is fastened to the image's."""

    CENTRE = "centre"
    """Both grids have one middle; the network's covers the image's edges."""
    FIRST_VOXEL = "first voxel"
    """The first oriented voxel's centre stays, as MONAI's ``Spacing`` does it."""


class Blend(Enum):
    """How overlapping tiles are put together."""

    GAUSSIAN = "gaussian"
    CONSTANT = "constant"
    WHOLE = "whole"
    """No tiles: the whole grid at once."""


@dataclass(frozen=True, slots=True)
class Intensity:
    """Normalisation of the input.

    Parameters
    ----------
    kind : IntensityKind
    low, high : float
        Image units for WINDOW and FIXED_ZSCORE, percent (0–100) for PERCENTILE.
    mean, deviation : float
        For FIXED_ZSCORE.
    nonzero : bool
        Whether ZSCORE measures and changes only voxels that are not zero.
    """

    kind: IntensityKind = IntensityKind.NONE
    low: float = 0.0
    high: float = 1.0
    mean: float = 0.0
    deviation: float = 1.0
    nonzero: bool = False

    def __post_init__(self) -> None:
        if not self.high > self.low:
            raise ModelError(
                f"an intensity range of {self.low} to {self.high}; low < high expected"
            )
        if not self.deviation > 0:
            raise ModelError(f"an intensity deviation of {self.deviation}; a positive one expected")


@dataclass(frozen=True, slots=True)
class Sampling:
    """The grid and the tiles that the network was trained for.

    Parameters
    ----------
    spacing_mm : tuple of float or None
        Along the oriented axes; None runs the model on the image's own spacing.
    orientation : str
        Patient directions that the three axes run *to*, in the nearest sense (an
        oblique image stays oblique): "LPS" is medrecon's own, "RAS" NIfTI's.
    patch : tuple of int
        Voxels of one tile along the oriented axes.
    overlap : float
        Share of a tile that its neighbour sees again, 0 ≤ overlap < 1.
    anchor : Anchor
    blend : Blend
    """

    spacing_mm: tuple[float, float, float] | None
    orientation: str
    patch: tuple[int, int, int]
    overlap: float = 0.5
    anchor: Anchor = Anchor.CENTRE
    blend: Blend = Blend.GAUSSIAN

    def __post_init__(self) -> None:
        axes = {frozenset("LR"), frozenset("AP"), frozenset("SI")}
        if len(self.orientation) != 3 or any(
            len(set(self.orientation) & pair) != 1 for pair in axes
        ):
            raise ModelError(
                f"an orientation of {self.orientation!r}; one letter each of LR, AP, SI"
            )
        if self.spacing_mm is not None and min(self.spacing_mm) <= 0:
            raise ModelError(f"a spacing of {self.spacing_mm} mm; positive numbers expected")
        if min(self.patch) < 1 or not 0 <= self.overlap < 1:
            raise ModelError(f"a patch of {self.patch} voxels with an overlap of {self.overlap}")


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network's class, by its name in the allow-list, and the arguments it is built with."""

    name: str
    arguments: Mapping[str, Literal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", MappingProxyType(dict(self.arguments)))


@dataclass(frozen=True, slots=True)
class ModelLabel:
    """One structure that the network finds.

    Parameters
    ----------
    channel : int
        Channel of the last layer; from 1 with a softmax head (0 is background).
    label : Label
    components : Components
        Which connected parts are kept.
    """

    channel: int
    label: Label
    components: Components = Components.ALL


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """The weights beside the manifest: file name, SHA-256 of its bytes, size in bytes."""

    file: str
    sha256: str
    bytes: int

    def __post_init__(self) -> None:
        if not self.file or self.file in (".", "..") or set(self.file) & set("/\\\0:"):
            raise ModelError(f"weights in {self.file!r}; a plain file name expected")
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise ModelError(f"the SHA-256 of {self.file} is not 64 lower-case hexadecimal digits")


@dataclass(frozen=True, slots=True)
class Licences:
    """SPDX expressions: of the code that makes the network, and of the weights."""

    code: str
    weights: str


@dataclass(frozen=True, slots=True)
class Training:
    """Where the model comes from.

    Parameters
    ----------
    data : str
        What it was trained on, with licence and attribution.
    command : str
        The command that makes it again, or empty.
    source : str
        Where it was obtained: "trained with medrecon 0.1.0", or an address.
    """

    data: str
    command: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that is known about a model, beside its weights.

    Parameters
    ----------
    name, version : str
        Lower-case letters, digits, and ``_-.``; together they name the model.
    title : str
        One line for people.
    intended_use : IntendedUse
    modalities : tuple of Modality
        What it may be given.
    channels : tuple of str
        Names of the input channels, in order.
    labels : tuple of ModelLabel
    head : Head
    sampling : Sampling
    intensity : Intensity
    network : NetworkSpec
    weights : WeightsFile
    licences : Licences
    training : Training
    body_parts : tuple of str
        Terms of Body Part Examined (0018,0015) it is meant for; empty: any.
    figures : mapping of str to float
        Held-out figures: ``dice_liver = 0.97``.

    Raises
    ------
    ModelError
        If a name holds other characters, labels collide, or a softmax head claims
        channel 0.
    """

    name: str
    version: str
    title: str
    intended_use: IntendedUse
    modalities: tuple[Modality, ...]
    channels: tuple[str, ...]
    labels: tuple[ModelLabel, ...]
    head: Head
    sampling: Sampling
    intensity: Intensity
    network: NetworkSpec
    weights: WeightsFile
    licences: Licences
    training: Training
    body_parts: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for text in (self.name, self.version):
            if not text or text[0] in "._-" or set(text) - SLUG:
                raise ModelError(
                    f"a model called {text!r}; lower-case letters, digits and _-. only"
                )
        if not self.labels or not self.channels:
            raise ModelError(f"model {self.name} without labels or input channels")
        _require_distinct(self.name, [x.channel for x in self.labels], "channels")
        _require_distinct(self.name, [x.label.index for x in self.labels], "label numbers")
        _require_distinct(self.name, [x.label.name for x in self.labels], "label names")
        first = 1 if self.head is Head.SOFTMAX else 0
        if min(x.channel for x in self.labels) < first:
            raise ModelError(
                f"model {self.name}: a {self.head.value} head's labels begin at {first}"
            )
        object.__setattr__(self, "figures", MappingProxyType(dict(self.figures)))

    @property
    def phantom_only(self) -> bool:
        """Whether it must not be run on an image of a patient."""
        return self.intended_use is IntendedUse.PHANTOM_ONLY

    @property
    def classes(self) -> int:
        """Channels of the network's last layer."""
        stated = self.network.arguments.get("out_channels")
        return stated if isinstance(stated, int) else max(x.channel for x in self.labels) + 1

    @property
    def identity(self) -> str:
        """Name and version, as results state their source."""
        return f"{self.name} {self.version}"

    def __repr__(self) -> str:
        return f"<Manifest {self.identity}: {', '.join(x.label.name for x in self.labels)}>"


def _require_distinct(name: str, values: list[int] | list[str], what: str) -> None:
    if len(set(values)) != len(values):
        raise ModelError(f"model {name}: two labels share one of their {what}")

"""What a model is, in words and numbers: everything needed to run it and to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from medrecon.core import Label, Modality, is_file_name
from medrecon.errors import ModelError
from medrecon.models.intensity import Intensity, IntensityKind
from medrecon.models.sampling import Anchor, Blend, Crop, PlannedResampling, Sampling

__all__ = [
    "Anchor",
    "Blend",
    "Components",
    "Crop",
    "Head",
    "IntendedUse",
    "Intensity",
    "IntensityKind",
    "Licences",
    "Literal",
    "Manifest",
    "ModelLabel",
    "NetworkSpec",
    "PlannedResampling",
    "Sampling",
    "Training",
    "WeightsFile",
    "is_model_name",
    "slug",
]

Literal = bool | int | float | str | list["Literal"] | dict[str, "Literal"]
"""What a network's argument may be: data, never a name that is looked up and called."""

CHECKS = frozenset({"head"})
MOST_LABELS = 65_535
"""What a label map of 16 bits counts to."""
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


class Components(Enum):
    """Which connected parts of a label are kept; what is dropped is always reported."""

    ALL = "all"
    LARGEST = "largest"


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
    from_hu_in_ct : bool
        Whether `auto` leaves it to the HU engine in a CT, which finds it better.
    never_print : str
        Why no surface of it is ever approved for print; empty where nothing speaks against it.
    """

    channel: int
    label: Label
    components: Components = Components.ALL
    from_hu_in_ct: bool = False
    never_print: str = ""


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
    """SPDX expressions: of the code that makes the network, and of the weights.

    Parameters
    ----------
    code, weights : str
    accepted : str
        Day on which a person accepted the weights' terms (ISO 8601); empty where
        there is nothing to accept.
    """

    code: str
    weights: str
    accepted: str = ""


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
    channel_intensities : tuple of Intensity
        One for each input channel, where they differ; else `intensity` is for all.
    planned : PlannedResampling or None
        Set for nnU-Net's models: normalise first, then resample from edge to edge.
    members : int
        Networks of one shape in the weights' file whose logits are averaged.
    mirror_axes : tuple of int
        Axes of the network's grid that it was trained to be flipped along.
    parts : tuple of Manifest
        Further networks of the same model, with labels of one numbering.
    checks : tuple of str
        What an image must show for the result to count: ``head`` (`segmentation.head_check`).

    Raises
    ------
    ModelError
        If a name holds other characters, labels collide or are on channels that there are
        not, a softmax head claims channel 0, or a label's name, number or colour is none.
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
    channel_intensities: tuple[Intensity, ...] = ()
    planned: PlannedResampling | None = None
    members: int = 1
    mirror_axes: tuple[int, ...] = ()
    parts: tuple[Manifest, ...] = ()
    checks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for text in (self.name, self.version):
            if not is_model_name(text):
                raise ModelError(
                    f"a model called {text!r}; lower-case letters, digits and _-. only"
                )
        for item in self.labels:
            _require_sound(self.name, item.label)
        if not self.labels or not self.channels:
            raise ModelError(f"model {self.name} without labels or input channels")
        _require_distinct(self.name, [x.channel for x in self.labels], "channels")
        everything = [x.label for part in self.every_part for x in part.labels]
        _require_distinct(self.name, [x.index for x in everything], "label numbers")
        _require_distinct(self.name, [x.name for x in everything], "label names")
        first = 1 if self.head is Head.SOFTMAX else 0
        if min(x.channel for x in self.labels) < first:
            raise ModelError(
                f"model {self.name}: a {self.head.value} head's labels begin at {first}"
            )
        if (last := max(x.channel for x in self.labels)) >= self.classes:
            raise ModelError(
                f"model {self.name}: a label on channel {last} of a network of {self.classes}"
            )
        if self.channel_intensities and len(self.channel_intensities) != len(self.channels):
            raise ModelError(
                f"model {self.name}: {len(self.channel_intensities)} intensities for "
                f"{len(self.channels)} channels"
            )
        if self.members < 1 or not set(self.mirror_axes) <= {0, 1, 2}:
            raise ModelError(
                f"model {self.name}: {self.members} members, flipped along {self.mirror_axes}"
            )
        if unknown := set(self.checks) - CHECKS:
            raise ModelError(f"model {self.name}: checks {sorted(unknown)} are not known here")
        if any(part.parts for part in self.parts):
            raise ModelError(f"model {self.name}: parts inside parts; one list expected")
        object.__setattr__(self, "figures", MappingProxyType(dict(self.figures)))

    @property
    def every_part(self) -> tuple[Manifest, ...]:
        """The network itself and the further ones of the model, in order."""
        return (self, *self.parts)

    @property
    def intensities(self) -> tuple[Intensity, ...]:
        """One for each channel, or one for all."""
        return self.channel_intensities or (self.intensity,)

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


def is_model_name(text: str) -> bool:
    """Whether a text can be a model's name or version."""
    return bool(text) and text[0] not in "._-" and not set(text) - SLUG


def slug(text: str) -> str:
    """A text as a model's name: lower-case letters, digits and ``_-.`` only."""
    kept = "".join(c if c in SLUG else "_" for c in text.lower())
    return kept.lstrip("._-") or "model"


def _require_sound(model: str, label: Label) -> None:
    """Refuse a label whose name would be another folder's file, or that a map cannot hold."""
    if not is_file_name(label.name):
        raise ModelError(f"model {model}: a structure called {label.name!r}; words and _ expected")
    if not 1 <= label.index <= MOST_LABELS:
        raise ModelError(f"model {model}: {label.name} has the number {label.index}")
    if not all(0 <= c <= 255 for c in label.color):
        raise ModelError(f"model {model}: {label.name} has the colour {label.color}")


def _require_distinct(name: str, values: list[int] | list[str], what: str) -> None:
    if len(set(values)) != len(values):
        raise ModelError(f"model {name}: two labels share one of their {what}")

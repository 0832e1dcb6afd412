"""A bundle's preprocessing as a grid and a normalisation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from medrecon.errors import ModelUntrustedError
from medrecon.models.bundle_values import ADVICE, BundleConfig
from medrecon.models.manifest import Intensity, IntensityKind

# What only brings an array into a form that it has here anyway.
FORM_ONLY = frozenset({"LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "CastToTyped"})


@dataclass(frozen=True, slots=True)
class Prepared:
    """Orientation, spacing and normalisation that the transforms amount to."""

    orientation: str = "RAS"
    spacing_mm: tuple[float, float, float] | None = None
    intensity: Intensity = field(default_factory=Intensity)


def prepared(config: BundleConfig) -> Prepared:
    """The bundle's ``preprocessing``, if it is a chain that medrecon does in its own way.

    Raises
    ------
    ModelUntrustedError
        If a transform is not known, is used in an unknown way or stands twice.
    """
    orientation: str | None = None
    spacing: tuple[float, float, float] | None = None
    intensity: Intensity | None = None
    for number, row in enumerate(config.value("preprocessing#transforms", [])):
        key, name = f"preprocessing#transforms#{number}", row["_target_"].rsplit(".", 1)[-1]
        if name in FORM_ONLY:
            continue
        if name == "Orientationd" and orientation is None:
            orientation = str(row["axcodes"])
        elif name == "Spacingd" and spacing is None:
            spacing = _spacing(row, key)
        elif name in ("ScaleIntensityRanged", "NormalizeIntensityd") and intensity is None:
            intensity = _window(row, key) if "a_min" in row else _zscore(row, key)
        else:
            raise _unknown(key, name)
    # A loaded image keeps its own axes without Orientationd; NIfTI's are RAS by custom.
    return Prepared(orientation or "RAS", spacing, intensity or Intensity())


def _spacing(row: dict[str, Any], key: str) -> tuple[float, float, float]:
    if row.get("mode", "bilinear") not in ("bilinear", ["bilinear"]):
        raise _unknown(key, f"Spacingd with mode {row.get('mode')!r}")
    x, y, z = (float(v) for v in row["pixdim"])
    return x, y, z


def _window(row: dict[str, Any], key: str) -> Intensity:
    if (row.get("b_min"), row.get("b_max"), row.get("clip", False)) != (0, 1, True):
        raise _unknown(key, "ScaleIntensityRanged without clipping to 0..1")
    return Intensity(IntensityKind.WINDOW, float(row["a_min"]), float(row["a_max"]))


def _zscore(row: dict[str, Any], key: str) -> Intensity:
    if "subtrahend" in row or "divisor" in row:
        raise _unknown(key, "NormalizeIntensityd with its own numbers")
    return Intensity(IntensityKind.ZSCORE, nonzero=bool(row.get("nonzero", False)))


def _unknown(key: str, what: str) -> ModelUntrustedError:
    return ModelUntrustedError(
        f"the bundle's {key} is {what}, which medrecon does not do; {ADVICE}"
    )

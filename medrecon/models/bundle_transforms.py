"""A bundle's preprocessing as a grid and a normalisation, its postprocessing as a head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from medrecon.errors import ModelUntrustedError
from medrecon.models.bundle_expressions import ADVICE
from medrecon.models.bundle_values import BundleConfig
from medrecon.models.intensity import Intensity, IntensityKind
from medrecon.models.manifest import Head
from medrecon.models.sampling import Crop

# What only brings an array into a form that it has here anyway.
FORM_ONLY = frozenset(
    {"LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "CastToTyped", "ToTensord", "ToDeviced"}
)
Row = Mapping[str, Any]
Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Orientation, spacing, normalisation and crop that the transforms amount to."""

    orientation: str = "ijk"
    spacing_mm: Triple | None = None
    intensity: Intensity = field(default_factory=Intensity)
    crop: Crop = Crop.NONE


def prepared(config: BundleConfig) -> Prepared:
    """The bundle's ``preprocessing``, if it is a chain that medrecon does in its own way.

    Orientation and spacing come first, each at most once; then any number of steps of
    normalisation; then at most one crop. Without an orientation the image keeps its own
    axes, as in MONAI.

    Raises
    ------
    ModelUntrustedError
        If a transform is not known, is used in an unknown way, or stands elsewhere.
    """
    orientation: str | None = None
    spacing: Triple | None = None
    steps: list[Intensity] = []
    crop = Crop.NONE
    image: list[Any] = []
    for key, name, row in _transforms(config, "preprocessing"):
        image = image or _list(row.get("keys", "image"))
        if not set(_list(row.get("keys", "image"))) & set(image):
            raise _unknown(key, f"{name} of {row.get('keys')!r}, which is not the image")
        if name in FORM_ONLY:
            continue
        if crop is not Crop.NONE:
            raise _unknown(key, f"{name} after a crop")
        if name == "Orientationd" and orientation is None and not steps:
            if spacing is not None and len(set(spacing)) > 1:
                raise _unknown(key, "Orientationd after a Spacingd that differs along the axes")
            orientation = str(row["axcodes"])
        elif name == "Spacingd" and spacing is None and not steps:
            spacing = _spacing(row, key)
        elif name in NORMALISERS:
            steps.append(NORMALISERS[name](row, key))
        elif name == "CropForegroundd":
            crop = _crop(row, key)
        else:
            raise _unknown(key, name)
    first = replace(steps[0], then=tuple(steps[1:])) if steps else Intensity()
    return Prepared(orientation or "ijk", spacing, first, crop)


def head_of(config: BundleConfig) -> Head:
    """What the channels mean, from the postprocessing; softmax if it does not say.

    Raises
    ------
    ModelUntrustedError
        If labels begin at another probability than a half.
    """
    found: list[Head] = []
    for key, name, row in _transforms(config, "postprocessing"):
        if name == "Activationsd" and (row.get("sigmoid") or row.get("softmax")):
            found.append(Head.SIGMOID if row.get("sigmoid") else Head.SOFTMAX)
        if name == "AsDiscreted":
            levels = set(_list(row.get("threshold"))) - {None}
            if levels - {0.5} or row.get("logit_thresh", 0.5) != 0.5:
                raise _unknown(key, "AsDiscreted at another threshold than 0.5")
            by_level = bool(levels) and not row.get("argmax")
            found.append(Head.SIGMOID if by_level else Head.SOFTMAX)
    return found[0] if found else Head.SOFTMAX


def largest_only(config: BundleConfig, channels: range) -> frozenset[int]:
    """Channels of which the postprocessing keeps the largest connected part."""
    kept: set[int] = set()
    for _, name, row in _transforms(config, "postprocessing"):
        if name == "KeepLargestConnectedComponentd":
            named = row.get("applied_labels")
            kept |= set(channels if named is None else _list(named))
    return frozenset(int(n) for n in kept)


def _transforms(config: BundleConfig, where: str) -> Iterator[tuple[str, str, Row]]:
    """Key, class name and arguments of each transform that is not disabled."""
    for key, row in config.tables(f"{where}#transforms"):
        if row is None or not isinstance(row.get("_target_"), str):
            raise _unknown(key, "no transform")
        if not row.get("_disabled_", False):
            yield key, row["_target_"].rsplit(".", 1)[-1], row


def _spacing(row: Row, key: str) -> Triple:
    if any(mode not in ("bilinear", 1) for mode in _list(row.get("mode", "bilinear"))):
        raise _unknown(key, f"Spacingd with mode {row.get('mode')!r}")
    if row.get("padding_mode", "border") not in ("border", ["border"]):
        raise _unknown(key, f"Spacingd with padding {row.get('padding_mode')!r}")
    other = [k for k in ("diagonal", "scale_extent", "min_pixdim", "max_pixdim") if row.get(k)]
    if other:
        raise _unknown(key, f"Spacingd with {other[0]}")
    x, y, z = (float(v) for v in row["pixdim"])
    return x, y, z


def _crop(row: Row, key: str) -> Crop:
    own = {"_target_", "keys", "source_key", "mode", "start_coord_key", "end_coord_key"}
    allowed = own | {"allow_smaller", "allow_missing_keys", "_disabled_"}
    if set(row) - allowed or _list(row.get("source_key", "image")) != _list(row.get("keys")):
        raise _unknown(key, "CropForegroundd with a margin, another source or its own function")
    return Crop.FOREGROUND


def _window(row: Row, key: str) -> Intensity:
    low, high = row.get("b_min"), row.get("b_max")
    if low is None or high is None:
        raise _unknown(key, "ScaleIntensityRanged without a range to scale to")
    return Intensity(
        IntensityKind.WINDOW,
        float(row["a_min"]),
        float(row["a_max"]),
        to_low=float(low),
        to_high=float(high),
        clip=bool(row.get("clip", False)),
    )


def _zscore(row: Row, key: str) -> Intensity:
    mean, deviation = row.get("subtrahend"), row.get("divisor")
    together = not row.get("channel_wise", False)
    if mean is None and deviation is None:
        nonzero = bool(row.get("nonzero", False))
        return Intensity(IntensityKind.ZSCORE, nonzero=nonzero, together=together)
    if (
        not isinstance(mean, int | float)
        or not isinstance(deviation, int | float)
        or row.get("nonzero")
    ):
        raise _unknown(key, "NormalizeIntensityd with its own numbers for each channel")
    first, spread = float(mean), float(deviation)
    return Intensity(IntensityKind.FIXED_ZSCORE, mean=first, deviation=spread, clip=False)


def _minmax(row: Row, key: str) -> Intensity:
    if row.get("factor") is not None or row.get("minv", 0.0) is None:
        raise _unknown(key, "ScaleIntensityd by a factor")
    return Intensity(
        IntensityKind.MINMAX,
        to_low=float(row.get("minv", 0.0)),
        to_high=float(row.get("maxv", 1.0)),
        clip=False,
        together=not row.get("channel_wise", False),
    )


def _percentiles(row: Row, key: str) -> Intensity:
    if row.get("relative") or row.get("b_min") is None or row.get("b_max") is None:
        raise _unknown(key, "ScaleIntensityRangePercentilesd relative or without a range")
    return Intensity(
        IntensityKind.PERCENTILE,
        float(row["lower"]),
        float(row["upper"]),
        to_low=float(row["b_min"]),
        to_high=float(row["b_max"]),
        clip=bool(row.get("clip", False)),
        together=not row.get("channel_wise", False),
    )


NORMALISERS = {
    "ScaleIntensityRanged": _window,
    "NormalizeIntensityd": _zscore,
    "ScaleIntensityd": _minmax,
    "ScaleIntensityRangePercentilesd": _percentiles,
}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _unknown(key: str, what: str) -> ModelUntrustedError:
    return ModelUntrustedError(
        f"the bundle's {key} is {what}, which medrecon does not do; {ADVICE}"
    )

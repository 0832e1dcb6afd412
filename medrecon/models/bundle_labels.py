"""The labels a bundle's metadata names."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Mapping
from typing import Any

from medrecon.core import Label, known_labels
from medrecon.errors import ModelUntrustedError
from medrecon.models.manifest import Head, ModelLabel

# Labels that medrecon does not know are numbered from here, by their channel.
FIRST_OWN_INDEX = 1000
# Turning the hue by the golden angle keeps neighbours apart for any number of labels.
GOLDEN_TURN = 0.381966


def labels_of(metadata: Mapping[str, Any], head: Head, channels: int) -> tuple[ModelLabel, ...]:
    """Labels by channel from ``network_data_format``; background is none.

    A name that medrecon knows gets its number, colour and code. Where no channel is
    named, a label is called after its channel.

    Raises
    ------
    ModelUntrustedError
        If the channels are neither named nor counted.
    """
    named = _channel_names(metadata) or {n: f"label_{n}" for n in range(channels)}
    if not named:
        raise ModelUntrustedError("the bundle's metadata do not say what its channels are")
    first = 1 if head is Head.SOFTMAX else 0
    return tuple(
        ModelLabel(n, label_for(name, FIRST_OWN_INDEX + n))
        for n, name in sorted(named.items())
        if n >= first
    )


def _channel_names(metadata: Mapping[str, Any]) -> dict[int, str]:
    outputs: Any = (metadata.get("network_data_format") or {}).get("outputs") or {}
    for row in outputs.values():
        for key in ("channel_def", "label_def"):
            if isinstance(row, dict) and isinstance(row.get(key), dict):
                return {int(n): str(name) for n, name in row[key].items()}
    return {}


def label_for(text: str, index: int) -> Label:
    """The label that medrecon knows by that name, or a new one with that number."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or f"channel_{index}"
    if name in known_labels():
        return known_labels()[name]
    red, green, blue = colorsys.hsv_to_rgb(index * GOLDEN_TURN % 1.0, 0.55, 0.85)
    return Label(index, name, (round(255 * red), round(255 * green), round(255 * blue)))

"""The numbers of the tissue engine, read from `presets/tissues.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from medrecon.errors import UsageError


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a preset and why it is what it is."""

    value: float
    unit: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class TissuePreset:
    """All numbers of one tissue, asked for by name *and* unit.

    Asking for the wrong unit fails, so a millimetre is never taken for a voxel.
    """

    name: str
    numbers: Mapping[str, Number]

    def hu(self, key: str) -> float:
        """A number in Hounsfield units."""
        return self._value(key, "HU")

    def mm(self, key: str) -> float:
        """A number in millimetres."""
        return self._value(key, "mm")

    def mm2(self, key: str) -> float:
        """A number in square millimetres."""
        return self._value(key, "mm2")

    def mm3(self, key: str) -> float:
        """A number in cubic millimetres."""
        return self._value(key, "mm3")

    def ml(self, key: str) -> float:
        """A number in millilitres."""
        return self._value(key, "mL")

    def ratio(self, key: str) -> float:
        """A number without a unit."""
        return self._value(key, "1")

    def _value(self, key: str, unit: str) -> float:
        number = self.numbers[key]
        if number.unit != unit:
            raise ValueError(f"{self.name}.{key} is in {number.unit}, not in {unit}")
        return number.value


@cache
def presets() -> Mapping[str, TissuePreset]:
    """Every preset of `presets/tissues.toml`, by name."""
    text = resources.files("medrecon.presets").joinpath("tissues.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    return MappingProxyType({name: _preset(name, rows) for name, rows in tables.items()})


def preset(name: str) -> TissuePreset:
    """The preset of that name.

    Raises
    ------
    UsageError
        If there is none.
    """
    try:
        return presets()[name]
    except KeyError:
        raise UsageError(f"no tissue preset {name!r}; known are: {', '.join(presets())}") from None


def _preset(name: str, rows: Mapping[str, Mapping[str, object]]) -> TissuePreset:
    numbers = {
        key: Number(
            float(str(row["value"])), str(row["unit"]), str(row["reason"]), str(row["source"])
        )
        for key, row in rows.items()
    }
    return TissuePreset(name, MappingProxyType(numbers))


def _float(value: object) -> float:
    return float(str(value))

"""Frozen values back from their JSON: options of a run, parts of a stopped one."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from medrecon.errors import UsageError
from medrecon.options import Options


def options_of(content: Mapping[str, Any]) -> Options:
    """Options from what `as_plain` made of them; what is missing has its default.

    Raises
    ------
    UsageError
        If a name or a value is not one of this version's.
    """
    built = value_of(Options, content)
    assert isinstance(built, Options)
    return built


def value_of(kind: Any, plain: Any) -> Any:
    """A value of that type from what `as_plain` made of it.

    Parameters
    ----------
    kind : type
        A dataclass, an enum, a tuple, a union or a plain type.
    plain : Any
        As JSON gives it back.

    Raises
    ------
    UsageError
        If it is none of that type.
    """
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _object_of(kind, plain)
    if origin in (Union, types.UnionType):
        return _choice_of(get_args(kind), plain)
    if origin is tuple:
        return _tuple_of(get_args(kind), plain)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(plain)
        except ValueError:
            raise UsageError(f"the record holds an unknown choice of {kind.__name__}") from None
    if kind is float and type(plain) is int:
        return float(plain)
    if isinstance(kind, type) and type(plain) is not kind:
        raise UsageError(f"the record holds a {type(plain).__name__}; {kind.__name__} expected")
    return plain


def _tuple_of(kinds: tuple[Any, ...], plain: Any) -> tuple[Any, ...]:
    if not isinstance(plain, list):
        raise UsageError("the record holds something that should be a list")
    each = kinds[:1] * len(plain) if kinds[-1] is Ellipsis else kinds
    if len(each) != len(plain):
        raise UsageError(f"the record holds {len(plain)} values; {len(each)} expected")
    return tuple(value_of(k, v) for k, v in zip(each, plain, strict=True))


def _object_of(kind: Any, plain: Any) -> Any:
    hints = _hints(kind)
    if not isinstance(plain, Mapping) or not set(plain) <= set(hints):
        raise UsageError(
            f"the record's {kind.__name__} is not of this version of medrecon; "
            "use the version that it names"
        )
    return kind(**{name: value_of(hints[name], v) for name, v in plain.items()})


def _choice_of(kinds: tuple[Any, ...], plain: Any) -> Any:
    if plain is None and type(None) in kinds:
        return None
    for kind in kinds:
        if kind is not type(None):
            try:
                return value_of(kind, plain)
            except UsageError:
                continue
    raise UsageError("the record holds a value that is none of its kinds")


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)

"""A bundle's configuration read as data: nothing in it is ever executed.

In MONAI's bundles a string that begins with ``$`` is a Python expression and a
``_target_`` is anything that can be imported. Here an expression is parsed, never
evaluated by Python: only arithmetic on literals and references is worked out, a few
idioms are recognised by their syntax tree and ignored, and everything else is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from medrecon.errors import ModelUntrustedError
from medrecon.models.bundle_expressions import (
    ADVICE,
    CONSTANTS,
    MACRO,
    PLACEHOLDER,
    REFERENCE,
    is_known,
    parse,
    refused,
)

MAX_DEPTH = 32
# Values that one key may amount to: references to references double with every step.
MAX_VALUES = 100_000
MAX_NUMBER = 10**18
ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}


class BundleConfig:
    """One configuration and the values in it.

    Parameters
    ----------
    rows : dict
        As the JSON reader returns it.
    """

    def __init__(self, rows: dict[str, Any]) -> None:
        self._rows = rows
        self._left = MAX_VALUES

    def value(self, key: str, default: Any = None) -> Any:
        """The value under a key (``a#b#0``), references and arithmetic worked out.

        Raises
        ------
        ModelUntrustedError
            If it needs an expression that is not plain arithmetic, or a value that is
            not there, or refers to itself.
        """
        if key.split("#")[0] not in self._rows:
            return default
        self._left = MAX_VALUES
        return self._resolve(self._raw(key), key, 0)

    def table(self, key: str) -> Mapping[str, Any] | None:
        """The table under a key, its values worked out when they are asked for.

        Many a table holds what a run here never needs and what nobody works out (a
        device, a function to paint labels with). None if no table is there.
        """
        place = self._place(key)
        if place is None or not isinstance(self._raw(place), dict):
            return None
        return _Lazy(self, place, self._raw(place))

    def tables(self, key: str) -> list[tuple[str, Mapping[str, Any] | None]]:
        """Each entry of the list under a key, with its own key; empty if there is no list."""
        place = self._place(key)
        rows = None if place is None else self._raw(place)
        if not isinstance(rows, list):
            return []
        return [(f"{key}#{n}", self.table(f"{place}#{n}")) for n in range(len(rows))]

    def _place(self, key: str) -> str | None:
        """The key under which a value stands itself, after all references to it."""
        done = ""
        for part in key.split("#"):
            step: str | None = f"{done}#{part}" if done else part
            for _ in range(MAX_DEPTH):
                if step is None or not self._has(step):
                    return None
                text = self._raw(step)
                target = _whole_reference(text) if isinstance(text, str) else None
                if target is None:
                    break
                step = self._place(target) if target != step else None
            else:
                return None
            done = step or ""
        return done

    def _has(self, key: str) -> bool:
        try:
            self._raw(key)
        except ModelUntrustedError:
            return False
        return True

    def require_harmless(self) -> None:
        """Refuse a configuration that holds an expression that is not known.

        Raises
        ------
        ModelUntrustedError
            Names the first such expression and its key.
        """
        for key, text in self.strings():
            if text.startswith("$") and not is_known(text, key):
                raise refused(key, text)
            if text.startswith("%") and not MACRO.fullmatch(text):
                raise refused(key, text)

    def targets(self) -> Iterator[tuple[str, str]]:
        """Every ``_target_`` in the configuration, with its key."""
        for key, text in self.strings():
            if key.rsplit("#", 1)[-1] in ("_target_", "_mode_", "_requires_", "_desc_"):
                yield key, text

    def strings(self) -> Iterator[tuple[str, str]]:
        """Every string in the configuration, keys of tables too, with its place.

        Raises
        ------
        ModelUntrustedError
            If there are more than `MAX_VALUES` values or they are nested too deep:
            a few lines of YAML can stand for billions.
        """
        left = MAX_VALUES
        for key, text in _strings(self._rows, "", 0):
            left -= 1
            if left < 0:
                raise ModelUntrustedError(
                    f"the bundle's configuration amounts to more than {MAX_VALUES} values; {ADVICE}"
                )
            if text is not None:
                yield key, text

    def _raw(self, key: str) -> Any:
        place: Any = self._rows
        for part in key.split("#"):
            try:
                place = place[int(part)] if isinstance(place, list) else place[part]
            except (KeyError, IndexError, TypeError, ValueError):
                raise refused(key, f"@{key}") from None
        return place

    def _resolve(self, value: Any, key: str, depth: int) -> Any:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise refused(key, str(value)[:80])
        if isinstance(value, dict):
            return {k: self._resolve(v, f"{key}#{k}", depth + 1) for k, v in value.items()}
        if isinstance(value, list):
            return [self._resolve(v, f"{key}#{n}", depth + 1) for n, v in enumerate(value)]
        if not isinstance(value, str):
            return value
        if value.startswith("$"):
            return self._work_out(parse(value, key), value, key, depth + 1)
        if REFERENCE.fullmatch(value):
            target = _path(value)
            return self._resolve(self._raw(target), target, depth + 1)
        if value.startswith("%"):
            if not (macro := MACRO.fullmatch(value)):
                raise refused(key, value)
            target = macro.group(1).replace("::", "#")
            return self._resolve(self._raw(target), target, depth + 1)
        return value

    def _work_out(self, node: ast.expr, text: str, key: str, depth: int) -> Any:
        """The value of an expression of literals, references, arithmetic and conditions."""

        def again(part: ast.expr) -> Any:
            return self._work_out(part, text, key, depth + 1)

        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise refused(key, text)
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None as value):
                return value
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return [again(part) for part in parts]
            case ast.UnaryOp(op=ast.USub(), operand=part):
                number = again(part)
                if isinstance(number, int | float):
                    return -number
            case ast.Name(id=name) if name.startswith(PLACEHOLDER):
                target = _path(REFERENCE.findall(text)[int(name.removeprefix(PLACEHOLDER))])
                return self._resolve(self._raw(target), target, depth + 1)
            case ast.Attribute() if (name := ast.unparse(node)) in CONSTANTS:
                return CONSTANTS[name]
            case ast.Call(func=ast.Name(id="len"), args=[part], keywords=[]):
                counted = again(part)
                if isinstance(counted, list | str):
                    return len(counted)
            case ast.IfExp(test=test, body=body, orelse=other):
                return again(body) if again(test) else again(other)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                return _combined(again(left), op, again(right), lambda: refused(key, text))
        raise refused(key, text)


class _Lazy(Mapping[str, Any]):
    """A table whose values are worked out one by one."""

    def __init__(self, config: BundleConfig, place: str, rows: Mapping[str, Any]) -> None:
        self._config, self._place, self._rows = config, place, rows

    def __getitem__(self, key: str) -> Any:
        if key not in self._rows:
            raise KeyError(key)
        return self._config.value(f"{self._place}#{key}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _combined(left: Any, op: ast.operator, right: Any, error: Callable[[], Exception]) -> Any:
    """Arithmetic on numbers, and joining of texts and lists; bounded."""
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    joined = isinstance(op, ast.Add) and type(left) is type(right) and isinstance(left, str | list)
    if not numbers and not joined:
        raise error()
    if joined and len(left) + len(right) > MAX_VALUES:
        raise error()
    try:
        result = ARITHMETIC[type(op)](left, right)
    except ArithmeticError:
        raise error() from None
    if isinstance(result, int | float) and abs(result) > MAX_NUMBER:
        raise error()
    return result


def _whole_reference(text: str) -> str | None:
    """The key that a text is nothing but a reference to: @key, $@key or %key."""
    found = REFERENCE.fullmatch(text.removeprefix("$")) or MACRO.fullmatch(text)
    return None if found is None else found.group(1).replace("::", "#")


def _path(reference: str) -> str:
    return reference.removeprefix("@").removeprefix("::").replace("::", "#")


def _strings(value: Any, key: str, depth: int) -> Iterator[tuple[str, str | None]]:
    """Every value in nested lists and tables with its key; None where it is no string."""
    if depth > MAX_DEPTH:
        raise ModelUntrustedError(f"the bundle's {key[:80]} is nested too deep; {ADVICE}")
    if isinstance(value, dict):
        for name, part in value.items():
            place = f"{key}#{name}" if key else str(name)
            yield place, str(name) if str(name).startswith(("$", "%")) else None
            yield from _strings(part, place, depth + 1)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _strings(part, f"{key}#{number}", depth + 1)
    else:
        yield key, value if isinstance(value, str) else None

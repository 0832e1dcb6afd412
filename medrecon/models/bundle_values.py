"""A bundle's configuration read as data: nothing in it is ever executed.

In MONAI's bundles a string that begins with ``$`` is a Python expression and a
``_target_`` is anything that can be imported. Here an expression is parsed, never
evaluated by Python: only arithmetic on literals and references is worked out, a few
idioms are recognised by their syntax tree and ignored, and everything else is refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from medrecon.errors import ModelUntrustedError

REFERENCE = re.compile(r"@(?:::)?([A-Za-z_][A-Za-z0-9_]*(?:(?:#|::)[A-Za-z0-9_]+)*)")
PLACEHOLDER = "REF_"
MAX_DEPTH = 32
MAX_EXPRESSION_CHARS = 2000
ADVICE = (
    "medrecon runs nothing that comes with a model; write the value out in the configuration, "
    "or train and save the model with medrecon's own manifest"
)

# Modules whose import statement is harmless to ignore; a bundle's own scripts are not.
KNOWN_IMPORTS = frozenset({"glob", "os", "json", "math", "numpy", "pathlib", "torch", "monai"})

# Expressions of the zoo's bundles that a run does not need: recognised by syntax tree,
# any reference for REF, any constant of the same type for a constant.
IDIOMS = (
    "torch.device('' if torch.cuda.is_available() else '')",
    "torch.device('')",
    "REF.to(REF)",
    "REF(REF)",
    "REF.run()",
    "list(sorted(glob.glob(REF + '')))",
    "sorted(glob.glob(REF + ''))",
    "glob.glob(REF + '')",
    "[{'': i} for i in REF]",
    "[{'': i, '': l} for i, l in zip(REF, REF)]",
    "monai.utils.set_determinism(seed=0)",
    "setattr(torch.backends.cudnn, '', True)",
    "monai.data.load_decathlon_datalist(REF, data_list_key='', base_dir=REF)",
    "numpy.float32",
    "np.float32",
    "numpy.uint8",
    "np.uint8",
    "torch.float32",
    "torch.uint8",
)

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
        return self._resolve(self._raw(key), key, 0)

    def require_harmless(self) -> None:
        """Refuse a configuration that holds an expression that is not known.

        Raises
        ------
        ModelUntrustedError
            Names the first such expression and its key.
        """
        for key, text in _strings(self._rows, ""):
            if text.startswith("$") and not _is_known(text, key):
                raise refused(key, text)
            if text.startswith("%"):
                raise refused(key, text)

    def targets(self) -> Iterator[tuple[str, str]]:
        """Every ``_target_`` in the configuration, with its key."""
        for key, text in _strings(self._rows, ""):
            if key.rsplit("#", 1)[-1] in ("_target_", "_mode_", "_requires_", "_desc_"):
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
        if depth > MAX_DEPTH:
            raise refused(key, str(value))
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
            raise refused(key, value)
        return value

    def _work_out(self, node: ast.expr, text: str, key: str, depth: int) -> Any:
        """The value of an expression of literals, references, arithmetic and conditions."""

        def again(part: ast.expr) -> Any:
            return self._work_out(part, text, key, depth + 1)

        if depth > MAX_DEPTH:
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
            case ast.IfExp(test=test, body=body, orelse=other):
                return again(body) if again(test) else again(other)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                return _combined(again(left), op, again(right), lambda: refused(key, text))
        raise refused(key, text)


def parse(text: str, key: str) -> ast.expr:
    """The syntax tree of a ``$`` expression, references as names; statements are refused."""
    if len(text) > MAX_EXPRESSION_CHARS:
        raise refused(key, text[:80] + "…")
    counter = iter(range(len(text)))
    plain = REFERENCE.sub(lambda _: f"{PLACEHOLDER}{next(counter)}", text[1:].strip())
    try:
        return ast.parse(plain, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise refused(key, text) from None


def refused(key: str, text: str) -> ModelUntrustedError:
    """The error that names an expression and what to do about it."""
    return ModelUntrustedError(f"the bundle's {key} holds {text!r}, which is a program; {ADVICE}")


def _combined(left: Any, op: ast.operator, right: Any, error: Callable[[], Exception]) -> Any:
    """Arithmetic on numbers, and joining of texts and lists; bounded."""
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    joined = isinstance(op, ast.Add) and type(left) is type(right) and isinstance(left, str | list)
    if not numbers and not joined:
        raise error()
    try:
        return ARITHMETIC[type(op)](left, right)
    except (ArithmeticError, MemoryError):
        raise error() from None


def _is_known(text: str, key: str) -> bool:
    if _is_known_import(text[1:]):
        return True
    tree = parse(text, key)
    try:
        return _is_arithmetic(tree) or _shape(tree) in _IDIOM_SHAPES
    except RecursionError:
        return False


def _is_known_import(statement: str) -> bool:
    """``import glob`` and the like, of modules that a run would have anyway."""
    try:
        body = ast.parse(statement.strip()).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return len(body) == 1 and (
        isinstance(body[0], ast.Import)
        and all(alias.name.split(".")[0] in KNOWN_IMPORTS for alias in body[0].names)
    )


ALLOWED_NODES = (
    ast.Constant,
    ast.List,
    ast.Tuple,
    ast.IfExp,
    ast.BinOp,
    ast.UnaryOp,
    ast.USub,
    ast.operator,
    ast.Load,
)


def _is_arithmetic(tree: ast.expr) -> bool:
    return all(
        isinstance(node, ALLOWED_NODES)
        or (isinstance(node, ast.Name) and node.id.startswith(PLACEHOLDER))
        for node in ast.walk(tree)
    )


def _shape(tree: ast.expr) -> str:
    """The tree with every reference and every constant of a type made equal."""
    copy = ast.parse(ast.unparse(tree), mode="eval").body
    for node in ast.walk(copy):
        if isinstance(node, ast.Name) and node.id.startswith("REF"):
            node.id = "REF"
        elif isinstance(node, ast.Constant):
            node.value = type(node.value).__name__
    return ast.dump(copy)


_IDIOM_SHAPES = frozenset(_shape(ast.parse(text, mode="eval").body) for text in IDIOMS)


def _path(reference: str) -> str:
    return reference.removeprefix("@").removeprefix("::").replace("::", "#")


def _strings(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Every string in nested lists and tables, with its key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _strings(part, f"{key}#{name}" if key else str(name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _strings(part, f"{key}#{number}")

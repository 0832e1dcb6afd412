"""Writes docs/reference/api.md: the names of `import medrecon`, from their docstrings."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import medrecon

TARGET = Path(__file__).parents[1] / "reference" / "api.md"
HEAD = """# Python: `import medrecon`

*Made by `python docs/make/api_reference.py` from the docstrings.* These names are the stable face;
they load what they need when they are first used. Values are frozen; lengths are millimetres,
points are LPS, array axes are (i, j, k) ([coordinates](../explanation/coordinates.md)).
Everything below may raise `medrecon.MedreconError` ([codes](exit-codes.md)).
"""


def page() -> str:
    """The whole page: functions first, then values."""
    named = [(name, getattr(medrecon, name)) for name in medrecon.__all__]
    functions = [pair for pair in named if not inspect.isclass(pair[1])]
    values = [pair for pair in named if inspect.isclass(pair[1])]
    parts = [HEAD, "## Functions\n", *(_entry(*p) for p in functions)]
    return "\n".join([*parts, "## Values\n", *(_entry(*p) for p in values)])


def _entry(name: str, thing: Any) -> str:
    text = inspect.cleandoc(thing.__doc__ or "")
    members = [f"`{m}`" for m in _members(thing)] if inspect.isclass(thing) else []
    lines = [f"### {name}", "", "```text", text, "```", ""]
    if not inspect.isclass(thing):
        lines[2:2] = ["```text", f"{name}{_signature(thing)}", "```", ""]
    if members:
        lines += ["Also: " + ", ".join(members) + ".", ""]
    return "\n".join(lines)


def _signature(function: Any) -> str:
    """Names and defaults; types stand in the docstring."""
    found = inspect.signature(function)
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in found.parameters.values()]
    bare = found.replace(parameters=plain, return_annotation=inspect.Signature.empty)
    return re.sub(r"<function (\w+) at \w+>", r"\1", str(bare))


def _members(thing: type) -> list[str]:
    """Public methods and properties that are the class's own."""
    return [
        name
        for name, value in vars(thing).items()
        if not name.startswith("_")
        and isinstance(value, (property, classmethod)) | inspect.isfunction(value)
    ]


if __name__ == "__main__":
    TARGET.write_text(page(), "utf-8")

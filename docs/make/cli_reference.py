"""Writes docs/reference/cli.md: every verb and option, as `medrecon --help` knows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from medrecon_cli.main import app

TARGET = Path(__file__).parents[1] / "reference" / "cli.md"
HEAD = """# Command line

*Made by `python docs/make/cli_reference.py` from the program itself.* Exit codes:
[exit codes](exit-codes.md). `-v` after a verb adds to an error where it came from.
"""


def page() -> str:
    """The whole page."""
    root = get_command(app)
    return "\n".join([HEAD, *(_section(path, c) for path, c in _leaves("medrecon", root))])


def _leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, child in command.commands.items():
        if not child.hidden:
            yield from _leaves(f"{path} {name}", child)


def _section(path: str, command: Any) -> str:
    context = command.context_class(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    rows = [p.get_help_record(context) for p in command.params]
    options = [f"| `{_cell(a)}` | {_shown(b)} |" for a, b in filter(None, rows)]
    lines = [f"## {path}", "", " ".join((command.help or "").split()), "", "```text", usage, "```"]
    return "\n".join([*lines, "", "| | |", "|---|---|", *options]) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _shown(text: str) -> str:
    return _cell(text).replace("<", "&lt;")


if __name__ == "__main__":
    TARGET.write_text(page(), "utf-8")

"""The fenced blocks of a Markdown page, and what of them is medrecon's command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```[ ]*$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(medrecon [a-z-][^`\n]*)`")
_ENDS = frozenset({"&&", "||", "|", ";", ">", "#", "\\"})
SHELL = frozenset({"bash", "sh", "console", ""})


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: the page and line where it stands, language, marks and text."""

    page: Path
    line: int
    language: str
    marks: tuple[str, ...]
    text: str

    @property
    def runs(self) -> bool:
        """Whether it is to be run: Python and bash that is not marked otherwise."""
        return self.language in ("bash", "python") and "no-run" not in self.marks


def blocks_of(page: Path) -> tuple[Block, ...]:
    """All fenced blocks of a page in their order."""
    text = page.read_text("utf-8")
    found = []
    for match in _FENCE.finditer(text):
        words = match[2].split()
        line = text.count("\n", 0, match.start()) + 1
        body = re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)
        found.append(Block(page, line, words[0] if words else "", tuple(words[1:]), body))
    return tuple(found)


def inline_commands(page: Path) -> tuple[str, ...]:
    """`medrecon VERB ...` in running text."""
    return tuple(_INLINE.findall(_FENCE.sub("", page.read_text("utf-8"))))


def lines_of(text: str) -> tuple[str, ...]:
    """The lines of a shell text, continued ones joined, without comments and empty ones."""
    joined = text.replace("\\\n", " ").splitlines()
    bare = (line.split(" #")[0].strip() for line in joined if not line.lstrip().startswith("#"))
    return tuple(line for line in bare if line)


def calls_in(line: str) -> Iterator[list[str]]:
    """The arguments of every call of medrecon in a line of shell."""
    for piece in re.findall(r"(?:^|[\s\"'`;&|(])(?<![\w./-])medrecon (?!=)(.*)", line):
        words = shlex.split(re.sub(r"[\"'`]\s*$", "", piece), posix=True)
        ends = (n for n, word in enumerate(words) if word in _ENDS)
        yield words[: next(ends, len(words))]


def unknown_in(arguments: list[str], root: Any) -> list[str]:
    """Verbs and options that the command line does not have."""
    command = root
    rest = list(arguments)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            return [rest[0]]
        command = command.commands[rest.pop(0)]
    known = {name for p in command.params for name in p.opts + p.secondary_opts}
    known |= {"--help", "-h"}
    options = (word.split("=")[0] for word in rest if re.match(r"--?[A-Za-z]", word))
    return [o for o in options if o not in known]

"""What a verb says: progress on standard error, results on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any


class Terminal:
    """The user's terminal, as quiet or as talkative as asked."""

    def __init__(
        self, *, quiet: bool = False, as_json: bool = False, no_progress: bool = False
    ) -> None:
        self.quiet = quiet
        self.as_json = as_json
        self.shows_progress = not (quiet or no_progress) and sys.stderr.isatty()

    @contextmanager
    def progress(self) -> Iterator[Any]:
        """A callable (stage, fraction) that draws bars while the block runs."""
        if not self.shows_progress:
            yield lambda stage, fraction: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description:<24}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as bars:
            tasks: dict[str, Any] = {}

            def report(stage: str, fraction: float) -> None:
                if stage not in tasks:
                    tasks[stage] = bars.add_task(stage, total=1.0)
                bars.update(tasks[stage], completed=fraction)

            yield report

    def say(self, words: str) -> None:
        """A line of the result, for people."""
        if not (self.quiet or self.as_json):
            sys.stdout.write(words + "\n")

    def warn(self, words: str) -> None:
        """A warning, on standard error."""
        if not self.quiet:
            sys.stderr.write(f"medrecon: warning: {words}\n")

    def note(self, words: str) -> None:
        """What whoever waits may want to know, on standard error."""
        if not self.quiet:
            sys.stderr.write(f"medrecon: {words}\n")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows under headings, as wide as they need."""
        widths = [max(len(c), *(len(r[n]) for r in rows)) for n, c in enumerate(columns)]
        for row in (columns, *rows):
            cells = (cell.ljust(w) for cell, w in zip(row, widths, strict=True))
            self.say("  ".join(cells).rstrip())

    def result(self, content: Mapping[str, Any]) -> None:
        """The one JSON object of --json."""
        if self.as_json:
            sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")

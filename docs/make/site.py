"""Hooks of mkdocs: folders in the navigation stand for the pages that they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Put the pages of a folder where `nav` names the folder."""
    config.nav = _expanded(config.nav, Path(config.docs_dir))
    return config


def _expanded(entry: Any, docs: Path) -> Any:
    if isinstance(entry, list):
        return [_expanded(child, docs) for child in entry]
    if isinstance(entry, dict):
        return {name: _expanded(child, docs) for name, child in entry.items()}
    if not entry.endswith("/"):
        return entry
    return [str(page.relative_to(docs)) for page in sorted((docs / entry).glob("**/*.md"))]

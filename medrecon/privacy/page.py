"""The texts of an HTML page, its scripts and what is packed into it."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser
from typing import Any

# Kinds of <script> that are data: JSON, and gzip in base64.
JSON_TYPE, PACKED_TYPE = "application/json", "text/plain"
PICTURE = "data:image/png;base64,"


class Page(HTMLParser):
    """A page taken apart.

    Attributes
    ----------
    texts : list of (place, text)
        Texts, values of attributes and comments.
    names : set of str
        Of elements and attributes.
    code : list of str
        Scripts and styles.
    trees : list
        JSON of data scripts.
    packed, pictures : list of bytes
        What stands in base64: gzip streams and PNGs.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[tuple[str, str]] = []
        self.names: set[str] = set()
        self.code: list[str] = []
        self.trees: list[object] = []
        self.packed: list[bytes] = []
        self.pictures: list[bytes] = []
        self._inside = ""
        self._gathered: list[str] = []
        self.feed(text)
        self.close()
        self._flush()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Attributes are texts too, but for styles and pictures."""
        self._flush()
        kinds = dict(attrs)
        self._inside = tag
        self.names |= {tag, *kinds}
        if tag == "script":
            self._inside = f"script {kinds.get('type') or ''}".strip()
        for name, value in attrs:
            if value and value.startswith(PICTURE):
                self.pictures.append(_decoded(value.removeprefix(PICTURE)))
            elif value and kinds.get("http-equiv") is None and name != "style":
                self.texts.append((f"<{tag} {name}>", value))
            elif value:
                self.code.append(_without_hashes(value))

    def handle_endtag(self, tag: str) -> None:
        """What follows is text again."""
        self._flush()
        self._inside = ""

    def handle_data(self, data: str) -> None:
        """The parser may hand over one text in several pieces."""
        self._gathered.append(data)

    def _flush(self) -> None:
        """Text, code, JSON or base64, by the element that it stands in."""
        data, self._gathered = "".join(self._gathered), []
        if not data.strip():
            return
        if self._inside == f"script {JSON_TYPE}":
            self.trees.append(json.loads(data, object_pairs_hook=each_once))
        elif self._inside == f"script {PACKED_TYPE}":
            self.packed.append(_decoded(data))
        elif self._inside in ("script", "style"):
            self.code.append(data)
        else:
            self.texts.append((f"<{self._inside or 'text'}>", data))

    def handle_comment(self, data: str) -> None:
        """A page of medrecon has no comments."""
        self.texts.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        """Of declarations it has the document type, in two words."""
        self.texts.append(("declaration", decl))

    def unknown_decl(self, data: str) -> None:
        """Nor has it declarations of other kinds."""
        self.texts.append(("declaration", data))

    def handle_pi(self, data: str) -> None:
        """Nor instructions for other programs."""
        self.texts.append(("instruction", data))


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of two values under one key a reader would show but the last.

    Raises
    ------
    ValueError
        If a key stands there twice.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("two values under one key")
    return found


def _decoded(text: str) -> bytes:
    """Base64, and nothing between its letters or behind its end."""
    return base64.b64decode("".join(text.split()), validate=True)


def _without_hashes(policy: str) -> str:
    """A Content Security Policy without the hashes of its scripts."""
    return " ".join(w for w in policy.split() if not w.startswith("'sha256-"))

"""The texts of an HTML page, its scripts and what is packed into it."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser

# Kinds of <script> that are data: JSON, and gzip in base64.
JSON_TYPE, PACKED_TYPE = "application/json", "text/plain"
PICTURE = "data:image/png;base64,"


class Page(HTMLParser):
    """A page taken apart.

    Attributes
    ----------
    texts : list of (place, text)
        Texts, attributes and comments.
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
        self.code: list[str] = []
        self.trees: list[object] = []
        self.packed: list[bytes] = []
        self.pictures: list[bytes] = []
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Attributes are texts too, but for styles and pictures."""
        kinds = dict(attrs)
        self._inside = tag
        if tag == "script":
            self._inside = f"script {kinds.get('type') or ''}".strip()
        for name, value in attrs:
            if value and value.startswith(PICTURE):
                self.pictures.append(base64.b64decode(value.removeprefix(PICTURE)))
            elif value and kinds.get("http-equiv") is None and name != "style":
                self.texts.append((f"<{tag} {name}>", value))
            elif value:
                self.code.append(_without_hashes(value))

    def handle_endtag(self, tag: str) -> None:
        """What follows is text again."""
        self._inside = ""

    def handle_data(self, data: str) -> None:
        """Text, code, JSON or base64, by the element that it stands in."""
        if not data.strip():
            return
        if self._inside == f"script {JSON_TYPE}":
            self.trees.append(json.loads(data))
        elif self._inside == f"script {PACKED_TYPE}":
            self.packed.append(base64.b64decode(data))
        elif self._inside in ("script", "style"):
            self.code.append(data)
        else:
            self.texts.append((f"<{self._inside or 'text'}>", data))

    def handle_comment(self, data: str) -> None:
        """A page of medrecon has no comments."""
        self.texts.append(("comment", data))

    def unknown_decl(self, data: str) -> None:
        """Nor has it declarations of other kinds."""
        self.texts.append(("declaration", data))


def _without_hashes(policy: str) -> str:
    """A Content Security Policy without the hashes of its scripts."""
    return " ".join(w for w in policy.split() if not w.startswith("'sha256-"))

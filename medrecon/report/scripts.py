"""The page's scripts: a vendored library and our own, each with its hash."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources

THREE_SHA256 = "4439e2b06a52558924aaebfc4089fb5ac04247eef92a0205b68d8871c32dceb5"
"""Of `vendor/three.min.js`, three.js 0.187.0, MIT; `vendor/README.md` says how it is built."""

OWN = ("patient.js", "codec.js", "scene.js", "slices.js", "app.js")


@dataclass(frozen=True, slots=True)
class Script:
    """A classic script as it stands in the page, and its hash for the page's policy."""

    text: str

    @property
    def hash(self) -> str:
        """`sha256-…`, as a Content Security Policy writes it."""
        return "sha256-" + base64.b64encode(hashlib.sha256(self.text.encode()).digest()).decode()


def scripts() -> tuple[Script, ...]:
    """The library, then ours as one script, in the order they run."""
    room = resources.files("medrecon.report")
    library = room.joinpath("vendor", "three.min.js").read_text("utf-8")
    own = [room.joinpath("web", name).read_text("utf-8") for name in OWN]
    return Script(library), Script("\n".join(own))

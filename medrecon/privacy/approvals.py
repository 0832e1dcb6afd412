"""An approval and its ticket: who signed what, and nothing of the patient."""

from __future__ import annotations

import json
import re
from typing import Any

from medrecon.privacy.containers import Seen, Text
from medrecon.privacy.finding import Kind

NUMBERS = ("schema_version", "parts", "volume_ml")
TICKET = ("material", "process", "note")
# What print labs call their materials and processes; other words of a ticket are looked at.
_MATERIAL_WORDS = """
resin nylon polyamide pla abs petg tpu peek pmma pa titanium cobalt chrome steel gypsum plaster wax
silicone photopolymer biocompatible clear transparent white grey gray black rigid flexible elastic
tough surgical guide sla sls fdm fff dlp lcd mjf slm dmls ebm polyjet
"""
MATERIALS = frozenset(_MATERIAL_WORDS.split())
DATE = re.compile(r"20\d\d-\d\d-\d\d")
# A person's name as people write it: letters, marks between them, six words at most.
NAME = re.compile(r"[^\W\d_][^\W\d_.'’-]*[.'’]?(?:[ -]+[^\W\d_][^\W\d_.'’-]*[.'’]?){0,5}")
DIGEST = re.compile(r"[0-9a-f]{64}")


def approval(content: bytes) -> tuple[list[Seen], list[Text]]:
    """What in an `approval.json` has no place there, and texts to be looked at.

    The approver's name may stand under `by`, and a day of this century under `date`;
    what was written into the ticket is looked at word by word.
    """
    tree = json.loads(content)
    seen: list[Seen] = []
    texts: list[Text] = []
    for key, value in tree.items():
        if key == "meshes":
            for name, digest in value.items():
                texts.append(("mesh", str(name)))
                if not (isinstance(digest, str) and DIGEST.fullmatch(digest)):
                    seen.append(("meshes", Kind.STRANGE, str(digest)))
        elif key in TICKET:
            words = re.split(r"([^\W\d_]+)", str(value))
            texts.append((key, " ".join(w for w in words if w.casefold() not in MATERIALS)))
        elif not _fits(key, value):
            seen.append((key if key in _KEYS else "key", Kind.STRANGE, f"{key}: {value}"))
    return seen, texts


_KEYS = frozenset({*NUMBERS, *TICKET, "by", "date", "run_id", "meshes"})


def _fits(key: str, value: Any) -> bool:
    if key in NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    pattern = {"by": NAME, "date": DATE, "run_id": re.compile(r"[0-9a-f]{16,32}")}.get(key)
    return pattern is not None and isinstance(value, str) and bool(pattern.fullmatch(value))


def is_day(text: str) -> bool:
    """Whether a text is a day of this century and nothing else."""
    return bool(DATE.fullmatch(text.strip()))

"""Terms of a licence that a person must agree to, and the day on which one did."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, replace
from pathlib import Path

from medrecon.errors import ModelUntrustedError
from medrecon.models.manifest_toml import MANIFEST_NAME, read_manifest, write_manifest

# Words by which a licence reserves uses, in a manifest or in a licence's text.
RESERVED = re.compile(
    r"non-?\s?commercial|\bCC[- ]BY[- ]NC\b|research (use|purposes) only", re.IGNORECASE
)
TEXTS = ("LICENSE", "LICENSE.txt", "LICENSE.md", "data_license.txt")
MAX_TEXT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Terms:
    """What is known of a model's terms beside its own files.

    Parameters
    ----------
    accepted : bool
        Whether the person agrees.
    weights : str
        The licence of the weights, where a table of known models states it.
    required : bool
        Whether that table asks for agreement.
    """

    accepted: bool = False
    weights: str = ""
    required: bool = False


def settle(folder: Path, terms: Terms) -> None:
    """Write into a model folder's manifest what its licence is and that it was accepted.

    Parameters
    ----------
    folder : Path
        Of a staged model.
    terms : Terms

    Raises
    ------
    ModelUntrustedError
        If the terms ask for agreement and there is none.
    """
    manifest = read_manifest(folder / MANIFEST_NAME)
    licences = manifest.licences
    if terms.weights:
        licences = replace(licences, weights=terms.weights)
    parts = [part.licences.weights for part in manifest.parts]
    reserved = [x for x in (licences.weights, *parts, *_texts(folder)) if RESERVED.search(x)]
    if (terms.required or reserved) and not terms.accepted and not licences.accepted:
        stated = licences.weights if not reserved else _sentence(reserved[0])
        raise ModelUntrustedError(
            f"model {manifest.name}: {stated}; read its terms and pass --accept-license"
        )
    if (terms.required or reserved) and terms.accepted:
        licences = replace(licences, accepted=datetime.date.today().isoformat())
    if licences != manifest.licences:
        write_manifest(replace(manifest, licences=licences), folder / MANIFEST_NAME)


def _texts(folder: Path) -> list[str]:
    found = []
    for name in TEXTS:
        path = folder / name
        if path.is_file() and path.stat().st_size <= MAX_TEXT_BYTES:
            found.append(path.read_text("utf-8", errors="replace"))
    return found


def _sentence(text: str) -> str:
    """The line that reserves something."""
    lines = [line.strip() for line in text.splitlines() if RESERVED.search(line)]
    return (lines or [text])[0][:120]

"""Search the outputs for patient data, and say where a face is."""

from __future__ import annotations

import json
from pathlib import Path

from medrecon.files.atomic import RUN_FILE
from medrecon.privacy.audit import audit_folder, masked
from medrecon.privacy.finding import Finding, Kind
from medrecon.privacy.vocabulary import words_of


def audit_outputs(folder: Path) -> list[Finding]:
    """What in a folder of outputs could be patient data.

    Words of the installed models' names and labels are medrecon's own. A run that shows
    the surface of a head is a finding too, by what its `run.json` says.
    """
    words = model_words()
    return audit_folder(folder, more=words) + faces(folder, more=words)


def model_words() -> frozenset[str]:
    """Words of the names, labels and identities of the installed models."""
    from medrecon.models import store

    words: set[str] = set()
    for model in store.installed():
        m = model.manifest
        words |= words_of(m.identity) | words_of(m.intended_use.value)
        for x in m.labels:
            words |= words_of(x.label.name) | words_of(x.label.code.meaning if x.label.code else "")
    return frozenset(words)


def faces(folder: Path, *, more: frozenset[str] = frozenset()) -> list[Finding]:
    """Runs below the folder whose record says that a person can be recognised.

    A folder's name can be a patient's: of those that medrecon would not give, none is shown.
    """
    found = []
    for path in sorted(folder.rglob(RUN_FILE)):
        try:
            mark = json.loads(path.read_text("utf-8"))["identifiable"]["state"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if mark == "yes":
            shown = masked(path.relative_to(folder).parent, more=more) or RUN_FILE
            found.append(Finding(shown, "surface", Kind.FACE))
    return found

"""Everything that `medrecon[all]` installs may be used in a hospital and in a company.

What counts is declared: licence expressions (PEP 639), classifiers, or a licence field that
is an identifier; never the words of a licence's text. An allow-list: a licence that nobody
looked at fails.
"""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
# SPDX identifiers: permissive ones, and MPL, whose copyleft ends with its own files.
ALLOWED = frozenset(
    """0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 CC0-1.0 HPND ISC MIT MIT-0 MIT-CMU MPL-2.0
    PSF-2.0 Python-2.0 Unlicense Zlib""".split()  # noqa: SIM905
)
EXCEPTIONS = frozenset({"LLVM-exception"})
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}
# Licence fields from before PEP 639 that name a licence and nothing else.
FIELDS = {
    "Apache License 2.0": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD 3-Clause": "BSD-3-Clause",
    # Apache-2.0 with another trademark section: decision 009.
    "LicenseRef-TOST-1.0": "Apache-2.0",
}
# Declares "private"; its licence file, read by a person, is the Apache License 2.0.
READ_BY_A_PERSON = {"dynamic-network-architectures": "Apache-2.0"}


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression leaves a choice that is allowed."""
    words = re.findall(r"[\w.+-]+|\(|\)", expression)
    text = " ".join(_as_python(w, words[n - 1] if n else "") for n, w in enumerate(words))
    return bool(eval(text, {"__builtins__": {}}))


def _as_python(word: str, before: str) -> str:
    if word in ("(", ")"):
        return word
    if word in ("AND", "OR", "WITH"):
        return {"AND": "and", "OR": "or", "WITH": "and"}[word]
    return str(word in (EXCEPTIONS if before == "WITH" else ALLOWED))


def licence_of(name: str) -> str:
    """The declared licence as an SPDX expression; "" where nothing is declared."""
    if name.lower() in READ_BY_A_PERSON:
        return READ_BY_A_PERSON[name.lower()]
    about = metadata.metadata(name)
    if about.get("License-Expression"):
        return str(about["License-Expression"])
    found = [
        c.rpartition(" :: ")[2] for c in about.get_all("Classifier") or [] if "License ::" in c
    ]
    named = [c for c in found if c != "OSI Approved"]
    if named:
        return " AND ".join(CLASSIFIERS.get(c, "LicenseRef-unknown") for c in named)
    field = str(about.get("License") or "").strip()
    return FIELDS.get(field, field if field in ALLOWED else "")


def everything() -> dict[str, str]:
    """Licence of each distribution that `medrecon[all]` needs, resolved to the end."""
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [Requirement(r) for r in project["dependencies"]]
    for name in Requirement(extras["all"][0]).extras:
        wanted += [Requirement(r) for r in extras[name]]
    seen: dict[tuple[str, tuple[str, ...]], str] = {}
    while wanted:
        requirement = wanted.pop()
        mine = tuple(sorted(requirement.extras))
        key = (requirement.name.lower().replace("_", "-"), mine)
        if key in seen or not _applies(requirement, ()):
            continue
        seen[key] = licence_of(requirement.name)
        inner = [Requirement(r) for r in metadata.requires(requirement.name) or []]
        for r in inner:
            if _applies(r, mine):
                r.marker = None
                wanted.append(r)
    return {name: licence for (name, _), licence in seen.items()}


def _applies(requirement: Requirement, extras: tuple[str, ...]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": e}) for e in ("", *extras))


def test_every_dependency_declares_a_licence_that_may_be_used():
    licences = everything()
    assert {"torch", "monai", "vtk", "pydicom", "distributed", "tornado"} <= set(licences)
    bad = {name: text for name, text in licences.items() if not (text and is_allowed(text))}
    assert bad == {}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", True),
        ("GPL-3.0-or-later", False),
        ("LGPL-2.1-only", False),
        ("AGPL-3.0-only OR MIT", True),
        ("MIT AND GPL-2.0-only", False),
        ("(Apache-2.0 OR GPL-3.0-only) AND BSD-3-Clause", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("CC-BY-NC-4.0", False),
        ("MPL-2.0", True),
        ("LicenseRef-Proprietary", False),
    ],
)
def test_expressions_are_judged_by_what_they_allow(expression, expected):
    assert is_allowed(expression) is expected

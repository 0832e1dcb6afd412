"""What import-linter cannot say: sub-modules of VTK, and the dependencies' licences."""

from __future__ import annotations

import ast
import re
from importlib import metadata
from pathlib import Path

import medrecon

ROOT = Path(medrecon.__file__).parent
# GPL, AGPL, LGPL as licence identifiers or classifier names; "or" alternatives are allowed.
COPYLEFT = re.compile(
    r"\b(A|L)?GPL(v?\d|-\d|\b)|GNU (Affero |Lesser )?General Public", re.IGNORECASE
)


def imported_modules(path: Path) -> set[str]:
    """Every module that a source file imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def test_only_view_and_report_draw():
    drawing = {
        path.relative_to(ROOT).parts[0]
        for path in ROOT.rglob("*.py")
        if any(m.startswith(("vtkmodules.vtkRendering", "vedo")) for m in imported_modules(path))
    }
    assert drawing == {"view"}


def test_nothing_imports_all_of_vtk():
    # `import vtk` loads every kit, rendering included: a second, and a crash without OpenGL.
    for path in ROOT.rglob("*.py"):
        assert not imported_modules(path) & {"vtk", "vtkmodules.all"}, path


def licence_of(name: str) -> str:
    """Licence expression, else licence classifiers: declarations, never a licence's text."""
    about = metadata.metadata(name)
    if about.get("License-Expression"):
        return str(about["License-Expression"])
    classifiers = [c for c in about.get_all("Classifier") or [] if c.startswith("License ::")]
    return "; ".join(classifiers)


def resolved(name: str, extras: tuple[str, ...], seen: dict[str, str]) -> dict[str, str]:
    """Licences of a distribution's requirements and theirs, by name."""
    from packaging.requirements import Requirement

    for line in metadata.requires(name) or []:
        requirement = Requirement(line)
        wanted = requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)
        )
        key = requirement.name.lower()
        if wanted and key not in seen:
            try:
                seen[key] = licence_of(requirement.name)
            except metadata.PackageNotFoundError:
                continue  # an extra that this environment was not asked to install
            resolved(requirement.name, tuple(requirement.extras), seen)
    return seen


def test_no_dependency_is_under_the_gpl():
    licences = resolved("medrecon", ("all",), {})
    assert {"torch", "monai", "vtk", "pydicom"} <= set(licences)
    bad = {n: text for n, text in licences.items() if COPYLEFT.search(text) and " OR " not in text}
    assert bad == {}

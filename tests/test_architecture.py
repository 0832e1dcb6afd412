"""What import-linter cannot say: who draws, and sub-modules of VTK."""

from __future__ import annotations

import ast
from pathlib import Path

import medrecon

ROOT = Path(medrecon.__file__).parent


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

"""The documentation does what it says: its examples run, its commands exist, its site builds.

A block of `bash` or `python` runs in a folder with a small study, in this process, the
blocks of a page one after another. Marks after the language: `no-run` for what needs a
network, a server, a scheduler or programs that are not ours (its commands are still checked
to exist), `exit=N` for the exit code that the page speaks of, and the name of a file, for a
block that is to be written there. Pictures are not drawn: `--no-preview` is added.
"""

from __future__ import annotations

import os
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from doc_blocks import SHELL, Block, blocks_of, calls_in, inline_commands, lines_of, unknown_in
from doc_world import write_masks, write_scan, zip_of
from typer.main import get_command
from typer.testing import CliRunner

from medrecon.errors import MedreconError
from medrecon_cli.main import app

HOME = Path(__file__).parents[1]
DOCS = HOME / "docs"
PAGES = [HOME / "README.md", *sorted(DOCS.glob("**/*.md"))]
ROOT = get_command(app)
MADE = [("cli_reference", "reference/cli.md"), ("api_reference", "reference/api.md")]
DRAWN = ["architecture", "coordinates", "argmax"]


def name_of(page: Path) -> str:
    return str(page.relative_to(HOME))


def with_running_blocks() -> list[Path]:
    return [p for p in PAGES if any(b.runs for b in blocks_of(p))]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """`SCAN`, `study.zip`, `sample_data/ct_torso`, the run `out/torso`, `model.stl`, masks."""
    place = tmp_path_factory.mktemp("docs")
    study = zip_of(write_scan(place / "SCAN"))
    study.rename(place / "study.zip")
    shutil.copytree(place / "SCAN", place / "sample_data" / "ct_torso")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        call(["seg+mesh", "SCAN", "-o", "out/torso", "--tissue", "bone"])
    shutil.copy(place / "out/torso/meshes/bone.stl", place / "model.stl")
    write_masks(place)
    return place


def call(arguments: list[str]) -> tuple[int, str]:
    if arguments[0] in ("seg+mesh", "mesh", "grow", "batch"):
        arguments = [*arguments, "--no-preview"]
    result = CliRunner().invoke(app, arguments)
    wrong = result.exception
    if isinstance(wrong, MedreconError):
        return wrong.exit_code, f"{result.output}{wrong}"
    if wrong is not None and not isinstance(wrong, SystemExit):
        raise wrong
    return result.exit_code, result.output


def run_bash(block: Block) -> None:
    wanted = next((int(m[5:]) for m in block.marks if m.startswith("exit=")), 0)
    codes = []
    for line in lines_of(block.text):
        words = shlex.split(line)
        assert words[0] == "medrecon", f"only medrecon runs here, mark the block no-run: {line}"
        code, said = call(words[1:])
        assert code in (0, wanted), f"{name_of(block.page)}:{block.line}: {line}\n{said}"
        codes.append(code)
    assert wanted in codes


def run_python(block: Block, names: dict[str, object]) -> None:
    # Line numbers of an error are those of the page.
    text = "\n" * block.line + block.text
    exec(compile(text, str(block.page), "exec"), names)


@pytest.mark.parametrize("page", with_running_blocks(), ids=name_of)
def test_the_examples_of_a_page_run_one_after_another(page, world, tmp_path, monkeypatch):
    shutil.copytree(world, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks_of(page):
        for mark in (m for m in block.marks if "." in m):
            Path(mark).write_text(block.text, "utf-8")
    for block in blocks_of(page):
        if block.runs and block.language == "bash":
            run_bash(block)
        elif block.runs:
            run_python(block, names)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_verb_and_option_that_a_page_names_exists(page):
    shell = [line for b in blocks_of(page) if b.language in SHELL for line in lines_of(b.text)]
    # A workflow's rule calls medrecon from a text of another language.
    other = [line for b in blocks_of(page) if b.language not in SHELL for line in lines_of(b.text)]
    for line in [*shell, *inline_commands(page), *(x for x in other if "medrecon batch" in x)]:
        for arguments in calls_in(line):
            assert unknown_in(arguments, ROOT) == [], line


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_block_with_commands_escapes_by_having_another_language(page):
    for block in blocks_of(page):
        if block.language in SHELL and "setup" not in block.marks:
            called = [c for line in lines_of(block.text) for c in calls_in(line)]
            assert block.language == "bash" or not called, f"line {block.line}: bash or bash no-run"


def test_what_does_not_exist_is_noticed():
    assert unknown_in(["mesh", "DIR", "--colour", "red", "-o", "x"], ROOT) == ["--colour"]
    assert unknown_in(["models", "steal", "x"], ROOT) == ["steal"]
    assert list(calls_in("a && medrecon info x --json | head")) == [["info", "x", "--json"]]


@pytest.mark.parametrize(("script", "page"), MADE)
def test_the_reference_is_what_the_program_says_today(script, page):
    made = runpy.run_path(str(DOCS / "make" / f"{script}.py"))["page"]()
    assert (DOCS / page).read_text("utf-8") == made, f"run python docs/make/{script}.py"


@pytest.mark.parametrize("script", DRAWN)
def test_the_drawings_are_what_their_scripts_draw(script):
    drawn = runpy.run_path(str(DOCS / "make" / f"{script}.py"))["pictures"]()
    for name, text in drawn.items():
        assert (DOCS / "images" / name).read_text("utf-8") == text, f"python docs/make/{script}.py"


def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=HOME, env=quiet, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "tutorial" / "index.html").read_text("utf-8")
    assert "seg+mesh" in page
    # Nothing is fetched from elsewhere when a page is opened.
    assert 'src="http' not in page
    assert 'href="https://fonts' not in page

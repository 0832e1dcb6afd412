"""A verb that takes a group of options shows them one by one and gets them as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from medrecon_cli import groups
from medrecon_cli.grouped import grouped

Grams = Annotated[float, typer.Option("--grams", min=0.0)]
Name = Annotated[str, typer.Option("--name")]


@dataclass(frozen=True)
class Parcel:
    grams: Grams = 5.0
    name: Name = "box"


def _app(told: list[object]) -> typer.Typer:
    def post(
        town: Annotated[str, typer.Argument()],
        parcel: Parcel,
        fast: Annotated[bool, typer.Option()] = False,
    ) -> None:
        """Send it."""
        told.append((town, parcel, fast))

    app = typer.Typer()
    app.command("post")(grouped(post))
    return app


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["Ulm"], ("Ulm", Parcel(5.0, "box"), False)),
        (["Ulm", "--grams", "7", "--fast"], ("Ulm", Parcel(7.0, "box"), True)),
        (["--name", "book", "Ulm"], ("Ulm", Parcel(5.0, "book"), False)),
    ],
)
def test_a_group_is_given_with_what_the_command_line_said(words, expected):
    told: list[object] = []
    assert CliRunner().invoke(_app(told), words).exit_code == 0
    assert told == [expected]


def test_limits_and_help_of_a_groups_options_are_the_options_own():
    told: list[object] = []
    assert CliRunner().invoke(_app(told), ["Ulm", "--grams", "-1"]).exit_code == 2
    shown = CliRunner().invoke(_app(told), ["--help"]).output
    assert all(word in shown for word in ("--grams", "--name", "--fast", "Send it.", "5.0"))
    assert told == []


def test_what_is_not_said_is_what_the_library_does_without_options():
    from medrecon.options import LoadOptions, MeshOptions, SegmentOptions

    assert groups.Loading().options() == LoadOptions()
    assert groups.Segmenting().options() == SegmentOptions()
    assert groups.Meshing().options() == MeshOptions()

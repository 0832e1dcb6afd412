"""A model is described by data, and the description survives being written down."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_folders import example

from medrecon.errors import ModelError
from medrecon.models import NetworkSpec, Sampling, read_manifest, write_manifest
from medrecon.models.manifest_toml import rows_of_manifest
from medrecon.models.toml_text import toml_text


def test_a_manifest_written_and_read_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "manifest.toml"
    write_manifest(example(), path)
    assert read_manifest(path) == example()


def test_a_model_that_keeps_the_images_own_spacing_says_so_by_leaving_it_out(
    tmp_path: Path,
) -> None:
    native = replace(example(), sampling=Sampling(None, "LPS", (32, 32, 32)))
    write_manifest(native, tmp_path / "manifest.toml")
    assert read_manifest(tmp_path / "manifest.toml").sampling.spacing_mm is None


@pytest.mark.parametrize(
    ("line", "instead", "complaint"),
    [
        ('version = "1.2"', "", "version.*missing"),
        ('head = "softmax"', 'head = "magic"', "magic.*softmax"),
        ("channel = 2", "channel = 1", "share"),
        ("channel = 1", "channel = 0", "begin at 1"),
        ('name = "two_organs"', 'name = "../evil"', "lower-case letters"),
        ('file = "weights.safetensors"', 'file = "../weights.safetensors"', "plain file name"),
        ("schema = 1", "schema = 7", "schema 7"),
        ("bytes = 12", 'bytes = "12"', "int expected"),
        ('orientation = "RAS"', 'orientation = "RLS"', "RLS"),
        ("schema = 1", "schema = ", "cannot be read"),
        ('name = "own_name"', 'name = "../own"', "a structure called"),
        ('name = "own_name"', 'name = "/tmp/own"', "a structure called"),
        ("index = 99", "index = 0", "number 0"),
        ("index = 99", "index = 65536", "number 65536"),
        ("color = [1, 2, 3]", "color = [1, 2, 300]", "colour"),
        ("channel = 2", "channel = 3", "channel 3 of a network of 3"),
        ("patch = [96, 96, 64]", 'patch = ["96", 96, 64]', "whole numbers"),
        ("patch = [96, 96, 64]", "patch = [96.5, 96, 64]", "whole numbers"),
        ("spacing_mm = [1.5, 1.5, 3.0]", "spacing_mm = [nan, 1.5, 3.0]", "positive numbers"),
        ("nonzero = false", 'nonzero = "false"', "bool expected"),
        ("schema = 1", 'schema = 1\nchecks = ["liver"]', "not known here"),
        ("schema = 1", "schema = 1\ndeep = " + "[" * 5000 + "]" * 5000, "cannot be read"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_with_what_was_found(
    tmp_path: Path, line: str, instead: str, complaint: str
) -> None:
    path = tmp_path / "manifest.toml"
    arguments = {"out_channels": 3}
    write_manifest(replace(example(), network=NetworkSpec("UNet", arguments)), path)
    text = path.read_text("utf-8")
    assert line in text
    path.write_text(text.replace(line, instead, 1), "utf-8")
    with pytest.raises(ModelError, match=complaint):
        read_manifest(path)


@pytest.mark.parametrize("table", ["figures", "intensity", "network", "sampling", "weights"])
def test_a_table_that_is_a_list_is_refused(tmp_path: Path, table: str) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(toml_text(rows_of_manifest(example()) | {table: []}), "utf-8")
    with pytest.raises(ModelError):
        read_manifest(path)


plain = st.recursive(
    st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), plain, max_size=4))
def test_what_the_toml_writer_writes_the_standard_reader_reads(table: dict[str, object]) -> None:
    assert tomllib.loads(toml_text(table)) == table


def test_none_has_no_place_in_toml() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        toml_text({"a": None})

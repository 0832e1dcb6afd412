"""The words that medrecon itself can write; every other word is somebody else's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from medrecon.core.labels import known_labels

WORD = re.compile(r"[^\W\d_]+")
NUMBER = re.compile(r"\d[\d,.]*")
HEX = re.compile(r"\b[0-9a-f]+\b")
COLOUR = re.compile(r"#[0-9a-fA-F]{6}(?:[0-9a-fA-F]{2})?\b")
# Digests and ids that medrecon makes: BLAKE2b-64, 128-bit keys, SHA-256.
HEX_LENGTHS = frozenset({16, 32, 64})
# 2026.3.6 is a version of a library, not a date.
# Letters and underscores may touch it: bone_1950-03-12, 1950-03-12T08:15.
_DATES = (
    r"\d{4}[-/_]\d{1,2}[-/_]\d{1,2}",
    r"\d{1,2}[-./_]\d{1,2}[-./_]\d{4}",
    r"(?:0[1-9]|[12]\d|3[01])[./](?:0[1-9]|1[0-2])[./]\d{2}",
)
DATE = re.compile(rf"(?<![\d.])(?:{'|'.join(_DATES)})(?=$|\W|_|T\d)(?!\.\d)")
# How DICOM's attributes are named.
TAG = re.compile(r"\([0-9A-Fa-f]{4},[0-9A-Fa-f]{4}\)")
# Longer numbers identify: patient and accession numbers, dates, parts of UIDs.
LONGEST_NUMBER = 5
# Parts of a version; a UID has more.
MOST_PARTS = 4
# SNOMED CT categories that a .seg.nrrd files its structures under.
CATEGORIES = frozenset({"123037004", "85756007"})
# What JSON, HTML, CSS and the operating system add.
PLUMBING = """
doctype html head body meta charset utf viewport content width device initial scale http equiv
title style script src alt img main section header footer aria labelledby href class lang en
application json text plain type id data base64 png image true false null nan inf infinity e
xml version encoding xmlns schemas microsoft dimanufacturing core com org net www w3 iso
linux darwin windows x amd aarch arm cpu cuda mps gz nii nrrd stl obj mtl ply glb gltf
"""


@cache
def vocabulary() -> frozenset[str]:
    """Lower-case words of medrecon's texts, names, labels and page templates.

    Texts and names of the source without docstrings and comments, so that the authors
    of cited papers are not among them.
    """
    words = set(PLUMBING.split())
    for name, label in known_labels().items():
        words |= words_of(name)
        words |= words_of(label.code.meaning if label.code else "")
    for text in _texts(resources.files("medrecon")):
        words |= words_of(text)
    return frozenset(words)


@cache
def script_words() -> frozenset[str]:
    """Words of the scripts and styles that a report carries."""
    room = resources.files("medrecon.report")
    found = set(vocabulary())
    for folder in ("web", "vendor"):
        for item in room.joinpath(folder).iterdir():
            if item.name.endswith((".js", ".css")):
                found |= words_of(item.read_text("utf-8"))
    return frozenset(found)


@cache
def script_numbers() -> frozenset[str]:
    """What in those scripts and styles would pass for a date or somebody's number."""
    room = resources.files("medrecon.report")
    found: set[str] = set()
    for folder in ("web", "vendor"):
        for item in room.joinpath(folder).iterdir():
            if item.name.endswith((".js", ".css")):
                text = item.read_text("utf-8")
                found |= {s for s in strange(text, script_words()) if not WORD.fullmatch(s)}
    return frozenset(found)


@cache
def licence_texts() -> frozenset[str]:
    """Licences that a report must carry word by word."""
    room = resources.files("medrecon.report").joinpath("vendor")
    found = (x.read_text("utf-8").strip() for x in room.iterdir() if x.name.startswith("LICENSE"))
    return frozenset(found)


@cache
def known_codes() -> frozenset[str]:
    """SNOMED CT codes of the labels and their categories."""
    return CATEGORIES | {x.code.value for x in known_labels().values() if x.code}


def words_of(text: str) -> set[str]:
    """The words in a text, in lower case."""
    return {w.casefold() for w in WORD.findall(text)}


def strange(text: str, allowed: frozenset[str], *, more: frozenset[str] = frozenset()) -> list[str]:
    """What in a text medrecon would not have written: words, dates, long numbers, UIDs.

    Parameters
    ----------
    text : str
    allowed : frozenset of str
        Words in lower case.
    more : frozenset of str
        Further ones, such as the names of an installed model's labels.
    """
    rest = HEX.sub(lambda m: " " if _is_digest(m[0]) else m[0], COLOUR.sub(" ", TAG.sub(" ", text)))
    own = allowed | more
    found = [w for w in WORD.findall(rest) if w.casefold() not in own]
    found += DATE.findall(rest)
    for number in NUMBER.findall(DATE.sub(" ", rest)):
        if _identifies(number.rstrip(".,")) and number.rstrip(".,") not in known_codes():
            found.append(number)
    return found


def _is_digest(text: str) -> bool:
    return len(text) in HEX_LENGTHS and not text.isdigit()


def _identifies(number: str) -> bool:
    """Whether a number is long enough to be somebody's."""
    parts = number.split(".")
    if len(parts) > 2:
        return len(parts) > MOST_PARTS or any(len(p) > LONGEST_NUMBER for p in parts)
    whole = parts[0]
    groups = whole.split(",")
    if len(groups) > 1 and all(len(g) == 3 for g in groups[1:]):
        return False  # thousands, as medrecon writes them
    return len(whole.replace(",", "")) > LONGEST_NUMBER


def _texts(folder: Traversable) -> Iterator[str]:
    for item in folder.iterdir():
        if item.is_dir():
            if item.name not in ("vendor", "shipped", "__pycache__"):
                yield from _texts(item)
        elif item.name.endswith(".py"):
            yield from _literals(ast.parse(item.read_text("utf-8")))
        elif item.name.endswith((".j2", ".css")):
            yield item.read_text("utf-8")


def _literals(tree: ast.Module) -> Iterator[str]:
    """Texts and names of a module, docstrings left out."""
    documents = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            documents.add(id(body[0].value))
        elif isinstance(node, ast.Expr):
            documents.add(id(node.value))  # the words under a constant
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in documents:
                yield node.value
        elif isinstance(node, ast.Constant) and isinstance(node.value, bytes):
            yield node.value.decode("ascii", "ignore")
        elif isinstance(node, ast.Name | ast.arg | ast.Attribute | ast.AnnAssign | ast.keyword):
            yield _name_of(node)


def _name_of(node: ast.AST) -> str:
    for attribute in ("id", "arg", "attr"):
        name = getattr(node, attribute, None)
        if isinstance(name, str):
            return name
    return ""

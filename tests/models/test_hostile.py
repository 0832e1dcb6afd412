"""Hostile models under an audit hook, in a process of their own: nothing of them runs.

The child installs every one of them; the hook writes down each event that would mean
that code ran, a process or a connection began, or a file outside the store was written.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
import stat
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import nnunet_folders
import numpy as np
import pytest
import torch
from test_bundle import HOSTILE, INFERENCE, METADATA, write_bundle

CHILD = Path(__file__).with_name("hostile_child.py")
TRACE = "touched"
COMMAND = f"touch {TRACE}"
BILLION = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
YAMLS = {
    "apply": f"network_def: !!python/object/apply:os.system ['{COMMAND}']\n",
    "name": "network_def: !!python/name:os.system\n",
    "module": "network_def: !!python/module:antigravity\n",
    "new": "network_def: !!python/object/new:subprocess.Popen [['touch', 'touched']]\n",
    "eval": f"network_def: \"$__import__('os').system('{COMMAND}')\"\n",
    "billion": BILLION,
    "circle": "network_def: &x {again: *x}\n",
    "deep": "network_def: " + "[" * 500 + "]" * 500 + "\n",
}
DOUBLED = {f"a{n}": [f"@a{n + 1}", f"@a{n + 1}"] for n in range(30)} | {"a30": 1}
LONGER = {f"s{n}": f"$@s{n + 1} + @s{n + 1}" for n in range(30)} | {"s30": "xxxxxxxxxx"}
SQUARED = {f"q{n}": f"$@q{n + 1} * @q{n + 1}" for n in range(30)} | {"q30": 9}


class Bomb:
    """Its unpickling runs a command."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (COMMAND,)


class Evaluated:
    """Its unpickling evaluates an expression."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, (f"__import__('pathlib').Path('{TRACE}').touch()",)


def bundles(root: Path) -> list[Path]:
    made = []
    for number, (key, value) in enumerate(HOSTILE):
        inference = copy.deepcopy(INFERENCE)
        place: Any = inference
        *path, last = key.split("#")
        for part in path:
            place = place[int(part)] if isinstance(place, list) else place[part]
        place[int(last) if isinstance(place, list) else last] = value
        made.append(write_bundle(root / f"json{number}", inference))
    for name, text in YAMLS.items():
        folder = write_bundle(root / f"yaml_{name}")
        (folder / "configs/inference.json").unlink()
        (folder / "configs/inference.yaml").write_text(text)
        made.append(folder)
    for name, more, used in (
        ("doubled", DOUBLED, "@a0"),
        ("longer", LONGER, "@s0"),
        ("squared", SQUARED, "@q0"),
    ):
        inference = copy.deepcopy(INFERENCE) | more
        inference["network_def"]["norm"] = used
        made.append(write_bundle(root / name, inference))
    return made


def pickles(root: Path) -> list[Path]:
    plain = {"w": torch.zeros(1)}
    inside: list[object] = [
        Bomb(),
        {"model": Bomb()},
        {"state_dict": {**plain, "hook": Evaluated()}},
        [torch.zeros(1), Bomb()],
        torch.nn.Conv3d(1, 1, 1),
    ]
    made = [write_bundle(root / f"pickle{n}", weights=w) for n, w in enumerate(inside)]
    for number, content in enumerate((pickle.dumps(Bomb()), pickle.dumps(Evaluated(), 0), b"junk")):
        folder = write_bundle(root / f"bare{number}")
        (folder / "models/model.pt").write_bytes(content)
        made.append(folder)
    made.append(write_bundle(root / "script"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(torch.nn.Conv3d(1, 1, 1))
        torch.jit.save(scripted, root / "script/models/model.pt")
    changes: list[dict[str, Any]] = [
        {"logging": {"losses": [Bomb()]}},
        {"init_args": Evaluated()},
        {"optimizer_state": np.array([Bomb()], dtype=object)},
        {"network_weights": Bomb()},
    ]
    made += [nnunet_folders.write(root / f"fold{n}", **c) for n, c in enumerate(changes)]
    return made


def zips(root: Path) -> list[Path]:
    """Archives with members that lead elsewhere, beside a bundle that is in order."""
    good = write_bundle(root / "good")
    made = []
    link = zipfile.ZipInfo("good/models/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    names: list[str | zipfile.ZipInfo] = [
        "../../evil.txt",
        "good/../../evil.txt",
        "/tmp/evil.txt",
        "C:/evil.txt",
        "..\\evil.txt",
        link,
    ]
    for number, name in enumerate(names):
        path = root / f"slip{number}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(good.rglob("*.*")):
                archive.write(file, f"good/{file.relative_to(good)}")
            archive.writestr(name, "/etc/passwd")
        made.append(path)
    return made


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    root = tmp_path_factory.mktemp("hostile")
    os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "0")
    kinds = {"bundle": bundles(root), "pickle": pickles(root), "zip": zips(root)}
    plain = write_bundle(root / "plain", metadata=METADATA)
    table = (plain / "configs/inference.json").read_text()
    as_yaml = write_bundle(root / "as_yaml")
    (as_yaml / "configs/inference.json").unlink()
    (as_yaml / "configs/inference.yaml").write_text(table)
    packed = root / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(plain.rglob("*.*")):
            archive.write(file, f"plain/{file.relative_to(plain)}")
    harmless = [plain, as_yaml, packed, nnunet_folders.write(root / "trained")]
    kinds["control"] = [root / f"{n}.control" for n in range(2)]
    for path, content in zip(kinds["control"], (Evaluated(), Bomb()), strict=True):
        path.write_bytes(pickle.dumps(content))
    sources = [path for paths in kinds.values() for path in paths]
    command = [sys.executable, "-W", "ignore", str(CHILD), str(root / "store")]
    command += [*map(str, harmless), "--", *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    # Only the controls, which come last and are loaded without restriction, did it.
    assert [r["source"].rsplit(".", 1)[-1] for r in rows if r["trace"]] == ["control"] * 2
    by_source = {row["source"]: row for row in rows}
    return {kind: [by_source[str(p)] for p in paths] for kind, paths in kinds.items()}


@pytest.mark.parametrize(("kind", "least"), [("bundle", 30), ("pickle", 10), ("zip", 6)])
def test_each_is_refused_with_exit_code_7_and_the_reason(
    answers: dict[str, list[dict[str, Any]]], kind: str, least: int
) -> None:
    rows = answers[kind]
    assert len(rows) >= least
    assert [r for r in rows if r["raised"] is None or r["exit"] != 7] == []
    assert all(len(r["message"]) > 30 for r in rows)


@pytest.mark.parametrize("kind", ["bundle", "pickle", "zip"])
def test_nothing_of_them_is_executed(answers: dict[str, list[dict[str, Any]]], kind: str) -> None:
    assert [(r["source"], r["events"]) for r in answers[kind] if r["events"]] == []


def test_the_hook_does_see_what_it_is_to_see(answers: dict[str, list[dict[str, Any]]]) -> None:
    ran, wrote = answers["control"]
    assert any(event.startswith("exec") for event in ran["events"])
    assert any(event.startswith("os.system") for event in wrote["events"])

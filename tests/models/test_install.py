"""Models come in by hand or by name, whole or not at all, and nothing of them runs."""

from __future__ import annotations

import hashlib
import resource
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from model_folders import make_model

from medrecon.core import Label
from medrecon.errors import (
    ArchiveError,
    ModelError,
    ModelHashError,
    ModelMissingError,
    ModelUntrustedError,
    OutputError,
    OutputExistsError,
    UsageError,
)
from medrecon.models import Licences, ModelLabel, verify
from medrecon.models.install import add, remove
from medrecon.models.known import KnownModel, known_model, known_models
from medrecon.models.pull import fetch
from medrecon.models.store import installed, shipped_folder
from medrecon.models.terms import Terms


def zipped(folder: Path, archive: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.iterdir()):
            file.write(path, prefix + path.name)
    return archive


@pytest.mark.parametrize("prefix", [None, "", "two_organs/"])
def test_a_folder_or_a_zip_is_installed_and_verified(tmp_path: Path, prefix: str | None) -> None:
    source = make_model(tmp_path / "from").folder
    (source / "README.md").write_text("words")
    (source / "evil.py").write_text("raise SystemExit")
    given = source if prefix is None else zipped(source, tmp_path / "m.zip", prefix)
    model = add(given, folder=tmp_path / "store")
    verify(model)
    assert installed([tmp_path / "store"]) == (model,)
    # Words come along, programs do not, and no half-made folder stays.
    names = sorted(p.name for p in model.folder.iterdir())
    assert names == ["README.md", "manifest.toml", "weights.safetensors"]
    assert [p.name for p in (tmp_path / "store").iterdir()] == ["two_organs"]


def test_every_parts_licence_counts(tmp_path: Path) -> None:
    free = make_model(tmp_path / "from", "free").folder
    (free / "LICENSE").write_text("Apache License")
    own = ModelLabel(1, Label(1, "first")), ModelLabel(2, Label(2, "second"))
    licences = Licences("Apache-2.0", "CC-BY-NC-4.0")
    other = make_model(tmp_path / "from", "other", labels=own, licences=licences).folder
    (other / "LICENSE").write_text("For non-commercial research only.")
    how = {"folder": tmp_path / "store", "name": "both"}
    with pytest.raises(ModelUntrustedError, match="--accept-license"):
        add([free, other], **how)
    model = add([free, other], terms=Terms(accepted=True), **how)
    text = (model.folder / "LICENSE").read_text()
    assert "Apache License" in text
    assert "non-commercial" in text
    assert model.manifest.licences.weights == "(CC-BY-4.0) AND (CC-BY-NC-4.0)"


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_zip_with_a_damaged_member_is_refused_in_one_line(tmp_path: Path, kind: int) -> None:
    source = make_model(tmp_path / "from").folder
    damaged = tmp_path / "m.zip"
    with zipfile.ZipFile(damaged, "w", kind) as archive:
        for path in sorted(source.iterdir()):
            archive.write(path, path.name)
        first = archive.infolist()[0]
    content = bytearray(damaged.read_bytes())
    begin = first.header_offset + 30 + len(first.filename)
    content[begin : begin + 200] = b"\xff" * 200
    damaged.write_bytes(content)
    with pytest.raises(ArchiveError):
        add(damaged, folder=tmp_path / "store")


def test_a_disk_that_is_full_is_not_the_zips_fault(tmp_path: Path) -> None:
    archive = zipped(make_model(tmp_path / "from").folder, tmp_path / "m.zip")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OutputError):
            add(archive, folder=tmp_path / "store")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_installed_model_is_replaced_only_on_request(tmp_path: Path) -> None:
    source = make_model(tmp_path / "from").folder
    add(source, folder=tmp_path / "store")
    with pytest.raises(OutputExistsError, match="two_organs"):
        add(source, folder=tmp_path / "store")
    add(source, folder=tmp_path / "store", replace=True)


def test_changed_weights_are_not_installed(tmp_path: Path) -> None:
    model = make_model(tmp_path / "from")
    model.weights_path.write_bytes(model.weights_path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelHashError):
        add(model.folder, folder=tmp_path / "store")
    assert list((tmp_path / "store").iterdir()) == []


def test_a_zip_that_points_outside_is_not_followed(tmp_path: Path) -> None:
    source = make_model(tmp_path / "from").folder
    archive = zipped(source, tmp_path / "m.zip", "../two_organs/")
    with pytest.raises(ModelUntrustedError, match="leads out of it"):
        add(archive, folder=tmp_path / "store")
    assert not (tmp_path / "two_organs").exists()


def test_a_zip_with_weights_larger_than_stated_is_stopped(tmp_path: Path) -> None:
    model = make_model(tmp_path / "from")
    model.weights_path.write_bytes(model.weights_path.read_bytes() + bytes(3 << 20))
    with pytest.raises(ArchiveError, match="larger"):
        add(zipped(model.folder, tmp_path / "m.zip"), folder=tmp_path / "store")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"hello"])
def test_what_is_no_zip_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.zip").write_bytes(content)
    with pytest.raises(ArchiveError):
        add(tmp_path / "m.zip", folder=tmp_path / "store")


def test_nothing_there_and_nothing_inside_are_missing_models(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="neither"):
        add(tmp_path / "nowhere", folder=tmp_path / "store")
    with pytest.raises(ModelMissingError, match=r"no manifest\.toml"):
        add(tmp_path, folder=tmp_path / "store")


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    source = make_model(tmp_path / "from").folder
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        add(source, folder=tmp_path / "file")


def test_a_model_is_removed_by_name_and_shipped_ones_stay(tmp_path: Path) -> None:
    add(make_model(tmp_path / "from").folder, folder=tmp_path / "store")
    remove("two_organs", folder=tmp_path / "store")
    assert installed([tmp_path / "store"]) == ()
    with pytest.raises(ModelMissingError, match="two_organs"):
        remove("two_organs", folder=tmp_path / "store")
    for model in installed([shipped_folder()]):
        with pytest.raises(UsageError, match="part of medrecon"):
            remove(model.manifest.name, folder=tmp_path / "store")


def test_the_table_of_known_models_is_whole() -> None:
    assert {"spleen_ct_segmentation", "wholebody_ct_segmentation"} <= set(known_models())
    assert all(m.url.startswith("https://") for m in known_models().values())
    # The zoo states no sizes, and none is made up.
    assert {m.size for m in known_models().values()} == {"size unknown"}
    assert replace(known_models()["spleen_ct_segmentation"], megabytes=37.5).size == "37.5 MB"
    with pytest.raises(ModelMissingError, match="spleen_ct_segmentation"):
        known_model("heart")


class Server(BaseHTTPRequestHandler):
    """Serves one body, in part if asked; breaks off the first answer if told to."""

    body = bytes(range(256)) * 5000
    break_off = False
    ranges: list[str | None]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        type(self).ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(self.body) - start))
        self.end_headers()
        stop = 100_000 if type(self).break_off else None
        self.wfile.write(self.body[start:stop])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Server.ranges, Server.break_off = [], False
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}/m.zip"
        httpd.shutdown()
        thread.join()


def known_at(url: str, **changes: object) -> KnownModel:
    sha = hashlib.sha256(Server.body).hexdigest()
    model = KnownModel("m", "M", "1", "medrecon", "CT", url, "MIT", "MIT", sha256=sha)
    return replace(model, **changes)  # type: ignore[arg-type]


def test_an_archive_is_fetched_once_and_checked(tmp_path: Path, server: str) -> None:
    told: list[tuple[int, int | None]] = []
    archive = fetch(
        known_at(server), folder=tmp_path, progress=lambda have, all_: told.append((have, all_))
    )
    assert archive.read_bytes() == Server.body
    assert told[-1] == (1_280_000, 1_280_000)
    assert fetch(known_at(server), folder=tmp_path) == archive
    assert Server.ranges == [None]


def test_a_broken_download_goes_on_where_it_stopped(tmp_path: Path, server: str) -> None:
    Server.break_off = True
    with pytest.raises(ModelError, match="cannot be fetched"):
        fetch(known_at(server), folder=tmp_path)
    Server.break_off = False
    assert fetch(known_at(server), folder=tmp_path).read_bytes() == Server.body
    assert Server.ranges == [None, "bytes=100000-"]


def test_another_archive_than_expected_is_deleted(tmp_path: Path, server: str) -> None:
    with pytest.raises(ModelHashError, match="sha256"):
        fetch(known_at(server, sha256="0" * 64), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_licence_must_be_accepted_before_anything_is_fetched(tmp_path: Path, server: str) -> None:
    licensed = known_at(server, accept_license=True)
    with pytest.raises(ModelUntrustedError, match="--accept-license"):
        fetch(licensed, folder=tmp_path)
    assert Server.ranges == []
    fetch(licensed, accept_license=True, folder=tmp_path)


def test_no_network_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be fetched"):
        fetch(known_at("http://127.0.0.1:1/m.zip"), folder=tmp_path)

"""Store to a real archive on loopback and fetch back: the bytes are the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from servers import (
    PASSWORD,
    USER,
    Orthanc,
    behind_tls,
    certificate,
    free_port,
    running,
)
from typer.testing import CliRunner

from medrecon.archive.destination import Credentials, Trust, WebArchive, archive_at
from medrecon.dicom.write_ct import derived_uid
from medrecon.errors import OutputExistsError, RemoteInputError, RemoteOutputError
from medrecon.recipes.archive import Callback, Wanted, fetch, list_series, send
from medrecon_cli.main import app

pytestmark = pytest.mark.server
CREDENTIALS = Credentials(USER, PASSWORD)


def web(server: Orthanc) -> WebArchive:
    found = archive_at(server.web, credentials=CREDENTIALS)
    assert isinstance(found, WebArchive)
    return found


def uid_of(request: pytest.FixtureRequest, *parts: object) -> str:
    """The UID that `study` gave this test's series."""
    return str(derived_uid(request.node.name, *parts))


def hashes(folder: Path, *, skip_meta: bool = False) -> set[str]:
    """SHA-256 of every file; of the data set alone, since C-STORE makes a new meta group."""
    found = set()
    for path in folder.rglob("*.dcm"):
        content = path.read_bytes()
        # (0002,0000) UL stands at 132 and states what follows it (PS3.10 7.1).
        length = int.from_bytes(content[140:144], "little")
        found.add(hashlib.sha256(content[144 + length if skip_meta else 0 :]).hexdigest())
    return found


def test_what_dicomweb_stored_comes_back_byte_for_byte(
    server: Orthanc, study: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    assert send([study], web(server)) == 10
    files = fetch(web(server), Wanted(uid_of(request, "study")), tmp_path / "back")
    assert len(files) == 10
    assert hashes(tmp_path / "back") == hashes(study)


def test_one_series_is_listed_and_fetched_alone(
    server: Orthanc, study: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    send([study], web(server))
    series = uid_of(request, "series", 2)
    wanted = Wanted(uid_of(request, "study"), series)
    (listed,) = list_series(web(server), wanted)
    assert (listed.series, listed.modality, listed.instances) == (series, "CT", 5)
    fetch(web(server), wanted, tmp_path / "back")
    assert hashes(tmp_path / "back") == hashes(study / "2")


def test_tls_is_checked_and_then_carries_the_same_bytes(
    server: Orthanc, study: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    cert, key = certificate(tmp_path)
    with behind_tls(server.http_port, cert, key) as port:
        address = f"https://localhost:{port}/dicom-web"
        with pytest.raises(RemoteOutputError, match="cannot be reached"):
            send([study], archive_at(address, credentials=CREDENTIALS))
        archive = archive_at(address, credentials=CREDENTIALS, trust=Trust(cert))
        assert send([study], archive) == 10
        fetch(archive, Wanted(uid_of(request, "study")), tmp_path / "back")
    assert hashes(tmp_path / "back") == hashes(study)


def test_wrong_credentials_store_nothing(server: Orthanc, study: Path) -> None:
    with pytest.raises(RemoteOutputError, match="HTTP 401"):
        send([study], archive_at(server.web, credentials=Credentials(USER, "wrong")))


def test_a_study_that_is_not_there_leaves_no_folder(server: Orthanc, tmp_path: Path) -> None:
    with pytest.raises(RemoteInputError):
        fetch(web(server), Wanted("1.2.3.4"), tmp_path / "back")
    assert list(tmp_path.iterdir()) == []


def test_c_store_and_c_get_carry_the_same_data_sets(
    server: Orthanc, study: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    peer = archive_at(server.peer)
    assert send([study], peer) == 10
    fetch(peer, Wanted(uid_of(request, "study")), tmp_path / "back")
    assert hashes(tmp_path / "back", skip_meta=True) == hashes(study, skip_meta=True)


def test_c_move_brings_one_series(
    server: Orthanc, study: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    peer = archive_at(server.peer)
    send([study], peer)
    wanted = Wanted(uid_of(request, "study"), uid_of(request, "series", 1))
    fetch(peer, wanted, tmp_path / "back", callback=Callback(server.move_port))
    assert hashes(tmp_path / "back", skip_meta=True) == hashes(study / "1", skip_meta=True)


def test_c_store_over_tls_to_dcmtk(study: Path, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    port, arrived = free_port(), tmp_path / "arrived"
    arrived.mkdir()
    # By its path: pynetdicom installs a program of the same name.
    # +xs accepts any lossless JPEG-LS; -ic asks the caller for no certificate.
    command = ["/usr/bin/storescp", "+tls", str(key), str(cert), "-ic", "+xa", "-od", str(arrived)]
    with running([*command, "-aet", "ANY", str(port)], tmp_path / "storescp.log", (port,)):
        peer = archive_at(f"dicoms://ANY@localhost:{port}", trust=Trust(cert))
        assert send([study / "1"], peer) == 5
    stored = {
        hashlib.sha256(p.read_bytes()[-384:]).hexdigest() for p in arrived.iterdir() if p.is_file()
    }
    # 16 × 12 pixels of two bytes end each file: their 384 bytes arrived as they were.
    assert stored == {
        hashlib.sha256(p.read_bytes()[-384:]).hexdigest() for p in (study / "1").iterdir()
    }


def test_an_unknown_title_is_rejected(server: Orthanc, study: Path) -> None:
    with pytest.raises(RemoteOutputError, match="rejects the association"):
        send([study], archive_at(f"dicom://NOBODY@localhost:{server.dicom_port}"))


def test_a_folder_with_something_in_it_is_refused_before_anything_is_asked(
    server: Orthanc, tmp_path: Path
) -> None:
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "mine.txt").write_text("mine")
    with pytest.raises(OutputExistsError):
        fetch(web(server), Wanted("1.2.3.4"), tmp_path / "back")


def test_the_verbs_take_credentials_from_the_environment_alone(
    server: Orthanc, study: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    secrets = {"MEDRECON_ARCHIVE_USER": USER, "MEDRECON_ARCHIVE_PASSWORD": PASSWORD}
    words = ["send", str(study), "--to", server.web, "--json"]
    refused = CliRunner().invoke(app, words)
    assert isinstance(refused.exception, RemoteOutputError)
    done = CliRunner().invoke(app, words, env=secrets)
    assert json.loads(done.stdout) == {"stored": 10}
    wanted = ["fetch", "--from", server.web, "--study", uid_of(request, "study")]
    listed = CliRunner().invoke(app, [*wanted, "--list", "--json"], env=secrets)
    assert [s["objects"] for s in json.loads(listed.stdout)["series"]] == [5, 5]
    done = CliRunner().invoke(app, [*wanted, "-o", str(tmp_path / "back")], env=secrets)
    assert done.exit_code == 0
    assert hashes(tmp_path / "back") == hashes(study)

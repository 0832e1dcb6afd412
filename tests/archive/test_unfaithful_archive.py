"""Archives that send something else, too little or in clear: none of it is called fetched."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from servers import free_port

from medrecon.archive.destination import Credentials, Peer, WebArchive, archive_at
from medrecon.dicom.write_ct import derived_uid
from medrecon.errors import (
    RemoteInputError,
    RemoteOutputError,
    UnreadableInputError,
    UsageError,
)
from medrecon.recipes.archive import Callback, Wanted, fetch, list_series, send

BOUNDARY = "cut here"


@dataclass
class Archive:
    """What a DICOMweb on loopback answers, by the end of the path."""

    url: str = ""
    series: list[dict[str, Any]] = field(default_factory=list)
    studies: list[dict[str, Any]] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    warning: str = ""
    cut: bool = False
    stored: tuple[int, bytes] = (200, b"{}")
    lengths: list[str] = field(default_factory=list)

    @property
    def web(self) -> WebArchive:
        return WebArchive(self.url)


@pytest.fixture
def archive() -> Iterator[Archive]:
    with answering(Archive()) as running:
        yield running


@contextmanager
def answering(said: Archive) -> Iterator[Archive]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path.endswith("/series"):
                self.say(json.dumps(said.series).encode(), "application/dicom+json")
            elif path.endswith("/studies"):
                self.say(json.dumps(said.studies).encode(), "application/dicom+json")
            else:
                body = b"".join(
                    f"\r\n--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + part
                    for part in said.parts
                )
                whole = body + f"\r\n--{BOUNDARY}--".encode()
                self.say(whole, f'multipart/related; boundary="{BOUNDARY}"')

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            said.lengths.append(self.headers.get("Content-Length", ""))
            status, body = said.stored
            self.say(body, "application/dicom+json", status)

        def say(self, body: bytes, kind: str, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if said.warning:
                self.send_header("Warning", said.warning)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if said.cut else body)
            if said.cut:
                self.wfile.flush()
                # A reset, not an end: what is left unread goes with the connection.
                self.connection.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
                self.connection.close()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    said.url = f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
    try:
        yield said
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def value(text: object) -> dict[str, list[object]]:
    return {"Value": [text]}


@pytest.fixture
def scan(study: Path, request: pytest.FixtureRequest, archive: Archive) -> list[bytes]:
    """The first series of the study, and the archive lists it as it is."""
    series = str(derived_uid(request.node.name, "series", 1))
    archive.series = [{"0020000E": value(series), "00080060": value("CT"), "00201209": value(5)}]
    archive.studies = [{"0020000D": value(uid(request)), "00080050": value("A17")}]
    archive.parts = [p.read_bytes() for p in sorted((study / "1").iterdir())]
    return archive.parts


def uid(request: pytest.FixtureRequest) -> str:
    return str(derived_uid(request.node.name, "study"))


def altered(content: bytes, change: Callable[[pydicom.Dataset], None]) -> bytes:
    ds = pydicom.dcmread(BytesIO(content))
    change(ds)
    target = BytesIO()
    ds.save_as(target)
    return target.getvalue()


def of_another_study(content: bytes) -> bytes:
    return altered(content, lambda ds: setattr(ds, "StudyInstanceUID", "1.2.3.4"))


def test_a_faithful_archive_is_believed(archive, scan, tmp_path, request):
    assert len(fetch(archive.web, Wanted(uid(request)), tmp_path / "back")) == 5
    wanted = Wanted(accession="A17")
    assert len(fetch(archive.web, wanted, tmp_path / "again")) == 5


@pytest.mark.parametrize("which", [0, 4])
def test_an_object_of_another_study_spoils_the_whole(archive, scan, tmp_path, request, which):
    archive.parts[which] = of_another_study(scan[which])
    with pytest.raises(RemoteInputError, match="another study"):
        fetch(archive.web, Wanted(uid(request)), tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("harm", ["empty", "twice"])
def test_an_empty_object_and_one_twice_do_not_make_up_the_number(
    archive, scan, tmp_path, request, harm
):
    archive.parts[3] = b"" if harm == "empty" else scan[2]
    with pytest.raises(RemoteInputError, match=r"without a byte|4 objects came, 5 are listed"):
        fetch(archive.web, Wanted(uid(request)), tmp_path / "back")


def test_a_connection_that_breaks_is_not_a_full_disk(archive, scan, tmp_path, request):
    """The rows come whole; the answer with the objects is reset in its middle."""
    fetched = archive.web
    rows = list_series(fetched, Wanted(uid(request)))
    assert len(rows) == 1
    from medrecon.archive.dicomweb import DicomWeb
    from medrecon.recipes.archive import _Arriving

    archive.cut = True
    with pytest.raises(RemoteInputError):
        DicomWeb(fetched).retrieve(
            uid(request), rows[0].series, _Arriving(tmp_path).next_file, 1 << 30
        )


def test_an_archive_that_does_not_look_at_the_series_it_is_asked_for(archive, scan, request):
    other = {**archive.series[0], "0020000E": value("1.2.3.4.5")}
    archive.series.append(other)
    series = archive.series[0]["0020000E"]["Value"][0]
    (listed,) = list_series(archive.web, Wanted(uid(request), series))
    assert listed.series == series


def test_an_accession_number_is_no_pattern(archive, scan, tmp_path):
    with pytest.raises(RemoteInputError, match="0 studies"):
        fetch(archive.web, Wanted(accession="A*"), tmp_path / "back")


def test_a_list_that_goes_on_is_not_a_whole_study(archive, scan, tmp_path, request):
    archive.warning = '299 archive: "There are 7 additional results that can be requested"'
    with pytest.raises(RemoteInputError, match="only a part"):
        fetch(archive.web, Wanted(uid(request)), tmp_path / "back")


FAILED_ONE = {"00081198": {"Value": [{"00081197": {"Value": [49174]}}]}}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, json.dumps(FAILED_ONE).encode()), "49174"),
        ((202, json.dumps([FAILED_ONE]).encode()), "49174"),
        ((202, json.dumps({"00081198": {"Value": [{}]}}).encode()), "not stated"),
        ((202, b"<html>Accepted</html>"), "does not say"),
    ],
)
def test_what_was_not_stored_is_not_called_stored(archive, study, answer, reason):
    archive.stored = answer
    with pytest.raises(RemoteOutputError, match=reason):
        send([study], archive.web)


def test_a_remark_is_no_failure(archive, study):
    archive.stored = (202, b'{"00081199": {"Value": [{"00081196": {"Value": [45056]}}]}}')
    assert send([study], archive.web) == 10


def test_a_request_says_how_long_it_is(archive, study):
    """In chunks of unsaid length it would be refused by some (RFC 9110 15.5.12: 411)."""
    from medrecon.archive.multipart import Body

    send([study], archive.web)
    files = [p for p in sorted(study.rglob("*")) if p.is_file()]
    assert archive.lengths == [str(Body(files).length)]


def test_what_no_archive_takes_is_refused_and_not_left_out(archive, study, tmp_path):
    (tmp_path / "notes.txt").write_text("no scan")
    with pytest.raises(UnreadableInputError, match="no DICOM"):
        send([tmp_path / "notes.txt"], archive.web)
    first = next(iter(sorted((study / "1").iterdir())))
    whole = first.read_bytes()
    # The data set alone: (0002,0000) UL stands at 132 and says how long the meta group is.
    length = int.from_bytes(whole[140:144], "little")
    for bare in (whole[144 + length :], gzip.compress(whole)):
        first.write_bytes(bare)
        with pytest.raises(UnreadableInputError, match="nothing was sent"):
            send([study], archive.web)


def test_a_dicomdir_is_a_list_and_not_sent(archive, study):
    lists = altered(
        next((study / "1").iterdir()).read_bytes(),
        lambda ds: setattr(ds.file_meta, "MediaStorageSOPClassUID", "1.2.840.10008.1.3.10"),
    )
    (study / "DICOMDIR").write_bytes(lists)
    assert send([study], archive.web) == 10
    with pytest.raises(UnreadableInputError):
        send([study / "DICOMDIR"], archive.web)


@pytest.mark.parametrize(
    "address",
    ["https://[::1/y", "dicom://A@[::1", "https://x:99999/y", "https://x:a/y", "https://x/y#z"],
)
def test_what_cannot_be_an_address_is_said_at_once(address):
    with pytest.raises(UsageError):
        archive_at(address)


@pytest.mark.parametrize("token", ["hunter2\n", "hunter2\r\nX-Header: 1", "hunter–2"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_repeated(token):
    with pytest.raises(UsageError, match="MEDRECON_ARCHIVE_TOKEN") as refusal:
        archive_at("https://x/y", credentials=Credentials(token=token))
    assert "hunter" not in str(refusal.value)


def test_c_move_does_not_bring_in_clear_what_was_asked_for_over_tls(tmp_path):
    peer = archive_at("dicoms://A@127.0.0.1:2762")
    with pytest.raises(UsageError, match="in clear"):
        fetch(peer, Wanted("1.2.3"), tmp_path / "back", callback=Callback(free_port()))


def test_objects_that_come_at_the_same_time_do_not_meet(tmp_path):
    from medrecon.recipes.archive import _Arriving

    arrived, begun = _Arriving(tmp_path), threading.Barrier(2, timeout=20)

    def take(content: bytes) -> None:
        with arrived.next_file() as stream:
            begun.wait()
            stream.write(content)

    threads = [threading.Thread(target=take, args=(c,)) for c in (b"one", b"two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {p.read_bytes() for p in tmp_path.iterdir()} == {b"one", b"two"}


def test_another_study_that_comes_to_the_open_port_is_not_taken_along(
    tmp_path, study, request, monkeypatch
):
    """While C-MOVE's port is open, anybody who knows the title can store there."""
    from medrecon.archive import dimse

    objects = [p.read_bytes() for p in sorted((study / "1").iterdir())]

    def move(peer: Peer, study: str, series: str, receive: dimse.Receive, *, port: int) -> int:
        for content in objects:
            receive(content)
        return len(objects)

    monkeypatch.setattr(dimse, "move", move)
    peer, back = archive_at("dicom://ARCHIVE@127.0.0.1:104"), Callback(free_port())
    assert len(fetch(peer, Wanted(uid(request)), tmp_path / "one", callback=back)) == 5
    objects.append(of_another_study(objects[0]))
    with pytest.raises(RemoteInputError, match="another study"):
        fetch(peer, Wanted(uid(request)), tmp_path / "two", callback=back)

"""Addresses, credentials and multipart bodies, without a network."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from medrecon.archive.destination import Credentials, Peer, Trust, WebArchive, archive_at
from medrecon.archive.dicomweb import STORE_AT_ONCE, in_groups
from medrecon.archive.multipart import Body, Parts, boundary_of
from medrecon.errors import RemoteInputError, UsageError


def test_an_address_says_which_protocol_it_is() -> None:
    assert archive_at("https://pacs.example/dicom-web/") == WebArchive(
        "https://pacs.example/dicom-web"
    )
    assert archive_at("dicom://PACS@10.0.0.1", caller="ME") == Peer("10.0.0.1", 104, "PACS", "ME")
    peer = archive_at("dicoms://PACS@pacs.example:2762")
    assert isinstance(peer, Peer)
    assert peer.secure
    assert peer.port == 2762


@pytest.mark.parametrize(
    "address",
    ["pacs.example", "ftp://x/y", "dicom://host:104", "dicom://A@host:99999", "https://"],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError):
        archive_at(address)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as refusal:
        archive_at("https://me:hunter2@pacs.example/dicom-web")
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("address", ["dicom://A@pacs.example", "http://pacs.example/dicom-web"])
def test_certificates_are_not_taken_for_a_way_that_is_in_clear(address: str) -> None:
    for trust in (Trust(Path("ca.pem")), Trust(None, Path("cert.pem")), Trust(key=Path("k.pem"))):
        with pytest.raises(UsageError, match="in clear"):
            archive_at(address, trust=trust)
    with pytest.raises(UsageError, match="without its certificate"):
        archive_at("dicoms://A@pacs.example", trust=Trust(key=Path("k.pem")))


def test_a_calling_title_is_for_dimse_only() -> None:
    with pytest.raises(UsageError, match="dicom://"):
        archive_at("https://pacs.example/dicom-web", caller="ME")
    assert archive_at("dicom://A@pacs.example") == Peer("pacs.example", 104, "A", "MEDRECON")


def test_credentials_go_in_clear_to_this_machine_only() -> None:
    mine = Credentials("me", "hunter2")
    with pytest.raises(UsageError, match="in clear"):
        archive_at("http://pacs.example/dicom-web", credentials=mine)
    for here in ("localhost", "127.0.0.1", "[::1]"):
        archive_at(f"http://{here}:8042/dicom-web", credentials=mine)


def test_credentials_are_never_shown() -> None:
    shown = repr(archive_at("https://x/y", credentials=Credentials("me", "hunter2", "tok")))
    assert not any(secret in shown for secret in ("hunter2", "tok", "'me'"))


class Slow:
    """A stream that gives a few bytes at a time: every delimiter is cut somewhere."""

    def __init__(self, content: bytes, step: int) -> None:
        self._stream, self._step = BytesIO(content), step

    def read(self, amount: int, /) -> bytes:
        return self._stream.read(min(amount, self._step))


@pytest.mark.parametrize("step", [1, 2, 7, 64, 1 << 20])
def test_parts_come_out_as_they_went_in(step: int, tmp_path: Path) -> None:
    # The second holds line ends and dashes, as a delimiter does; the third is one byte.
    contents = [bytes(range(256)), b"\r\n--medrecon-\r\n\r\n--" * 3, b"x"]
    for n, content in enumerate(contents):
        (tmp_path / f"{n}").write_bytes(content)
    body = Body(sorted(tmp_path.iterdir()))
    whole = b"".join(body)
    assert len(whole) == body.length
    parts = Parts(Slow(whole, step), boundary_of(body.content_type), 1 << 20)
    found = []
    while True:
        target = BytesIO()
        if not parts.copy_next(target):
            break
        found.append(target.getvalue())
    assert found == contents


def test_a_body_that_breaks_off_is_not_a_shorter_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a" * 1000)
    body = Body([tmp_path / "a"])
    whole = b"".join(body)
    parts = Parts(BytesIO(whole[:-60]), boundary_of(body.content_type), 1 << 20)
    with pytest.raises(RemoteInputError, match="ends in the middle"):
        parts.copy_next(BytesIO())


def test_a_body_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a" * 1000)
    body = Body([tmp_path / "a"])
    parts = Parts(BytesIO(b"".join(body)), boundary_of(body.content_type), 500)
    with pytest.raises(RemoteInputError, match="over the limit"):
        parts.copy_next(BytesIO())


def test_an_answer_that_is_no_multipart_is_refused() -> None:
    with pytest.raises(RemoteInputError):
        boundary_of("text/html")


def test_files_are_sent_together_up_to_a_size(tmp_path: Path) -> None:
    sizes = [STORE_AT_ONCE // 2, STORE_AT_ONCE // 2, 1, 2 * STORE_AT_ONCE, 5]
    for n, size in enumerate(sizes):
        with (tmp_path / f"{n}").open("wb") as stream:
            stream.truncate(size)
    groups = [[p.name for p in g] for g in in_groups(sorted(tmp_path.iterdir()))]
    assert groups == [["0", "1"], ["2"], ["3"], ["4"]]

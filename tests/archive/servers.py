"""Real archives on loopback, from Debian's packages, started for one test module."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

USER, PASSWORD = "tester", "a pass:word"


@dataclass(frozen=True, slots=True)
class Orthanc:
    """A running Orthanc: its DICOMweb and its application entity."""

    http_port: int
    dicom_port: int
    move_port: int
    secure: bool

    @property
    def web(self) -> str:
        """Base of its DICOMweb."""
        scheme = "https" if self.secure else "http"
        return f"{scheme}://localhost:{self.http_port}/dicom-web"

    @property
    def peer(self) -> str:
        """Its DIMSE address."""
        return f"dicom://ORTHANC@localhost:{self.dicom_port}"


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost and its key, as PEM files."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [*command, *names, "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )
    return cert, key


@contextmanager
def orthanc(folder: Path, *, secure: bool = False) -> Iterator[Orthanc]:
    """Orthanc with DICOMweb, C-STORE, C-GET and C-MOVE; stopped at the end."""
    server = Orthanc(free_port(), free_port(), free_port(), secure)
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
        "HttpPort": server.http_port,
        "DicomPort": server.dicom_port,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "DicomModalities": {"caller": ["MEDRECON", "localhost", server.move_port]},
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Ssl": secure},
    }
    if secure:
        cert, key = certificate(folder)
        both = folder / "both.pem"
        both.write_bytes(cert.read_bytes() + key.read_bytes())
        settings |= {"SslEnabled": True, "SslCertificate": str(both)}
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(
            ["Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(process, server)
            yield server
        finally:
            process.terminate()
            process.wait(30)


def _wait(process: subprocess.Popen[bytes], server: Orthanc) -> None:
    for _ in range(600):
        assert process.poll() is None, "Orthanc ended at once"
        try:
            for port in (server.http_port, server.dicom_port):
                socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("Orthanc does not answer")

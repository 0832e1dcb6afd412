"""Where an archive is, how to prove who one is, and how the way there is protected."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from medrecon.errors import UsageError

DIMSE_SCHEMES = {"dicom": False, "dicoms": True}
WITH_TLS = {"dicom": "dicoms", "http": "https"}
"""What an address is to begin with for TLS, by what goes in clear."""
DIMSE_PORT = 104
"""PS3.8 9.1.1: the well-known port."""
LONGEST_TITLE = 16
"""Characters of an application entity's title (PS3.5 6.2, AE)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks. Never shown, never written.

    Parameters
    ----------
    user, password : str
        HTTP basic authentication; empty for none.
    token : str
        Bearer token; empty for none.
    """

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @property
    def given(self) -> bool:
        """Whether there are any."""
        return bool(self.user or self.token)


@dataclass(frozen=True, slots=True)
class Trust:
    """TLS: whom to believe, and a certificate of one's own.

    Parameters
    ----------
    authority : Path or None
        PEM file of the certificates to believe; None takes the system's.
    certificate, key : Path or None
        PEM files that prove who the caller is, where the archive asks for that.
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer; certificate and host name are always checked.

        Raises
        ------
        UsageError
            If a file is missing or is no certificate.
        """
        try:
            context = ssl.create_default_context(cafile=self.authority)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError):
            raise UsageError("a TLS certificate or key is missing, or is no PEM file") from None
        return context


@dataclass(frozen=True, slots=True)
class WebArchive:
    """A DICOMweb service; `url` is the base that /studies follows."""

    url: str
    credentials: Credentials = Credentials()
    trust: Trust = Trust()


@dataclass(frozen=True, slots=True)
class Peer:
    """An application entity that speaks DIMSE.

    Parameters
    ----------
    host : str
    port : int
    title : str
        Its own AE title.
    caller : str
        The AE title to call it with.
    secure : bool
        TLS.
    trust : Trust
    """

    host: str
    port: int
    title: str
    caller: str = "MEDRECON"
    secure: bool = False
    trust: Trust = Trust()


def archive_at(
    address: str,
    *,
    credentials: Credentials | None = None,
    trust: Trust | None = None,
    caller: str | None = None,
) -> WebArchive | Peer:
    """The archive at an address.

    Parameters
    ----------
    address : str
        ``https://host/dicom-web``, ``dicom://TITLE@host:port`` or, with TLS,
        ``dicoms://TITLE@host:port``. Plain ``http`` is for this machine, or for
        archives that ask for no credentials.
    credentials : Credentials, optional
    trust : Trust, optional
    caller : str, optional
        AE title of the caller, where there are such; ``MEDRECON`` if not given.

    Raises
    ------
    UsageError
        If it is none of these, holds a password, would send one in clear, or goes in
        clear although certificates were named; or if a key was named alone, or a caller's
        title for an archive on the web; or if a token holds what no header can.
    """
    parts = _split(address)
    secrets, trusted = credentials or Credentials(), trust or Trust()
    if not (secrets.token.isascii() and secrets.token.isprintable()):
        raise UsageError(
            "the token holds a line's end or another sign that no header can; "
            "set MEDRECON_ARCHIVE_TOKEN without it"
        )
    if parts.scheme in WITH_TLS and trusted != Trust():
        raise UsageError(
            f"certificates were named, and {parts.scheme}:// goes in clear; "
            f"write {WITH_TLS[parts.scheme]}:// for TLS"
        )
    if trusted.key is not None and trusted.certificate is None:
        raise UsageError("a private key was named without its certificate; name both, or neither")
    if parts.scheme in DIMSE_SCHEMES:
        return _peer(parts, "MEDRECON" if caller is None else caller, trusted)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            "no archive's address: https://host/dicom-web or dicom://TITLE@host:port is expected"
        )
    if caller is not None:
        raise UsageError("a calling AE title is for dicom:// and dicoms:// addresses")
    if parts.fragment:
        raise UsageError("an archive's address ends before the #; leave it out")
    if parts.username or parts.password or parts.query:
        raise UsageError(
            "credentials do not belong in an address; set MEDRECON_ARCHIVE_USER and "
            "MEDRECON_ARCHIVE_PASSWORD, or MEDRECON_ARCHIVE_TOKEN"
        )
    if parts.scheme == "http" and secrets.given and not is_here(parts.hostname):
        raise UsageError("credentials would go over the network in clear; use https")
    return WebArchive(address.rstrip("/"), secrets, trusted)


def _split(address: str) -> SplitResult:
    """The parts of an address whose port is one."""
    try:
        parts = urlsplit(address)
    except ValueError:
        raise UsageError("no archive's address: its host cannot be read") from None
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise UsageError("no port: a number from 1 to 65535 is expected")
    return parts


def _peer(parts: SplitResult, caller: str, trust: Trust) -> Peer:
    title = parts.username or ""
    for name in (title, caller):
        if not 0 < len(name) <= LONGEST_TITLE or not name.isascii():
            raise UsageError(
                f"an AE title of {len(name)} characters; dicom://TITLE@host:port has 1 to 16"
            )
    if not parts.hostname or parts.password:
        raise UsageError("no DICOM address: dicom://TITLE@host:port is expected")
    port = parts.port or DIMSE_PORT
    return Peer(parts.hostname, port, title, caller, DIMSE_SCHEMES[parts.scheme], trust)


def is_here(host: str) -> bool:
    """Whether a host name or address is this machine's own, over loopback."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

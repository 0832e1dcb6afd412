"""A series whose header, names and folders are full of things that must never come out.

Sixty and more canaries: one in each text VR at least, in private elements, in sequences of
sequences, in file and folder names. `leaks` looks for each of them in any bytes: as UTF-8,
UTF-16, Latin-1, percent-encoded, hexadecimal, in base64 at every offset, and inside gzip,
zip, PNG and base64 again.
"""

from __future__ import annotations

import base64
import io
import re
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from medrecon.dicom.write_ct import write_ct_series

FOLDER, FILE = "Kanarienvogel^Zwitscher", "Zeisig_Xaver"
# A text attribute of each VR, several where the VR is often used for identity.
ELEMENTS = {
    "AE": ("StationAETitle", "RetrieveAETitle", "ScheduledStationAETitle"),
    "CS": ("PatientSexNeutered", "BodyPartExamined", "PatientSex"),
    "LO": (
        "PatientID", "InstitutionName", "StudyDescription", "SeriesDescription", "ProtocolName",
        "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "ContrastBolusAgent",
        "MedicalRecordLocator", "OtherPatientIDs",
        "AdmissionID", "IssuerOfPatientID", "RequestedProcedureDescription",
        "CurrentPatientLocation",
    ),
    "PN": (
        "PatientName", "ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName",
        "PatientBirthName", "PatientMotherBirthName", "OtherPatientNames", "RequestingPhysician",
    ),
    "SH": ("AccessionNumber", "StationName", "StudyID", "ConvolutionKernel", "EthnicGroup"),
    "ST": ("InstitutionAddress", "DerivationDescription"),
    "LT": ("AdditionalPatientHistory", "PatientComments", "ImageComments"),
    "UC": ("LongCodeValue",),
    "UR": ("RetrieveURL",),
    "UT": ("TextValue", "LabelText"),
}  # fmt: skip
NUMBERS = {
    "PatientBirthDate": "19431107", "StudyDate": "19871203",
    "AcquisitionDateTime": "19991231235859",
    "StudyTime": "234759", "PatientAge": "083Y", "PatientWeight": "81.774377",
}  # fmt: skip
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


def plant(volume: object, root: Path) -> tuple[Path, list[str]]:
    """A series under `root`, and every canary in it."""
    folder = root / FOLDER
    write_ct_series(volume, folder)
    canaries = [*FOLDER.split("^"), *FILE.split("_")]
    dice = iter(range(100, 1000))

    def word(kind: str) -> str:
        text = f"Zwx{kind}{next(dice)}q"
        canaries.append(text)
        return text

    fields = [(vr, name) for vr, names in ELEMENTS.items() for name in names if name]
    values = {name: word(vr) if vr != "CS" else word(vr).upper() for vr, name in fields}
    canaries[:] = [c for c in canaries if not c.startswith("ZwxCS")]
    canaries += [values[n] for vr, n in fields if vr == "CS"]
    private = [(vr, word(vr)) for vr in ("LO", "PN", "UN", "OB", "ST", "UT", "SH", "LT")]
    nested = [word("SQ") for _ in range(4)]
    canaries += [NUMBERS[n] for n in ("PatientBirthDate", "StudyDate", "AcquisitionDateTime")]
    canaries += [NUMBERS["PatientWeight"]]
    uids = {name: f"1.2.826.0.1.3680043.77{n}.4711.{n}88" for n, name in enumerate(UIDS, 1)}
    canaries += list(uids.values())
    for n, path in enumerate(sorted(folder.iterdir())):
        ds = pydicom.dcmread(path)
        _fill(ds, values, private, nested)
        for name in UIDS:
            setattr(ds, name, uids[name] + (f".{n}" if name == "SOPInstanceUID" else ""))
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.save_as(folder / f"{FILE}_{n:03d}", enforce_file_format=True)
        path.unlink()
    return folder, canaries


def _fill(
    ds: Dataset, values: dict[str, str], private: list[tuple[str, str]], nested: list[str]
) -> None:
    for name, value in (values | NUMBERS).items():
        setattr(ds, name, value)
    block = ds.private_block(0x0099, "Zwitscherer", create=True)
    for n, (vr, value) in enumerate(private):
        block.add_new(n + 1, vr, value.encode() if vr in ("UN", "OB") else value)
    inner = Dataset()
    inner.PatientName, inner.TextValue = nested[0], nested[1]
    outer = Dataset()
    outer.PatientID, outer.ReferencedPatientSequence = nested[2], Sequence([inner])
    outer.RequestedProcedureID = nested[3][:16]
    ds.RequestAttributesSequence = Sequence([outer])


def leaks(content: bytes, canaries: list[str]) -> list[str]:
    """Canaries that the bytes hold in any disguise."""
    found = set()
    for layer in _layers(content, 4):
        low = layer.lower()
        found |= {c for c in canaries if any(d in low for d in _disguises(c))}
    return sorted(found)


def _disguises(canary: str) -> Iterator[bytes]:
    for text in {canary, canary.replace("^", " "), urllib.parse.quote(canary)}:
        yield text.encode().lower()
        yield text.lower().encode("utf-16-le")
        yield text.encode().hex().encode()


def _layers(content: bytes, depth: int) -> Iterator[bytes]:
    """The bytes, and what is packed inside them."""
    yield content
    if not depth:
        return
    for start in re.finditer(rb"\x1f\x8b\x08", content):
        yield from _layers(_inflated(content[start.start() :], 31), depth - 1)
    for start in re.finditer(rb"IDAT|zTXt|iTXt", content):
        for skip in range(4, 90):
            if content[start.start() + skip : start.start() + skip + 1] == b"\x78":
                yield _inflated(content[start.start() + skip :], 15)
                break
    if b"PK\x03\x04" in content:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as package:
                for entry in package.infolist():
                    yield entry.filename.encode() + entry.comment + entry.extra
                    yield from _layers(package.read(entry), depth - 1)
        except zipfile.BadZipFile:
            pass
    for block in re.findall(rb"[A-Za-z0-9+/]{16,}={0,2}", content):
        for shift in range(4):
            piece = block[shift:]
            decoded = base64.b64decode(piece[: len(piece) // 4 * 4])
            if len(block) > 4000:
                yield from _layers(decoded, depth - 1)
                break
            yield decoded


def _inflated(content: bytes, bits: int) -> bytes:
    try:
        return zlib.decompressobj(bits).decompress(content)
    except zlib.error:
        return b""

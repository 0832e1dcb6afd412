"""Series with one file damaged at random, in every transfer syntax that is read."""

from __future__ import annotations

import resource
import shutil
import struct
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from series_maker import EXPLICIT, Plan, dataset, enhanced, stack, stored, words, write

from medrecon.dicom import Decoder, Limits, choose, read, scan
from medrecon.errors import MedreconError

SYNTAXES = (
    EXPLICIT,
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.201",
)
SLICES = 4
# A mutant may state any size: this much it may have, and no more.
LIMITS = Limits(volume_bytes=64 << 20, archive_bytes=64 << 20, header_bytes=16 << 20)
LONGEST_S = 10.0
# Lengths and counts that break naive arithmetic.
EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)


@dataclass
class Tally:
    """What came of the mutants so far."""

    tried: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def merge(self, other: Tally) -> None:
        self.tried += other.tried
        self.outcomes += other.outcomes
        self.faults += other.faults
        self.slowest_s = max(self.slowest_s, other.slowest_s)


def seeds(folder: Path) -> list[list[bytes]]:
    """Files of small healthy series: one per transfer syntax, and two multi-frame ones."""
    plan = stack([2.0] * (SLICES - 1))
    series = [_series(plan, syntax, folder / str(n)) for n, syntax in enumerate(SYNTAXES)]
    for n, syntax in enumerate((EXPLICIT, "1.2.840.10008.1.2.4.80")):
        path = write(folder / f"multi{n}", *enhanced(plan, range(SLICES)), syntax)
        series.append([path.read_bytes()])
    shutil.rmtree(folder)
    return series


def _series(plan: Plan, syntax: str, folder: Path) -> list[bytes]:
    files = []
    for k in range(SLICES):
        ds, pixels = dataset(plan, k), words(plan, stored(plan, k))
        if syntax.endswith(".4.50"):
            ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
            pixels = (pixels // 8).astype(np.uint8)
        files.append(write(folder / str(k), ds, pixels, syntax).read_bytes())
    return files


def mutants(series: list[list[bytes]], seed: int, count: int) -> Iterator[list[bytes]]:
    """Series with one file changed, the same ones for the same seed."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        files = list(series[rng.integers(len(series))])
        n = int(rng.integers(len(files)))
        other = series[rng.integers(len(series))][0]
        files[n] = mutate(files[n], other, rng)
        yield files


def mutate(raw: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """One to three changes: bits, bytes, blocks, lengths, cuts and grafts."""
    content = bytearray(raw)
    for _ in range(int(rng.integers(1, 4))):
        size = max(1, len(content))
        # Half of the changes go to the header, where they do most.
        at = int(rng.integers(min(size, 1200) if rng.random() < 0.5 else size))
        span = int(rng.integers(1, 64))
        match int(rng.integers(8)):
            case 0:
                content[at : at + 1] = bytes([int(rng.integers(256))])
            case 1:
                for place in rng.integers(size, size=span):
                    content[place : place + 1] = bytes([int(rng.integers(256))])
            case 2:
                del content[at:]
            case 3:
                del content[at : at + span]
            case 4:
                content[at:at] = content[at : at + span]
            case 5:
                content[at : at + span] = bytes([(0, 255)[int(rng.integers(2))]]) * span
            case 6:
                width = ("<H", "<I", ">H", ">I")[int(rng.integers(4))]
                value = EXTREMES[int(rng.integers(len(EXTREMES)))]
                packed = struct.pack(width, value & (0xFFFF if width[1] == "H" else 0xFFFFFFFF))
                content[at : at + len(packed)] = packed
            case _:
                graft = int(rng.integers(len(other)))
                content[at : at + span] = other[graft : graft + span]
    return bytes(content)


def attempt(files: list[bytes], folder: Path, decoder: Decoder, tally: Tally) -> None:
    """Read one mutant: a volume and a typed refusal are both fine, all else is a fault."""
    folder.mkdir(parents=True, exist_ok=True)
    for n, content in enumerate(files):
        (folder / str(n)).write_bytes(content)
    begun = time.perf_counter()
    try:
        series = choose(scan(folder, limits=LIMITS))
        frame = 1 if series.frames > 1 else None
        read(series, frame=frame, limits=LIMITS, decoder=decoder)
        outcome = "volume"
    except MedreconError as error:
        outcome = error.code
        if type(error) is MedreconError or "\n" in str(error) or "SECRET" in str(error):
            tally.faults.append(f"{tally.tried}: badly worded {error!r}")
    except Exception as error:  # noqa: BLE001 (the very thing that is looked for)
        outcome = "fault"
        tally.faults.append(f"{tally.tried}: {type(error).__name__}: {error}")
    seconds = time.perf_counter() - begun
    tally.tried += 1
    tally.outcomes[outcome] += 1
    tally.slowest_s = max(tally.slowest_s, seconds)
    if seconds > LONGEST_S:
        tally.faults.append(f"{tally.tried}: took {seconds:.1f} s")


def campaign(folder: Path, seed: int, count: int) -> Tally:
    """`count` mutants one after another with one decoder."""
    tally = Tally()
    series = seeds(folder / "seeds")
    with Decoder(LIMITS) as decoder:
        for files in mutants(series, seed, count):
            attempt(files, folder / "in", decoder, tally)
            for path in (folder / "in").iterdir():
                path.unlink()
    return tally


def peak_bytes() -> tuple[int, int]:
    """Largest resident size of this process and of any child that has ended."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return own, children

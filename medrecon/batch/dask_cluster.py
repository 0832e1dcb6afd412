"""Studies on a Dask cluster: the same processes, started by its workers.

Workers need the same medrecon, and the input and output folders under the same paths.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from medrecon.batch.job import RECONSTRUCT, Job, modules_for
from medrecon.batch.local import Begun, outcome_of, shared_out
from medrecon.batch.outcome import Budget, Outcome, State
from medrecon.errors import ResourceError, UsageError

PREFIX = "dask://"
CONNECT_S = 30.0


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificates for a cluster that speaks TLS.

    Parameters
    ----------
    authority, certificate, key : Path
        PEM files: whom to trust, who we are, and our key.
    """

    authority: Path
    certificate: Path
    key: Path


class DaskCluster:
    """Runs jobs on the workers of a Dask cluster, as many at a time as they have threads.

    Parameters
    ----------
    address : str
        `dask://host:port` of the scheduler.
    budget : Budget
    tls : Tls, optional
    work : str
        `module:function` that a study's process calls.

    Raises
    ------
    UsageError
        If Dask is not installed.
    ResourceError
        If the scheduler does not answer.
    """

    def __init__(
        self, address: str, budget: Budget, *, tls: Tls | None = None, work: str = RECONSTRUCT
    ) -> None:
        self.budget = budget
        self.work = work
        self._client = _connect(address.removeprefix(PREFIX), tls)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def run(self, jobs: Sequence[Job]) -> Iterator[Begun | Outcome]:
        """Hand all jobs to the scheduler; say what ends, in the order it does.

        When a worker dies, the scheduler gives its study to another; the study's process
        on the dead worker ends with it, and what it finished is used.
        """
        from distributed import as_completed

        futures = []
        for job in jobs:
            yield Begun(job.study)
            order = order_of(job, self.work, self.budget)
            preload = list(modules_for(job.options))
            futures.append(
                self._client.submit(run_one, order, preload, key=job.study, retries=0, pure=False)
            )
        for future in as_completed(futures):
            if future.status == "finished":
                yield outcome_of(future.result(), self.budget)
            else:
                reason = "its workers were lost or could not start it"
                yield Outcome(future.key, State.FAILED, "crash", reason)
            future.release()


def order_of(job: Job, work: str, budget: Budget) -> dict[str, Any]:
    """What a nursery is told of a job."""
    return {
        "study": job.study,
        "work": work,
        "job": job.as_json(),
        "timeout_s": budget.timeout_s,
        "memory_mb": budget.memory_mb,
    }


def run_one(order: Mapping[str, Any], preload: Sequence[str]) -> dict[str, Any]:
    """On a worker: one study through a nursery of its own; its answer.

    The nursery's standard input is this worker's: if the worker is killed, it ends. An
    error would be logged there with the order, and so with the names of files.
    """
    try:
        line = _answer_of(order, preload)
    except OSError:
        line = b""
    if not line:
        line = json.dumps(
            {"study": order["study"], "ending": "signal", "number": 9}
            | {"outcome": None, "seconds": 0.0, "peak_memory_mb": 0.0}
        ).encode()
    answer: dict[str, Any] = json.loads(line)
    return answer


def _answer_of(order: Mapping[str, Any], preload: Sequence[str]) -> bytes:
    """What a nursery of its own says of an order; nothing if it was ended."""
    nursery = subprocess.Popen(
        [sys.executable, "-m", "medrecon.batch.nursery"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=shared_out(os.cpu_count() or 1),
        start_new_session=True,
    )
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    try:
        for content in ({"preload": list(preload)}, order):
            nursery.stdin.write(json.dumps(content).encode() + b"\n")
        nursery.stdin.flush()
        return nursery.stdout.readline()
    finally:
        with suppress(BrokenPipeError):
            nursery.stdin.close()
        nursery.stdout.close()
        nursery.wait()


def _connect(place: str, tls: Tls | None) -> Any:
    try:
        from distributed import Client
        from distributed.security import Security
    except ImportError:
        raise UsageError(
            "Dask is not installed; install medrecon[dask], or use --executor local"
        ) from None
    security = None
    if tls is not None:
        security = Security(
            tls_ca_file=str(tls.authority),
            tls_client_cert=str(tls.certificate),
            tls_client_key=str(tls.key),
            require_encryption=True,
        )
    scheme = "tcp" if tls is None else "tls"
    try:
        return Client(f"{scheme}://{place}", timeout=CONNECT_S, security=security)
    except (OSError, ValueError) as error:
        raise ResourceError(
            f"the Dask scheduler does not answer ({type(error).__name__}); check the address, "
            "and --tls-ca, --tls-cert and --tls-key"
        ) from None

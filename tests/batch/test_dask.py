"""The same batch on a real Dask cluster: a scheduler and workers in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from drive import OPTIONS
from studies import write_studies
from test_batch import check

from medrecon.batch.dask_cluster import Tls
from medrecon.batch.outcome import Budget
from medrecon.errors import ResourceError
from medrecon.recipes.batch import BatchPlan, run_batch

HERE = Path(__file__).parent


@contextmanager
def cluster(place: Path, *, workers: int = 2, tls: Tls | None = None):
    """Address of a scheduler on loopback, and its workers' processes."""
    scheme = "tcp" if tls is None else "tls"
    keys = [] if tls is None else [
        "--tls-ca-file", tls.authority, "--tls-cert", tls.certificate, "--tls-key", tls.key
    ]  # fmt: skip
    file = place / "scheduler.json"
    environment = os.environ | {"PYTHONPATH": str(HERE)}

    def begin(*words: object) -> subprocess.Popen[bytes]:
        log = (place / f"{words[0]}.log").open("ab")
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + str(words[0]), *map(str, words[1:])],
            stdout=log, stderr=log, env=environment, cwd=place,
        )  # fmt: skip

    scheduler = begin(
        "scheduler", "--host", f"{scheme}://127.0.0.1", "--port", 0, "--no-dashboard",
        "--no-jupyter", "--scheduler-file", file, *keys,
    )  # fmt: skip
    wait_for(file.exists)
    import json

    address = json.loads(file.read_text())["address"]
    hands = [
        begin("worker", address, "--host", "127.0.0.1", "--nthreads", 1, "--no-nanny",
              "--no-dashboard", "--local-directory", place / f"worker-{n}", *keys)
        for n in range(workers)
    ]  # fmt: skip
    try:
        yield address.removeprefix(f"{scheme}://"), hands
    finally:
        for process in (*hands, scheduler):
            process.kill()
            process.wait()


def wait_for(condition, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def plan(address: str, **more: object) -> BatchPlan:
    budget = Budget(timeout_s=60.0, memory_mb=400.0)
    return BatchPlan(executor=f"dask://{address}", budget=budget, work="poison:work", **more)


@pytest.mark.filterwarnings("ignore")
def test_a_batch_on_dask_survives_the_death_of_a_worker(tmp_path):
    root, output = tmp_path / "root", tmp_path / "out"
    made = write_studies(root, 8, every=4)
    killed = []

    def kill_one(standing) -> None:
        # In the middle: when two studies have ended, the first worker dies.
        if len(standing.rows) == 2 and not killed:
            hands[0].send_signal(signal.SIGKILL)
            killed.append(True)

    with cluster(tmp_path) as (address, hands):
        run_batch(root, output=output, options=OPTIONS, plan=plan(address), watch=kill_one)
        assert hands[0].wait(10) == -signal.SIGKILL
    assert killed
    made.setdefault("bad", [])
    check(made, root, output)


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_speaks_tls_is_joined_with_a_certificate_and_not_without(tmp_path):
    root, output = tmp_path / "root", tmp_path / "out"
    made = write_studies(root, 2, every=99)
    tls = certificate(tmp_path)
    with cluster(tmp_path, workers=1, tls=tls) as (address, _):
        run_batch(root, output=output, options=OPTIONS, plan=plan(address, tls=tls))
        check(made, root, output)
        from medrecon.batch import dask_cluster

        dask_cluster.CONNECT_S, before = 3.0, dask_cluster.CONNECT_S
        try:
            with pytest.raises(ResourceError, match="--tls-ca"):
                run_batch(root, output=tmp_path / "other", options=OPTIONS, plan=plan(address))
        finally:
            dask_cluster.CONNECT_S = before


def certificate(place: Path) -> Tls:
    """A key and a certificate that vouches for itself, for 127.0.0.1."""
    key, signed = place / "key.pem", place / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", signed],
        check=True, capture_output=True,
    )  # fmt: skip
    return Tls(signed, signed, key)

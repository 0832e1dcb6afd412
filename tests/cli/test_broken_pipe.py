"""Who went away: the reader of standard output, or somebody else."""

from __future__ import annotations

import os
import subprocess
import sys

# As a shell has it: what is written waits in a buffer.
BUFFERED = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
COMMAND = [sys.executable, "-c", "from medrecon_cli.main import run; run()"]
ELSEWHERE = """
import sys
from medrecon_cli import main

@main.app.command("elsewhere")
def elsewhere():
    raise BrokenPipeError(32, "Broken pipe")

sys.argv = ["medrecon", "elsewhere"]
main.run()
"""


HELD_BACK = """
import sys
from medrecon_cli import main

@main.app.command("held_back")
def held_back():
    print("not written before the end")

sys.argv = ["medrecon", "held_back"]
main.run()
"""


def end_without_a_reader(*command: str) -> tuple[int, bytes]:
    """Exit code and standard error of a program whose standard output nobody reads."""
    program = subprocess.Popen(
        command, env=BUFFERED, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    program.stdout.close()
    words = program.stderr.read()
    program.stderr.close()
    return program.wait(), words


def test_a_reader_that_has_enough_is_no_error():
    assert end_without_a_reader(*COMMAND, "models", "list") == (0, b"")


def test_nor_is_one_that_left_before_the_last_line_was_written():
    assert end_without_a_reader(sys.executable, "-c", HELD_BACK) == (0, b"")


def test_a_connection_that_breaks_is_said():
    done = subprocess.run([sys.executable, "-c", ELSEWHERE], capture_output=True, text=True)
    assert done.returncode == 1
    assert "a bug in medrecon (BrokenPipeError)" in done.stderr

"""The verbs, and what happens when one of them fails."""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import traceback
import warnings
from types import FrameType
from typing import Any, NoReturn, cast

import typer
from typer.core import TyperGroup

from medrecon.errors import MedreconError
from medrecon_cli import (
    archive_verbs,
    audit_verbs,
    batch_verbs,
    evaluate_verbs,
    export_verbs,
    grow_verbs,
    inspect_verbs,
    make_verbs,
    model_verbs,
    replay_verbs,
    review_verbs,
    road,
    selftest_verbs,
    train_verbs,
    view_verbs,
)

INTERRUPTED = 130
OUT_OF_MEMORY = 9
BUG = 1
# What typer raises for a word that it does not know or misses: click's UsageError, wherever
# this version of typer keeps that.
_WrongUse = cast(type[Exception], typer.BadParameter.__mro__[1])


class _Interrupted(BaseException):
    """Ctrl-C or a polite kill; not an Exception, so no library swallows it."""


class _PipeError(Exception):
    """A pipe or a connection that nobody reads any more."""


class _Verbs(TyperGroup):
    """Hands a broken pipe on: typer ends the program there, whose ever it is, without a word."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _PipeError from error


app = typer.Typer(
    cls=_Verbs,
    name="medrecon",
    help="From a CT or MRI scan to surfaces one can trust. Research use, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    review_verbs,
    road,
    grow_verbs,
    inspect_verbs,
    make_verbs,
    model_verbs,
    train_verbs,
    evaluate_verbs,
    view_verbs,
    batch_verbs,
    export_verbs,
    archive_verbs,
    audit_verbs,
    replay_verbs,
    selftest_verbs,
):
    module.register(app)


def _version(asked: bool) -> None:
    if asked:
        from medrecon import __version__

        typer.echo(f"medrecon {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def run() -> NoReturn:
    """Entry point: run a verb and leave with its exit code.

    An error is one line on standard error; `-v` adds the traceback.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    verbose = bool({"-v", "--verbose"} & set(sys.argv[1:]))
    _hush_libraries()
    try:
        code = app(standalone_mode=False)
        _write_out()
        sys.exit(code)
    except _WrongUse as error:
        _explain(error, verbose)
    except MedreconError as error:
        _fail(f"{error} [{error.code}]", error.exit_code, verbose)
    except (_Interrupted, KeyboardInterrupt):
        _fail("interrupted; nothing was left half-written [interrupted]", INTERRUPTED, verbose)
    except MemoryError:
        _fail("out of memory; try a coarser --spacing [memory]", OUT_OF_MEMORY, verbose)
    except Exception as error:  # noqa: BLE001 - the last line of defence: never a traceback
        if isinstance(error, _PipeError) and _nobody_reads():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        kind = "BrokenPipeError" if isinstance(error, _PipeError) else type(error).__name__
        line = f"a bug in medrecon ({kind}); run again with -v and report it [internal]"
        _fail(line, BUG, verbose)


def _write_out() -> None:
    """Write what is still held back: at Python's own end a broken pipe would be exit 120."""
    try:
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise _PipeError from error


def _nobody_reads() -> bool:
    """Whether the reader of standard output went away (| head): nobody is left to tell."""
    if not hasattr(select, "poll"):
        return True
    watch = select.poll()
    watch.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in watch.poll(0))


def _explain(error: Any, verbose: bool) -> NoReturn:
    """One line for wrong use; the help where not even a verb was given."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        sys.exit(error.exit_code)
    place = error.ctx.command_path if error.ctx else "medrecon"
    _fail(f"{error.format_message()} ({place} --help) [usage]", error.exit_code, verbose)


def _fail(line: str, code: int, verbose: bool) -> NoReturn:
    if verbose:
        sys.stderr.write("".join(_trace(sys.exception())))
    sys.stderr.write("medrecon: error: " + " ".join(line.split()) + "\n")
    sys.exit(code)


def _hush_libraries() -> None:
    """Say nothing for the libraries: their warnings quote values of headers and names of files."""
    warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())


def _trace(error: BaseException | None) -> list[str]:
    """A traceback with the places and kinds of errors; in words only where they are ours.

    The message of any other error can hold a file's name or a header's value.
    """
    if error is None:
        return []
    words = f": {error}" if isinstance(error, MedreconError) else ""
    earlier = _trace(error.__cause__ or error.__context__)
    places = traceback.format_tb(error.__traceback__)
    return [*earlier, "Traceback (most recent call last):\n", *places, f"{_kind(error)}{words}\n"]


def _kind(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise _Interrupted

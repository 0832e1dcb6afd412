"""Options that were typed, told from those left at their defaults."""

from __future__ import annotations

from collections.abc import Collection

import typer

from medrecon.errors import UsageError

# Of every verb: how it speaks, not what it does.
_MANNERS = frozenset({"quiet", "verbose", "no_progress", "as_json"})


def given(context: typer.Context) -> frozenset[str]:
    """Names of the parameters that stand on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return frozenset(n for n, source in sources.items() if source and source.name == "COMMANDLINE")


def refuse(context: typer.Context, where: str, *, but: Collection[str]) -> None:
    """Refuse what was typed and cannot be obeyed: all but these parameters.

    Parameters
    ----------
    where : str
        What they do not go with, as the person says it: ``--head``.
    but : collection of str
        Names of the parameters that are heeded.

    Raises
    ------
    UsageError
        With the first option that is not heeded.
    """
    ignored = given(context) - frozenset(but) - _MANNERS
    for option in context.command.params:
        if option.name in ignored:
            spoken = next((x for x in option.opts if x.startswith("--")), option.name.upper())
            raise UsageError(f"{spoken} has no place with {where}")

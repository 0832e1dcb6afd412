"""A verb may take a group of options as one value.

A group is a frozen dataclass whose fields are options. `grouped` puts its fields where the
group stands, so that the command line shows them one by one and the verb gets the group.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


def grouped(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with every group among its parameters spread into the group's options.

    Parameters
    ----------
    verb : callable
        Its parameters are annotated with options, arguments or groups; every field of a
        group has a default, and no two options of a verb share a name.

    Returns
    -------
    callable
        Takes everything by keyword; name, docstring and defaults are the verb's.
    """
    kinds = get_type_hints(verb, include_extras=True)
    groups = {name: kind for name, kind in kinds.items() if dataclasses.is_dataclass(kind)}

    def spread(**given: Any) -> None:
        for name, group in groups.items():
            mine = {f.name: given.pop(f.name) for f in dataclasses.fields(group)}
            given[name] = group(**mine)  # type: ignore[operator]  # a dataclass is a type
        verb(**given)

    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(verb).parameters.items():
        single = _option(name, kinds[name], parameter.default)
        parameters += _options(groups[name]) if name in groups else [single]
    spread.__name__, spread.__doc__, spread.__module__ = (
        verb.__name__,
        verb.__doc__,
        verb.__module__,
    )
    spread.__annotations__ = {p.name: p.annotation for p in parameters}
    spread.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return spread


def _options(group: Any) -> list[inspect.Parameter]:
    kinds = get_type_hints(group, include_extras=True)
    return [_option(f.name, kinds[f.name], f.default) for f in dataclasses.fields(group)]


def _option(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)

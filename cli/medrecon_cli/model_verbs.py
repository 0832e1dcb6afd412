"""`models`: what networks there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medrecon_cli import options as opt
from medrecon_cli.terminal import Terminal

Name = Annotated[str, typer.Argument(metavar="NAME|DIR", help="A model's name or folder.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    models = typer.Typer(
        help="Installed models: what they find, their licence, their hash.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    models.command("list")(list_models)
    models.command("show")(show)
    models.command("verify")(verify)
    models.command("add")(add)
    models.command("pull")(pull)
    models.command("remove")(remove)
    app.add_typer(models, name="models")


def list_models(as_json: opt.Json = False, verbose: opt.Verbose = False) -> None:
    """Every installed model."""
    from medrecon.models import store

    terminal = Terminal(as_json=as_json)
    models = [m.manifest for m in store.installed()]
    terminal.table(
        ("model", "for", "structures", "weights' licence"),
        [
            (
                m.identity,
                m.intended_use.value,
                ", ".join(x.label.name for x in m.labels),
                m.licences.weights,
            )
            for m in models
        ],
    )
    terminal.result({"models": [m.identity for m in models]})


def show(name: Name, verbose: opt.Verbose = False) -> None:
    """A model's manifest."""
    from medrecon.models import store

    folder = store.find(name).folder
    Terminal().say((folder / "manifest.toml").read_text("utf-8").rstrip())


def verify(name: Name, verbose: opt.Verbose = False) -> None:
    """Compare a model's weights with its manifest's hash."""
    from medrecon.models import store

    model = store.find(name)
    store.verify(model)
    Terminal().say(f"{model.manifest.identity}: the weights are those of the manifest")


def add(
    source: Annotated[Path, typer.Argument(metavar="DIR|ZIP", help="A model or MONAI bundle.")],
    force: opt.Force = False,
    verbose: opt.Verbose = False,
) -> None:
    """Install a model by hand; nothing that comes with it is executed."""
    from medrecon.models import install

    model = install.add(source, replace=force)
    Terminal().say(f"{model.manifest.identity} installed: {model.manifest.intended_use.value}")


def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A known model.")],
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="Agree to the weights' licence.")
    ] = False,
    no_progress: opt.NoProgress = False,
    verbose: opt.Verbose = False,
) -> None:
    """Fetch a known model: the only verb that uses the network."""
    from medrecon.models.pull import pull as fetch

    terminal = Terminal(no_progress=no_progress)
    with terminal.progress() as progress:
        model = fetch(
            name,
            accept_license=accept_license,
            progress=lambda done, total: progress(f"pull {name}", done / total if total else 0),
        )
    terminal.say(f"{model.manifest.identity} installed: {model.manifest.intended_use.value}")


def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model of your own.")],
    verbose: opt.Verbose = False,
) -> None:
    """Take an installed model away again; shipped ones stay."""
    from medrecon.models import install

    install.remove(name)
    Terminal().say(f"{name} removed")

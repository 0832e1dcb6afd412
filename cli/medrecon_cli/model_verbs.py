"""`models`: what networks there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrecon_cli import options as opt
from medrecon_cli.terminal import Terminal

if TYPE_CHECKING:
    from medrecon.models import Manifest

MOST_NAMES = 12

AcceptLicense = Annotated[
    bool, typer.Option("--accept-license", help="Agree to the weights' licence; done once.")
]
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
    """Every installed model, and the known ones that could be pulled."""
    from medrecon.models import store
    from medrecon.models.known import known_models

    terminal = Terminal(as_json=as_json)
    models = [m.manifest for m in store.installed()]
    terminal.table(
        ("model", "for", "structures", "weights' licence"),
        [
            (
                m.identity,
                m.intended_use.value,
                _names(m),
                m.licences.weights,
            )
            for m in models
        ],
    )
    there = {m.name for m in models}
    known = [k for name, k in sorted(known_models().items()) if name not in there]
    for k in known:
        what = f"{k.name} {k.version}, {k.title}, {k.size}; {k.weights_licence}"
        terminal.say(f"could be pulled: {what}")
    terminal.result(
        {"models": [m.identity for m in models], "could_be_pulled": [k.name for k in known]}
    )


def _names(manifest: Manifest) -> str:
    """The structures of every part; how many where they are many."""
    names = [x.label.name for part in manifest.every_part for x in part.labels]
    return ", ".join(names) if len(names) <= MOST_NAMES else f"{len(names)} structures"


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
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR|ZIP…",
            help="A model, MONAI bundle or nnU-Net v2 results; several are one model's parts.",
        ),
    ],
    name: Annotated[
        str, typer.Option("--name", help="What to call it; needed for several parts.")
    ] = "",
    accept_license: AcceptLicense = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Put it in the place of an installed model of that name."),
    ] = False,
    verbose: opt.Verbose = False,
) -> None:
    """Install a model by hand; nothing that comes with it is executed."""
    from medrecon.models import install
    from medrecon.models.terms import Terms

    terms = Terms(accepted=accept_license)
    model = install.add(sources, name=name, terms=terms, replace=force)
    Terminal().say(f"{model.manifest.identity} installed: {model.manifest.intended_use.value}")


def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A known model.")],
    accept_license: AcceptLicense = False,
    no_progress: opt.NoProgress = False,
    verbose: opt.Verbose = False,
) -> None:
    """Fetch a known model: the only verb of `models` that uses the network."""
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

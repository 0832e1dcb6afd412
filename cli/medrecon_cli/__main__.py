"""`python -m medrecon_cli` is `medrecon`."""

from medrecon_cli.main import run

run()

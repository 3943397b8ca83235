"""`impasto`: what people type. Every command is a few lines over the same functions."""

import sys
from typing import NoReturn

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.markup import escape

from app.cli import (
    audit,
    campaigns,
    costs,
    demo,
    devices,
    erase,
    fleet,
    handover,
    keys,
    licences,
    ops,
    own_styles,
    presets,
    review,
    styles,
    submit,
    tenants,
    verify,
    webhooks,
    weights,
    work,
)
from app.errors import ImpastoError
from app.settings import Settings

cli = typer.Typer(
    name="impasto",
    help="Photographs in the look of a painting or a brand, in bulk.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
fleet.add(cli)
submit.add(cli)
work.add(cli)
demo.add(cli)
cli.add_typer(costs.commands, name="costs")
verify.add(cli)
cli.add_typer(keys.commands, name="keys")
handover.add(campaigns.commands)
cli.add_typer(campaigns.commands, name="campaigns")
cli.add_typer(review.commands, name="review")
cli.add_typer(tenants.commands, name="tenants")
cli.add_typer(audit.commands, name="audit")
cli.add_typer(ops.commands, name="ops")
cli.add_typer(devices.commands, name="fleet")
cli.command()(erase.erase)
own_styles.add(styles.commands)
licences.add(styles.commands)
cli.add_typer(styles.commands, name="styles")
cli.add_typer(presets.commands, name="presets")
cli.add_typer(webhooks.commands, name="webhooks")
cli.add_typer(weights.commands, name="weights")


def main() -> None:
    """Run a command; what we raise on purpose is a sentence and exit code 1."""
    try:
        cli()
    except ImpastoError as error:
        _fail(str(error))
    except SettingsError as error:
        _fail(f"The environment cannot be read: {error}.")
    except ValidationError as error:
        if error.title != Settings.__name__:
            raise
        wrong = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        _fail("\n".join(("The environment does not fit the settings:", *wrong)))


def _fail(text: str) -> NoReturn:
    Console(stderr=True, highlight=False).print(
        f"[bold red]impasto:[/] {escape(text)}", soft_wrap=True
    )
    sys.exit(1)

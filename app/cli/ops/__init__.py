"""`impasto ops`: what people type who run the fleet; it talks to the database itself."""

import typer

from app.cli.ops import again, halting, looking

commands = typer.Typer(no_args_is_help=True, help="Run the fleet: look, stop, go on, try again.")
looking.add(commands)
halting.add(commands)
again.add(commands)

__all__ = ["commands"]

"""`python -m workers`: the commands that carry an engine, or talk to the outside."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.errors import ImpastoError
from app.settings import settings

commands = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Ready = Annotated[
    Path | None, typer.Option(help="A file to create once this process serves: a readiness probe.")
]


@commands.command()
def worker(
    device: Annotated[int, typer.Option(help="Which device of this machine.")] = 0,
    ready_file: Ready = None,
) -> None:
    """Stylize: claim jobs, draw them on one device, store what comes out."""
    from workers.process import run_stylizing

    given = settings()
    engine = given.engine.model_copy(update={"device": device})
    run_stylizing(given.model_copy(update={"engine": engine}), ready_file)


@commands.command()
def io(
    beat: Annotated[bool, typer.Option(help="Also say when to sweep.")] = False,
    ready_file: Ready = None,
) -> None:
    """Fetch pictures behind URLs, deliver webhooks, sweep."""
    from workers.process import run_io

    run_io(settings(), ready_file, beat=beat)


@commands.command()
def beat() -> None:
    """Only say when to sweep: for fleets with many io workers."""
    from app.queue import open_queue

    open_queue(settings()).Beat(scheduler_cls="celery.beat:Scheduler", loglevel="WARNING").run()


def main() -> int:
    """Run a command; what we raise on purpose is a sentence and exit code 1."""
    try:
        commands()
    except ImpastoError as error:
        sys.stderr.write(f"impasto: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

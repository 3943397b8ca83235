"""`python -m app.api`: the API as a process."""

import argparse
import gc
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio.to_thread
import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from app import gauges, metrics, telemetry
from app.api.deps import State, opened
from app.api.main import Lifespan, create_app
from app.catalog import open_catalog
from app.db import open_database, rate_cards
from app.errors import Misconfigured
from app.queue import CeleryTickets, open_queue
from app.quotas import Meter
from app.settings import Settings, settings
from app.storage import open_storage
from app.submission import Desk
from app.tracing import OFF, Tracer

log = logging.getLogger(__name__)

#: Requests in the works at once. They wait for Postgres and disks more than they compute, and
#: each may hold a connection, so there are as many of those.
THREADS: Final = 24
GARBAGE: Final = 20_000  #: new objects before a search for garbage; a campaign makes as many
GRACE: Final = 10  #: seconds that requests have to end after SIGTERM


def open_desk(config: Settings, tracer: Tracer = OFF) -> Desk:
    """What the environment says. Raises `Misconfigured` before anything listens."""
    if not config.secret_key.get_secret_value():
        raise Misconfigured("IMPASTO_SECRET_KEY is empty: set it to a long random text.")
    sessions = open_database(config.database_url.get_secret_value(), pool=THREADS)
    try:
        rate_cards.agree(sessions, config.rate_card)
    except OperationalError as error:  # workers charge, and look again
        log.warning("the database is away, the rate card was not compared: %s", error)
    return Desk(
        settings=config,
        sessions=sessions,
        storage=open_storage(config.storage),
        tickets=CeleryTickets(open_queue(config), tracer),
        stylizer=open_catalog(config).stylizer(config.engine.stylizer).digest,
        meter=Meter(config.broker_url.get_secret_value(), config.quotas),
        tracer=tracer,
    )


def production(desk: Desk) -> Lifespan:
    """The desk for as long as the process serves."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        # What is here now stays: without this, each large request has all of it searched for
        # garbage, which costs a campaign more than its jobs do.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GARBAGE)
        async with opened(desk, desk.settings.broker_url.get_secret_value()) as state:
            yield state

    return lifespan


def _answer_scrapes(desk: Desk) -> None:
    if desk.settings.metrics_port is not None:
        gauges.register(desk.sessions)
        metrics.serve(desk.settings)


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m app.api", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args(arguments)
    config = settings()
    try:
        tracer = telemetry.start(config, "api")
        desk = open_desk(config, tracer)
        _answer_scrapes(desk)
    except Misconfigured as error:
        sys.exit(str(error))
    uvicorn.run(
        create_app(production(desk)),
        host=given.host,
        port=given.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=65,  # longer than most proxies keep theirs, so that they close first
        timeout_graceful_shutdown=GRACE,
    )
    tracer.close()


if __name__ == "__main__":
    main()

"""`impasto up`: a whole Impasto on this machine, from nothing or from where it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import typer
from sqlalchemy.orm import Session

from app import __version__
from app.catalog import Catalog, open_catalog, sync
from app.db import keys, open_database
from app.db.migrations import upgrade
from app.errors import Misconfigured
from app.settings import Settings, settings
from app.stack import preflight
from app.stack.household import Household, Plan
from app.stack.postgres import EmbeddedPostgres
from app.stack.redis import EmbeddedRedis
from app.stack.supervisor import Supervisor
from app.storage import open_storage

KEY_WAS_SHOWN = "shown at the first start; `impasto keys create` makes another"


@dataclass(frozen=True)
class Stack:
    """A system that is ready."""

    url: str
    flower_url: str | None
    data: Path
    key: str | None = field(repr=False)  #: the first API key, at the first start only
    database_url: str = field(repr=False)
    supervisor: Supervisor


def up(plan: Plan) -> None:
    """Start everything, say where it is, keep it running until Ctrl-C. Raises Misconfigured."""
    with running(plan, settings(), typer.echo) as stack:
        typer.echo(welcome(stack))
        stack.supervisor.watch()


@contextmanager
def running(plan: Plan, given: Settings, say: Callable[[str], None]) -> Iterator[Stack]:
    """
    A whole Impasto, ready; ended in order on leaving, or when asked to by a signal.

    Raises Misconfigured, with what to do, KeyboardInterrupt when stopped before it was ready.
    """
    with preflight.locked(plan.data), Supervisor(say) as supervisor:
        preflight.check_disk(plan.data)
        preflight.check_port(plan.port)
        if plan.optimizer or given.optimizer.enabled:
            preflight.check_optimizer()
        catalog = _catalog(given, plan)
        database_url, broker_url = _servers(plan, given, supervisor)
        household = Household(plan, given, database_url, broker_url)
        _check_storage(given)
        _fill(database_url, catalog)
        supervisor.start(*household.children())
        if plan.flower:
            supervisor.start(household.flower())  # last: nobody waits for it
        yield Stack(
            url=plan.url,
            flower_url=f"http://127.0.0.1:{household.flower_port}" if plan.flower else None,
            data=household.data,
            key=_first_key(database_url),
            database_url=database_url,
            supervisor=supervisor,
        )


def welcome(stack: Stack) -> str:
    """What an operator needs to know, once."""
    lines = {
        "API": f"{stack.url}   ({stack.url}/docs)",
        "Flower": stack.flower_url,
        "Data": stack.data,
        "Key": f"{stack.key}   (shown only now)" if stack.key else KEY_WAS_SHOWN,
        "Shell": f"export IMPASTO_URL={stack.url} IMPASTO_API_KEY={stack.key}"
        if stack.key
        else None,
    }
    shown = [f"  {name:<8}{text}" for name, text in lines.items() if text]
    return "\n".join([f"Impasto {__version__} is ready. Ctrl-C stops it.", *shown])


def _catalog(given: Settings, plan: Plan) -> Catalog:
    catalog = open_catalog(given)
    model = catalog.model(given.engine.stylizer)
    if not (plan.null_engine or given.engine.kind == "null" or model.exists()):
        raise Misconfigured(
            f"The model {model} is missing. Restore it, point IMPASTO_CATALOG at a catalog that has"
            " it, or use --null-engine."
        )
    return catalog


def _servers(plan: Plan, given: Settings, supervisor: Supervisor) -> tuple[str, str]:
    """The servers that were given, or ours, running."""
    database_url = given.database_url.get_secret_value()
    broker_url = given.broker_url.get_secret_value()
    if "broker_url" in given.model_fields_set:
        preflight.check_broker(broker_url)
    else:
        redis = EmbeddedRedis(plan.data / "redis")
        broker_url = redis.url
        supervisor.start(redis.child())
    if "database_url" in given.model_fields_set:
        preflight.check_database(database_url)
    else:
        postgres = EmbeddedPostgres(plan.data / "postgres")
        database_url = postgres.url
        supervisor.start(postgres.child())
        postgres.create_database()
    return database_url, broker_url


def _check_storage(given: Settings) -> None:
    if "storage" in given.model_fields_set:
        open_storage(given.storage).check()


def _fill(database_url: str, catalog: Catalog) -> None:
    upgrade(database_url)
    with database_session(database_url) as session:
        sync(session, catalog)


def _first_key(database_url: str) -> str | None:
    """Made last: a key made before a failed start would never be seen."""
    with database_session(database_url) as session:
        return keys.first_key(session)


@contextmanager
def database_session(database_url: str) -> Iterator[Session]:
    sessions = open_database(database_url, pool=1)
    try:
        with sessions.begin() as session:
            yield session
    finally:
        sessions.kw["bind"].dispose()

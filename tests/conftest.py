"""
What every test may ask for: a real Postgres, a real Redis, a migrated database of its own.

Servers start once per session, when first asked for. TEST_DATABASE_URL and TEST_REDIS_URL name
other ones: a role that may create databases, and a Redis that may be emptied.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

import psycopg2
import pytest
from psycopg2 import sql
from redis import Redis
from sqlalchemy import make_url

from app.db import Sessions, open_database
from app.db.migrations import upgrade
from app.stack.postgres import EmbeddedPostgres
from app.stack.redis import EmbeddedRedis


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server on which databases may be created."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    directory = tmp_path_factory.mktemp("postgres")
    with EmbeddedPostgres(directory, durable=False) as server:
        yield server.url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Redis for the session; what other tests left is still in it."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
        return
    with EmbeddedRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture
def empty_redis_url(redis_url: str) -> str:
    """The same Redis with nothing in it."""
    with Redis.from_url(redis_url) as client:
        client.flushdb()
    return redis_url


@pytest.fixture(scope="session")
def template(postgres: str) -> Iterator[str]:
    """The name of a migrated database that tests get copies of."""
    with new_database(postgres) as url:
        upgrade(url)
        yield str(make_url(url).database)


@pytest.fixture
def empty_database_url(postgres: str) -> Iterator[str]:
    """A database of the test's own with nothing in it, for migrations."""
    with new_database(postgres) as url:
        yield url


@pytest.fixture
def database_url(postgres: str, template: str) -> Iterator[str]:
    """A migrated database of the test's own: a copy takes 30 ms, a migration a second."""
    with new_database(postgres, template) as url:
        yield url


@pytest.fixture
def sessions(database_url: str) -> Iterator[Sessions]:
    """Real commits, seen by everybody on `database_url`."""
    sessions = open_database(database_url)
    yield sessions
    sessions.kw["bind"].dispose()


@contextmanager
def new_database(server: str, template: str = "template1") -> Iterator[str]:
    """A copy of `template`, dropped afterwards even when somebody is still connected."""
    name = f"test_{uuid4().hex}"
    _execute(server, "CREATE DATABASE {} TEMPLATE {}", name, template)
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    _execute(server, "DROP DATABASE {} WITH (FORCE)", name)


def _execute(server: str, statement: str, *names: str) -> None:
    url = make_url(server).set(drivername="postgresql")
    with closing(psycopg2.connect(url.render_as_string(hide_password=False))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

"""The database: tables, and modules of statements that take a session."""

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from app import keepalive
from app.db import copying
from app.db.counted import listen

Sessions = sessionmaker[Session]


def open_database(url: str, *, pool: int = 8, idle: float = 30.0) -> Sessions:
    """
    Connections to Postgres, made when first used.

    Clocks and zones are the server's: every time we compare is `now()` of the database. A
    process that does nothing in the middle of a transaction for `idle` seconds is frozen: its
    locks go.
    """
    engine = create_engine(
        url,
        pool_size=pool,
        max_overflow=pool,
        hide_parameters=True,  # errors are logged, and callers' names and addresses are not
        pool_pre_ping=True,  # a restarted Postgres costs one ping, not one failed request
        connect_args={
            "application_name": "impasto",
            "connect_timeout": 5,
            "options": "-c timezone=UTC -c lock_timeout=5s"
            f" -c idle_in_transaction_session_timeout={idle:.0f}s",
            **keepalive.POSTGRES,
        },
    )
    copying.teach(engine)
    sessions = sessionmaker(engine, expire_on_commit=False)
    listen(sessions)
    return sessions

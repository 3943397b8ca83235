"""The database: tables, and modules of statements that take a session."""

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from app.db import copying

Sessions = sessionmaker[Session]


def open_database(url: str, *, pool: int = 8) -> Sessions:
    """
    Connections to Postgres, made when first used.

    Clocks and zones are the server's: every time we compare is `now()` of the database.
    """
    engine = create_engine(
        url,
        pool_size=pool,
        max_overflow=pool,
        pool_pre_ping=True,  # a restarted Postgres costs one ping, not one failed request
        connect_args={
            "application_name": "impasto",
            "connect_timeout": 5,
            "options": "-c timezone=UTC -c lock_timeout=5s"
            " -c idle_in_transaction_session_timeout=30s",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,  # a black-holed link is an error in seconds, not hours
        },
    )
    copying.teach(engine)
    return sessionmaker(engine, expire_on_commit=False)

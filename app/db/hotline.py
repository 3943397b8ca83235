"""A connection that stays open, for a question that is asked many times a second."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.db import Sessions

Answer = TypeVar("Answer")


class Hotline:
    """
    One thread at a time may ask. Each statement stands alone, and costs one round trip: a pooled
    session takes four.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._engine = sessions.kw["bind"].execution_options(isolation_level="AUTOCOMMIT")
        self._connection: Connection | None = None

    def ask(self, question: Callable[[Session], Answer]) -> Answer:
        """What `question` answers; asked again where the connection had died since the last one."""
        known = self._connection is not None
        try:
            return self._ask(question)
        except DBAPIError as error:
            self.close()
            if not (known and error.connection_invalidated):
                raise
        return self._ask(question)

    def close(self) -> None:
        """Hang up; whoever asks next opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ask(self, question: Callable[[Session], Answer]) -> Answer:
        if self._connection is None:
            self._connection = self._engine.connect()
        with Session(self._connection) as session:
            return question(session)

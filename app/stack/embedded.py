"""A server of our own on a directory of its own: what PostgreSQL and Redis have in common."""

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

from app.stack import kept
from app.stack.children import Child, Running


class Embedded(ABC):
    """
    One server in `directory`; a second start on the same directory continues it.

    `port` None takes the one of last time, or a free one. A context in which the server runs;
    entering raises Misconfigured when it cannot start.
    """

    URL: ClassVar[str]  #: with places for `password` and `port`

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._port = port
        self._running: Running | None = None

    @cached_property
    def port(self) -> int:
        return self._port or kept.port(self.directory / "port")

    @property
    def password(self) -> str:
        return kept.secret(self.directory / "password")

    @property
    def url(self) -> str:
        return self.URL.format(password=self.password, port=self.port)

    @classmethod
    def url_of(cls, directory: Path) -> str:
        """Where a server was last. Raises FileNotFoundError if there never was one."""
        password = (directory / "password").read_text().strip()
        return cls.URL.format(password=password, port=int((directory / "port").read_text()))

    @abstractmethod
    def child(self) -> Child:
        """The server for a supervisor."""

    def __enter__(self) -> Self:
        self._running = Running(self.child())
        try:
            self._running.wait_ready()
            self._furnish()
        except BaseException:
            self._running.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._running is not None:
            self._running.end()

    def _furnish(self) -> None:  # noqa: B027 - Redis lacks nothing
        """Put in place what a server that runs still lacks."""

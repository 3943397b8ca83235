"""What processes write about themselves: one line an event, as text or as JSON, without secrets."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Any, Final, TextIO

from app.redaction import Redactor
from app.settings import LogSettings

#: What a line may say of whom it is about, in this order.
FIELDS: Final = ("job_id", "campaign_id", "tenant_id", "request_id", "trace_id", "span_id")
OURS: Final = ("app", "workers", "uvicorn", "__main__")  #: of others, only warnings are told

log = logging.getLogger(__name__)

_NOBODY: Final[Mapping[str, object]] = MappingProxyType({})
_about: ContextVar[Mapping[str, object]] = ContextVar("about", default=_NOBODY)


class about:
    """Lines written inside tell of these `FIELDS`, too; None says nothing."""

    # A class: as a generator it would cost every job twice as much.
    __slots__ = ("_ids", "_token")

    def __init__(self, **ids: object) -> None:
        self._ids = ids

    def __enter__(self) -> None:
        self._token = _about.set({**_about.get(), **self._ids})

    def __exit__(self, *_: object) -> None:
        _about.reset(self._token)


@contextmanager
def about_only(**ids: object) -> Iterator[None]:
    """The same, and of nothing that was said outside: for requests, whose tasks inherit."""
    token = _about.set(ids)
    try:
        yield
    finally:
        _about.reset(token)


def tell_of(**ids: object) -> None:
    """From here on, until the `about` around it ends."""
    _about.set({**_about.get(), **ids})


def ids_of(row: Any) -> dict[str, Any]:
    """Whom lines about a job name, by its row."""
    return {"job_id": row.id, "campaign_id": row.campaign_id, "tenant_id": row.tenant_id}


def fields(record: logging.LogRecord) -> dict[str, str]:
    """Those that are known of a record: its own `extra` before what is said around it."""
    around = _about.get()
    known = {name: getattr(record, name, None) or around.get(name) for name in FIELDS}
    return {name: str(value) for name, value in known.items() if value is not None}


class _Plain(logging.Formatter):
    """Lines for people; what is known of ids stands at their end."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._redact = redact

    def formatMessage(self, record: logging.LogRecord) -> str:
        ids = " ".join(f"{name}={value}" for name, value in fields(record).items())
        return f"{super().formatMessage(record)} [{ids}]" if ids else super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


class _Json(logging.Formatter):
    """Lines for programs: an object each."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, str] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            facts["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            facts["stack"] = self.formatStack(record.stack_info)
        return json.dumps({name: self._redact(value) for name, value in facts.items()})


def configure(settings: LogSettings, redact: Redactor, stream: TextIO | None = None) -> None:
    """All lines of this process through one handler, uncaught exceptions included; to stderr."""
    handler = logging.StreamHandler(stream)
    kind = _Json if settings.format == "json" else _Plain
    handler.setFormatter(kind(redact))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(settings.level)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda given: _uncaught(
        given.exc_type, given.exc_value, given.exc_traceback
    )


def _uncaught(
    kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    told: Any = (kind, error, traceback)
    log.critical("uncaught %s", kind.__name__, exc_info=told)

"""
Spans, for whoever follows a picture through our processes; off, they cost nothing.

What serves one thing is a child of its span, what serves several is linked to all of theirs. Spans
cross processes as W3C `traceparent` texts, which requests bring and rows keep.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import ClassVar, Final, Protocol, TypeAlias

from app.errors import Misconfigured
from app.redaction import Redactor
from app.settings import TracingSettings

Facts: TypeAlias = Mapping[str, str | int | float | None]  #: None is left out


class Kind(StrEnum):
    """How a span stands to what is beyond its process."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """Something that takes time; its end may be said in another thread."""

    @property
    def traceparent(self) -> str | None:
        """What stands for it elsewhere; None: nothing does."""
        ...

    def call(self, name: str) -> None:
        """Its name, once it is known better."""
        ...

    def tell(self, facts: Facts) -> None:
        """What is known of it: ids, amounts and words of ours, never a caller's."""
        ...

    def broke(self, what: str) -> None:
        """It did not end well: an error's code, or its class."""
        ...

    def link(self, other: "Span") -> None:
        """It has to do with another that is neither above nor below it."""
        ...

    def end(self) -> None:
        """Now, unless it has ended."""
        ...


class Tracer(Protocol):
    """Where spans come from; made once, by whoever starts the process."""

    @property
    def on(self) -> bool:
        """Whether it is worth asking the database for contexts."""
        ...

    def begin(
        self,
        name: str,
        kind: Kind = Kind.INTERNAL,
        *,
        parent: str | bytes | None = None,
        links: Sequence[Span | str | None] = (),
        since: int | None = None,
    ) -> Span:
        """
        A span to be ended by hand. `parent` is a `traceparent`; without one, it is what is here.

        `since`: nanoseconds since 1970, for what was found worth a span only afterwards.
        """
        ...

    def span(
        self,
        name: str,
        kind: Kind = Kind.INTERNAL,
        *,
        parent: str | bytes | None = None,
        links: Sequence[Span | str | None] = (),
    ) -> AbstractContextManager[Span]:
        """The same, here for the length of a block; what is raised there is noted by its class."""
        ...

    def step(self, name: str, kind: Kind = Kind.INTERNAL) -> AbstractContextManager[Span]:
        """A span where others are here; else nothing, for it says nothing by itself."""
        ...

    def amid(self, spans: Sequence[Span]) -> AbstractContextManager[None]:
        """These are here for the length of a block: what begins there belongs to all of them."""
        ...

    def here(self) -> Sequence[Span]:
        """Those that what happens now belongs to."""
        ...

    def close(self) -> None:
        """Send what is left."""
        ...


class _Nowhere:
    """The span that nobody sees."""

    traceparent: ClassVar[str | None] = None

    def call(self, name: str) -> None: ...
    def tell(self, facts: Facts) -> None: ...
    def broke(self, what: str) -> None: ...
    def link(self, other: Span) -> None: ...
    def end(self) -> None: ...


LANE: Final = "impasto.lane"  #: a fact that several tell

NOWHERE: Final[Span] = _Nowhere()
_NOTHING: Final = nullcontext(NOWHERE)
_AMID: Final = nullcontext()


class _Off:
    """Traces nothing."""

    on: ClassVar[bool] = False

    def begin(
        self,
        name: str,
        kind: Kind = Kind.INTERNAL,
        *,
        parent: str | bytes | None = None,
        links: Sequence[Span | str | None] = (),
        since: int | None = None,
    ) -> Span:
        return NOWHERE

    def span(
        self,
        name: str,
        kind: Kind = Kind.INTERNAL,
        *,
        parent: str | bytes | None = None,
        links: Sequence[Span | str | None] = (),
    ) -> AbstractContextManager[Span]:
        return _NOTHING

    def step(self, name: str, kind: Kind = Kind.INTERNAL) -> AbstractContextManager[Span]:
        return _NOTHING

    def amid(self, spans: Sequence[Span]) -> AbstractContextManager[None]:
        return _AMID

    def here(self) -> Sequence[Span]:
        return ()

    def close(self) -> None: ...


OFF: Final[Tracer] = _Off()


def kept(tracer: Tracer) -> str | None:
    """What a row keeps of the request that it came with."""
    spans = tracer.here()
    return spans[0].traceparent if spans else None


def open_tracer(settings: TracingSettings, service: str, redact: Redactor) -> Tracer:
    """What the settings say. Raises `Misconfigured` where the library is not installed."""
    if settings.endpoint is None:
        return OFF
    try:
        from app.tracing.otlp import Otlp
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"IMPASTO_TRACING__ENDPOINT is set, and {error.name} is not installed: "
            "pip install 'impasto[tracing]'."
        ) from error
    return Otlp.to(str(settings.endpoint), settings.ratio, service, redact)

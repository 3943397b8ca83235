"""Spans through OpenTelemetry's SDK to a collector. The only module that imports it."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

import app
from app.logs import about
from app.redaction import Redactor
from app.tracing import NOWHERE, Facts, Kind, Span

SECONDS: Final = 5.0  #: that sending one batch of spans may take, tries included

_KINDS: Final = {
    Kind.INTERNAL: SpanKind.INTERNAL,
    Kind.SERVER: SpanKind.SERVER,
    Kind.CLIENT: SpanKind.CLIENT,
    Kind.PRODUCER: SpanKind.PRODUCER,
    Kind.CONSUMER: SpanKind.CONSUMER,
}
_W3C: Final = TraceContextTextMapPropagator()
_ROOT: Final = Context()
_here: ContextVar[tuple["_Traced", ...]] = ContextVar("spans", default=())


class _Traced:
    """A span of the library's."""

    def __init__(self, span: trace.Span, redact: Redactor) -> None:
        self.span, self._redact = span, redact

    @property
    def context(self) -> SpanContext:
        return self.span.get_span_context()

    @property
    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, trace.set_span_in_context(self.span, _ROOT))
        return carrier["traceparent"]

    def call(self, name: str) -> None:
        self.span.update_name(name)

    def tell(self, facts: Facts) -> None:
        for name, value in facts.items():
            if value is not None:
                its = self._redact(value) if isinstance(value, str) else value
                self.span.set_attribute(name, its)

    def broke(self, what: str) -> None:
        """Without the message: it may quote anything."""
        self.span.set_attribute("error.type", what)
        self.span.set_status(Status(StatusCode.ERROR))

    def link(self, other: Span) -> None:
        if isinstance(other, _Traced):
            self.span.add_link(other.context)

    def end(self) -> None:
        if self.span.is_recording():
            self.span.end()


class Otlp:
    """Traces to a collector, sampled where a request begins."""

    on: Final = True

    def __init__(self, provider: TracerProvider, redact: Redactor) -> None:
        self._provider, self._redact = provider, redact
        self._tracer = provider.get_tracer("impasto", app.__version__)

    @classmethod
    def to(cls, endpoint: str, ratio: float, service: str, redact: Redactor) -> Self:
        """OTLP over HTTP, from a thread of its own."""
        facts = {
            "service.namespace": "impasto",
            "service.name": f"impasto-{service}",
            "service.version": app.__version__,
            "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        }
        provider = TracerProvider(sampler=_Linked(ratio), resource=Resource.create(facts))
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=SECONDS)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        return cls(provider, redact)

    def begin(
        self,
        name: str,
        kind: Kind = Kind.INTERNAL,
        *,
        parent: str | bytes | None = None,
        links: Sequence[Span | str | None] = (),
        since: int | None = None,
    ) -> Span:
        above, linked = _remote(parent), [*links]
        if parent is None:
            match _here.get():
                case [one]:
                    above = trace.set_span_in_context(one.span, _ROOT)
                case several:
                    linked += several
        span = self._tracer.start_span(
            name, above, _KINDS[kind], links=_links(linked), start_time=since
        )
        return _Traced(span, self._redact)

    @contextmanager
    def span(
        self,
        name: str,
        kind: Kind = Kind.INTERNAL,
        *,
        parent: str | bytes | None = None,
        links: Sequence[Span | str | None] = (),
    ) -> Iterator[Span]:
        span = self.begin(name, kind, parent=parent, links=links)
        try:
            with self.amid([span]):
                yield span
        except Exception as error:
            span.broke(type(error).__name__)
            raise
        finally:
            span.end()

    @contextmanager
    def step(self, name: str, kind: Kind = Kind.INTERNAL) -> Iterator[Span]:
        if _here.get():
            with self.span(name, kind) as span:
                yield span
        else:
            yield NOWHERE

    @contextmanager
    def amid(self, spans: Sequence[Span]) -> Iterator[None]:
        ours = tuple(span for span in spans if isinstance(span, _Traced))
        token = _here.set(ours)
        try:
            with about(**_ids(ours)):
                yield
        finally:
            _here.reset(token)

    def here(self) -> Sequence[Span]:
        return _here.get()

    def close(self) -> None:
        self._provider.shutdown()


class _Linked(Sampler):
    """A root that serves others is sampled if one of them is; any other by the ratio."""

    def __init__(self, ratio: float) -> None:
        self._rest = ParentBased(TraceIdRatioBased(ratio))

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        about = (parent_context, trace_id, name, kind, attributes, links)
        above = trace.get_current_span(parent_context).get_span_context()
        if above.is_valid or not links:
            return self._rest.should_sample(*about)
        sampled = any(link.context.trace_flags.sampled for link in links)
        return (ALWAYS_ON if sampled else ALWAYS_OFF).should_sample(*about)

    def get_description(self) -> str:
        return "Linked"


def _remote(traceparent: str | bytes | None) -> Context:
    """What a `traceparent` stands for; of one that is none, nothing."""
    if traceparent is None:
        return _ROOT
    text = traceparent.decode("latin-1") if isinstance(traceparent, bytes) else traceparent
    return _W3C.extract({"traceparent": text}, _ROOT)


def _links(given: Sequence[Span | str | None]) -> list[Link]:
    """Each once."""
    contexts = [
        one.context if isinstance(one, _Traced) else _context(one)
        for one in given
        if isinstance(one, _Traced | str)
    ]
    known = {(one.trace_id, one.span_id): one for one in contexts if one.is_valid}
    return [Link(one) for one in known.values()]


def _context(traceparent: str) -> SpanContext:
    return trace.get_current_span(_remote(traceparent)).get_span_context()


def _ids(spans: Sequence[_Traced]) -> dict[str, object]:
    """What lines say of it; of several, nothing."""
    if len(spans) != 1:
        return {}
    its = spans[0].context
    return {
        "trace_id": trace.format_trace_id(its.trace_id),
        "span_id": trace.format_span_id(its.span_id),
    }

"""A collector of spans: takes OTLP over HTTP as a real one does, and keeps what came."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.loopback import Loopback, Received, reply, serving


@dataclass(frozen=True)
class Seen:
    """A span, as it came; ids in hex."""

    name: str
    service: str
    trace: str
    id: str
    parent: str
    kind: int
    links: frozenset[str]  #: ids of spans
    facts: dict[str, Any]
    broke: bool


@dataclass
class Collector:
    """What has come so far."""

    server: Loopback
    spans: list[Seen] = field(default_factory=list)

    def of(self, trace: str, name: str) -> list[Seen]:
        return [span for span in self.spans if (span.trace, span.name) == (trace, name)]


def decoded(body: bytes) -> Iterator[Seen]:
    """The spans of one request."""
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        about = {one.key: one.value.string_value for one in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                facts = {
                    one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value")
                    for one in span.attributes
                }
                yield Seen(
                    span.name,
                    about["service.name"],
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.kind,
                    frozenset(link.span_id.hex() for link in span.links),
                    facts,
                    span.status.code == Status.STATUS_CODE_ERROR,
                )


@contextmanager
def collecting() -> Iterator[Collector]:
    def take(received: Received) -> list[bytes]:
        assert received.line.startswith("POST /v1/traces ")
        collector.spans += decoded(received.body)
        return [reply(200, b"", content_type="application/x-protobuf")]

    with serving(take) as server:
        collector = Collector(server)
        yield collector

"""Spans: nothing while off, and what belongs to what while on."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from app.redaction import Redactor
from app.settings import TracingSettings
from app.tracing import NOWHERE, OFF, Tracer, kept, open_tracer
from tests.collector import Collector, Seen, collecting

KEY = "imp_8h3kd92l_" + "Zx9" * 12


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def tracer(collector: Collector, ratio: float = 1.0) -> Tracer:
    given = {"endpoint": collector.server.url, "ratio": ratio}
    return open_tracer(TracingSettings.model_validate(given), "test", Redactor())


def sent(tracer: Tracer, collector: Collector) -> dict[str, Seen]:
    tracer.close()
    return {span.name: span for span in collector.spans}


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nobody_loads_what_traces_or_reports_while_it_is_off() -> None:
    heavy = run(
        "import sys, app.api.__main__, workers.process, workers.pipeline, workers.opening\n"
        "from app import telemetry\n"
        "from app.settings import Settings\n"
        "telemetry.start(Settings(_env_file=None), 'test')\n"
        # redis-py loads `opentelemetry.sdk.metrics` by itself, where it is installed.
        "print([one for one in sys.modules if one.startswith(('opentelemetry.sdk.trace',"
        " 'opentelemetry.exporter', 'app.tracing.otlp', 'sentry_sdk'))])"
    )
    assert heavy.strip() == "[]"


def test_an_endpoint_without_the_library_says_what_to_install() -> None:
    said = run(
        "import sys\n"
        "sys.modules['opentelemetry.sdk'] = None\n"
        "from app.errors import Misconfigured\n"
        "from app.redaction import Redactor\n"
        "from app.settings import TracingSettings\n"
        "from app.tracing import open_tracer\n"
        "try:\n"
        "    open_tracer(TracingSettings(endpoint='http://127.0.0.1:1'), 'test', Redactor())\n"
        "except Misconfigured as error:\n"
        "    print(error)"
    )
    assert "pip install 'impasto[tracing]'" in said


def test_off_nothing_is_kept_and_nothing_is_here() -> None:
    off = open_tracer(TracingSettings(), "test", Redactor())
    with off.span("request") as span, off.amid([span]):
        assert span is NOWHERE
        assert kept(off) is None
        assert not off.here()
    assert off is OFF


def test_what_serves_one_is_its_child_and_what_serves_several_is_linked(
    collector: Collector,
) -> None:
    ours = tracer(collector)
    with ours.span("request") as request, ours.step("put"):
        assert kept(ours) != request.traceparent  # what is innermost
    jobs = [ours.begin(name, parent=request.traceparent) for name in ("one", "other")]
    with ours.amid(jobs), ours.step("both"):
        pass
    for job in jobs:
        job.end()
    with ours.step("nobody's"):
        pass
    spans = sent(ours, collector)
    assert "nobody's" not in spans
    assert spans["put"].parent == spans["one"].parent == spans["request"].id
    assert spans["both"].parent == ""
    assert spans["both"].links == {spans["one"].id, spans["other"].id}


@pytest.mark.parametrize("given", ["", "nonsense", b"00-\xff", "00-" + "0" * 32 + "-" + "0" * 16])
def test_a_traceparent_that_is_none_begins_a_trace(
    collector: Collector, given: str | bytes
) -> None:
    ours = tracer(collector)
    with ours.span("request", parent=given):
        pass
    assert sent(ours, collector)["request"].parent == ""


def test_of_none_only_what_others_ask_for_is_traced(collector: Collector) -> None:
    ours = tracer(collector, ratio=0.0)
    asked = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    not_asked = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    with ours.span("ours"), ours.span("theirs", parent=asked):
        pass
    for name, links in [("some", [not_asked, asked]), ("no", [not_asked])]:
        with ours.span(name, links=links):
            pass
    assert set(sent(ours, collector)) == {"theirs", "some"}


def test_what_is_raised_is_noted_by_its_class_and_facts_are_redacted(
    collector: Collector,
) -> None:
    ours = tracer(collector)
    with suppress(ValueError), ours.span("it") as span:
        span.tell({"impasto.request_id": KEY, "impasto.nothing": None})
        raise ValueError(KEY)
    it = sent(ours, collector)["it"]
    assert it.broke
    assert it.facts == {"impasto.request_id": "imp_[...]", "error.type": "ValueError"}


def test_a_collector_that_is_away_holds_nobody_up() -> None:
    away = TracingSettings.model_validate({"endpoint": "http://127.0.0.1:9"})
    ours = open_tracer(away, "test", Redactor())
    with ours.span("it"):
        pass
    ours.close()


def test_an_endpoint_that_is_empty_is_none() -> None:
    assert TracingSettings.model_validate({"endpoint": ""}).endpoint is None


def test_an_endpoint_must_be_a_url() -> None:
    with pytest.raises(ValueError, match="endpoint"):
        TracingSettings.model_validate({"endpoint": "collector:4318"})

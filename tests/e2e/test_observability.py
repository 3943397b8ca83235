"""What real processes tell of a picture: spans to a collector, lines, reports; and what not."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from app.db import open_database
from app.stack.postgres import EmbeddedPostgres
from tests.collector import Collector, Seen, collecting
from tests.e2e.system import Up, until
from tests.loopback import Loopback, reply, serving
from tests.unit.pictures import jpeg

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PUBLIC = "0123456789abcdef0123456789abcdef"  #: of Sentry's DSN
PERSON, FILE, SIGNATURE = "Erika Mustermann", "erika-mustermann.jpg", "4f1c6d0b9a"
REPLY = f"{PERSON} says thanks"
SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5


@dataclass
class Followed:
    up: Up
    collector: Collector
    receiver: Loopback
    sentry: Loopback

    def post(self, path: str, status: int = 202, **given: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.up.key}", **given.pop("headers", {})}
        url = f"http://127.0.0.1:{self.up.port}{path}"
        answer = httpx2.post(url, headers=headers, timeout=60, **given)
        assert answer.status_code == status, answer.text
        return answer.json()

    def breaks(self, table: str, condition: str) -> None:
        """From here on, writing there ends in an error that quotes the row."""
        check = f"ALTER TABLE {table} ADD CONSTRAINT breaks CHECK ({condition}) NOT VALID"
        with open_database(EmbeddedPostgres.url_of(self.up.data / "postgres")).begin() as session:
            session.execute(text(check))

    def broken(self, process: str) -> list[dict[str, str]]:
        """The lines of a process that tell of an exception."""
        return [line for line in self.lines(process) if "exception" in line]

    def lines(self, process: str) -> list[dict[str, str]]:
        log = (self.up.data / "logs" / f"{process}.log").read_text()
        whole, _, _ = log.rpartition("\n")  # the last may be under way
        return [json.loads(line) for line in whole.splitlines()]

    def reports(self) -> list[dict[str, Any]]:
        """The events that Sentry got."""
        found = []
        for one in self.sentry.received:
            assert one.line.startswith("POST /api/7/envelope/ ")
            items = gzip.decompress(one.body).splitlines()[1:]
            found += [json.loads(body) for head, body in zip(items[::2], items[1::2], strict=True)]
        return found

    def one(self, trace: str, name: str) -> Seen:
        """The span of that name, once it is there."""
        until(lambda: self.collector.of(trace, name), what=name)
        (span,) = self.collector.of(trace, name)
        return span


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    with (
        collecting() as collector,
        serving(lambda _: [reply(200, REPLY.encode())]) as receiver,
        serving(lambda _: [reply(200, b"{}", content_type="application/json")]) as sentry,
    ):
        environment = {
            "IMPASTO_TRACING__ENDPOINT": collector.server.url,
            "IMPASTO_SENTRY__DSN": f"http://{PUBLIC}@127.0.0.1:{sentry.port}/7",
            "IMPASTO_LOG__FORMAT": "json",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "IMPASTO_WEBHOOKS__ALLOW_PRIVATE": "true",
            "IMPASTO_ALLOW_PRIVATE_SOURCES": "true",
            "IMPASTO_CACHE": "false",  # equal pictures are each drawn
        }
        data = tmp_path_factory.mktemp("data")
        with Up(data, environment=environment) as up:
            yield Followed(up.wait_ready(), collector, receiver, sentry)
            assert up.stop() == 0


def test_a_picture_is_followed_from_its_request_to_its_webhook(followed: Followed) -> None:
    job = followed.post(
        "/v1/jobs",
        files={"content": ("a.jpg", jpeg(), "image/jpeg")},
        data={"style": "great-wave", "webhook_url": f"{followed.receiver.url}/hook"},
        headers={"traceparent": f"00-{TRACE}-{CALLER}-01"},
    )
    request = followed.one(TRACE, "POST /v1/jobs")
    assert (request.parent, request.kind, request.service) == (CALLER, SERVER, "impasto-api")
    assert request.facts["http.response.status_code"] == 202
    assert followed.one(TRACE, "enqueue").kind == PRODUCER

    its = followed.one(TRACE, "job")
    assert (its.parent, its.kind, its.service) == (request.id, CONSUMER, "impasto-worker")
    assert its.facts["impasto.job_id"] == job["id"]
    puts = followed.collector.of(TRACE, "storage.put")
    assert {put.parent for put in puts} == {request.id, its.id}

    (batch,) = [span for span in followed.collector.spans if its.id in span.links]
    assert (batch.name, batch.facts["impasto.pictures"]) == ("batch", 1)
    (claim,) = [span for span in followed.collector.spans if request.id in span.links]
    assert (claim.name, claim.facts["impasto.lane"]) == ("claim", "interactive")
    assert its.links == {batch.id, claim.id}
    assert len({batch.trace, claim.trace, TRACE}) == 3

    webhook = followed.one(TRACE, "webhook")
    assert (webhook.parent, webhook.kind, webhook.service) == (request.id, CLIENT, "impasto-io")
    assert webhook.facts["impasto.job_id"] == job["id"]
    (sent,) = followed.receiver.received
    assert sent.headers["traceparent"].startswith(f"00-{TRACE}-{webhook.id}-")


def test_a_picture_behind_a_url_is_fetched_in_the_same_trace(followed: Followed) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with serving(lambda _: [reply(200, jpeg((80, 64)))]) as source:
        followed.post(
            "/v1/jobs",
            json={"style": "great-wave", "input": {"url": f"{source.url}/a.jpg"}},
            headers={"traceparent": f"00-{trace}-{CALLER}-01"},
        )
        fetch = followed.one(trace, "fetch")
        its = followed.one(trace, "job")
    assert fetch.parent == its.parent == followed.one(trace, "POST /v1/jobs").id
    assert fetch.service == "impasto-io"


def test_the_pictures_of_a_campaign_are_in_its_trace_and_share_batches(
    followed: Followed,
) -> None:
    trace = "5bd66ef5095369c7b0d1f8f4bd33716a"
    with serving(lambda _: [reply(200, jpeg((96, 64)))]) as source:
        items = [{"custom_id": str(n), "input": {"url": f"{source.url}/{n}.jpg"}} for n in range(3)]
        followed.post(
            "/v1/campaigns",
            json={"name": "spring", "style": "great-wave", "items": items},
            headers={"traceparent": f"00-{trace}-{CALLER}-01"},
        )
        until(lambda: len(followed.collector.of(trace, "job")) == 3)
    request = followed.one(trace, "POST /v1/campaigns")
    jobs = followed.collector.of(trace, "job")
    assert {job.parent for job in jobs} == {request.id}
    batches = [one for one in followed.collector.spans if one.name == "batch"]
    for job in jobs:
        assert sum(job.id in batch.links for batch in batches) == 1


def test_what_a_caller_does_not_sample_is_followed_nowhere(followed: Followed) -> None:
    trace, after = "6ac7651916cd43dd8448eb211c80319d", "7ac7651916cd43dd8448eb211c80319d"
    for number, (its, flags) in enumerate([(trace, "00"), (after, "01")]):
        followed.post(
            "/v1/jobs",
            200,
            files={"content": ("a.jpg", jpeg((70 + number, 64)), "image/jpeg")},
            data={"style": "great-wave"},
            headers={"traceparent": f"00-{its}-{CALLER}-{flags}", "Prefer": "wait=30"},
        )
    followed.one(after, "job")
    assert not [span for span in followed.collector.spans if span.trace == trace]


def test_what_breaks_is_told_with_ids_and_without_what_is_secret_or_personal(
    followed: Followed,
) -> None:
    up, trace = followed.up, "8ac7651916cd43dd8448eb211c80319d"
    hook = f"{followed.receiver.url}/erika?token={SIGNATURE}"
    secret = up.get("/v1/webhook-secret")["secret"]
    picture = {"content": (FILE, jpeg((72, 64)), "image/jpeg")}
    about = {"style": "great-wave", "webhook_url": hook, "metadata": json.dumps({"of": PERSON})}

    followed.breaks("delivery_attempts", "response_excerpt IS NULL")
    followed.post("/v1/jobs", data=about, files=picture)
    until(lambda: followed.broken("io"))
    followed.breaks("inferences", "batch_size < 0")
    followed.post("/v1/jobs", data=about, files=picture)
    until(lambda: followed.broken("worker-0"))
    followed.breaks("jobs", "source NOT LIKE 'http%'")
    url = f"{followed.receiver.url}/{FILE}?X-Amz-Signature={SIGNATURE}"
    job = {"style": "great-wave", "input": {"url": url}, "metadata": {"of": PERSON}}
    headers = {"traceparent": f"00-{trace}-{CALLER}-01", "X-Request-ID": up.key}
    followed.post("/v1/jobs", 500, json=job, headers=headers)
    until(lambda: {one["tags"]["service"] for one in followed.reports()} == {"api", "io", "worker"})

    (line,) = followed.broken("api")
    assert line["trace_id"] == trace
    assert line["tenant_id"]
    assert line["level"] == "ERROR"
    assert "violates check constraint" in line["exception"]
    (report,) = [one for one in followed.reports() if one["tags"]["service"] == "api"]
    assert report["tags"]["trace_id"] == trace
    assert any("stacktrace" in one for one in report["exception"]["values"])
    assert followed.one(trace, "POST /v1/jobs").broke

    told = "\n".join(
        path.read_text() for path in (up.data / "logs").glob("*.log") if ours(path.name)
    )
    told += json.dumps(followed.reports()) + repr(followed.collector.spans)
    kept = (up.data / "secret-key").read_text().strip()
    password = (up.data / "postgres" / "password").read_text().strip()
    for word in (up.key, secret, kept, password, SIGNATURE, PERSON, "Mustermann", FILE, "/erika"):
        assert word not in told, word


def ours(name: str) -> bool:
    return name.startswith(("api", "io", "worker"))

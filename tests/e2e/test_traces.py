"""One picture, followed through real processes to a collector."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.collector import Collector, Seen, collecting
from tests.e2e.system import Up, until
from tests.loopback import Loopback, reply, serving
from tests.unit.pictures import jpeg

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5


@dataclass
class Followed:
    up: Up
    collector: Collector
    receiver: Loopback

    def post(self, path: str, **given: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.up.key}", **given.pop("headers", {})}
        url = f"http://127.0.0.1:{self.up.port}{path}"
        answer = httpx2.post(url, headers=headers, timeout=60, **given)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def one(self, trace: str, name: str) -> Seen:
        """The span of that name, once it is there."""
        until(lambda: self.collector.of(trace, name), what=name)
        (span,) = self.collector.of(trace, name)
        return span


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    with collecting() as collector, serving(lambda _: [reply(204)]) as receiver:
        environment = {
            "IMPASTO_TRACING__ENDPOINT": collector.server.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "IMPASTO_WEBHOOKS__ALLOW_PRIVATE": "true",
            "IMPASTO_ALLOW_PRIVATE_SOURCES": "true",
            "IMPASTO_CACHE": "false",  # equal pictures are each drawn
        }
        data = tmp_path_factory.mktemp("data")
        with Up(data, environment=environment) as up:
            yield Followed(up.wait_ready(), collector, receiver)
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
            files={"content": ("a.jpg", jpeg((70 + number, 64)), "image/jpeg")},
            data={"style": "great-wave"},
            headers={"traceparent": f"00-{its}-{CALLER}-{flags}", "Prefer": "wait=30"},
        )
    followed.one(after, "job")
    assert not [span for span in followed.collector.spans if span.trace == trace]

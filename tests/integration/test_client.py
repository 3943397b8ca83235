"""Our Python client against a real server."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Thread
from uuid import uuid4
from zipfile import ZipFile

import httpx2
import pytest

import impasto.client
from app.client import (
    Campaign,
    Impasto,
    Invalid,
    KeyMissing,
    KeyRefused,
    NothingThere,
    NotNow,
    ServiceAway,
    StillRunning,
    Unavailable,
    WebhookInvalid,
    verify_webhook,
)
from app.client.watching import patience
from app.domain.job import Lane
from app.signing import webhook_secret
from app.webhooks import Keys, headers
from tests.e2e.system import until
from tests.integration.conftest import Api, fail, serving, work
from tests.loopback import Received, reply
from tests.loopback import serving as host
from tests.unit.pictures import jpeg


@pytest.fixture
def url(api: Api) -> Iterator[str]:
    with serving(api) as url:
        api.desk.settings.__dict__["public_url"] = url  # uploads come back to this server
        yield url


@pytest.fixture
def impasto_(api: Api, url: str) -> Iterator[Impasto]:
    with Impasto(url, api.key, rest=0.01) as service:
        yield service


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.jpg" for name in ("a", "b", "Größe 40")]
    for number, path in enumerate(paths):
        path.write_bytes(jpeg((60 + number, 50)))
    return paths


def test_a_campaign_of_files_is_followed_to_its_end(
    api: Api, impasto_: Impasto, photographs: list[Path], tmp_path: Path
) -> None:
    campaign = impasto_.campaigns.create(
        name="spring", style="plain", files=photographs, strength=0.5, metadata={"season": 1}
    )
    assert (campaign.counts.total, campaign.metadata) == (3, {"season": 1})
    seen: list[Campaign] = []

    def progress(now: Campaign) -> None:
        seen.append(now)
        work(api, lane=Lane.CAMPAIGN)

    ended = campaign.wait(progress, timeout=60)
    assert (ended.status, ended.counts.succeeded, ended.counts.ended) == ("finished", 3, 3)
    assert len(seen) >= 3
    items = list(ended.items(status="succeeded"))
    assert [item.custom_id for item in items] == [path.name for path in photographs]
    out = items[0].save(tmp_path / "out" / "a.png")
    assert out.read_bytes().startswith(b"\x89PNG")
    assert impasto_.campaigns.get(campaign.id).counts == ended.counts
    assert [one.id for one in impasto_.campaigns.list()] == [campaign.id]
    with pytest.raises(NotNow):
        ended.cancel()


def test_items_go_as_a_manifest_whatever_their_number(
    impasto_: Impasto, photographs: list[Path]
) -> None:
    upload = impasto_.uploads.create(photographs[0])
    items = ({"custom_id": str(n), "input": {"upload_id": upload.id}} for n in range(1_200))
    campaign = impasto_.campaigns.create(name="many", style="plain", items=items)
    assert campaign.counts.total == 1_200
    assert sum(1 for _ in campaign.items()) == 1_200
    assert campaign.cancel().counts.canceled == 1_200


def test_manifests_come_from_files_and_uploads(
    impasto_: Impasto, photographs: list[Path], tmp_path: Path
) -> None:
    upload = impasto_.uploads.create(photographs[0].read_bytes())
    manifest = tmp_path / "products.csv"
    manifest.write_text(f"custom_id,upload_id\n1,{upload.id}\n2,nowhere\n")
    campaign = impasto_.campaigns.create(name="a", style="plain", manifest=manifest)
    [error] = campaign.manifest_errors()
    assert (error.line, error.custom_id, error.code) == (3, "2", "invalid-line")
    sent = impasto_.uploads.create(manifest)
    again = impasto_.campaigns.create(name="b", style="plain", manifest_upload_id=sent.id)
    assert (again.counts.total, again.counts.refused) == (1, 1)


def test_a_refused_picture_raises_or_is_left_out(
    impasto_: Impasto, photographs: list[Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    files = [*photographs, broken]
    with pytest.raises(Invalid) as caught:
        impasto_.campaigns.create(name="a", style="plain", files=files)
    assert caught.value.problem.code == "invalid-image"
    left: list[Path] = []
    campaign = impasto_.campaigns.create(
        name="a", style="plain", files=files, refused=lambda path, _: left.append(path)
    )
    assert (campaign.counts.total, left) == (3, [broken])


def test_a_job_is_handed_in_waited_for_and_withdrawn(
    api: Api, impasto_: Impasto, photographs: list[Path]
) -> None:
    job = impasto_.jobs.create(style="plain", file=photographs[0], strength=0.5)
    with pytest.raises(ValueError, match="no output"):
        job.content()
    with pytest.raises(StillRunning):
        job.wait(timeout=0.1)
    work(api)
    assert job.wait(timeout=30).status == job.refresh().status == "succeeded"
    other = impasto_.jobs.create(style="plain", url="http://93.184.216.34/a.jpg")
    assert other.cancel().status == "canceled"
    assert [one.id for one in impasto_.jobs.list(status="canceled")] == [other.id]


def test_a_job_may_be_answered_with_its_picture(
    api: Api, impasto_: Impasto, photographs: list[Path]
) -> None:
    upload = impasto_.uploads.create(photographs[0])
    drawn = Thread(target=lambda: until(lambda: work(api)))
    drawn.start()
    job = impasto_.jobs.create(style="plain", upload_id=upload.id, wait=20)
    drawn.join()
    assert (job.status, job.attempt, job.rendered_by) == ("succeeded", 1, None)
    use = impasto_.cache()
    assert (use.succeeded, use.cached, use.ratio) == (1, 0, 0.0)


def test_a_campaign_is_paused_goes_on_and_is_tried_again(
    api: Api, impasto_: Impasto, photographs: list[Path]
) -> None:
    campaign = impasto_.campaigns.create(
        name="a", style="plain", files=photographs, budget_micros=10**9
    )
    assert campaign.pause().status == "paused"
    assert campaign.resume().status == "running"
    assert campaign.set_budget(10**10).cost.budget_micros == 10**10
    fail(api, amount=3, lane=Lane.CAMPAIGN)
    assert campaign.wait(timeout=30).counts.failed == 3
    assert campaign.retry_failed().counts.queued == 3
    work(api, amount=3, lane=Lane.CAMPAIGN)
    ended = campaign.wait(timeout=30)
    assert (ended.counts.succeeded, ended.counts.failed) == (3, 0)
    assert {job.attempt for job in ended.items()} == {2}
    with pytest.raises(NotNow):
        ended.pause()


def test_a_campaign_hands_over_what_it_made(
    api: Api, impasto_: Impasto, photographs: list[Path], tmp_path: Path
) -> None:
    campaign = impasto_.campaigns.create(name="a", style="plain", files=photographs[:1])
    work(api, lane=Lane.CAMPAIGN)
    out = tmp_path / "new" / "folder"
    with ZipFile(campaign.archive(out / "a.zip")) as archive:
        assert {"SHA256SUMS", "manifest.csv"} < set(archive.namelist())
    assert "a.jpg" in campaign.manifest(out / "a.csv").read_text()
    assert json.loads(campaign.manifest(out / "a.jsonl", "jsonl").read_text())
    assert campaign.report(out / "a.html").read_text().startswith("<!doctype html>")
    [job] = campaign.items()
    assert job.output is not None
    [made] = impasto_.provenance(job.output.asset_id).made_by
    assert (made.job_id, made.styles[0].style) == (job.id, "plain@1")
    assert made.provenance.content_sha256 == sha256(photographs[0].read_bytes()).hexdigest()
    with pytest.raises(NothingThere):
        impasto_.provenance("0" * 64)


def test_work_is_priced_before_and_summed_up_after(
    api: Api, impasto_: Impasto, photographs: list[Path]
) -> None:
    estimate = impasto_.costs.estimate(style="plain", count=10, megapixels=1.0)
    assert (estimate.jobs, estimate.licences[0].style) == (10, "plain@1")
    assert estimate.price.micros > 0
    upload = impasto_.uploads.create(photographs[0])
    items = [{"custom_id": "a", "input": {"upload_id": upload.id}}]  # ids as they come
    assert impasto_.costs.estimate(style="plain", items=items).jobs == 1
    with pytest.raises(Invalid):
        impasto_.costs.estimate(style="nowhere", count=1)
    tags = {"brand": "acme"}
    impasto_.campaigns.create(name="a", style="plain", files=photographs, tags=tags)
    work(api, amount=3, lane=Lane.CAMPAIGN)
    groups = {group.key: group for group in impasto_.costs.list("tag:brand")}
    assert (groups["acme"].jobs, groups["acme"].micros) == (3, 3 * 274)
    assert not list(impasto_.costs.list(since=date(2020, 1, 1), until=date(2020, 2, 1)))


def test_a_key_for_reviewing_alone_is_enough_to_review(
    api: Api, impasto_: Impasto, photographs: list[Path], tmp_path: Path
) -> None:
    campaign = impasto_.campaigns.create(
        name="a", style="plain", files=photographs[:2], review="all"
    )
    work(api, amount=2, lane=Lane.CAMPAIGN)
    assert campaign.wait_drawn(timeout=30).counts.in_review == 2
    key = impasto_.keys.create("curator", ["review"], days=1)
    assert key.key is not None
    with impasto_.holding(key.key) as curator:
        one, other = curator.reviews.list(campaign_id=campaign.id)
        assert one.save(tmp_path / "looked at" / "a.png").read_bytes().startswith(b"\x89PNG")
        assert one.approve(note="fine").status == "succeeded"
        rejected = other.reject("off-brand", note="too blue")
        assert (rejected.status, rejected.review and rejected.review.note) == (
            "rejected",
            "too blue",
        )
        with pytest.raises(NotNow):
            other.approve()
        with pytest.raises(KeyRefused):
            curator.campaigns.get(campaign.id)
    ended = campaign.wait(timeout=30)
    assert (ended.counts.succeeded, ended.counts.rejected) == (1, 1)
    assert impasto_.keys.revoke(key.prefix).state == "revoked"
    assert key.prefix in {one.prefix for one in impasto_.keys.list()}


def test_the_environment_names_service_and_key(monkeypatch: pytest.MonkeyPatch, api: Api) -> None:
    monkeypatch.delenv("IMPASTO_API_KEY", raising=False)
    with pytest.raises(KeyMissing, match="impasto keys create"):
        Impasto.from_environment()
    monkeypatch.setenv("IMPASTO_API_KEY", api.key)
    with serving(api) as url:
        monkeypatch.setenv("IMPASTO_URL", url)
        with Impasto.from_environment() as impasto_:
            assert list(impasto_.styles.list())


def test_styles_are_listed(impasto_: Impasto) -> None:
    assert [style.pinned for style in impasto_.styles.list()] == ["plain@1"]


def test_every_refusal_has_a_type_and_the_services_words(
    api: Api, url: str, impasto_: Impasto
) -> None:
    with pytest.raises(NothingThere) as nothing:
        impasto_.jobs.get(uuid4())
    assert nothing.value.problem.code == "not-found"
    with pytest.raises(Invalid) as invalid:
        impasto_.jobs.create(style="plain", url="http://a.example/", strength=7)
    assert invalid.value.problem.errors[0]["pointer"] == "/strength"
    assert invalid.value.problem.request_id
    with Impasto(url, "imp_x_y") as stranger, pytest.raises(KeyRefused):
        list(stranger.campaigns.list())
    with pytest.raises(ValueError, match="one of"):
        impasto_.campaigns.create(name="a", style="plain")


def test_the_same_key_makes_one_campaign(impasto_: Impasto, photographs: list[Path]) -> None:
    upload = impasto_.uploads.create(photographs[0])
    items = [{"custom_id": "1", "input": {"upload_id": upload.id}}]
    ids = {
        impasto_.campaigns.create(name="a", style="plain", items=items, idempotency_key="spring").id
        for _ in range(2)
    }
    assert len(ids) == 1


def test_the_same_key_makes_one_job_of_a_file_and_one_campaign_of_files(
    impasto_: Impasto, photographs: list[Path]
) -> None:
    """Though each call brings its pictures anew."""
    for _ in range(2):
        impasto_.jobs.create(style="plain", file=photographs[0], idempotency_key="tap")
        impasto_.campaigns.create(
            name="a", style="plain", files=photographs, idempotency_key="spring"
        )
    assert len(list(impasto_.jobs.list())) == 1 + len(photographs)
    with pytest.raises(Invalid, match="idempotency-key-reused"):
        impasto_.jobs.create(style="plain", file=photographs[1], idempotency_key="tap")


def problem(status: int, *, retryable: bool, **head: str) -> bytes:
    said = {"code": "x", "title": "x", "detail": "not now", "retryable": retryable}
    return reply(status, json.dumps(said).encode(), Content_Type="application/problem+json", **head)


def styles() -> bytes:
    return reply(200, json.dumps({"data": []}).encode(), Content_Type="application/json")


def test_what_may_help_is_tried_again_at_the_pace_that_is_asked_for() -> None:
    answers = [problem(503, retryable=True), problem(429, retryable=False, Retry_After="1")]
    answers += [reply(502), styles()]
    with host(lambda _: [answers.pop(0)]) as server:
        begun = datetime.now(UTC)
        with Impasto(server.url, "imp_x_y", rest=0.01) as service:
            assert list(service.styles.list()) == []
        assert datetime.now(UTC) - begun >= timedelta(seconds=1)
    assert answers == []


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [(None, 0.3, 0.3), ("1", 0.3, 0.3), ("8", 8, 10), ("600", 60, 75), ("soon", 0.3, 0.3)],
)
def test_it_polls_as_seldom_as_it_is_asked_to(asked: str | None, least: float, most: float) -> None:
    answer = httpx2.Response(304, headers={"retry-after": asked} if asked else {})
    assert least <= patience(answer, 0.3) <= most


def test_whoever_waits_looks_once_more_when_the_time_is_over() -> None:
    running = json.dumps({"finished_at": None}).encode()
    head = {"Retry_After": "60", "ETag": '"1"', "Content_Type": "application/json"}
    answers = [reply(200, running, **head), reply(304, Retry_After="60")]
    with host(lambda _: [answers.pop(0)]) as server:
        with Impasto(server.url, "imp_x_y") as service, pytest.raises(StillRunning):
            list(service.watch("/v1/jobs/x", timeout=0.2))
        asked = [seen.headers.get("if-none-match") for seen in server.received]
    assert asked == [None, '"1"']


def test_it_is_not_tried_for_ever_and_not_where_it_cannot_help() -> None:
    for status, retryable, attempts, kind in (
        (503, True, 3, Unavailable),
        (500, False, 1, Unavailable),
        (422, False, 1, Invalid),
    ):
        script = problem(status, retryable=retryable)
        with host(lambda _, script=script: [script]) as server:  # type: ignore[misc]
            with (
                Impasto(server.url, "imp_x_y", rest=0.01, retries=2) as service,
                pytest.raises(kind),
            ):
                list(service.styles.list())
            assert len(server.received) == attempts


def test_a_post_is_repeated_under_the_same_key() -> None:
    answers = [b"", reply(503), reply(202, b"{}", Content_Type="application/json")]
    with host(lambda _: [answers.pop(0)], keep=False) as server:
        with Impasto(server.url, "imp_x_y", rest=0.01) as service:
            service.post("/v1/jobs", {})
            keys = {seen.headers["idempotency-key"] for seen in server.received}
            assert len(keys) == 1
            answers.append(reply(200, b"{}", Content_Type="application/json"))
            service.post("/v1/jobs", {})
        assert server.received[-1].headers["idempotency-key"] not in keys


def test_a_form_is_sent_whole_again(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(b'{"custom_id": "1"}\n' * 100)
    bodies: list[bytes] = []

    def script(seen: Received) -> list[bytes]:
        bodies.append(seen.body)
        return [reply(503) if len(bodies) == 1 else reply(422)]

    with (
        host(script) as server,
        Impasto(server.url, "imp_x_y", rest=0.01) as service,
        pytest.raises(Invalid),
    ):
        service.campaigns.create(name="a", style="b", manifest=manifest)
    assert [body.count(b"custom_id") for body in bodies] == [100, 100]


def test_nobody_there_is_told_as_such() -> None:
    with (
        Impasto("http://127.0.0.1:9", "imp_x_y", rest=0.01) as service,
        pytest.raises(ServiceAway, match="does not answer"),
    ):
        service.get("/v1/styles")


def test_webhooks_are_verified_in_one_call(api: Api, impasto_: Impasto) -> None:
    secret = impasto_.webhook_secret()
    assert secret == webhook_secret("a long random text", api.ground.tenant_id, 1)
    body = json.dumps({"type": "job.succeeded", "data": {}})
    now = datetime.now(UTC)
    good = headers(uuid4(), body, keys=Keys((secret,), ()), now=now)
    upper = {name.title(): value for name, value in good.items()}
    assert verify_webhook(upper, body.encode(), secret)["type"] == "job.succeeded"
    old = headers(uuid4(), body, keys=Keys((secret,), ()), now=now - timedelta(minutes=6))
    other = headers(uuid4(), body, keys=Keys((webhook_secret("x", uuid4(), 1),), ()), now=now)
    for wrong, content in ((old, body), (other, body), (good, body + " "), ({}, body)):
        with pytest.raises(WebhookInvalid):
            verify_webhook(wrong, content.encode(), secret)


def test_the_public_name_is_the_same_client() -> None:
    assert impasto.client.Impasto is Impasto
    assert impasto.client.verify_webhook is verify_webhook

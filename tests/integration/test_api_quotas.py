"""Quotas: told of in headers, kept in Redis, and nobody's trouble when Redis is away."""

import asyncio
import logging
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis
from starlette.testclient import TestClient

from app.api.turnstile import FRESH, Turnstile
from app.db import tenants
from app.domain.quotas import BURST, DAILY
from app.errors import QuotaExceeded
from app.quotas import Meter
from app.settings import QuotaSettings
from tests.integration.conftest import Api, speaking
from tests.integration.test_api_uploads import upload_of
from tests.unit.pictures import jpeg

TYPE = "https://iana.org/assignments/http-problem-types#quota-exceeded"


def limited(api: Api, **quotas: int) -> Api:
    meter = Meter(api.redis_url, QuotaSettings(**quotas))
    return replace(api, desk=replace(api.desk, meter=meter))


def exceeded(answer: Any, policy: str) -> Any:
    assert answer.status_code == 429, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["code"], problem["retryable"]) == (
        TYPE,
        "quota-exceeded",
        True,
    )
    assert problem["violated-policies"] == [policy]
    left = re.search(rf'"{policy}";r=\d+;t=(\d+)', answer.headers["ratelimit"] or "")
    assert left
    if policy == BURST:  # pictures are counted behind the door, where the header was written
        assert int(answer.headers["retry-after"]) >= int(left[1]) >= 1
    assert int(answer.headers["retry-after"]) == problem["retry_after"] >= 1
    return problem


def test_every_keyed_answer_says_how_its_tenant_stands(api: Api) -> None:
    with speaking(limited(api, requests_per_minute=100, pictures_per_day=20_000)) as client:
        answers = [
            client.get("/v1/jobs"),
            client.get(f"/v1/jobs/{uuid4()}"),
            client.post("/v1/jobs", json={}),
            client.get(f"/v1/assets/{'a' * 64}"),
        ]
        open_ones = [client.get("/livez"), client.get("/v1/jobs", headers={"Authorization": ""})]
    assert [answer.status_code for answer in answers] == [200, 404, 422, 404]
    for number, answer in enumerate(answers, 1):
        policy = answer.headers["ratelimit-policy"]
        assert re.fullmatch(
            r'"burst";q=100;w=60;pk=:[A-Za-z0-9+/]{8}:, '
            r'"daily";q=20000;w=86400;qu="pictures";pk=:[A-Za-z0-9+/]{8}:, '
            r'"waiting";q=500000;qu="pictures";pk=:[A-Za-z0-9+/]{8}:',
            policy,
        )
        standing = re.fullmatch(
            r'"burst";r=(\d+);t=(\d+), "daily";r=20000;t=0, "waiting";r=500000',
            answer.headers["ratelimit"],
        )
        assert standing
        assert int(standing[1]) in (100 - number, 100 - number + 1)  # it fills while we ask
        assert 0 < int(standing[2]) <= number
    for answer in open_ones:
        assert "ratelimit" not in answer.headers
        assert "ratelimit-policy" not in answer.headers


def test_one_request_too_many_is_refused_and_another_tenant_is_not(api: Api) -> None:
    with speaking(limited(api, requests_per_minute=3)) as client:
        assert [client.get("/v1/jobs").status_code for _ in range(3)] == [200] * 3
        before = api.stored()
        problem = exceeded(client.post("/v1/jobs", content=b"{"), BURST)
        assert "Try again in" in problem["detail"]
        assert problem["retry_after"] <= 20
        assert api.stored() == before
        stranger = {"Authorization": f"Bearer {api.stranger}"}
        assert client.get("/v1/jobs", headers=stranger).status_code == 200


def test_what_was_used_comes_back_evenly(redis_url: str) -> None:
    meter, tenant = Meter(redis_url, QuotaSettings(pictures_per_day=864_000)), uuid4()
    meter.take(tenant, 864_000)
    with pytest.raises(QuotaExceeded) as refused:
        meter.take(tenant, 5)  # ten come back each second
    assert refused.value.extensions["retry_after"] == 1
    start = monotonic()
    while True:
        try:
            meter.take(tenant, 5)
        except QuotaExceeded:
            assert monotonic() - start < 5
        else:
            break
    assert monotonic() - start > 0.3


def test_many_at_once_take_exactly_what_there_is(redis_url: str) -> None:
    meter, tenant = Meter(redis_url, QuotaSettings(pictures_per_day=50)), uuid4()

    def take(_: int) -> bool:
        try:
            meter.take(tenant, 1)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(take, range(200))) == 50


def test_pictures_over_the_days_quota_leave_nothing(api: Api) -> None:
    with speaking(limited(api, pictures_per_day=3)) as client:
        upload_id = upload_of(client, jpeg())
        item = {"input": {"upload_id": upload_id}}
        items = [{"custom_id": str(number), **item} for number in range(4)]
        campaign = {"name": "spring", "style": "plain"}
        before, tickets = api.stored(), list(api.tickets.lanes)
        never = exceeded(client.post("/v1/campaigns", json=campaign | {"items": items}), DAILY)
        assert "handed in in parts" in never["detail"]
        assert (api.stored(), api.tickets.lanes) == (before, tickets)
        answer = client.post("/v1/campaigns", json=campaign | {"items": items[:2]})
        assert answer.status_code == 202
        files = {"content": jpeg()}
        assert client.post("/v1/jobs", files=files, data={"style": "plain"}).status_code == 202
        before = api.stored()
        answer = client.post("/v1/jobs", files=files, data={"style": "plain"})
        assert exceeded(answer, DAILY)["retry_after"] > 3600
        assert api.stored() == before
        asked = monotonic()
        while '"daily";r=0' not in client.get("/v1/jobs").headers["ratelimit"]:
            assert monotonic() - asked < FRESH + 5


def test_a_refused_picture_is_not_counted(api: Api) -> None:
    with speaking(limited(api, pictures_per_day=10)) as client:
        answer = client.post("/v1/jobs", files={"content": b"text"}, data={"style": "plain"})
        assert answer.status_code == 422
        assert '"daily";r=10' in client.get("/v1/jobs").headers["ratelimit"]


def test_a_tenants_own_numbers_hold_within_a_second(api: Api) -> None:
    with speaking(limited(api)) as client:
        assert '"burst";q=60000' in client.get("/v1/jobs").headers["ratelimit-policy"]
        with api.desk.sessions.begin() as session:
            its = tenants.get(session, api.ground.tenant_id)
            tenants.set_quotas(session, its, {BURST: 7, DAILY: 0}, by="operator")
        asked = monotonic()
        while '"burst";q=7;' not in client.get("/v1/jobs").headers["ratelimit-policy"]:
            assert monotonic() - asked < 5
        assert "daily" not in client.get("/v1/jobs").headers["ratelimit-policy"]


def test_without_limits_there_are_no_headers(api: Api) -> None:
    none = {"requests_per_minute": 0, "pictures_per_day": 0, "pictures_waiting": 0}
    with speaking(limited(api, **none)) as client:
        answer = client.get("/v1/jobs")
    assert not {"ratelimit", "ratelimit-policy"} & set(answer.headers)


def test_without_redis_everybody_passes_and_the_log_is_told_once(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        meter = Meter(f"redis://127.0.0.1:{nobody.getsockname()[1]}/0", QuotaSettings())
    away = replace(api, desk=replace(api.desk, meter=meter))
    with speaking(away) as client:
        answers = [client.get("/v1/jobs") for _ in range(5)]
        files = {"content": jpeg()}
        accepted = client.post("/v1/jobs", files=files, data={"style": "plain"})
    assert {answer.status_code for answer in answers} == {200}
    assert accepted.status_code == 202
    assert "ratelimit-policy" in answers[0].headers
    assert "ratelimit" not in answers[0].headers
    told = [line for line in caplog.records if "quotas are not metered" in line.message]
    assert len(told) == 1
    assert meter.fuse.unmetered == 7


def test_when_redis_is_back_it_is_told_how_many_passed(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    meter = Meter(redis_url, QuotaSettings())
    meter.fuse.blow(ConnectionError("gone"))
    assert meter.fuse.blown
    meter.take(uuid4(), 1)
    asked = monotonic()
    while meter.fuse.unmetered:
        meter.take(uuid4(), 1)
        assert monotonic() - asked < 5
    assert re.search(r"metered again; \d+ requests were not", caplog.text)


def test_buckets_that_are_full_again_leave_redis(redis_url: str) -> None:
    meter, tenant = Meter(redis_url, QuotaSettings(pictures_per_day=1_000_000)), uuid4()
    meter.take(tenant, 1)
    with Redis.from_url(redis_url) as redis:
        assert 0 < redis.pttl(f"impasto:quota:{tenant}:daily") <= 1_100


def test_a_redis_that_forgot_the_script_gets_it_again(api: Api, client: TestClient) -> None:
    assert "ratelimit" in client.get("/v1/jobs").headers
    with Redis.from_url(api.redis_url) as redis:
        redis.script_flush()
    assert "ratelimit" in client.get("/v1/jobs").headers


def test_of_a_large_quota_some_requests_are_taken_at_once(api: Api) -> None:
    def trips(redis: Redis) -> int:
        calls = redis.info("commandstats").get("cmdstat_evalsha", {"calls": 0})
        return int(calls["calls"])

    left = []
    with Redis.from_url(api.redis_url) as redis, speaking(limited(api)) as client:
        before = trips(redis)
        for _ in range(30):
            told = re.match(r'"burst";r=(\d+);', client.get("/v1/jobs").headers["ratelimit"])
            assert told
            left.append(int(told[1]))
        assert trips(redis) - before < 30
    assert left[0] in (59_999, 60_000)
    assert left[-1] < left[0]


def test_the_last_requests_of_a_large_quota_are_counted_one_by_one(redis_url: str) -> None:
    meter, tenant = Meter(redis_url, QuotaSettings(requests_per_minute=5_000)), uuid4()
    with Redis.from_url(redis_url) as redis:
        seconds, micros = redis.time()
        full = seconds * 1_000_000 + micros + 60_000_000
        redis.set(f"impasto:quota:{tenant}:burst", full - 30_000)  # two and a half are left

    async def pass_until_refused() -> int:
        turnstile = Turnstile(meter)
        try:
            for number in range(1_000):
                try:
                    await turnstile.count(tenant, [])
                except QuotaExceeded:
                    return number
        finally:
            await turnstile.close()
        return 1_000

    assert 2 <= asyncio.run(pass_until_refused()) < 1_000

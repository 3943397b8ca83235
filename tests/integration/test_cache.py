"""Pictures that were drawn before are not drawn again, and nobody else learns that they were."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from starlette.testclient import TestClient

from app.db import Sessions, cache, jobs, ledger
from app.db.models import Campaign, Inference, Job
from app.domain.job import JobStatus, Lane
from app.domain.parameters import Parameters, Quality
from app.domain.terms import Review
from app.planning import cacheable
from tests.integration.conftest import Api, new_api, speaking, work
from tests.integration.test_api_handover import campaign_of
from tests.integration.test_api_jobs import hand_in
from tests.integration.test_api_uploads import upload_of
from tests.unit.pictures import jpeg


@pytest.fixture
def api(sessions: Sessions, redis_url: str, tmp_path: Path) -> Api:
    """One that remembers."""
    api = new_api(sessions, redis_url, tmp_path / "assets")
    settings = api.desk.settings.model_copy(update={"cache": True})
    return replace(api, desk=replace(api.desk, settings=settings))


@pytest.fixture
def client(api: Api) -> Iterator[TestClient]:
    with speaking(api) as client:
        yield client


def claim(api: Api, lane: Lane = Lane.CAMPAIGN, limit: int = 16) -> list[Any]:
    with api.desk.sessions.begin() as session:
        return list(jobs.claim(session, lane, worker="w", limit=limit, pixels=2**40, lease=60.0))


def test_a_picture_that_was_drawn_before_is_there_at_once_and_costs_nothing(
    api: Api, client: TestClient
) -> None:
    first = hand_in(client)
    work(api)
    drawn = client.get(first.headers["location"]).json()
    again = hand_in(client)
    assert (again.status_code, again.json()["status"]) == (200, "succeeded")
    assert again.json()["rendered_by"] == drawn["id"]
    assert again.json()["output"]["asset_id"] == drawn["output"]["asset_id"]
    assert (drawn["cost"]["micros"], again.json()["cost"]["micros"]) == (274, 0)
    with api.desk.sessions() as session:
        assert ledger.balance(session, api.ground.tenant_id) == 274
        assert session.scalar(select(func.count()).select_from(Inference)) == 1


@pytest.mark.parametrize(
    "other",
    [{"strength": "0.5"}, {"quality": "71"}, {"variation": "7"}, {"keep_colour": "0.1"}],
)
def test_whatever_changes_the_picture_makes_it_another(
    api: Api, client: TestClient, other: dict[str, Any]
) -> None:
    hand_in(client)
    work(api)
    assert hand_in(client, **other).json()["status"] == "queued"
    assert hand_in(client, jpeg((65, 48))).json()["status"] == "queued"


def test_another_tenant_draws_it_for_itself(api: Api, client: TestClient) -> None:
    hand_in(client)
    work(api)
    with TestClient(api.app, headers={"Authorization": f"Bearer {api.stranger}"}) as stranger:
        theirs = hand_in(stranger)
        assert (theirs.status_code, theirs.json()["status"]) == (202, "queued")
        assert stranger.get("/v1/cache").json()["cached"] == 0


def test_a_campaign_says_how_much_of_it_was_there(api: Api, client: TestClient) -> None:
    place = campaign_of(client, ["1"])
    work(api, lane=Lane.CAMPAIGN)
    again = campaign_of(client, ["1", "2", "3"])
    campaign = client.get(again).json()
    assert campaign["status"] == "finished"
    counts = campaign["counts"]
    assert (counts["succeeded"], counts["cached"]) == (3, 3)
    assert campaign["cost"]["actual_micros"] == 0
    assert client.get(place).json()["counts"]["cached"] == 0
    ratio = client.get("/v1/cache").json()
    assert (ratio["succeeded"], ratio["cached"], ratio["ratio"]) == (4, 3, 0.75)


def test_hits_take_nothing_of_a_budget(api: Api, client: TestClient) -> None:
    campaign_of(client, ["1"])
    work(api, lane=Lane.CAMPAIGN)
    item = {"input": {"upload_id": upload_of(client, jpeg())}}
    items = [{"custom_id": str(number), **item} for number in range(3)]
    body = {"name": "spring", "style": "plain", "budget_micros": 1, "items": items}
    place = client.post("/v1/campaigns", json=body).json()["urls"]["get"]
    with api.desk.sessions() as session:
        its = session.scalars(select(Campaign).where(Campaign.budget_micros == 1)).one()
    assert (its.succeeded, its.cached, its.unfunded, its.allotted_micros) == (3, 3, 0, 0)
    assert client.get(place).json()["status"] == "finished"


def test_hits_are_told_of_like_any_other_end(api: Api, client: TestClient) -> None:
    hand_in(client)
    work(api)
    hand_in(client, webhook_url="https://shop.example/hook")
    assert api.tickets.deliveries == 1


def test_of_equal_pictures_one_is_drawn_while_the_others_wait(api: Api, client: TestClient) -> None:
    place = campaign_of(client, ["1", "2", "3"])
    other = campaign_of(client, ["4"])
    [row] = claim(api)
    assert claim(api) == []
    finish(api, row)
    assert client.get(place).json()["counts"]["succeeded"] == 1
    assert client.get(other).json()["counts"]["succeeded"] == 0
    # Whoever claims one of them now finds the picture there, and that of the others.
    [copy] = claim(api)
    with api.desk.sessions.begin() as session:
        hits = cache.found(session, [copy])
        hits += cache.ahead(session, Lane.CAMPAIGN, {copy.tenant_id})
        assert [hit.job_id for hit in hits] == [row.id] * 3
        cache.end(session, hits, by="w")
    assert client.get(place).json()["counts"]["cached"] == 2
    assert client.get(other).json()["counts"]["cached"] == 1


def finish(api: Api, row: Any) -> None:
    """As a worker would."""
    success = jobs.Success(jobs.Held(row.id, row.attempt), row.content_digest, 274, "{}")
    with api.desk.sessions.begin() as session:
        assert jobs.succeed(session, [success], by="w") == {row.id}


def test_two_workers_that_claim_in_the_same_moment_do_not_draw_the_same(
    api: Api, client: TestClient
) -> None:
    campaign_of(client, ["1", "2"])
    together = Barrier(2)
    claimed: list[UUID] = []

    def race() -> str:
        with api.desk.sessions() as session:
            together.wait(20)
            # Each sees only its own: what a snapshot shows in such a moment.
            its = session.scalars(
                select(Job.id)
                .where(Job.status == JobStatus.QUEUED)
                .with_for_update(skip_locked=True)
                .limit(1)
            ).one()
            together.wait(20)
            held = {"status": JobStatus.RUNNING, "worker": "w", "lease_until": func.now()}
            try:
                session.execute(update(Job).where(Job.id == its).values(held))
                session.commit()
            except IntegrityError as error:
                return "collided" if cache.collided(error) else "broke"
            claimed.append(its)
            return "claimed"

    with ThreadPoolExecutor(2) as threads:
        ends = sorted(future.result(30) for future in [threads.submit(race) for _ in range(2)])
    assert ends == ["claimed", "collided"]
    assert len(claimed) == 1


def test_what_a_person_must_see_is_not_waved_through(api: Api, client: TestClient) -> None:
    upload_id = upload_of(client, jpeg())
    body = {"style": "plain", "input": {"upload_id": upload_id}}
    drawn = client.post("/v1/jobs", json=body).json()["id"]
    work(api)
    answer = client.post("/v1/jobs", json={**body, "review": "all"})
    job = answer.json()
    assert (job["status"], job["rendered_by"], job["output"]) == ("in_review", drawn, None)
    assert job["cost"]["micros"] == 0
    client.post(f"/v1/reviews/{job['id']}", json={"decision": "approve"})
    assert client.get(answer.headers["location"]).json()["status"] == "succeeded"


def test_of_a_reviewed_campaign_those_of_the_sample_wait_and_the_others_are_done(
    api: Api, client: TestClient
) -> None:
    campaign_of(client, ["1"])
    work(api, lane=Lane.CAMPAIGN)
    items = [
        {"custom_id": str(number), "input": {"upload_id": upload_of(client, jpeg())}}
        for number in range(40)
    ]
    body = {"name": "spring", "style": "plain", "review": "sample:50%", "items": items}
    place = client.post("/v1/campaigns", json=body).json()["urls"]["get"]
    counts = client.get(place).json()["counts"]
    with api.desk.sessions() as session:
        ids = session.scalars(select(Job.id).where(Job.review.is_not(None)))
        sample = sum(Review.parse("sample:50%").wants(job_id) for job_id in ids)
    assert (counts["in_review"], counts["succeeded"], counts["cached"]) == (sample, 40 - sample, 40)
    query = {"campaign_id": place.rpartition("/")[2]}
    verdict = {"query": query, "decision": "approve"}
    client.post("/v1/reviews", json=verdict)
    campaign = client.get(place).json()
    assert (campaign["status"], campaign["counts"]["cached"]) == ("finished", 40)


def test_hits_do_not_lead_to_hits(api: Api, client: TestClient) -> None:
    drawn = hand_in(client).headers["location"]
    work(api)
    hand_in(client)
    third = hand_in(client).json()
    assert drawn.endswith(third["rendered_by"])


def test_prints_are_not_shared(api: Api, client: TestClient) -> None:
    """Their key does not say which judge painted them."""
    hand_in(client)
    with api.desk.sessions() as session:
        [key] = session.scalars(select(Job.cache_key)).all()
    assert key is not None
    assert not cacheable(api.desk.settings, Parameters(quality=Quality.PRINT))


def test_without_a_cache_everything_is_drawn(api: Api, client: TestClient) -> None:
    settings = api.desk.settings.model_copy(update={"cache": False})
    plain = replace(api, desk=replace(api.desk, settings=settings))
    with speaking(plain) as forgetful:
        hand_in(forgetful)
        work(plain)
        assert hand_in(forgetful).json()["status"] == "queued"

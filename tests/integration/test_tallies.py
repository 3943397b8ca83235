"""How much had been drawn before: told from sums, which stay what the jobs say."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update
from starlette.testclient import TestClient

from app.db import tallies
from app.db.models import Job, Tally
from app.domain.job import JobStatus, Lane
from tests.integration.conftest import Api, speaking, work
from tests.integration.test_api_handover import campaign_of
from tests.integration.test_api_refusals import refusal
from tests.integration.test_cache import api  # noqa: F401 - a fixture


@pytest.fixture
def client(api: Api) -> Iterator[TestClient]:  # noqa: F811
    with speaking(api) as client:
        yield client


@pytest.fixture
def campaign(api: Api, client: TestClient) -> str:  # noqa: F811
    """The path of one of three hits, after one of one drawing."""
    campaign_of(client, ["1"])
    work(api, lane=Lane.CAMPAIGN)
    return campaign_of(client, ["1", "2", "3"])


def told(client: TestClient, **query: object) -> tuple[int, int, float | None]:
    answer = client.get("/v1/cache", params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return tuple(answer.json()[name] for name in ("succeeded", "cached", "ratio"))


def rows(api: Api) -> int:  # noqa: F811
    with api.desk.sessions() as session:
        return session.scalar(select(func.count()).select_from(Tally)) or 0


def test_the_sums_are_what_the_jobs_say_before_and_after_they_are_folded(
    api: Api,  # noqa: F811
    client: TestClient,
    campaign: str,
) -> None:
    assert told(client) == (4, 3, 0.75)
    assert rows(api) == 2
    for _ in range(2):
        with api.desk.sessions.begin() as session:
            tallies.fold(session)
        assert (told(client), rows(api)) == ((4, 3, 0.75), 1)
    campaign_of(client, ["4"])
    with api.desk.sessions.begin() as session:
        tallies.fold(session)
        jobs = select(func.count()).where(Job.status == JobStatus.SUCCEEDED)
        assert session.scalar(jobs) == 5
    assert (told(client), rows(api)) == ((5, 4, 0.8), 1)


def test_nobody_waits_for_the_sums_of_another(
    api: Api,  # noqa: F811
    client: TestClient,
    campaign: str,
) -> None:
    with api.desk.sessions.begin() as long:
        tallies.fold(long)
        campaign_of(client, ["4"])  # is committed meanwhile
        assert told(client) == (5, 4, 0.8)
    with api.desk.sessions.begin() as session:
        tallies.fold(session)
    assert (told(client), rows(api)) == ((5, 4, 0.8), 1)


def test_days_that_are_too_long_ago_do_not_count(
    api: Api,  # noqa: F811
    client: TestClient,
    campaign: str,
) -> None:
    with api.desk.sessions.begin() as session:
        tallies.fold(session)
        session.execute(update(Tally).values(day=datetime.now(UTC).date() - timedelta(days=3)))
    assert told(client, days=3) == (0, 0, None)
    assert told(client, days=4) == (4, 3, 0.75)


def test_a_campaign_is_asked_about_alone(client: TestClient, campaign: str) -> None:
    assert told(client, campaign_id=campaign.rpartition("/")[2]) == (3, 3, 1.0)
    refusal(client.get("/v1/cache", params={"campaign_id": str(uuid4())}), 404, "not-found")


def test_another_tenants_campaign_is_not_told_of(
    api: Api,  # noqa: F811
    campaign: str,
) -> None:
    with TestClient(api.app, headers={"Authorization": f"Bearer {api.stranger}"}) as stranger:
        query = {"campaign_id": campaign.rpartition("/")[2]}
        refusal(stranger.get("/v1/cache", params=query), 404, "not-found")
